"""Our counts for loihi2 are those that Intel's Loihi 2 compiler printed into lava-dl's notebooks."""

from __future__ import annotations

import sys

import pytest

from places import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    from others_loihi2 import DISTRIBUTION, PILOTNET, TOTAL_BAR, UTILISATION, counts, table, utilisation
finally:
    sys.path.pop(0)


@pytest.mark.parametrize("row", UTILISATION)
def test_a_printed_row_of_utilisation_is_ours_and_its_total_follows(row: tuple[float, ...]) -> None:
    _, _, axon_in, neuron_share, _, axon_map, total = row
    *shares, ours = utilisation(row)
    assert shares == pytest.approx([axon_in, neuron_share, axon_map], abs=0.005)
    assert ours == pytest.approx(total, abs=TOTAL_BAR)


@pytest.mark.parametrize("row", DISTRIBUTION)
def test_a_printed_row_of_counts_is_ours(row: tuple[int, ...]) -> None:
    layer, neurons, *printed = row
    assert counts(PILOTNET, layer, neurons) == tuple(printed)


def test_the_table_of_all_rows_misses_none() -> None:
    missed: list[str] = []
    assert len(table(missed)) == 2 + len(UTILISATION) + len(DISTRIBUTION)
    assert not missed
