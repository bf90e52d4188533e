"""The fewest source positions that outputs of a convolution see: no set of outputs sees fewer."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nets import convolution, geometry
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.compiler.mapper.crossbar.bound_receptive_fields import least_seen


def sees(projection: Projection) -> Array:
    """(outputs, source positions) of one channel, by running the convolution."""
    g = projection.geometry
    assert g is not None
    pictures = np.eye(size(g.in_shape))
    return np.asarray(accumulate(projection, pictures).T > 0)


def one_channel(shape: tuple[int, int], kernel: tuple[int, int], **keys: object) -> Projection:
    return convolution("w", "in", (1, *shape), np.ones((1, 1, *kernel), np.int8), **keys)  # type: ignore[arg-type]


def fewest(projection: Projection, most: int) -> list[int]:
    fields = sees(projection)
    return [
        min(int(fields[list(chosen)].any(axis=0).sum()) for chosen in combinations(range(len(fields)), count))
        for count in range(1, most + 1)
    ]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_no_outputs_see_fewer_positions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, kernel = tuple(int(n) for n in rng.integers(2, 7, 2)), tuple(int(n) for n in rng.integers(1, 4, 2))
    keys = {
        "stride": tuple(int(n) for n in rng.integers(1, 4, 2)),
        "dilation": tuple(int(n) for n in rng.integers(1, 3, 2)),
        "padding": tuple(int(n) for n in rng.integers(0, 3, 4)),
    }  # fmt: skip
    if min(geometry((1, *shape), 1, kernel, **keys).out_shape) < 1:  # type: ignore[arg-type]
        return
    projection = one_channel((shape[0], shape[1]), (kernel[0], kernel[1]), **keys)
    fields = sees(projection)
    bound = least_seen(projection, len(fields))
    assert bound.size == len(fields) + 1
    assert bound[0] == 0
    for _ in range(50):
        chosen = rng.permutation(len(fields))[: int(rng.integers(1, len(fields) + 1))]
        assert bound[chosen.size] <= fields[chosen].any(axis=0).sum()
    # Boxes near a corner are where the fewest are seen.
    for rows in range(1, shape[0]):
        box = np.arange(len(fields)).reshape(-1, projection.geometry.out_shape[2])[:rows, :rows].reshape(-1)  # type: ignore[union-attr]
        assert bound[box.size] <= fields[box].any(axis=0).sum()


def test_a_small_image_is_counted_exactly() -> None:
    inside, padded = one_channel((5, 5), (3, 3)), one_channel((3, 3), (3, 3), padding=(1, 1, 1, 1))
    for projection in (inside, padded):
        assert least_seen(projection, 9)[1:].tolist() == fewest(projection, 9)


def test_outputs_that_share_nothing_see_a_kernel_each() -> None:
    apart = one_channel((8, 8), (2, 2), stride=(2, 2))
    assert least_seen(apart, 16).tolist() == [4 * count for count in range(17)]
