from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.mapper.routing.route_union import Mesh, hops_bound, least_links, union_links


def walked(mesh: Mesh, source: int, target: int) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    """The links of one route, walked router by router."""
    (row, col), end, links = divmod(source, mesh.cols), divmod(target, mesh.cols), set()
    for axis in (1, 0) if mesh.order == "xy" else (0, 1):
        while (row, col)[axis] != end[axis]:
            step = 1 if end[axis] > (row, col)[axis] else -1
            after = (row, col + step) if axis == 1 else (row + step, col)
            links.add(((row, col), after))
            row, col = after
    return links


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 4), cols=st.integers(1, 5), order=st.sampled_from(["xy", "yx"]), data=st.data())
def test_links_of_a_union_are_those_of_its_routes_walked_one_by_one(
    rows: int, cols: int, order: str, data: st.DataObject
) -> None:
    mesh = Mesh(rows, cols, order)
    core = st.integers(0, mesh.cores - 1)
    source, targets = data.draw(core), data.draw(st.lists(core, max_size=8))
    expected = set().union(*(walked(mesh, source, target) for target in targets))
    assert union_links(mesh, source, np.array(targets, np.int64)) == len(expected)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_mapping_of_a_small_network_takes_fewer_hops_than_the_bound(most: int) -> None:
    # All mappings of four neurons on a mesh of 2 x 2, `most` on a core, each reaching others.
    reaches = [[1, 2, 3], [0], [0, 3], []]
    spikes = np.array([3.0, 1.0, 2.0, 5.0])
    mesh = Mesh(2, 2)
    found = [
        sum(
            spikes[v] * union_links(mesh, core[v], np.array([core[u] for u in reached], np.int64))
            for v, reached in enumerate(reaches)
        )
        for core in product(range(4), repeat=4)
        if max(core.count(c) for c in range(4)) <= most
    ]
    bound = hops_bound(np.array([len(reached) for reached in reaches]), spikes, most)
    # Neuron 0 needs three, two or one link: with one neuron on a core, with two, with three.
    assert bound == {1: 3 * 3 + 1 + 2 * 2, 2: 3 * 1 + 2 * 1, 3: 3 * 1}[most]
    assert bound <= min(found)


def test_inputs_may_be_read_where_they_enter_by_a_whole_core() -> None:
    reached = np.array([0, 1, 3, 4, 7])
    assert least_links(reached, 3).tolist() == [0, 0, 1, 1, 2]
    assert least_links(reached, 3, owned=False).tolist() == [0, 0, 0, 1, 2]
