from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.cost import limits
from tern2lava.compiler.partition import Partition
from tern2lava.compiler.place import Location, location, place, router_positions
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile


def empty_partition(cores: int) -> Partition:
    return Partition((), cores, {}, limits(load_profile("loihi1")), {})


def test_cores_are_numbered_chip_by_chip_and_row_by_row() -> None:
    loihi1 = load_profile("loihi1")
    assert location(loihi1, 0) == Location(0, 0, 0, 0)
    assert location(loihi1, 5) == Location(0, 0, 1, 1)
    assert location(loihi1, 4 * 8 + 3) == Location(0, 1, 0, 3)
    assert location(loihi1, 128 + 127) == Location(1, 3, 7, 3)


def test_router_positions_count_across_chips() -> None:
    loihi1 = load_profile("loihi1")
    cores = np.array([0, 127, 128, 128 * 32, 128 * 32 * 24 - 1])
    row, col, chip = router_positions(loihi1, cores)
    assert row.tolist() == [0, 3, 0, 4, 24 * 4 - 1]
    assert col.tolist() == [0, 7, 8, 0, 32 * 8 - 1]
    assert chip.tolist() == [0, 0, 1, 32, 767]


def test_linear_placement_takes_the_first_cores_in_order() -> None:
    assert place(empty_partition(5), load_profile("loihi1")).core.tolist() == [0, 1, 2, 3, 4]


def test_an_unknown_algorithm_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no algorithm 'best'; known: linear"):
        place(empty_partition(1), load_profile("loihi1"), "best")
