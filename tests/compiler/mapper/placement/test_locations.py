"""Numbers of cores and where they lie."""

from __future__ import annotations

import numpy as np

from nets import variant
from tern2lava.compiler.mapper.placement.slots import location, nearest_chips, router_positions


def test_a_core_lies_where_the_router_of_its_number_does() -> None:
    profile = variant(
        "tiny", system__mesh_rows=2, system__mesh_cols=3, system__chip_rows=2, system__chip_cols=2,
        system__cores_per_router=2,
    )  # fmt: skip
    cores = np.arange(profile.system.cores)
    row, column, chip = router_positions(profile, cores)
    for core in cores.tolist():
        at = location(profile, core)
        assert at.chip == chip[core] == core // 12
        assert (at.row, at.col, at.slot) == (core % 12 // 2 // 3, core % 12 // 2 % 3, core % 2)
        assert (row[core], column[core]) == (at.chip // 2 * 2 + at.row, at.chip % 2 * 3 + at.col)
    assert sorted(nearest_chips(profile, 4).tolist()) == [0, 1, 2, 3]
