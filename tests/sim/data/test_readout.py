"""Scores, predictions and accuracy from a trace, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Graph, Level, Neuron, Output, Population, Readout, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.sim.data.readout import accuracy, predictions, scores
from tern2lava.sim.data.trace import Trace

SPIKES = np.array([[[0, 1], [1, 1], [0, 1]]], np.uint8)
V = np.array([[[3, -1], [5, 2], [4, 0]]], np.int64)
WHOLE = frozen(0, np.int64)


def program(readout: Readout, before: bool = False, **changed: Any) -> Graph:
    population = Population(
        name="n", inputs=(), shape=(2,), start=1, decay_u=WHOLE, decay_v=WHOLE, bias=WHOLE, threshold=WHOLE,
        reset=Reset.SUBTRACT, reset_amount=frozen(10, np.int64), v_init=WHOLE, lsb=frozen(0.5),
        origin=frozen([0.0, 100.0]), record_before_reset=before, **changed,
    )  # fmt: skip
    return Graph(level=Level.INTEGER, nodes=(population, Output(name="y", inputs=("n",), readout=readout)))


@pytest.mark.parametrize(
    ("readout", "expected"),
    [
        (Readout.SPIKE_COUNT, [[1, 3]]),
        (Readout.MEMBRANE_SUM, [[6.0, 300.5]]),
        (Readout.MEMBRANE_LAST, [[2.0, 100.0]]),
        (Readout.MEMBRANE_MAX, [[2.5, 101.0]]),
    ],
)
def test_scores_are_in_the_sources_units(readout: Readout, expected: list[list[float]] | list[list[int]]) -> None:
    found = scores(program(readout), Trace(spikes={"n": SPIKES}, v={"n": V}))
    assert found.tolist() == expected


def test_a_potential_recorded_before_its_reset_has_the_amount_back() -> None:
    found = scores(program(Readout.MEMBRANE_SUM, before=True), Trace(spikes={"n": SPIKES}, v={"n": V}))
    assert found.tolist() == [[6.0 + 5.0, 300.5 + 15.0]]


def test_signed_spikes_count_with_their_sign() -> None:
    signed = np.array([[[-1, 1], [-1, 1], [1, 0]]], np.int8)
    assert scores(program(Readout.SPIKE_COUNT), Trace(spikes={"n": signed})).tolist() == [[-1, 2]]


def test_an_imported_graph_records_its_own_units() -> None:
    neuron = Neuron(name="n", inputs=(), shape=(2,), unit=frozen(7.0), origin=frozen(9.0))
    graph = Graph(level=Level.IMPORTED, nodes=(neuron, Output(name="y", inputs=("n",), readout=Readout.MEMBRANE_LAST)))
    assert scores(graph, Trace(spikes={"n": SPIKES}, v={"n": V.astype(float)})).tolist() == [[4.0, 0.0]]


def test_predictions_are_the_largest_score_and_the_first_of_equals() -> None:
    found = np.array([[1, 5, 5], [2, 0, 1], [0, 0, 0]])
    assert predictions(found).tolist() == [1, 0, 0]
    assert accuracy(found, np.array([1, 0, 2])) == pytest.approx(2 / 3)
