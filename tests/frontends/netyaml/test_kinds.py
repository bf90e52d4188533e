"""Every neuron kind, loop and pooling of a net.yaml computes what docs/net-yaml.md says, written out anew here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from nodes import node
from tern2lava.compiler.ir.graph import Graph, Input, Neuron, Output
from tern2lava.errors import InputError, Tern2LavaError, UnsupportedError
from tern2lava.frontends.modules.read import load_module
from tern2lava.frontends.netyaml.read import load_checkpoint
from tern2lava.sim.reference.real import run_float

Write = Callable[[str, str | bytes], Path]
State = dict[str, torch.Tensor]
Array = NDArray[Any]
W = np.array([[1.0, 0.5, 0.25], [-0.5, 0.75, 1.5]])
STEPS = 60


def net(write: Write, tmp_path: Path, layers: str, tensors: State, more: str = "") -> Graph:
    torch.save({"w": torch.tensor(W), **tensors}, tmp_path / "s.pt")
    head = f"input: {{shape: [3]}}\nsteps: {STEPS}\nreadout: spike_count\n{more}layers:\n"
    return load_checkpoint(tmp_path / "s.pt", write("s.yaml", head + layers))


def currents() -> tuple[Array, Array]:
    """(input spikes (1, steps, 3), what the dense layer w makes of them (steps, 2))."""
    x = np.random.default_rng(0).random((1, STEPS, 3)) < 0.5
    return x, x[0] @ W.T


def run(step: Callable[[dict[str, Array], Array], Array], **state: Array) -> Array:
    """Spikes (steps, 2) of a step function on the currents; s in its state holds its spikes of the step before."""
    _, x = currents()
    state = {"u": np.zeros(2), "v": np.zeros(2), "s": np.zeros(2), **state}
    result = np.zeros((STEPS, 2))
    for t in range(STEPS):
        result[t] = state["s"] = step(state, x[t])
    return result


def alif(n: dict[str, Array], x: Array) -> Array:
    n["b"] = 0.875 * n["b"] + 0.25 * n["s"]
    n["v"] = 0.75 * n["v"] - (n["b"] + 0.5) * n["s"] + 0.25 * x
    return np.asarray(n["v"] - n["b"] - 0.5 > 0, float)


def refractory(n: dict[str, Array], x: Array) -> Array:
    n["v"] = np.where(n["rest"] > 0, n["v"], 0.5 * n["v"] + x)
    s = (n["v"] > 1) & (n["rest"] == 0)
    n["v"], n["rest"] = np.where(s, 0, n["v"]), np.where(s, 2, np.maximum(n["rest"] - 1, 0))
    return np.asarray(s, float)


def signed(n: dict[str, Array], x: Array) -> Array:
    v = n["v"] + x - 0.5
    s: Array = (v >= 1.25).astype(float) - (v <= -0.75)
    n["v"] = v - 1.25 * s
    return s


def norse_like(n: dict[str, Array], x: Array) -> Array:
    n["u"] = 0.8 * n["u"] + x
    v = n["v"] + (0.1 - n["v"] + n["u"]) / 4.0
    s = v > 0.9
    n["v"] = np.where(s, 0, v)
    return np.asarray(s, float)


def recurrent_later(n: dict[str, Array], x: Array) -> Array:
    v = 0.5 * n["v"] + x + 0.5 * n["before"][::-1] + 0.125
    n["before"] = n["s"]
    s = v > 1
    n["v"] = np.where(s, 0, v)
    return np.asarray(s, float)


def scaled_feedback(n: dict[str, Array], x: Array) -> Array:
    v = 0.5 * n["v"] + x - 0.75 * n["s"]
    s = v > 1
    n["v"] = np.where(s, 0, v)
    return np.asarray(s, float)


RESET = 'reset: zero, reset_delay: false, fire: ">"'
KINDS = {
    '{kind: alif, alpha: 0.75, rho: 0.875, jump: 0.25, threshold: 0.5, decay_input: true, fire: ">"}': alif,
    f"{{kind: leaky, beta: 0.5, threshold: 1, refractory: 2, {RESET}}}": refractory,
    '{kind: if, threshold: 1.25, threshold_low: -0.75, reset: subtract, reset_delay: false, fire: ">="}': signed,
    f"{{kind: cuba, alpha: 0.8, tau: 4, decay_input: true, v_rest: 0.1, threshold: 0.9, {RESET}}}": norse_like,
    f"{{kind: leaky, beta: 0.5, threshold: 1, {RESET}, "
    "recurrent: {dense: {weight: back, bias: push}, delay: 2}}": recurrent_later,
    f"{{kind: leaky, beta: 0.5, threshold: 1, {RESET}, recurrent: {{scale: -0.75}}}}": scaled_feedback,
}  # fmt: skip


@pytest.mark.parametrize("neuron", KINDS)
def test_each_kind_of_neuron_steps_as_documented(write: Write, tmp_path: Path, neuron: str) -> None:
    tensors: State = {}
    if "back" in neuron:
        tensors = {"back": torch.tensor([[0.0, 0.5], [0.5, 0.0]]), "push": torch.tensor([0.125, 0.125])}
    bias = "" if "-0.75, reset" not in neuron else ", bias: low"
    tensors |= {"low": torch.full((2,), -0.5)} if bias else {}
    graph = net(write, tmp_path, f"  - dense: {{weight: w{bias}}}\n  - neuron: {neuron}\n", tensors)
    spikes = run_float(graph, {"input": currents()[0]}).spikes["neuron1"][0]
    zero = np.zeros(2)
    expected = run(KINDS[neuron], b=zero, rest=zero, before=zero)
    assert 8 < np.abs(expected).sum() < 100
    np.testing.assert_array_equal(spikes, expected)
    assert (expected.min() < 0) == ("threshold_low" in neuron)


def test_an_alif_may_leave_its_input_undecayed(write: Write, tmp_path: Path) -> None:
    text = '{kind: alif, alpha: 0.75, rho: 0.5, jump: 1, threshold: 1, decay_input: false, fire: ">"}'
    assert (
        node(net(write, tmp_path, f"  - dense: {{weight: w}}\n  - neuron: {text}\n", {}), "neuron1", Neuron).gain_v == 1
    )


@pytest.mark.parametrize("kind", ["rleaky", "rsynaptic"])
@pytest.mark.parametrize("feedback", ["dense", "one to one", "conv2d"])
def test_snntorchs_recurrent_neurons_are_read_with_their_weights(
    write: Write, tmp_path: Path, kind: str, feedback: str
) -> None:
    torch.manual_seed(0)
    choices: dict[str, dict[str, Any]] = {
        "dense": {"linear_features": 6},
        "one to one": {"all_to_all": False, "V": torch.randn(6)},
        "conv2d": {"conv2d_channels": 2, "kernel_size": (3, 5)},
    }
    options = choices[feedback] | ({"alpha": 0.5} if kind == "rsynaptic" else {})
    neuron = (snn.RLeaky if kind == "rleaky" else snn.RSynaptic)(
        beta=0.7, threshold=0.5, reset_mechanism="zero", init_hidden=True, **options
    )
    image = feedback == "conv2d"
    model = nn.Sequential()
    model.add_module("fc", nn.Conv2d(2, 2, 3, padding=1) if image else nn.Linear(5, 6))
    model.add_module("lif", neuron)
    torch.save(model.state_dict(), tmp_path / "r.pt")
    shape = (2, 4, 5) if image else (5,)
    layer = "conv2d: {tensors: fc, padding: 1}" if image else "dense: {tensors: fc}"
    text = (
        f"input: {{shape: {list(shape)}}}\nsteps: 30\nreadout: spike_count\nlayers:\n  - {layer}\n"
        f'  - neuron: {{kind: {kind}, tensors: lif, reset_delay: true, fire: ">"}}\n'
    )
    stored, live = load_checkpoint(tmp_path / "r.pt", write("r.yaml", text)), load_module(model, shape, 30)
    x = np.random.default_rng(0).random((4, 30, *shape)) < 0.6
    a, b = (run_float(graph, {"input": x.astype(np.int8)}).spikes["lif"] for graph in (stored, live))
    assert a.sum() > 50
    np.testing.assert_array_equal(a, b)


def test_spikingjellys_parametric_lif_reads_its_w(write: Write, tmp_path: Path) -> None:
    text = f"{{kind: plif, tensors: p, decay_input: true, threshold: 1, {RESET}}}"
    graph = net(write, tmp_path, f"  - dense: {{weight: w}}\n  - neuron: {text}\n", {"p.w": torch.tensor(-np.log(3.0))})
    assert node(graph, "p", Neuron).gain_v == pytest.approx(0.25, rel=1e-7)
    assert node(graph, "p", Neuron).alpha_v == pytest.approx(0.75, rel=1e-7)


def test_a_loop_over_several_layers_is_closed_by_a_delay(write: Write, tmp_path: Path) -> None:
    neuron = f"neuron: {{kind: if, threshold: 1, {RESET}}}"
    layers = (
        "  - name: back\n    delay: {steps: 3, shape: [2]}\n    from: last\n"
        "  - name: again\n    dense: {weight: r}\n    from: back\n"
        f"  - dense: {{weight: w}}\n    from: input\n  - name: first\n    {neuron}\n    from: [w, again]\n"
        f"  - dense: {{weight: q}}\n  - name: last\n    {neuron}\n"
    )
    tensors = {"r": torch.eye(2) * 0.5, "q": torch.eye(2) * 1.5}
    graph = net(write, tmp_path, layers, tensors)
    _, x = currents()
    v, past = np.zeros(2), [np.zeros(2)] * 3
    for t, found in enumerate(run_float(graph, {"input": currents()[0]}).spikes["last"][0]):
        v = v + x[t] + 0.5 * past[0]
        s = v > 1
        v = np.where(s, 0, v)
        np.testing.assert_array_equal(found, s)  # the second population fires whenever the first does
        past = [*past[1:], s.astype(float)]
    wrong = layers.replace("shape: [2]", "shape: [4]").replace("{weight: r}", "{weight: r4}")
    with pytest.raises(InputError, match=r"neuron: requires the shape \(4,\) that a delay reads it as; found \(2,\)"):
        net(write, tmp_path, wrong, {**tensors, "r4": torch.zeros(2, 4)})
    with pytest.raises(InputError, match=r"or say the shape: \[...\] of a later one"):
        net(write, tmp_path, layers.replace(", shape: [2]", ""), tensors)
    with pytest.raises(InputError, match="for each delay; found 'last', which no layer is called"):
        net(write, tmp_path, layers.replace("name: last", "name: end"), tensors)


def test_only_a_delay_reads_a_layer_below_it(write: Write, tmp_path: Path) -> None:
    neuron = f"neuron: {{kind: if, threshold: 1, {RESET}}}"
    back = "  - name: back\n    delay: {steps: 1, shape: [2]}\n    from: last\n"
    for kind in ("maxpool: {kernel: 1}", "dropout: {}", "dense: {weight: w}", neuron):
        layers = f"{back}  - {kind}\n    name: other\n    from: last\n  - name: last\n    {neuron}\n"
        with pytest.raises(InputError, match=r"from: requires the name of an earlier layer; found 'last'"):
            net(write, tmp_path, layers, {})


def test_several_inputs_and_outputs(write: Write, tmp_path: Path) -> None:
    torch.save({"a": torch.eye(3), "b": torch.ones(3, 2)}, tmp_path / "m.pt")
    neuron = f"neuron: {{kind: if, threshold: 1, {RESET}}}"
    text = (
        "inputs: {left: {shape: [3]}, right: {shape: [2], levels: [-1, 1]}}\nsteps: 4\nreadout: spike_count\n"
        "outputs: [one, two]\nlayers:\n  - dense: {weight: a}\n    from: left\n"
        "  - dense: {weight: b}\n    from: right\n"
        f"  - {neuron}\n    name: one\n    from: [a, b]\n  - {neuron}\n    name: two\n    from: b\n"
    )
    graph = load_checkpoint(tmp_path / "m.pt", write("m.yaml", text))
    assert [(n.name, n.shape, n.levels) for n in graph.of_kind(Input)] == [
        ("left", (3,), (0, 1)), ("right", (2,), (-1, 1)),
    ]  # fmt: skip
    assert [n.inputs for n in graph.of_kind(Output)] == [("one",), ("two",)]
    for old, new, why in (
        ("outputs: [one, two]", "outputs: [three]", "outputs: requires the name of a layer; found 'three'"),
        ("outputs: [one, two]", "outputs: [two]", "but the outputs; found none for one"),
        ("outputs: [one, two]", "outputs: [one, a]", "a: requires spikes to be counted; found a Dense without neurons"),
        (
            "outputs: [one, two]",
            "input: {shape: [3]}",
            "requires input: .*, or inputs: with a name for each; found both or neither",
        ),
        (
            "inputs: {left: {shape: [3]}, right: {shape: [2], levels: [-1, 1]}}\n",
            "",
            "requires input: .*, or inputs: with a name for each; found both or neither",
        ),
        ("{shape: [3]}, right", "{shape: []}, right", "inputs.left.shape: requires one to three sizes"),
    ):
        with pytest.raises((InputError, UnsupportedError), match=why):
            load_checkpoint(tmp_path / "m.pt", write("m.yaml", text.replace(old, new, 1)))


def test_max_pooling_of_spikes_is_an_or(write: Write, tmp_path: Path) -> None:
    torch.save({"f": torch.ones(1, 12)}, tmp_path / "m.pt")
    text = (
        "input: {shape: [3, 4, 5]}\nsteps: 6\nreadout: spike_count\nlayers:\n  - maxpool: {kernel: [2, 3], stride: 2}\n"
        f"  - dense: {{weight: f}}\n  - neuron: {{kind: if, threshold: 1, {RESET}}}\n"
    )
    graph = load_checkpoint(tmp_path / "m.pt", write("m.yaml", text))
    x = np.random.default_rng(0).random((2, 6, 3, 4, 5)) < 0.3
    expected = nn.functional.max_pool2d(torch.from_numpy(x.reshape(12, 3, 4, 5)).double(), (2, 3), 2)
    found = run_float(graph, {"input": x.astype(np.int8)}).spikes["maxpool1"]
    np.testing.assert_array_equal(found, expected.reshape(2, 6, -1).numpy())


@pytest.mark.parametrize(
    ("neuron", "why"),
    [
        ('{kind: alif, alpha: 0.75, rho: 0.5, jump: 1, threshold: 1, fire: ">"}', "decay_input: requires a value"),
        (
            '{kind: alif, alpha: 0.75, rho: 0.5, jump: 1, threshold: 1, decay_input: true, reset: zero, fire: ">"}',
            "reset: requires a kind with a reset of its own; found alif, which subtracts its threshold one step later",
        ),
        (
            '{kind: alif, alpha: 0.75, jump: 1, threshold: 1, decay_input: true, fire: ">"}',
            r"layers\[1\]\.neuron\.rho: requires a value; found none here or in the checkpoint",
        ),
        (f"{{kind: leaky, beta: 0.5, threshold: 1, threshold_low: 0.5, {RESET}}}", "requires a negative number"),
        (f"{{kind: leaky, beta: 0.5, threshold: 1, refractory: -1, {RESET}}}", "whole number of at least 0"),
        (f"{{kind: cuba, alpha: 0.5, beta: 0.5, tau: 3, threshold: 1, {RESET}}}", r"neuron\.tau: requires tau or beta"),
        (f"{{kind: rleaky, beta: 0.5, threshold: 1, {RESET}}}", "tensors: requires tensors, since kind rleaky"),
        (f"{{kind: leaky, beta: 0.5, threshold: 1, {RESET}, recurrent: {{delay: 2}}}}", "exactly one of dense"),
        (f"{{kind: leaky, beta: 0.5, threshold: 1, {RESET}, recurrent: {{scale: 1, delay: 0}}}}", "at least 1"),
        (f"{{kind: leaky, beta: 0.5, threshold: 1, {RESET}, recurrent: {{dense: {{weight: k}}}}}}", "weight of 2 axes"),
        (f"{{kind: leaky, beta: 0.5, threshold: 1, {RESET}, recurrent: 3}}", "requires keys and values"),
        (
            '{kind: synaptic, alpha: 0.5, beta: 0.5, threshold: 1, reset: zero, reset_delay: true, refractory: 1, '
            'fire: ">"}',
            "rests for one step by itself",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_neuron_entry_is_one_line(write: Write, tmp_path: Path, neuron: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        net(write, tmp_path, f"  - dense: {{weight: w}}\n  - neuron: {neuron}\n", {"k": torch.zeros(2, 2, 2)})
    assert "\n" not in str(caught.value)


EVERYTHING = """\
inputs: {left: {shape: [2, 4, 5]}, right: {shape: [3], levels: [-1, 1]}}
steps: 4
readout: spike_count
outputs: [out, side]
layers:
  - {name: back, delay: {steps: 2, shape: [2]}, from: out}
  - {maxpool: {kernel: 2, stride: [1, 2], padding: 1}, from: left}
  - conv2d: {weight: c}
  - name: first
    neuron: {kind: plif, w: pw, decay_input: true, threshold: 1, reset: zero, reset_delay: false, fire: ">",
      refractory: 1, recurrent: {conv2d: {weight: cr, padding: 1}, delay: 2}}
  - dense: {weight: f}
  - {name: again, dense: {weight: b}, from: back}
  - {name: beside, dense: {weight: w}, from: right}
  - name: out
    from: [f, again, beside]
    neuron: {kind: alif, alpha: 0.5, rho: 0.5, jump: 0.25, threshold: thr, decay_input: true, fire: ">="}
  - name: side
    from: beside
    neuron: {kind: cuba, alpha: 0.5, tau: 2, decay_input: false, threshold: 1, threshold_low: -1, reset: subtract,
      reset_delay: false, fire: ">", recurrent: {scale: -0.5}}
"""
VALUES = [
    "0", "-1", "1", "2", "1e30", "1e400", "-1e-300", ".nan", "true", "null", "[]", "[1, 2]", "[9, 9, 9]", "{}",
    "{a: 1}", "w", "c", "cr", "nan", "16777216", "99999999999999999999", "subtract", "value", '">"', "out", "first",
    "left", "back",
]  # fmt: skip


@settings(max_examples=200)
@given(st.data())
def test_other_values_anywhere_end_in_a_graph_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    torch.save({
        "w": torch.tensor(W), "c": torch.ones(2, 2, 2, 2), "cr": torch.ones(2, 2, 3, 3), "pw": torch.tensor(0.5),
        "f": torch.ones(2, 16), "b": torch.eye(2), "thr": torch.tensor([0.5, 1.0]), "nan": torch.tensor(torch.nan),
    }, folder / "a.pt")  # fmt: skip
    text = EVERYTHING + 'ignore: ["*"]\n'
    assert isinstance(load_checkpoint(folder / "a.pt", _written(folder, text)), Graph)
    for _ in range(data.draw(st.integers(1, 3))):
        spots = [m.span(1) for m in re.finditer(r"[:\[,] ?([^\s,{}\[\]:]+)", text)]
        begin, end = data.draw(st.sampled_from(spots))
        text = text[:begin] + data.draw(st.sampled_from(VALUES)) + text[end:]
    graph, why = None, ""
    try:
        graph = load_checkpoint(folder / "a.pt", _written(folder, text))
    except Tern2LavaError as error:
        why = str(error)
    assert "\n" not in why
    if graph is not None:
        inputs = {node.name: np.zeros((1, 2, *node.shape)) for node in graph.of_kind(Input)}
        assert run_float(graph, inputs).spikes


def _written(folder: Path, text: str) -> Path:
    (folder / "n.yaml").write_text(text)
    return folder / "n.yaml"
