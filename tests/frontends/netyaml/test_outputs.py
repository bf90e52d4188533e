"""What a net.yaml reads: integrators, linear layers at the end, classes, step weights and offsets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import save_npz
from tern2lava.compiler.ir.graph import Graph, Output, Readout, Reset
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.netyaml.read import load_checkpoint
from tern2lava.sim.data.readout import all_scores, scores
from tern2lava.sim.reference.real import run_float

Write = Callable[[str, str | bytes], Path]
W = np.array([[1.0, 0.5, 0.25], [-0.5, 0.75, 1.5]])
FC = np.array([[1.0, -1.0], [0.5, 0.25], [-1.0, 2.0]])
B = np.array([0.125, -0.25, 0.5])
STEPS = 6
X = (np.random.default_rng(3).random((2, STEPS, 3)) < 0.5).astype(np.uint8)
IF = "{kind: if, threshold: 0.75, reset: subtract, reset_delay: false, rearm: false, fire: gt}"


def net(write: Write, tmp_path: Path, end: str, head: str = "readout: membrane_last\n", **tensors: Any) -> Graph:
    """x -> w -> neurons -> fc -> `end`."""
    save_npz(tmp_path / "s.npz", **{"w": W, "fc": FC, "b": B, **tensors})
    layers = (
        f"layers:\n  - dense: {{weight: w}}\n  - neuron: {IF}\n    name: h\n  - dense: {{weight: fc, bias: b}}\n{end}"
    )
    text = f"input: {{shape: [3]}}\nsteps: {STEPS}\n{head}{layers}"
    return load_checkpoint(tmp_path / "s.npz", write("s.yaml", text))


def spikes_of(graph: Graph) -> np.ndarray[Any, Any]:
    return run_float(graph, {"input": X}).spikes["h"].astype(float)


def found(graph: Graph) -> np.ndarray[Any, Any]:
    return scores(graph, run_float(graph, {"input": X}))


@pytest.mark.parametrize(
    ("keys", "keep", "gain", "alpha"),
    [
        ("", 1.0, 1.0, 0.0),
        (", beta: 0.5", 0.5, 1.0, 0.0),
        (", tau: 4, decay_input: true", 0.75, 0.25, 0.0),
        (", tau: 4, decay_input: false", 0.75, 1.0, 0.0),
        (", alpha: 0.25, beta: 0.5", 0.5, 1.0, 0.25),
        (", beta: leak", 0.875, 1.0, 0.0),
    ],
)
def test_an_integrator_needs_no_threshold_reset_or_fire(
    write: Write, tmp_path: Path, keys: str, keep: float, gain: float, alpha: float
) -> None:
    tensors: dict[str, Any] = {"leak": np.array(0.875)} if "leak" in keys else {}
    graph = net(write, tmp_path, f"  - neuron: {{kind: integrator{keys}}}\n", **tensors)
    spikes = spikes_of(graph)
    u = v = np.zeros((2, 3))
    for t in range(STEPS):
        u = alpha * u + spikes[:, t] @ FC.T + B
        v = keep * v + gain * u
    np.testing.assert_allclose(found(graph), v, atol=1e-12)
    assert spikes.any()


@pytest.mark.parametrize(
    ("neuron", "why"),
    [
        ("{kind: integrator, threshold: 1}", "threshold: requires a key of kind integrator"),
        ("{kind: integrator, reset: zero}", "reset: requires a key of kind integrator"),
        ("{kind: integrator, beta: 0.5, tau: 2}", "tau: requires tau or beta; found both"),
        ("{kind: integrator, beta: 1.5}", "requires a decay factor in"),
        ("{kind: integrator, tensors: li}", "kind: requires a neuron that is never reset as an integrator"),
    ],
)
def test_what_an_integrator_cannot_have_is_refused_by_its_key(
    write: Write, tmp_path: Path, neuron: str, why: str
) -> None:
    tensors: dict[str, Any] = (
        {"li.beta": np.array(0.5), "li.reset_mechanism_val": np.array(0)} if "tensors" in neuron else {}
    )
    with pytest.raises(InputError, match=why):
        net(write, tmp_path, f"  - neuron: {neuron}\n", **tensors)


def test_snntorchs_leaky_without_reset_is_an_integrator_where_the_file_says_so(write: Write, tmp_path: Path) -> None:
    stored = {"beta": 0.5, "threshold": 1.0, "graded_spikes_factor": 1.0, "reset_mechanism_val": 2}
    tensors: dict[str, Any] = {f"li.{key}": np.array(value) for key, value in stored.items()}
    graph = net(write, tmp_path, "  - neuron: {kind: integrator, tensors: li}\n", **tensors)
    neuron = graph.neuron("li")
    assert (neuron.integrates, neuron.reset, float(neuron.alpha_v)) == (True, Reset.NONE, 0.5)


def test_a_neuron_that_never_resets_needs_no_reset_delay(write: Write, tmp_path: Path) -> None:
    graph = net(write, tmp_path, "  - neuron: {kind: leaky, beta: 0.5, threshold: 1, reset: none, fire: gt}\n")
    neuron = graph.neuron("neuron2")
    assert (neuron.reset, neuron.reset_delay, neuron.integrates) == (Reset.NONE, False, False)


@pytest.mark.parametrize(
    ("readout", "expected"),
    [
        ("membrane_sum", lambda y: y.sum(axis=1)),
        ("membrane_last", lambda y: y[:, -1]),
        ("membrane_max", lambda y: y.max(axis=1)),
        ("membrane_argmax", lambda y: np.eye(3)[y.argmax(axis=2)].sum(axis=1)),
        (
            "membrane_sum\nstep_weights: [0, 0, 1, 2, 1, 0.5]",
            lambda y: (y * [[0], [0], [1], [2], [1], [0.5]]).sum(axis=1),
        ),
        ("membrane_sum\nstep_weights: 0.25\noffset: b", lambda y: 0.25 * y.sum(axis=1) + B),
        ("membrane_sum\nclasses: [[1, 0, 1], [0, 2, 0]]", lambda y: y.sum(axis=1) @ [[1, 0], [0, 2], [1, 0]]),
    ],
)
def test_a_linear_layer_at_the_end_is_read_by_its_outputs(
    write: Write, tmp_path: Path, readout: str, expected: Callable[[Any], Any]
) -> None:
    graph = net(write, tmp_path, "", f"readout: {readout}\n")
    np.testing.assert_allclose(found(graph), expected(spikes_of(graph) @ FC.T + B), atol=1e-12)
    assert any("fc has no neurons" in note for note in graph.notes)
    assert any("the host forms scores" in note for note in graph.notes) is ("\n" in readout or "argmax" in readout)


def test_each_output_says_how_it_is_read(write: Write, tmp_path: Path) -> None:
    head = (
        "readout: spike_count\noutputs:\n  - {layer: li, readout: membrane_sum, step_weights: 0.5}\n  - h\n"
        "  - {layer: h, classes: [[1, 1]]}\n"
    )
    graph = net(write, tmp_path, "  - neuron: {kind: integrator}\n    name: li\n", head)
    outputs = graph.of_kind(Output)
    assert [(o.name, o.inputs, o.readout) for o in outputs] == [
        ("output", ("li",), Readout.MEMBRANE_SUM), ("output_1", ("h",), Readout.SPIKE_COUNT),
        ("output_2", ("h",), Readout.SPIKE_COUNT),
    ]  # fmt: skip
    counts = spikes_of(graph).sum(axis=1)
    every = all_scores(graph, run_float(graph, {"input": X}))
    assert every["output_1"].tolist() == counts.tolist()
    assert every["output_2"].tolist() == counts.sum(axis=1, keepdims=True).tolist()


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("readout: spike_count\n", "fc: requires spikes to be counted; found a Dense without neurons"),
        ("readout: membrane_sum\nclasses: 3\n", "classes: requires a row for each class .* found shape"),
        ("readout: membrane_sum\nclasses: [[1, 2], [3]]\n", "classes: requires a row for each class"),
        ("readout: membrane_sum\nclasses: [[1, 2]]\n", r"output.classes: requires \(classes, neurons\) for 3 neurons"),
        ("readout: membrane_sum\noffset: nothing\n", "offset: requires the name of a tensor; found 'nothing'"),
        (
            "readout: membrane_sum\nstep_weights: [1, 2]\n",
            "step_weights: requires one number, or one for each step of 6",
        ),
        ("readout: membrane_sum\nstep_weights: [1, x]\n", "step_weights: requires a number, or one for each step in"),
        (
            "readout: membrane_sum\noutputs: [fc]\noffset: [1, 2, 3]\n",
            "offset: requires offset beside the layer that it is for; found outputs, too",
        ),
        ("readout: membrane_sum\noutputs: [{layer: h, score: 1}]\n", "score: requires a known key"),
        ("readout: loudest\n", "readout: requires"),
    ],
)
def test_what_forms_no_scores_is_refused_at_its_key(write: Write, tmp_path: Path, head: str, why: str) -> None:
    with pytest.raises((InputError, UnsupportedError), match=why):
        net(write, tmp_path, "", head)
