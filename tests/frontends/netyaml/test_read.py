"""Checkpoint plus net.yaml: the graph it says, and one clear line for whatever it does not say well."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from archive import save_npz
from nodes import node, part, there
from places import ROOT
from tern2lava.compiler.ir.graph import Add, Compare, Dense, Graph, Input, Neuron, Pool2d, Reset
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError, Tern2LavaError, UnsupportedError
from tern2lava.frontends.modules.read import load_module
from tern2lava.frontends.netyaml.read import load_checkpoint
from tern2lava.sim.reference.real import run_float

Write = Callable[[str, str | bytes], Path]
NET = """\
input: {shape: [1, 8, 8]}
steps: 12
readout: spike_count
layers:
  - conv2d: {tensors: conv, padding: 1}
  - batchnorm: {tensors: bn, eps: 1e-5}
  - neuron: {kind: leaky, tensors: lif1, reset_delay: true, fire: ">"}
  - avgpool: {kernel: 2}
  - flatten
  - dropout: {p: 0.5}
  - dense: {tensors: fc}
  - name: out
    neuron: {kind: leaky, tensors: lif2, reset_delay: false, fire: ">"}
"""


@pytest.fixture(scope="module")
def model() -> nn.Sequential:
    torch.manual_seed(0)
    result = nn.Sequential()
    for name, layer in {
        "conv": nn.Conv2d(1, 4, 3, padding=1, bias=False),
        "bn": nn.BatchNorm2d(4),
        "lif1": snn.Leaky(beta=0.9, init_hidden=True),
        "pool": nn.AvgPool2d(2),
        "flat": nn.Flatten(),
        "drop": nn.Dropout(),
        "fc": nn.Linear(64, 10),
        "lif2": snn.Leaky(beta=0.8, threshold=0.3, init_hidden=True, reset_mechanism="zero", reset_delay=False),
    }.items():
        result.add_module(name, layer)
    norm = part(result, "bn", nn.BatchNorm2d)
    there(norm.running_mean).normal_().mul_(0.1)
    with torch.no_grad():
        norm.weight.mul_(4)
    return result.eval()


@pytest.fixture
def checkpoint(model: nn.Sequential, tmp_path: Path) -> Path:
    torch.save(model.state_dict(), tmp_path / "net.pt")
    return tmp_path / "net.pt"


def spikes(graph: Graph, seed: int = 0) -> list[Array]:
    shape = node(graph, "input", Input).shape
    x = np.random.default_rng(seed).random((4, 12, *shape)) < 0.4
    return list(run_float(graph, {"input": x.astype(np.int8)}, states=False).spikes.values())


def test_a_checkpoint_and_the_live_module_it_came_from_spike_alike(
    model: nn.Sequential, checkpoint: Path, write: Write
) -> None:
    graph = load_checkpoint(checkpoint, write("net.yaml", NET))
    live = load_module(model, (1, 8, 8), 12)
    for a, b in zip(spikes(graph), spikes(live), strict=True):
        assert a.sum() > 50
        np.testing.assert_array_equal(a, b)
    assert graph.source == "net.pt"
    assert graph.steps == 12
    assert [node.name for node in graph.of_kind(Neuron)] == ["lif1", "out"]
    assert graph.notes == ()


def test_the_example_of_the_documentation_is_accepted(model: nn.Sequential, write: Write, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "net-yaml.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert example is not None
    state = model.state_dict()
    for name in list(state):
        if name.startswith("lif2"):
            del state[name]
    renamed = {name.replace("conv.", "conv1.").replace("bn.", "bn1."): value for name, value in state.items()}
    torch.save(renamed, tmp_path / "a.pt")
    graph = load_checkpoint(tmp_path / "a.pt", write("n.yaml", example[1]))
    assert [n.name for n in graph.of_kind(Neuron)] == ["hidden", "neuron2"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("padding: 1", "paddin: 1", r"net.yaml:5: layers\[0\].conv2d.paddin: requires a known key; found another"),
        ("steps: 12", "stepz: 12", r"net.yaml:2: stepz: requires a known key; found another"),
        ("steps: 12\n", "", "steps: requires a value; found none"),
        ("steps: 12", "steps: 0", "steps: requires a whole number of at least 1; found 0"),
        ("steps: 12", "steps: true", "steps: requires a whole number of at least 1; found True"),
        ("steps: 12", "steps: 12\nsteps: 13", "net.yaml:3: steps: requires each key once; found it twice"),
        ("[1, 8, 8]", "[1, 8, eight]", r"input.shape: requires one to three sizes.*; found \[1, 8, 'eight'\]"),
        ("[1, 8, 8]", "&a [1, 8, 8]", r"net.yaml:1: requires plain YAML; found an anchor or alias \(& or \*\)"),
        ("[1, 8, 8]}", "[1, 8, 8], levels: [1, 0]}", r"input.levels: requires the smaller value first; found \[1, 0\]"),
        ("readout: spike_count", "readout: loudest", "readout: requires 'spike_count', 'membrane_sum'"),
        ("conv2d:", "conv3d:", r"layers\[0\].conv3d: requires a known layer; found another"),
        ("  - flatten", "  - {flatten: {}, dropout: {}}", r"layers\[4\]: requires exactly one of dense"),
        ("  - flatten", "  - 3", r"layers\[4\]: requires one of dense, conv2d, conv1d, batchnorm,.*; found 3"),
        ("  - flatten", "  - flatten: {axis: 1}", "flatten.axis: requires a known key; found another"),
        ("  - flatten", "  - flatten: {from: input}", r"write it beside the layer: {KIND: {...}, from: ...}"),
        ("kernel: 2", "kernel: [2, 2, 2]", r"avgpool.kernel: requires a whole number of.*; found \[2, 2, 2\]"),
        ("kernel: 2", "kernel: 30", "larger than its padded input"),
        ("kernel: 2", "kernel: 2, padding: 2", r"avgpool: requires padding of at most.*; found \(2, 2\)"),
        ("tensors: fc", "tensors: fd", r"net.yaml:11: .*dense.tensors: requires the name of a tensor"),
        ("tensors: fc", "tensors: 5", r"dense.tensors: requires a text; found 5; write it in quotes$"),
        ("name: out", "name: off", r"requires a word of at most 80.*; found False; write a name, in quotes$"),
        ("tensors: fc", "tensors: off", r"requires a text; found False; write it in quotes: YAML reads yes, no, on,"),
        ("tensors: fc", "weight: fc.weight", r"net.pt: tensor fc.bias: requires a use for each tensor"),
        ("tensors: fc", "weight: bn.weight, bias: fc.bias", r"dense: requires a weight for 64.*; found shape \(4,\)"),
        ("tensors: fc", "tensors: fc, bias: fc.bias", r"dense\.tensors: requires tensors, or weight and bias"),
        ("tensors: fc", "transpose: false", "weight: requires a weight; found none"),
        ("tensors: fc", "tensors: fc, transpose: true", r"dense: requires a weight for 64.*; found shape \(64, 10\)"),
        ("  - batchnorm: {tensors: bn, eps: 1e-5}\n", "", r"tensor bn.bias \(and 3 more\): requires a use for each"),
        ("eps: 1e-5", "eps: small", "batchnorm.eps: requires a number; found 'small'"),
        ('fire: ">"}\n  - avg', 'fire: "<"}\n  - avg', "neuron.fire: requires 'gt', 'ge', '>' or '>='; found '<'"),
        ('fire: ">"}\n  - avg', "fire: >}\n  - avg", "net.yaml:7: requires valid YAML; found character '>' that"),
        (', fire: ">"}\n  - avg', "}\n  - avg", "neuron.fire: requires a value; found none here or in the checkpoint"),
        ("reset_delay: true, ", "", r"net.yaml:7: .*neuron.reset_delay: requires a value"),
        ("reset_delay: true", "reset_delay: 1", "reset_delay: requires a valid boolean; found 1"),
        ("tensors: lif1, ", "", "neuron.reset: requires a value; found none here or in the checkpoint"),
        ("tensors: lif1", "tensors: lif1, reset: zero", r"reset: requires what lif1\.reset_mechanism_val in the"),
        ("tensors: lif1", "tensors: lif1, threshold: 2", r"threshold: requires one value; found 2 here, but"),
        ("tensors: lif1", "tensors: lif1, beta: .nan", "neuron.beta: requires a finite number; found nan"),
        ("tensors: lif1", "tensors: lif1, tau: 3", r"neuron\.tau: requires a key of kind leaky; found another"),
        ("tensors: lif1", "tensors: lif1, reset_value: 1", "reset_value: requires reset: value; found another reset"),
        ("kind: leaky, tensors: lif1", "kind: if, tensors: lif1", r"tensor lif1.beta: requires a use for each tensor"),
        ("kind: leaky, tensors: lif1", "kind: resonate, tensors: lif1", "neuron.kind: requires 'if', 'leaky', 'lif'"),
        ("name: out", "name: lif1", r"neuron: requires a name of its own for each layer; found two called lif1"),
        ("name: out", "from: conv2d9", r"layers\[7\]\.from: requires the name of an earlier layer; found 'conv2d9'"),
        ("  - dropout: {p: 0.5}", "  - {dropout: {}, from: [flatten1, avgpool1]}", "one layer for a dropout"),
        ("name: out", "from: avgpool1", r"net\.yaml: requires a reader for each.*; found none for fc"),
        ("[1, 8, 8]", "[2, 8, 8]", r"net.yaml:5: .*conv2d: requires a weight for 2 channels; found shape \(4, 1,"),
    ],
)  # fmt: skip
def test_a_mistake_in_net_yaml_is_one_line_naming_file_and_key(
    checkpoint: Path, write: Write, old: str, new: str, why: str
) -> None:
    assert old in NET
    with pytest.raises(InputError, match=why) as caught:
        load_checkpoint(checkpoint, write("net.yaml", NET.replace(old, new, 1)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", r"net\.yaml: requires keys and values \(input, inputs, steps,.*; found nothing"),
        ("[]", r"net\.yaml:1: requires keys and values \(input, inputs, steps,.*; found \[\]"),
        ("a: b: c", r"net\.yaml:1: requires valid YAML; found mapping values are not allowed here"),
        (
            "!!python/object/apply:os.system [echo]",
            r"net\.yaml:1: requires plain YAML; found a tag \(!!python",
        ),
        ("x: " + "[" * 50 + "]" * 50, r"net\.yaml:1: requires at most 20 levels; found more"),
        ("\x00", r"net\.yaml: requires a YAML file of text alone; found a NUL at character 0"),
        (b"\xff\xfe\x00", r"net\.yaml: requires a YAML file in UTF-8; found another byte at 0"),
        (
            "#" * (1 << 20) + "\n\n",
            r"net\.yaml: requires a YAML file of at most 1,048,576 bytes; found 1,048,578 bytes",
        ),
    ],
)
def test_a_file_that_is_no_net_yaml_is_one_line(checkpoint: Path, write: Write, text: str | bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        load_checkpoint(checkpoint, write("net.yaml", text))
    assert "\n" not in str(caught.value)


def test_a_nan_weight_is_named_with_its_index(model: nn.Sequential, write: Write, tmp_path: Path) -> None:
    state = {name: value.clone() for name, value in model.state_dict().items()}
    state["fc.weight"][3, 5] = torch.nan
    torch.save(state, tmp_path / "nan.pt")
    with pytest.raises(
        InputError,
        match="tensor fc.weight: requires finite numbers; found 1 of 640 numbers NaN or infinite, the first nan",
    ):
        load_checkpoint(tmp_path / "nan.pt", write("net.yaml", NET))


HEAD = "input: {shape: [3]}\nsteps: 30\nreadout: spike_count\nlayers:\n  - dense: {weight: w}\n  - neuron: "
State = dict[str, torch.Tensor]


def small(write: Write, tmp_path: Path, neuron: str, tensors: State | None = None, more: str = "") -> Graph:
    """The graph of a 3-2 network with the given neuron entry."""
    torch.save({"w": torch.tensor([[1.0, 0.5, 0.25], [-0.5, 0.75, 1.5]]), **(tensors or {})}, tmp_path / "s.pt")
    return load_checkpoint(tmp_path / "s.pt", write("s.yaml", f"{HEAD}{neuron}\n{more}"))


def run_by_equation(step: Callable[[float, float, float], tuple[float, float, bool]], seed: int = 0) -> Array:
    """Spikes (30, 2) of a neuron given as a function (u, v, x) -> (u, v, spike), written out anew in this test."""
    x = (np.random.default_rng(seed).random((30, 3)) < 0.5) @ np.array([[1.0, 0.5, 0.25], [-0.5, 0.75, 1.5]]).T
    result = np.zeros((30, 2))
    for n in range(2):
        u = v = 0.0
        for t in range(30):
            u, v, result[t, n] = step(u, v, x[t, n])
    return result


def if_ge_subtract(u: float, v: float, x: float) -> tuple[float, float, bool]:
    v = v + x
    return u, v - 1.25 * (v >= 1.25), v >= 1.25


def lif_value(u: float, v: float, x: float) -> tuple[float, float, bool]:
    v = v + (0.1 - v + x) / 2.0
    return u, -0.25 if v > 0.5 else v, v > 0.5


def lif_outside(u: float, v: float, x: float) -> tuple[float, float, bool]:
    v = v + (0.0 - v) / 4.0 + x
    return u, 0.0 if v > 1 else v, v > 1


def cuba(u: float, v: float, x: float) -> tuple[float, float, bool]:
    u = 0.5 * u + x
    v = 0.75 * v + u
    return u, 0.0 if v >= 2 else v, v >= 2


@pytest.mark.parametrize(
    ("neuron", "step"),
    [
        ('{kind: if, threshold: 1.25, reset: subtract, reset_delay: false, fire: ">="}', if_ge_subtract),
        (
            "{kind: lif, tau: 2, decay_input: true, v_rest: 0.1, threshold: 0.5, reset: value, reset_value: -0.25, "
            'reset_delay: false, fire: ">"}',
            lif_value,
        ),
        (
            '{kind: lif, tau: 4, decay_input: false, threshold: 1, reset: zero, reset_delay: false, fire: ">"}',
            lif_outside,
        ),
        ('{kind: cuba, alpha: 0.5, beta: 0.75, threshold: 2, reset: zero, reset_delay: false, fire: ">="}', cuba),
    ],
)
def test_each_kind_of_neuron_steps_as_documented(
    write: Write, tmp_path: Path, neuron: str, step: Callable[[float, float, float], tuple[float, float, bool]]
) -> None:
    graph = small(write, tmp_path, neuron)
    x = np.random.default_rng(0).random((30, 3)) < 0.5
    found = run_float(graph, {"input": x[None].astype(np.int8)}).spikes["neuron1"][0]
    expected = run_by_equation(step)
    assert 5 < expected.sum() < 50
    np.testing.assert_array_equal(found, expected)


def test_parameters_may_be_tensors_of_any_name(write: Write, tmp_path: Path) -> None:
    tensors = {"a.decay": torch.tensor([0.5, 0.25]), "thr": torch.tensor([2.0])}
    neuron = '{kind: leaky, beta: a.decay, threshold: thr, reset: none, reset_delay: false, fire: ">="}'
    node = small(write, tmp_path, neuron, tensors)["neuron1"]
    assert isinstance(node, Neuron)
    assert node.alpha_v.tolist() == [0.5, 0.25]
    assert node.threshold.shape == ()
    assert (node.compare, node.reset) == (Compare.GE, Reset.NONE)


def snntorch_tensors(reset: int, graded: float = 1.0, beta: float = 0.5, **more: float) -> State:
    values = {"beta": beta, "threshold": 1.0, "graded_spikes_factor": graded, "reset_mechanism_val": reset, **more}
    return {f"l.{key}": torch.tensor(value) for key, value in values.items()}


def test_snntorch_clamps_beta_and_a_note_says_so(write: Write, tmp_path: Path) -> None:
    neuron = '{kind: leaky, tensors: l, reset_delay: true, fire: ">"}'
    graph = small(write, tmp_path, neuron, snntorch_tensors(0, beta=1.5))
    assert node(graph, "l", Neuron).alpha_v == 1.0
    assert "beta clamped" in graph.notes[0]
    with pytest.raises(InputError, match=r"beta: requires a decay factor in \[0, 1\]; found 1\.5"):
        small(write, tmp_path, '{kind: leaky, beta: 1.5, threshold: 1, reset: zero, reset_delay: true, fire: ">"}')


@pytest.mark.parametrize(
    ("neuron", "tensors", "why"),
    [
        ('{kind: leaky, tensors: l, reset_delay: true, fire: ">"}', snntorch_tensors(0, graded=2.0), "factor 2"),
        ('{kind: if, threshold: -1, reset: zero, reset_delay: true, fire: ">"}', {}, "thresholds of 0 or more"),
    ],
)
def test_neurons_without_an_exact_form_are_refused(
    write: Write, tmp_path: Path, neuron: str, tensors: dict[str, torch.Tensor], why: str
) -> None:
    with pytest.raises(UnsupportedError, match=why):
        small(write, tmp_path, neuron, tensors)


def test_snntorchs_immediate_subtraction_rearms_unless_told_not_to(write: Write, tmp_path: Path) -> None:
    neuron = '{kind: leaky, tensors: l, reset_delay: false, fire: ">"}'
    graph = small(write, tmp_path, neuron, snntorch_tensors(0))
    assert node(graph, "l", Neuron).rearm
    assert graph.notes == ()
    told = small(write, tmp_path, neuron.replace("fire", "rearm: false, fire"), snntorch_tensors(0))
    assert not node(told, "l", Neuron).rearm
    assert "does not rearm" in told.notes[0]
    own = '{kind: leaky, beta: 0.5, threshold: 1, reset: subtract, reset_delay: false, fire: ">"}'
    assert not node(small(write, tmp_path, own), "neuron1", Neuron).rearm
    assert node(small(write, tmp_path, own.replace("fire", "rearm: true, fire")), "neuron1", Neuron).rearm
    with pytest.raises(
        InputError, match="rearm: requires reset: subtract with reset_delay: false; found another reset"
    ):
        small(write, tmp_path, own.replace("delay: false", "delay: true, rearm: true"))


def test_synaptic_spikes_as_in_snntorch(write: Write, tmp_path: Path) -> None:
    torch.manual_seed(0)
    for reset, delay in (("subtract", True), ("subtract", False), ("zero", True), ("zero", False), ("none", True)):
        neuron = snn.Synaptic(alpha=0.6, beta=0.7, init_hidden=True, reset_mechanism=reset, reset_delay=delay).double()
        state = {f"l.{name}": value for name, value in neuron.state_dict().items()}
        text = f'{{kind: synaptic, tensors: l, reset_delay: {str(delay).lower()}, fire: ">"}}'
        graph = small(write, tmp_path, text, state)
        x = np.random.default_rng(1).random((5, 30, 3)) < 0.5
        current = torch.from_numpy(x @ node(graph, "w", Dense).weight.T)
        expected = torch.stack([neuron(current[:, t]) for t in range(30)], 1).numpy()
        assert expected.sum() > 30
        np.testing.assert_array_equal(run_float(graph, {"input": x.astype(np.int8)}).spikes["l"], expected)


def test_layers_have_the_names_of_their_tensors_and_a_weight_used_twice_a_number(write: Write, tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.eye(3), "l.beta": torch.tensor(0.5)}, tmp_path / "m.pt")
    neuron = 'neuron: {kind: leaky, tensors: l, threshold: 1, reset: zero, reset_delay: false, fire: ">"}'
    layers = "".join(f"  - dense: {{{weight}}}\n  - {neuron}\n" for weight in ("tensors: fc", "weight: fc.weight"))
    text = f"input: {{shape: [3]}}\nsteps: 4\nreadout: spike_count\nlayers:\n  - flatten\n{layers}"
    graph = load_checkpoint(tmp_path / "m.pt", write("m.yaml", text))
    assert [node.name for node in graph.nodes] == ["input", "flatten1", "fc", "l", "fc_2", "l_2", "output"]


def test_branches_meet_in_an_add(write: Write, tmp_path: Path) -> None:
    torch.save({"a": torch.eye(3), "b": 2 * torch.eye(3)}, tmp_path / "r.pt")
    neuron = '{kind: if, threshold: 1, reset: zero, reset_delay: false, fire: ">="}'
    text = f"""\
input: {{shape: [3]}}
steps: 4
readout: spike_count
layers:
  - {{name: first, dense: {{weight: a}}}}
  - {{name: side, from: input, dense: {{weight: b}}}}
  - {{add: , from: [first, side]}}
  - neuron: {neuron}
"""
    graph = load_checkpoint(tmp_path / "r.pt", write("r.yaml", text))
    assert isinstance(graph["add1"], Add)
    assert graph["add1"].inputs == ("first", "side")
    with pytest.raises(
        InputError, match=r"layers\[2\]\.from: requires two earlier layers or more for an add; found fewer"
    ):
        load_checkpoint(tmp_path / "r.pt", write("r.yaml", text.replace(", from: [first, side]", "")))


def test_one_dimensional_layers_have_height_one(write: Write, tmp_path: Path) -> None:
    torch.save({"0.weight": torch.ones(4, 2, 3), "0.bias": torch.ones(4)}, tmp_path / "c.pt")
    text = """\
input: {shape: [2, 9]}
steps: 4
readout: spike_count
layers:
  - conv1d: {tensors: "0", padding: 1, stride: 2}
  - sumpool: {kernel: 2}
  - neuron: {kind: if, threshold: 1, reset: zero, reset_delay: false, fire: ">="}
"""
    graph = load_checkpoint(tmp_path / "c.pt", write("c.yaml", text))
    pool = graph["sumpool1"]
    assert isinstance(pool, Pool2d)
    assert pool.kernel == (1, 2)
    assert node(graph, "neuron1", Neuron).shape == (4, 1, 2)


def test_ignored_tensors_are_noted_and_a_common_prefix_may_be_left_out(
    model: nn.Sequential, write: Write, tmp_path: Path
) -> None:
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": {**state, "model.spare": torch.ones(2)}}, tmp_path / "l.pt")
    graph = load_checkpoint(tmp_path / "l.pt", write("net.yaml", NET + 'ignore: ["*.spare"]\n'))
    assert graph.notes == ("left out on request (ignore): model.spare",)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_net_yaml_never_does_more_than_raise_our_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    torch.save({"w": torch.ones(2, 3)}, folder / "a.pt")
    text = bytearray(NET.encode())
    pieces = [b"{", b"[", b": ", b"- ", b"&a ", b"*a", b"!!", b"\n", b"1e999"]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                text[at] = data.draw(st.integers(0, 255))
            case "cut":
                del text[at : at + data.draw(st.integers(1, 30))]
            case "insert":
                text[at:at] = data.draw(st.sampled_from(pieces))
    (folder / "net.yaml").write_bytes(text)
    with pytest.raises(Tern2LavaError) as caught:
        load_checkpoint(folder / "a.pt", folder / "net.yaml")
    assert "\n" not in str(caught.value)


def test_a_large_tensor_that_no_layer_can_have_is_not_read(write: Write, tmp_path: Path) -> None:
    save_npz(tmp_path / "a.npz", **{"fc.weight": np.broadcast_to(np.uint8(0), (5000, 5000))})
    text = "input: {shape: [64]}\nsteps: 4\nreadout: spike_count\nlayers:\n  - dense: {tensors: fc}\n"
    tracemalloc.start()
    with pytest.raises(InputError, match=r"requires a tensor that fits the layer.*; found \(5000, 5000\)"):
        load_checkpoint(tmp_path / "a.npz", write("net.yaml", text))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_names_without_those_of_wrappers_and_the_choice_of_weights_are_noted(write: Write, tmp_path: Path) -> None:
    weight = torch.eye(8)[:, :6]
    averaged = {"fc._orig_mod.weight": weight, "n_averaged": torch.tensor(3)}
    torch.save({"state_dict": {"fc.weight": 0 * weight}, "ema": averaged}, tmp_path / "n.pt")
    text = (
        "input: {shape: [6]}\nsteps: 4\nreadout: spike_count\nlayers:\n  - dense: {tensors: fc}\n"
        "  - neuron: {kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}\n"
    )
    first = load_checkpoint(tmp_path / "n.pt", write("n.yaml", text))
    assert not node(first, "fc", Dense).weight.any()
    assert first.notes == (
        "weights are those under 'state_dict'; 'ema' holds others of the same names (--weights ema reads those)",
    )
    other = load_checkpoint(tmp_path / "n.pt", write("n.yaml", text), weights="ema")
    np.testing.assert_array_equal(node(other, "fc", Dense).weight, weight.numpy())
    assert "names without those of wrappers: fc.weight is fc._orig_mod.weight" in other.notes
    torch.save({"model.fc.weight": weight, "net.fc.weight": weight, "x": weight}, tmp_path / "n.pt")
    with pytest.raises(InputError, match=r"found 'fc.weight', which may be model.fc.weight or net.fc.weight; write"):
        load_checkpoint(tmp_path / "n.pt", write("n.yaml", text))
