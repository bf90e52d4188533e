"""The sources that any tile of n rows has at least: no more than the best tile of n rows has."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nets import convolution, full_codes, same, sparse_codes
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.mapper.lower_bounds.tile_program import least_sources
from tern2lava.compiler.mapper.lower_bounds.totals import used_sources


def fewest(reached: Array, rows: int) -> int:
    """Columns of the best of all tiles of `rows` rows."""
    return min(int(reached[list(tile)].any(axis=0).sum()) for tile in combinations(range(len(reached)), rows))


@pytest.mark.parametrize("zeros", [0.2, 0.5, 0.8, 0.95])
def test_no_tile_of_dense_rows_has_fewer_sources_than_the_bound(zeros: float) -> None:
    for seed in range(6):
        weight = sparse_codes(np.random.default_rng(seed), 8, 15, zeros=zeros)
        bound = least_sources(Projection(name="w", inputs=("in",), weight=weight))
        best = [fewest(weight != 0, rows) for rows in range(1, 9)]
        assert (bound <= best).all()
        assert bound[0] == best[0]


def test_the_bound_of_planted_blocks_and_of_full_rows_is_what_they_have() -> None:
    own = np.arange(12) // 4
    blocks = frozen((own[:, None] == own).astype(np.int8), np.int8)
    bound = least_sources(Projection(name="w", inputs=("in",), weight=blocks))
    assert bound[:4].tolist() == [4.0] * 4
    assert (bound <= [fewest(blocks != 0, rows) for rows in range(1, 13)]).all()
    full = full_codes(np.random.default_rng(0), 6, 9)
    assert least_sources(Projection(name="w", inputs=("in",), weight=full)).tolist() == [9.0] * 6


def test_no_tile_of_pruned_kernels_reads_fewer_channels_than_the_bound() -> None:
    rng = np.random.default_rng(1)
    kernels = rng.choice([-1, 1], (7, 9, 3, 3)) * (rng.random((7, 9)) < 0.4)[..., None, None]
    bound = least_sources(convolution("c", "in", (9, 6, 6), frozen(kernels, np.int8), padding=same(3, 3)))
    assert (bound <= [fewest(np.asarray(kernels.any(axis=(2, 3))), rows) for rows in range(1, 8)]).all()


def test_sources_that_are_used_are_counted_synapse_by_synapse() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        kernels = sparse_codes(rng, 3, 4, 3, 3, zeros=0.9)
        wire = convolution("c", "in", (4, 5, 5), kernels, padding=same(3, 3))
        used = np.zeros((4, 7, 7), bool)
        for _, c, y, x in np.argwhere(kernels != 0).tolist():
            used[c, y : y + 5, x : x + 5] = True
        assert used_sources(wire) == used[:, 1:6, 1:6].sum()
