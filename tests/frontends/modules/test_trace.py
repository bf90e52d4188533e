"""Forwards of one's own: loops over time of every kind become the graph they compute, the rest is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from norse.torch import LIFBoxCell
from norse.torch.functional.lif_box import LIFBoxParameters
from torch import nn
from torch.nn import functional

from tern2lava.compiler.ir.graph import Add, ChannelAffine, Delay, Dense, Flatten, Graph, Input, Neuron, Output
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.modules.read import load_module
from tern2lava.sim.reference.real import run_float

STEPS = 20


class Layers(nn.Module):
    """Three dense layers of neurons; `loop` is the forward."""

    def __init__(self, loop: Callable[[Any, torch.Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.fc2, self.fc3 = nn.Linear(12, 16), nn.Linear(16, 16), nn.Linear(16, 5)
        self.rec = nn.Linear(16, 16)
        self.lif1, self.lif2 = snn.Leaky(beta=0.9), snn.Leaky(beta=0.8)
        self.lif3 = snn.Leaky(beta=0.7, threshold=0.3)
        self.scale = nn.Parameter(torch.tensor(0.5))
        with torch.no_grad():
            for layer in (self.fc1, self.fc2, self.fc3, self.rec):
                layer.weight *= 3
        self.loop = loop

    def forward(self, x: torch.Tensor) -> Any:
        return self.loop(self, x)


def rest(net: Any) -> tuple[torch.Tensor, ...]:
    return net.lif1.reset_mem(), net.lif2.reset_mem(), net.lif3.reset_mem()


def step_by_step(net: Any, x: torch.Tensor) -> Any:
    m1, m2, m3 = rest(net)
    spikes, potentials = [], []
    for t in range(x.size(0)):
        s1, m1 = net.lif1(net.fc1(x[t]), m1)
        s2, m2 = net.lif2(net.fc2(s1), m2)
        s3, m3 = net.lif3(net.fc3(s1 + s2), m3)
        spikes.append(s3)
        potentials.append(m3)
    return torch.stack(spikes), torch.stack(potentials)


def layer_by_layer(net: Any, x: torch.Tensor) -> Any:
    m1, m2, m3 = rest(net)
    first = net.fc1(x)
    hidden = []
    for current in first:
        s1, m1 = net.lif1(current, m1)
        hidden.append(s1)
    second = net.fc2(torch.stack(hidden))
    out = []
    for t in range(len(second)):
        s2, m2 = net.lif2(second[t], m2)
        s3, m3 = net.lif3(net.fc3(s2 + hidden[t]), m3)
        out.append(s3)
    return torch.stack(out)


def batch_first(net: Any, x: torch.Tensor) -> Any:
    m1, m2, m3 = rest(net)
    total = 0
    for t in range(x.shape[1]):
        current = net.fc1(x[:, t, :].view(x.shape[0], -1))
        s1, m1 = net.lif1(current, m1)
        s2, m2 = net.lif2(net.scale * net.fc2(s1) + current / 2 - 0.25, m2)
        s3, m3 = net.lif3(functional.linear(s2, net.fc3.weight, net.fc3.bias), m3)
        total = total + s3
    return total


def constant_input(net: Any, x: torch.Tensor) -> Any:
    m1, m2, m3 = rest(net)
    out = []
    for _ in range(STEPS):
        s1, m1 = net.lif1(net.fc1(x), m1)
        s2, m2 = net.lif2(net.fc2(s1), m2)
        s3, m3 = net.lif3(net.fc3(s2), m3)
        out.append(s3)
    return torch.stack(out).sum(0)


def feedback(net: Any, x: torch.Tensor) -> Any:
    m1, m2, m3 = rest(net)
    s2 = torch.zeros(x.shape[1], 16, dtype=x.dtype)
    before = s2
    for current in x:
        drive = net.fc1(current)
        drive += net.rec(s2)
        s1, m1 = net.lif1(drive, m1)
        before, (s2, m2) = s2, net.lif2(net.fc2(s1), m2)
        s3, m3 = net.lif3(net.fc3(s2 - before), m3)
    return s3


LOOPS: dict[Callable[..., Any], tuple[str, dict[type, int]]] = {
    step_by_step: ("time first", {Add: 1, Dense: 3}),
    layer_by_layer: ("time first", {Add: 1, Dense: 3}),
    batch_first: ("batch first", {Add: 1, Dense: 3, ChannelAffine: 3}),
    constant_input: ("static", {Dense: 3}),
    feedback: ("time first", {Dense: 4, Delay: 1, Add: 2, ChannelAffine: 1}),
}


def own_spikes(net: nn.Module, x: torch.Tensor) -> dict[str, Array]:
    """Spikes (batch, steps, neurons) of every Leaky in the net's own run in float64, seen by hooks."""
    found: dict[str, list[torch.Tensor]] = {}
    net = net.double()
    for name, part in net.named_modules():
        if isinstance(part, snn.Leaky):
            part.spike_grad = lambda v: (v > 0).to(v.dtype)
            part.register_forward_hook(lambda m, a, out, name=name: found.setdefault(name, []).append(out[0]))
    with torch.no_grad():
        net(x)
    return {name: torch.stack(spikes, 1).numpy() for name, spikes in found.items()}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_over_time_becomes_the_graph_it_computes(loop: Callable[..., Any]) -> None:
    style, kinds = LOOPS[loop]
    net = Layers(loop)
    graph = load_module(net, (12,), STEPS)
    assert any(f"traced over 20 steps ({style})" in note for note in graph.notes)
    for kind, number in kinds.items():
        assert len(graph.of_kind(kind)) == number, kind
    assert [node.name for node in graph.of_kind(Neuron)] == ["lif1", "lif2", "lif3"]
    x = torch.rand(7, STEPS, 12) < 0.3
    if style == "static":
        x = x[:, :1].expand(7, STEPS, 12)
    given = {"time first": x.transpose(0, 1), "batch first": x, "static": x[:, 0]}[style].double()
    expected = own_spikes(net, given)
    trace = run_float(graph, {"input": x.numpy()}, states=False)
    for name, spikes in expected.items():
        assert spikes.sum() > 20
        np.testing.assert_array_equal(trace.spikes[name], spikes, err_msg=name)


def test_a_network_with_its_own_number_of_steps_is_traced_over_all_of_them() -> None:
    def loop(net: Any, x: torch.Tensor) -> Any:
        m1, m2, m3 = rest(net)
        for t in range(40):
            s1, m1 = net.lif1(net.fc1(x[t]), m1)
            s2, m2 = net.lif2(net.fc2(s1), m2)
            _, m3 = net.lif3(net.fc3(s2), m3)

    assert "traced over 40 steps" in load_module(Layers(loop), (12,), 40).notes[0]


class Residual(nn.Module):
    """A convolutional network called once per step: fan-out, a residual sum, recurrence, pooling by function."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.bn = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.lif1 = snn.Leaky(beta=0.9, threshold=0.2, init_hidden=True)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.lif2 = snn.RLeaky(beta=0.8, threshold=0.3, conv2d_channels=4, kernel_size=3, init_hidden=True)
        self.fc = nn.Linear(64, 6)
        self.lif3 = snn.Synaptic(alpha=0.5, beta=0.5, threshold=0.3, init_hidden=True, reset_mechanism="zero")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.lif1(self.bn(self.conv1(x)))
        y = functional.max_pool2d(self.lif2(self.conv2(h) + h), 2)
        return self.lif3(self.fc(functional.dropout(y.flatten(1), 0.5, self.training)))  # type: ignore[no-any-return]


def test_a_residual_block_called_once_per_step_is_traced() -> None:
    net = Residual()
    graph = load_module(net, (1, 8, 8), STEPS)
    assert [node.name for node in graph.of_kind(Neuron)] == ["lif1", "lif2", "maxpool", "lif3"]
    assert graph["lif2"].inputs == ("add", "lif2.recurrent")
    assert set(graph["add"].inputs) == {"conv2", "lif1"}
    assert isinstance(graph["flatten"], Flatten)
    assert any("(step)" in note for note in graph.notes)
    assert any("training mode" in note for note in graph.notes)
    assert net.training


class Two(nn.Module):
    """Two inputs, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(6, 8), nn.Linear(4, 8), nn.Linear(8, 3)
        self.lif = snn.Leaky(beta=0.5, threshold=0.2, init_hidden=True)
        self.left = snn.Leaky(beta=0.5, threshold=0.1, init_hidden=True)
        self.right = snn.Leaky(beta=0.9, threshold=0.1, init_hidden=True)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.lif(self.a(x) + self.b(y))
        return self.left(self.c(hidden)), self.right(-self.c(hidden))


def test_several_inputs_and_outputs_are_read() -> None:
    graph = load_module(Two(), {"x": (6,), "y": (4,)}, STEPS)
    assert [(node.name, node.shape) for node in graph.of_kind(Input)] == [("x", (6,)), ("y", (4,))]
    assert [node.inputs for node in graph.of_kind(Output)] == [("left",), ("right",)]


class Cells(nn.Module):
    """Norse cells with their states handed on from call to call."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.out = nn.Linear(6, 8), nn.Linear(8, 4)
        self.cell1 = LIFBoxCell(LIFBoxParameters(v_th=torch.as_tensor(0.05)))
        self.cell2 = LIFBoxCell(LIFBoxParameters(v_th=torch.as_tensor(0.05)))

    def forward(self, x: torch.Tensor, state: Any = None) -> Any:
        s1, s2 = state or (None, None)
        z, s1 = self.cell1(self.fc(x), s1)
        z, s2 = self.cell2(self.out(z), s2)
        return z, (s1, s2)


def test_states_handed_from_call_to_call_are_followed() -> None:
    graph = load_module(Cells(), (6,), STEPS)
    assert [node.name for node in graph.of_kind(Neuron)] == ["cell1", "cell2"]
    assert "(step)" in graph.notes[0]


def relu(net: Any, x: torch.Tensor) -> Any:
    m1, m2, _ = rest(net)
    for t in range(x.size(0)):
        s1, m1 = net.lif1(net.fc1(x[t]), m1)
        _, m2 = net.lif2(torch.relu(net.fc2(s1)), m2)


def decayed_state(net: Any, x: torch.Tensor) -> Any:
    m1, _, _ = rest(net)
    for t in range(x.size(0)):
        _, m1 = net.lif1(net.fc1(x[t]), m1 * 0.5)


def odd_steps(net: Any, x: torch.Tensor) -> Any:
    m1, m2, _ = rest(net)
    for t in range(x.size(0)):
        s1, m1 = net.lif1(net.fc1(x[t]), m1)
        _, m2 = net.lif2(net.fc2(s1 * 2 if t % 2 else s1), m2)


def neurons_twice(net: Any, x: torch.Tensor) -> Any:
    m1, _, _ = rest(net)
    for t in range(x.size(0)):
        s1, m1 = net.lif1(net.fc1(x[t]), m1)
        _, m1 = net.lif1(net.rec(s1), m1)


def control_flow(net: Any, x: torch.Tensor) -> Any:
    m1, m2, _ = rest(net)
    for t in range(x.size(0)):
        s1, m1 = net.lif1(net.fc1(x[t]), m1)
        if s1.sum() > 8:
            _, m2 = net.lif2(net.fc2(s1), m2)


def outside_of_torch(net: Any, x: torch.Tensor) -> Any:
    m1, _, _ = rest(net)
    for t in range(x.size(0)):
        _, m1 = net.lif1(torch.from_numpy(np.tanh(net.fc1(x[t]).numpy())), m1)


def membranes(net: Any, x: torch.Tensor) -> Any:
    m1, m2, _ = rest(net)
    for t in range(x.size(0)):
        _, m1 = net.lif1(net.fc1(x[t]), m1)
        _, m2 = net.lif2(net.fc2(m1), m2)


def noise(net: Any, x: torch.Tensor) -> Any:
    m1, m2, _ = rest(net)
    for t in range(x.size(0)):
        s1, m1 = net.lif1(net.fc1(x[t]), m1)
        _, m2 = net.lif2(net.fc2(s1) + torch.rand(s1.shape), m2)


def late_start(net: Any, x: torch.Tensor) -> Any:
    m1, m2, _ = rest(net)
    s1 = torch.ones(x.shape[1], 16, dtype=x.dtype)
    for t in range(x.size(0)):
        _, m2 = net.lif2(net.fc2(s1), m2)
        s1, m1 = net.lif1(net.fc1(x[t]), m1)


def fails(net: Any, x: torch.Tensor) -> Any:
    raise KeyError("no\nsuch")


@pytest.mark.parametrize(
    ("loop", "error", "why"),
    [
        (relu, UnsupportedError, r"layer lif2 \(Leaky\): .*found torch.relu of earlier layers"),
        (decayed_state, UnsupportedError, r"layer lif1 \(Leaky\): requires neurons that go on from their own state"),
        (odd_steps, UnsupportedError, r"lif2 \(Leaky\): requires the same computation in every step; found another"),
        (neurons_twice, UnsupportedError, r"layer lif1 \(Leaky\): .*40 calls in 20 steps"),
        (control_flow, UnsupportedError, "found Tensor.__bool__ of a tensor that depends on the input"),
        (outside_of_torch, UnsupportedError, "found Tensor.numpy"),
        (membranes, UnsupportedError, r"layer fc2 \(Linear\): .*a membrane potential or current of neurons"),
        (
            noise,
            UnsupportedError,
            r"lif2 \(Leaky\): .*found numbers that differ between steps or samples.*test_trace.py",
        ),
        (late_start, UnsupportedError, r"lif2 \(Leaky\): requires zeros in place of spikes .*step 0"),
        (fails, InputError, "its forward fails on .*KeyError: 'no.*nsuch'"),
    ],
)
def test_a_forward_that_no_graph_says_is_refused_by_name(
    loop: Callable[..., Any], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why) as caught:
        load_module(Layers(loop), (12,), STEPS)
    assert "\n" not in str(caught.value)


def test_a_call_can_be_said_and_a_wrong_one_is_refused() -> None:
    assert "(batch first)" in load_module(Layers(batch_first), (12,), STEPS, call="batch_first").notes[0]
    with pytest.raises(InputError, match="its forward fails on step input"):
        load_module(Layers(batch_first), (12,), STEPS, call="step")
    with pytest.raises(
        InputError, match="call: requires one of auto, step, time_first, batch_first,.*; found 'backwards'"
    ):
        load_module(Layers(batch_first), (12,), STEPS, call="backwards")


def test_neurons_that_never_fire_in_the_check_are_named() -> None:
    net = Layers(step_by_step)
    net.lif3.threshold = torch.tensor(1e6)
    assert load_module(net, (12,), STEPS).notes[1:2] == ("lif3: fired in no run of the check, which proves little",)


def test_a_module_and_its_states_are_left_as_they_were() -> None:
    net = Residual()
    net(torch.rand(2, 1, 8, 8))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    membrane = net.lif1.mem.clone()
    load_module(net, (1, 8, 8), STEPS)
    assert torch.equal(net.lif1.mem, membrane)
    assert net.conv1.weight.dtype is torch.float32
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not net.lif1._forward_hooks


def test_a_network_inside_data_parallel_is_read() -> None:
    assert isinstance(load_module(nn.DataParallel(Residual()), (1, 8, 8), STEPS), Graph)


def test_a_network_without_neurons_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="found torch.multi_head_attention_forward of two tensors"):
        load_module(nn.TransformerEncoderLayer(8, 2), (8,), STEPS)
