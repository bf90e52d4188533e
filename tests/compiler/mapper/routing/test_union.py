"""Links of one source's routes, each counted once."""

from __future__ import annotations

import numpy as np
import pytest

from nets import variant
from tern2lava.compiler.mapper.routing.union import lines_of, route_hops, tree_hops


@pytest.mark.parametrize("order", ["xy", "yx"])
def test_a_tree_has_the_links_of_all_its_routes_once_and_borders_weigh_more(order: str) -> None:
    profile = variant(
        "tiny", system__mesh_rows=2, system__mesh_cols=3, system__chip_rows=2, system__chip_cols=2,
        routing__order=order, routing__chip_hops=2,
    )  # fmt: skip
    lines = lines_of(profile)
    assert (lines.trunk.shape[0], lines.swapped) == ((6, False) if order == "xy" else (4, True))

    def cost(links: list[tuple[str, int, int]]) -> float:
        return sum(3.0 if (place + 1) % chip[kind == "branch"] == 0 else 1.0 for kind, _, place in links)

    rng = np.random.default_rng(0)
    chip = (2, 3) if lines.swapped else (3, 2)
    for _ in range(50):
        at = np.stack([rng.integers(0, lines.trunk.shape[0], 6), rng.integers(0, lines.branch.shape[0], 6)])
        t0, b0 = int(rng.integers(0, lines.trunk.shape[0])), int(rng.integers(0, lines.branch.shape[0]))
        reached = (rng.random(6) < 0.5).astype(np.int64)
        passed: list[tuple[str, int, int]] = []
        for t, b in at[:, reached > 0].T.tolist():
            passed += [("trunk", 0, x) for x in range(min(t, t0), max(t, t0))]
            passed += [("branch", t, y) for y in range(min(b, b0), max(b, b0))]

        scratch = np.zeros(lines.trunk.shape[0], np.int64), np.zeros(lines.trunk.shape[0], np.int64)
        found = tree_hops(t0, b0, at[0], at[1], reached, lines.trunk, lines.branch, *scratch)
        # Links of the trunk left and right of the source differ in their place, those of branches in their column.
        assert found == cost(sorted(set(passed)))
        assert route_hops(t0, b0, at[0], at[1], reached, lines.trunk, lines.branch) == cost(passed)
