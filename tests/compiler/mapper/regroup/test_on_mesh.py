from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.mapper.regroup.on_mesh import on_mesh, union_hops
from tern2lava.compiler.mapper.routing.route_union import Mesh
from tern2lava.errors import CapacityError


def walked(reads: csr_matrix, own: Ints, spikes: Reals, mesh: Mesh, core: Ints) -> float:
    """Spikes times the links of all routes of a source, walked along x and then y, in a set."""
    total = 0.0
    for source in range(spikes.size):
        links = set()
        for v in np.flatnonzero(reads.toarray()[:, source]):
            row, col = divmod(int(core[own[source]]) if own[source] >= 0 else 0, mesh.cols)
            last_row, last_col = divmod(int(core[v]), mesh.cols)
            while (row, col) != (last_row, last_col):
                begin = row, col
                if col != last_col:
                    col += 1 if last_col > col else -1
                else:
                    row += 1 if last_row > row else -1
                links.add((begin, (row, col)))
        total += float(spikes[source]) * len(links)
    return total


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), rows=st.integers(1, 3), cols=st.integers(1, 3))
def test_neurons_lie_within_the_limits_and_cost_what_walked_routes_cost(seed: int, rows: int, cols: int) -> None:
    rng = np.random.default_rng(seed)
    mesh, neurons = Mesh(rows, cols), rows * cols * 2 + 1
    sources = int(rng.integers(1, 12))
    reads = csr_matrix((rng.random((neurons, sources)) < 0.3).astype(np.int8))
    own, spikes = rng.integers(-1, neurons, sources), rng.random(sources)
    core = on_mesh(reads, own, spikes, mesh, least=1, most=4, seed=seed, moves=2_000)
    held = np.bincount(core, minlength=mesh.cores)
    assert held.min() >= 1
    assert held.max() <= 4
    assert union_hops(reads, own, spikes, mesh, core) == pytest.approx(walked(reads, own, spikes, mesh, core))
    assert (core == on_mesh(reads, own, spikes, mesh, least=1, most=4, seed=seed, moves=2_000)).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_all_mappings_of_a_small_network_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reads = csr_matrix((rng.random((6, 6)) < 0.35).astype(np.int8))
    own, spikes, mesh = np.arange(6), rng.integers(1, 9, 6).astype(float), Mesh(2, 3)
    best = min(union_hops(reads, own, spikes, mesh, np.array(core)) for core in permutations(range(6)))
    core = on_mesh(reads, own, spikes, mesh, least=1, most=1, seed=seed, moves=20_000)
    assert union_hops(reads, own, spikes, mesh, core) == pytest.approx(best)


def test_a_mesh_with_too_few_places_is_refused_by_name() -> None:
    reads = csr_matrix(np.eye(9))
    with pytest.raises(CapacityError, match="the neurons: needs 9 places on the mesh, the target has 8"):
        on_mesh(reads, np.arange(9), np.ones(9), Mesh(2, 2), least=0, most=2)
