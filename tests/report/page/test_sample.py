"""What the page holds of a sample: the neurons that tell most, each step as one character, few enough numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tern2lava.report.page import sample as module
from tern2lava.report.page.sample import LEAST_NEURONS, Sample, chosen, sample_block
from tern2lava.sim.verify.side_by_side import First, PopulationRun, SideBySide


def run_of(one: Any, two: Any, name: str = "h") -> PopulationRun:
    """A population with these spikes (steps, neurons), its potentials 2 where the float model spikes."""
    one, two = np.array(one, np.int8), np.array(two, np.int8)
    return PopulationRun(
        name=name, float_spikes=one, integer_spikes=two, float_v=2.0 * one, integer_v=2.0 * two,
        threshold=np.ones(one.shape[1]),
    )  # fmt: skip


def block(*runs: PopulationRun, first: First | None = None) -> dict[str, Any]:
    steps = len(runs[0].float_spikes)
    run = SideBySide(steps=steps, populations=runs, first=first, predicted_float=1, predicted_integer=2)
    return sample_block(Sample(run=run, source="of the data", number=3, samples=5, label=1))


def test_each_step_says_which_of_both_spikes() -> None:
    found = block(run_of([[0, 1, 1, 0, -1, -1]], [[0, 1, 0, 1, 1, -1]]))
    assert "".join(found["populations"][0]["raster"]) == "012345"
    assert found["populations"][0]["differ"] == 3
    assert (found["predicted"], found["label"], found["first"]) == ([1, 2], 1, None)


def test_neurons_that_differ_come_first_and_then_those_that_spike() -> None:
    one = np.zeros((4, 20), np.int8)
    one[:, [2, 3, 5]] = 1
    two = one.copy()
    two[2, 9], two[1, 15] = 1, 1
    run = run_of(one, two)
    assert chosen(run, 0, 4, 1).tolist() == [15]
    assert chosen(run, 0, 4, 2).tolist() == [9, 15]
    assert chosen(run, 0, 4, 5).tolist() == [2, 3, 5, 9, 15]
    assert len(set(chosen(run, 0, 4, 12).tolist())) == 12
    assert chosen(run, 0, 4, 99).tolist() == list(range(20))
    assert 9 in chosen(run, 0, 4, 1, kept=9).tolist()


def test_a_long_run_is_shown_around_its_first_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 10)
    one = np.zeros((40, 3), np.int8)
    two = one.copy()
    two[30, 2] = 1
    found = block(run_of(one, two), first=First(population="h", step=31, neuron=2))
    assert (found["begin"], found["end"], found["steps"]) == (25, 35, 40)
    assert found["first"] == ["h", 31, 2]
    assert found["populations"][0]["raster"][2] == "0" * 5 + "3" + "0" * 4


def test_a_page_holds_a_bounded_number_of_potentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NUMBERS", 1000)
    spikes = np.ones((50, 80), np.int8)
    found = block(run_of(spikes, spikes), run_of(spikes, spikes, "y"))
    for population in found["populations"]:
        assert len(population["float"]) == len(population["integer"]) == max(LEAST_NEURONS, 1000 // 200)
        assert population["neurons"] == 80
