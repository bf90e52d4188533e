"""What a forward returns is read: scores and predictions are the module's own, however it forms them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import snntorch as snn
import torch
from spikingjelly.activation_based import layer as sj_layer
from spikingjelly.activation_based import neuron as sj
from torch import Tensor, nn
from torch.nn import functional

from tern2lava.compiler.ir.graph import Graph, Neuron, Output, Readout
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.known_modules import fresh_copy
from tern2lava.frontends.modules.read import load_module
from tern2lava.frontends.modules.trace.sums import how_read
from tern2lava.sim.data.readout import all_scores, predictions
from tern2lava.sim.reference.real import run_float

STEPS, BATCH = 6, 5
X = (np.random.default_rng(7).random((BATCH, STEPS, 5)) < 0.5).astype(np.uint8)
End = Callable[[Any, Any, Any], Any]


def ternary(out: int, into: int, seed: int, bias: bool = False) -> nn.Linear:
    made = nn.Linear(into, out, bias=bias)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        made.weight.copy_(torch.randint(-1, 3, (out, into), generator=generator).clamp(-1, 1) * 0.5)
        if bias:
            made.bias.copy_(torch.arange(out) * 0.125 - 0.25)
    return made


class Net(nn.Module):
    """Two layers of snnTorch's neurons over (time, batch, 5); `end` makes of spikes, hidden spikes and membranes, each
    (time, batch, neurons), what is returned."""

    def __init__(self, end: Any, **settings: Any) -> None:
        super().__init__()
        self.a, self.b = ternary(8, 5, 0), ternary(6, 8, 1)
        self.last = ternary(3, 6, 2, bias=True)
        self.l1, self.l2 = snn.Leaky(beta=0.5), snn.Leaky(beta=0.5, **settings)
        self.end = end

    def forward(self, x: Tensor) -> Any:
        m1, m2 = self.l1.init_leaky(), self.l2.init_leaky()
        spikes, hidden, membranes = [], [], []
        for t in range(x.shape[0]):
            h, m1 = self.l1(self.a(x[t]), m1)
            s, m2 = self.l2(self.b(h), m2)
            spikes.append(s)
            hidden.append(h)
            membranes.append(m2)
        return self.end(self, torch.stack(spikes), torch.stack(hidden), torch.stack(membranes))


def own(module: nn.Module, x: np.ndarray[Any, Any] = X) -> Any:
    """What the module returns for (batch, time, ...) data, in float64."""
    with torch.no_grad():
        return fresh_copy(module)(torch.from_numpy(x).double().transpose(0, 1))


def read(module: nn.Module, **options: Any) -> tuple[Graph, dict[str, np.ndarray[Any, Any]]]:
    graph = load_module(module, (5,), STEPS, **options)
    return graph, all_scores(graph, run_float(graph, {graph.nodes[0].name: X}))


def weights(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


ENDS: dict[str, tuple[Callable[..., Any], Readout]] = {
    "counts": (lambda n, o, h, v: o.sum(0), Readout.SPIKE_COUNT),
    "mean": (lambda n, o, h, v: o.mean(0), Readout.SPIKE_COUNT),
    "counts from a step on": (lambda n, o, h, v: o[2:].sum(0), Readout.SPIKE_COUNT),
    "weighted counts": (lambda n, o, h, v: (o * weights(1, 0.5, 0, 2, 0.25, 1)).sum(0), Readout.SPIKE_COUNT),
    "spikes of two steps": (lambda n, o, h, v: o[2] + o[4], Readout.SPIKE_COUNT),
    "last membrane": (lambda n, o, h, v: v[-1], Readout.MEMBRANE_LAST),
    "summed membranes": (lambda n, o, h, v: v.sum(0), Readout.MEMBRANE_SUM),
    "mean of the last membranes": (lambda n, o, h, v: v[-3:].mean(0), Readout.MEMBRANE_SUM),
    "one membrane": (lambda n, o, h, v: v[2] * 2, Readout.MEMBRANE_SUM),
    "largest membrane": (lambda n, o, h, v: v.max(0).values, Readout.MEMBRANE_MAX),
    "largest, permuted": (lambda n, o, h, v: v[1:].amax(0)[:, [3, 1, 0, 2, 4, 5]], Readout.MEMBRANE_MAX),
    "permuted": (lambda n, o, h, v: o.sum(0)[:, [5, 4, 3, 2, 1, 0]], Readout.SPIKE_COUNT),
    "permuted before": (lambda n, o, h, v: v.flip(-1).sum(0), Readout.MEMBRANE_SUM),
    "merged": (lambda n, o, h, v: o.sum(0).view(-1, 3, 2).sum(-1), Readout.SPIKE_COUNT),
    "merged membranes": (lambda n, o, h, v: v.reshape(STEPS, -1, 3, 2).mean(-1).mean(0), Readout.MEMBRANE_SUM),
    "some classes": (lambda n, o, h, v: o.sum(0)[:, :2], Readout.SPIKE_COUNT),
    "hidden": (lambda n, o, h, v: h.sum(0), Readout.SPIKE_COUNT),
    "softmax": (lambda n, o, h, v: torch.softmax(o.sum(0), -1), Readout.SPIKE_COUNT),
    "log_softmax of membranes": (lambda n, o, h, v: functional.log_softmax(v.sum(0), dim=1), Readout.MEMBRANE_SUM),
    "argmax": (lambda n, o, h, v: o.sum(0).argmax(1), Readout.SPIKE_COUNT),
    "softmaxes summed": (lambda n, o, h, v: functional.softmax(v, dim=-1).sum(0), Readout.MEMBRANE_SOFTMAX),
    "votes": (lambda n, o, h, v: functional.one_hot(v.argmax(-1), 6).float().sum(0), Readout.MEMBRANE_ARGMAX),
    "a constant added": (lambda n, o, h, v: o.sum(0) * 2 + torch.arange(6.0), Readout.SPIKE_COUNT),
    "linear, mean": (lambda n, o, h, v: n.last(o).mean(0), Readout.MEMBRANE_LAST),
    "linear of the mean": (lambda n, o, h, v: n.last(o.mean(0)), Readout.MEMBRANE_LAST),
    "linear, last": (lambda n, o, h, v: n.last(o)[-1], Readout.MEMBRANE_LAST),
    "linear, weighted": (lambda n, o, h, v: (n.last(o) * weights(0, 1, 2, 0, 1, 1)).sum(0), Readout.MEMBRANE_SUM),
    "linear, permuted": (lambda n, o, h, v: n.last(o.sum(0))[:, [2, 0, 1]], Readout.MEMBRANE_LAST),
    "linear, largest": (lambda n, o, h, v: n.last(o).amax(0), Readout.MEMBRANE_MAX),
    "linear, softmaxes": (lambda n, o, h, v: n.last(o).softmax(-1).sum(0), Readout.MEMBRANE_SOFTMAX),
    "two layers together": (lambda n, o, h, v: torch.cat([o.sum(0), h.sum(0)], 1), Readout.MEMBRANE_LAST),
    "spikes of each step": (lambda n, o, h, v: o, Readout.SPIKE_COUNT),
    "spikes and membranes": (lambda n, o, h, v: (o, v), Readout.SPIKE_COUNT),
    "linear of each step": (lambda n, o, h, v: n.last(o), Readout.MEMBRANE_LAST),
}


def scores_before(name: str, scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What an end of this name makes of scores."""
    if name == "argmax":
        return np.asarray(scores.argmax(axis=1))
    logs = scores - scores.max(axis=1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
    return np.asarray(np.exp(logs) if name == "softmax" else logs)


@pytest.mark.parametrize("name", ENDS)
def test_scores_are_what_the_forward_returns(name: str) -> None:
    end, readout = ENDS[name]
    net = Net(end)
    graph, found = read(net)
    wanted = own(net)
    wanted = (wanted[0] if isinstance(wanted, tuple) else wanted).double().numpy()
    (output,) = graph.of_kind(Output)
    scores = found[output.name]
    if name.partition(" ")[0] in ("softmax", "log_softmax", "argmax"):
        scores = scores_before(name.partition(" ")[0], scores)
    np.testing.assert_allclose(scores, wanted.sum(axis=0) if wanted.ndim == 3 else wanted, atol=1e-12)
    assert output.readout is readout
    assert np.ptp(scores) > 0, "the network is to give different scores"


def test_a_mean_is_one_factor_for_all_steps_so_that_any_number_runs() -> None:
    (output,) = read(Net(lambda n, o, h, v: o.mean(0)))[0].of_kind(Output)
    assert output.step_weights is not None
    assert (output.step_weights.shape, output.classes) == ((), None)
    assert float(output.step_weights) == pytest.approx(1 / STEPS)


def test_what_nothing_returned_depends_on_is_left_out_and_said() -> None:
    graph, _ = read(Net(lambda n, o, h, v: h.sum(0)))
    assert [node.name for node in graph.of_kind(Neuron)] == ["l1"]
    assert "l2: nothing that is read depends on it, left out" in graph.notes


def test_several_returned_tensors_are_outputs_and_the_first_predicts() -> None:
    net = Net(lambda n, o, h, v: {"classes": n.last(o).mean(0), "hidden": h.sum(0), "v": v[-1]})
    graph, found = read(net)
    wanted = own(net)
    for name, path in (("output", "classes"), ("output_1", "hidden"), ("output_2", "v")):
        np.testing.assert_allclose(found[name], wanted[path].numpy(), atol=1e-12)
    assert predictions(found["output"]).tolist() == wanted["classes"].argmax(1).tolist()
    assert len(graph.of_kind(Output)) == 3


@pytest.mark.parametrize(
    "settings",
    [{}, {"reset_delay": False}, {"reset_mechanism": "zero", "reset_delay": False}, {"reset_mechanism": "none"}],
    ids=["subtract later", "subtract", "zero", "none"],
)
def test_membranes_are_those_that_snntorch_returns(settings: dict[str, Any]) -> None:
    net = Net(lambda n, o, h, v: v[-1] + 0.5 * v[-2], **settings)
    _, found = read(net)
    np.testing.assert_allclose(found["output"], own(net).numpy(), atol=1e-12)


class Jelly(nn.Module):
    """Two layers of SpikingJelly's neurons over (time, batch, 5)."""

    def __init__(self, end: Any, v_reset: float | None = 0.0) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = ternary(8, 5, 0), ternary(6, 8, 1), ternary(3, 6, 2, bias=True)
        self.l1 = sj.LIFNode(tau=2.0, v_threshold=0.25, step_mode="m")
        self.l2 = sj.LIFNode(tau=2.0, v_threshold=0.25, v_reset=v_reset, step_mode="m", store_v_seq=True)
        self.vote = sj_layer.VotingLayer(2, step_mode="m")
        self.end = end

    def forward(self, x: Tensor) -> Any:
        return self.end(self, self.l2(self.fc2(self.l1(self.fc1(x)))))


class JellyLoop(Jelly):
    """The same, run step by step; the ends are summed by the loop."""

    def forward(self, x: Tensor) -> Any:
        out: Any = 0.0
        for part in x:
            for layer in (self.l1, self.l2):
                layer.step_mode = "s"
            out = out + self.end(self, self.l2(self.fc2(self.l1(self.fc1(part)))))
        return out / len(x)


@pytest.mark.parametrize("v_reset", [0.0, None])
@pytest.mark.parametrize(
    ("kind", "end"),
    [
        (Jelly, lambda n, s: s.mean(0)),
        (Jelly, lambda n, s: n.vote(s).mean(0)),
        (Jelly, lambda n, s: n.fc3(s).mean(0)),
        (Jelly, lambda n, s: n.fc3(s.mean(0))),
        (Jelly, lambda n, s: n.l2.v_seq.sum(0)),
        (Jelly, lambda n, s: n.l2.v),
        (JellyLoop, lambda n, s: s),
        (JellyLoop, lambda n, s: n.fc3(s)),
        (JellyLoop, lambda n, s: n.l2.v),
    ],
)
def test_spikingjellys_ends_are_read(kind: type[Jelly], end: Any, v_reset: float | None) -> None:
    net = kind(end, v_reset)
    _, found = read(net)
    wanted = own(net).numpy()
    np.testing.assert_allclose(found["output"], wanted, atol=1e-12)
    assert np.ptp(wanted) > 0


class Norse(nn.Module):
    """A layer of Norse's cells over (time, batch, 5)."""

    def __init__(self, end: Any) -> None:
        super().__init__()
        parameters = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(500.0), v_th=torch.tensor(0.25))
        self.fc1, self.fc2, self.cell = ternary(6, 5, 0), ternary(3, 6, 2, bias=True), norse.LIFBoxCell(parameters)
        self.end = end

    def forward(self, x: Tensor) -> Any:
        state, spikes, voltages = None, [], []
        for part in x:
            s, state = self.cell(self.fc1(part), state)
            spikes.append(s)
            voltages.append(state.v)
        return self.end(self, torch.stack(spikes), torch.stack(voltages))


@pytest.mark.parametrize(
    "end",
    [
        lambda n, s, v: s.sum(0), lambda n, s, v: v[-1], lambda n, s, v: torch.max(v, 0)[0],
        lambda n, s, v: n.fc2(s).sum(0), lambda n, s, v: v.sum(0)[:, :4],
    ],
)  # fmt: skip
def test_norses_ends_are_read(end: Any) -> None:
    net = Norse(end)
    _, found = read(net)
    np.testing.assert_allclose(found["output"], own(net).numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (lambda n, o, h, v: o.sum(0) ** 2, r"torch\.pow of earlier layers \(test_returned\.py:\d+\)"),
        (lambda n, o, h, v: v.std(0), r"torch\.std of .* \(test_returned\.py:\d+\)"),
        (lambda n, o, h, v: o.sum(0) + v[-1], "potentials of several layers, or of several steps, in one sum"),
        (lambda n, o, h, v: v[-1] + v[0][:, [1, 0, 2, 3, 4, 5]], "potentials of several layers, or of several steps"),
        (lambda n, o, h, v: torch.ones(3), "numbers that no layer's output is followed to"),
    ],
)
def test_what_is_no_readout_is_refused_by_name_with_the_way_out(end: Any, why: str) -> None:
    with pytest.raises(UnsupportedError, match=why) as raised:
        read(Net(end))
    assert "choose readout=... to read the last layer's spikes or potentials instead" in str(raised.value)
    assert "\n" not in str(raised.value)
    graph, _ = read(Net(end), readout="spike_count")
    assert graph.of_kind(Output)[0].inputs == ("l2",)


def test_a_readout_that_is_asked_for_is_read_and_the_difference_is_said() -> None:
    graph, _ = read(Net(lambda n, o, h, v: v[-1]), readout="spike_count")
    assert graph.of_kind(Output)[0].readout is Readout.SPIKE_COUNT
    told = "spike_count of l2 is read as asked; the forward returns something else: the last potential of l2"
    assert told in graph.notes
    graph, _ = read(Net(lambda n, o, h, v: v[-1]), readout="membrane_last")
    assert not any("something else" in note for note in graph.notes)


def test_scores_of_another_end_than_the_traced_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = lambda recorder, symbol: replace(how_read(recorder, symbol), classes=-np.eye(6))  # noqa: E731
    monkeypatch.setattr("tern2lava.frontends.modules.trace.outputs.how_read", wrong)
    with pytest.raises(UnsupportedError, match="requires scores that are what the module returns; found"):
        read(Net(lambda n, o, h, v: o.sum(0)))


def test_a_container_that_ends_in_a_linear_layer_gives_the_sum_of_its_outputs() -> None:
    net = nn.Sequential(ternary(6, 5, 0), snn.Leaky(beta=0.5, init_hidden=True), ternary(3, 6, 2, bias=True))
    graph, found = read(net)
    run = fresh_copy(net)
    with torch.no_grad():
        wanted = sum(run(torch.from_numpy(X[:, t]).double()) for t in range(STEPS))
    np.testing.assert_allclose(found["output"], wanted.numpy(), atol=1e-12)
    assert any("sums its outputs over the steps, which is what is read" in note for note in graph.notes)


def test_a_list_with_a_tensor_for_each_step_is_their_sum_over_the_steps() -> None:
    net = Net(lambda _, spikes, hidden, membranes: (list(spikes.unbind(0)), list(membranes.unbind(0))))
    graph = load_module(net, (5,), STEPS)
    (output,) = graph.of_kind(Output)
    with torch.no_grad():
        own = torch.stack(fresh_copy(net)(torch.from_numpy(X).double().transpose(0, 1))[0]).sum(0).numpy()
    assert own.any()
    np.testing.assert_array_equal(all_scores(graph, run_float(graph, {"input": X}))[output.name], own)
    assert any("[0] is read: spikes of l2, for each step" in note for note in graph.notes)
