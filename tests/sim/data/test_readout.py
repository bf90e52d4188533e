"""Scores, predictions and accuracy from a trace, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Graph, Level, Neuron, Output, Population, Readout, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.errors import InputError
from tern2lava.sim.data.readout import accuracy, all_scores, predictions, running_scores, scores
from tern2lava.sim.data.trace import Trace

SPIKES = np.array([[[0, 1], [1, 1], [0, 1]]], np.uint8)
V = np.array([[[3, -1], [5, 2], [4, 0]]], np.int64)
WHOLE = frozen(0, np.int64)


def program(readout: Readout, before: bool = False, output: dict[str, Any] | None = None, **changed: Any) -> Graph:
    population = Population(
        name="n", inputs=(), shape=(2,), start=1, decay_u=WHOLE, decay_v=WHOLE, bias=WHOLE, threshold=WHOLE,
        reset=Reset.SUBTRACT, reset_amount=frozen(10, np.int64), v_init=WHOLE, lsb=frozen(0.5),
        origin=frozen([0.0, 100.0]), record_before_reset=before, **changed,
    )  # fmt: skip
    return Graph(
        level=Level.INTEGER, nodes=(population, Output(name="y", inputs=("n",), readout=readout, **(output or {})))
    )


@pytest.mark.parametrize(
    ("readout", "expected"),
    [
        (Readout.SPIKE_COUNT, [[1, 3]]),
        (Readout.MEMBRANE_SUM, [[6.0, 300.5]]),
        (Readout.MEMBRANE_LAST, [[2.0, 100.0]]),
        (Readout.MEMBRANE_MAX, [[2.5, 101.0]]),
        (Readout.MEMBRANE_ARGMAX, [[0.0, 3.0]]),
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


POTENTIALS = np.array([[[1.5, 99.5], [2.5, 101.0], [2.0, 100.0]]])
"""V in the source's units."""


@pytest.mark.parametrize(
    ("readout", "output", "expected"),
    [
        (Readout.SPIKE_COUNT, {"classes": [[0, 1], [1, 0], [1, 1]]}, [[3, 1, 4]]),
        (Readout.SPIKE_COUNT, {"step_weights": [1, 0, -3], "offset": [7, 0]}, [[7, -2]]),
        (Readout.SPIKE_COUNT, {"step_weights": 0.5}, [[0.5, 1.5]]),
        (Readout.SPIKE_COUNT, {"step_weights": [0, 0, 1]}, [[0, 1]]),
        (Readout.MEMBRANE_SUM, {"step_weights": [0, 1, 1], "classes": [[1, 1]], "offset": [0.25]}, [[205.75]]),
        (Readout.MEMBRANE_LAST, {"classes": [[0, 1], [1, 0]], "step_weights": 2.0}, [[200.0, 4.0]]),
        (Readout.MEMBRANE_MAX, {"step_weights": [1, 0, 1]}, [[2.0, 100.0]]),
        (Readout.MEMBRANE_MAX, {"step_weights": -1.0, "classes": [[1, 1]]}, [[-1.5 - 99.5]]),
        (Readout.MEMBRANE_ARGMAX, {"classes": [[0, 1], [50, 0]], "step_weights": [1, 2, 4]}, [[5.0, 2.0]]),
    ],
)
def test_classes_step_weights_and_an_offset_form_the_scores(
    readout: Readout, output: dict[str, Any], expected: list[list[float]]
) -> None:
    arrays = {name: frozen(value, np.float64) for name, value in output.items()}
    found = scores(program(readout, output=arrays), Trace(spikes={"n": SPIKES}, v={"n": V}))
    assert found.tolist() == expected
    whole = readout is Readout.SPIKE_COUNT and all((array == array.round()).all() for array in arrays.values())
    assert found.dtype == (np.int64 if whole else np.float64)


def test_softmaxes_of_each_step_are_summed_with_their_weights() -> None:
    output = {"classes": frozen([[1.0, 0.0], [0.0, 0.02]]), "step_weights": frozen([1.0, 0.0, 0.5])}
    graph = program(Readout.MEMBRANE_SOFTMAX, output=output)
    found = scores(graph, Trace(spikes={"n": SPIKES}, v={"n": V}))
    powers = np.exp(POTENTIALS * [1.0, 0.02])
    shares = powers / powers.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found, shares[:, 0] + 0.5 * shares[:, 2], rtol=1e-14)


@pytest.mark.parametrize("readout", [Readout.SPIKE_COUNT, Readout.MEMBRANE_SUM, Readout.MEMBRANE_ARGMAX])
def test_scores_after_the_last_step_are_the_scores(readout: Readout) -> None:
    output = {"classes": frozen([[1.0, 2.0]]), "step_weights": frozen([1.0, 2.0, 3.0]), "offset": frozen([5.0])}
    graph, trace = program(readout, output=output), Trace(spikes={"n": SPIKES}, v={"n": V})
    running = running_scores(graph, trace)
    assert running.shape == (1, 3, 1)
    np.testing.assert_array_equal(running[:, -1], scores(graph, trace))


def test_many_spikes_with_large_weights_do_not_wrap() -> None:
    spikes = np.ones((1, 300, 2), np.uint8)
    output = {"step_weights": frozen(-1000.0), "classes": frozen([[1000.0, 0.0]])}
    assert scores(program(Readout.SPIKE_COUNT, output=output), Trace(spikes={"n": spikes})).tolist() == [[-300_000_000]]


def test_weights_of_other_steps_than_those_of_the_run_are_refused() -> None:
    graph = program(Readout.SPIKE_COUNT, output={"step_weights": frozen(np.ones(4))})
    with pytest.raises(InputError, match="y: requires samples of 4 steps, for each of which .* found 3 steps"):
        scores(graph, Trace(spikes={"n": SPIKES}))


def test_every_output_has_scores_of_its_own() -> None:
    graph = program(Readout.SPIKE_COUNT)
    graph = graph.with_nodes([*graph.nodes, Output(name="z", inputs=("n",), readout=Readout.MEMBRANE_LAST)])
    found = all_scores(graph, Trace(spikes={"n": SPIKES}, v={"n": V}))
    assert {name: values.tolist() for name, values in found.items()} == {"y": [[1, 3]], "z": [[2.0, 100.0]]}
