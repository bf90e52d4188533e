"""A framework's own run, recorded: what is in it, against runs written down here, and what it leaves of the module."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from tern2lava import api
from tern2lava.compiler.ir.graph import Input
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.sim.reading.compare import Reading
from tern2lava.sim.reading.oracle import make_oracle
from tern2lava.sim.reading.run import read

snn: Any = pytest.importorskip("snntorch", reason="snnTorch is not installed")
neuron: Any = pytest.importorskip("spikingjelly.activation_based.neuron", reason="SpikingJelly is not installed")
sj_layer: Any = pytest.importorskip("spikingjelly.activation_based.layer", reason="SpikingJelly is not installed")
norse: Any = pytest.importorskip("norse.torch", reason="Norse is not installed")

Array = NDArray[Any]
STEPS, INPUTS = 18, 9


def spikes(*shape: int) -> Array:
    shape = shape or (INPUTS,)
    return (np.random.default_rng(1).random((7, STEPS, *shape)) < 0.4).astype(np.uint8)


def ternary(module: nn.Module, scale: float = 0.5) -> nn.Module:
    """The module with ternary weights and small biases."""
    rng = np.random.default_rng(2)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if value.ndim > 1:
                value.copy_(torch.from_numpy(rng.choice([-1, 0, 1, 1], tuple(value.shape)) * scale))
            elif name.endswith("bias"):
                value.copy_(torch.from_numpy(rng.integers(-1, 3, tuple(value.shape)) / 8))
    return module


def compared(module: nn.Module, x: Array, **options: Any) -> tuple[dict[str, Array], Reading]:
    """(the record, the float model of the module's graph held against it)."""
    shape = x.shape[2:]
    graph = api.load(module, input_shape=shape, steps=STEPS)
    arrays = api.record(module, x, **options)
    oracle = make_oracle(arrays, graph, *x.shape[:2])
    assert oracle is not None
    values = x.reshape(*x.shape[:2], *graph.of_kind(Input)[0].shape)
    return arrays, read(graph, {graph.of_kind(Input)[0].name: values}, oracle)


class Looped(nn.Module):
    """snnTorch as its tutorials write it: (time, batch, features), states handed on, spikes counted."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(INPUTS, 20), snn.Leaky(beta=0.5)
        self.fc2, self.lif2 = nn.Linear(20, 6), snn.Synaptic(alpha=0.5, beta=0.75)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        m1 = self.lif1.init_leaky()
        s2, m2 = self.lif2.init_synaptic()
        count = 0
        for step in x:
            a, m1 = self.lif1(self.fc1(step), m1)
            b, s2, m2 = self.lif2(self.fc2(a), s2, m2)
            count = count + b
        return count  # type: ignore[return-value]


def lif() -> Any:
    return neuron.LIFNode(tau=2.0)


def multi_step() -> nn.Module:
    net = nn.Sequential(sj_layer.Linear(INPUTS, 20), lif(), sj_layer.Linear(20, 6), neuron.IFNode(v_reset=None))
    for part in net:
        setattr(part, "step_mode", "m")  # noqa: B010
    return net


def makers() -> dict[str, nn.Module]:
    box = norse.LIFBoxCell
    return {
        "snnTorch, Sequential": nn.Sequential(
            nn.Linear(INPUTS, 20), snn.Leaky(beta=0.5, init_hidden=True, reset_delay=False), nn.Linear(20, 6),
            snn.Synaptic(alpha=0.5, beta=0.5, init_hidden=True, reset_mechanism="zero", output=True)),
        "snnTorch, recurrent": nn.Sequential(
            nn.Linear(INPUTS, 20), snn.RLeaky(beta=0.5, linear_features=20, init_hidden=True, output=True)),
        "snnTorch, loop": Looped(),
        "SpikingJelly, step by step": nn.Sequential(nn.Linear(INPUTS, 20), lif(), nn.Linear(20, 6), lif()),
        "SpikingJelly, multi-step": multi_step(),
        "SpikingJelly, signed": nn.Sequential(nn.Linear(INPUTS, 20), neuron.TernaryIFNode(), nn.Linear(20, 6), lif()),
        "SpikingJelly, recurrent": nn.Sequential(
            nn.Linear(INPUTS, 20), sj_layer.LinearRecurrentContainer(lif(), in_features=20, out_features=20)),
        "SpikingJelly, container": nn.Sequential(
            sj_layer.SeqToANNContainer(nn.Linear(INPUTS, 20)), neuron.LIFNode(tau=2.0, step_mode="m")),
        "Norse, cells": norse.SequentialState(nn.Linear(INPUTS, 20), box(), nn.Linear(20, 6), norse.LIFRefracCell()),
        "Norse, over time": norse.SequentialState(nn.Linear(INPUTS, 20), norse.LIF(), nn.Linear(20, 6), norse.LIF()),
        "Norse, recurrent over time": norse.SequentialState(norse.LIFRecurrent(INPUTS, 20)),
    }  # fmt: skip


@pytest.mark.parametrize("name", makers())
@pytest.mark.parametrize("scale", [0.5, 1 / 3])
def test_each_framework_is_recorded_and_read_without_misreading(name: str, scale: float) -> None:
    module = ternary(makers()[name], 4 * scale if name.startswith("Norse") else scale)
    arrays, found = compared(module, spikes())
    assert found.misreadings == 0, str(found)
    assert found.ok
    assert found.spikes > 50
    assert all(row.potentials == row.neuron_steps > 0 for row in found.populations)
    assert {key for key in arrays if key.startswith("v.")} == {f"v.{row.population}" for row in found.populations}
    assert str(arrays["dtype"]) == "float32"
    assert str(arrays["framework"]) == name.split(",")[0].lower()


@pytest.mark.parametrize("name", makers())
def test_the_module_and_all_random_generators_are_as_before(name: str) -> None:
    module = ternary(makers()[name])
    module.train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    hooks = [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules()]
    held = [{key: id(value) for key, value in vars(part).items()} for part in module.modules()]
    memories = [repr(vars(part).get("_memories")) for part in module.modules()]
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    states = torch.get_rng_state(), repr(np.random.get_state(legacy=False)), random.getstate()
    api.record(module, spikes())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (repr(np.random.get_state(legacy=False)), random.getstate()) == states[1:]
    assert all(part.training for part in module.modules())
    assert hooks == [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules()]
    assert held == [{key: id(value) for key, value in vars(part).items()} for part in module.modules()]
    assert memories == [repr(vars(part).get("_memories")) for part in module.modules()]
    assert before.keys() == module.state_dict().keys()
    assert all(torch.equal(value, module.state_dict()[key]) for key, value in before.items())
    assert {value.dtype for value in module.state_dict().values() if value.is_floating_point()} == {torch.float32}


def test_the_recorded_spikes_are_those_of_a_run_by_hand() -> None:
    module = ternary(makers()["SpikingJelly, step by step"])
    arrays = api.record(module, {"spikes": spikes(), "labels": np.arange(7)})
    weight, bias = (p.detach().numpy() for p in (module[0].weight, module[0].bias))  # type: ignore[index]
    v = np.zeros((7, 20), np.float32)
    for t in range(STEPS):
        x = spikes()[:, t].astype(np.float32) @ weight.T + bias
        v = v + (x - v) / np.float32(2)
        fired = v >= 1
        v = np.where(fired, np.float32(0), v)
        np.testing.assert_array_equal(arrays["spikes.1"][:, t], fired)
        np.testing.assert_array_equal(arrays["v.1"][:, t], v)
    np.testing.assert_array_equal(arrays["spikes"], spikes())
    np.testing.assert_array_equal(arrays["labels"], np.arange(7))
    assert str(arrays["v_when"]) == "after"


def test_what_a_forward_returns_are_the_scores() -> None:
    arrays, found = compared(ternary(Looped()), spikes())
    np.testing.assert_array_equal(arrays["scores"], arrays["spikes.lif2"].sum(axis=1))
    assert found.scores is not None
    assert found.scores.misread == 0


def test_scores_may_be_made_of_what_each_step_returns() -> None:
    module = ternary(makers()["SpikingJelly, step by step"])
    assert "scores" not in api.record(module, spikes())
    arrays = api.record(module, spikes(), scores=lambda steps: torch.stack(steps).sum(0))
    np.testing.assert_array_equal(arrays["scores"], arrays["spikes.3"].sum(axis=1))
    with pytest.raises(InputError, match=r"scores: requires a tensor \(7, classes\); found \(18, 7, 6\)"):
        api.record(module, spikes(), scores=torch.stack)


def test_more_samples_than_run_at_once_are_recorded_in_order() -> None:
    module = ternary(makers()["snnTorch, loop"])
    whole = api.record(module, spikes())
    parts = api.record(module, spikes(), effort=replace(NORMAL, recorded_samples=3))
    assert whole.keys() == parts.keys()
    for key, values in whole.items():
        np.testing.assert_array_equal(values, parts[key])


def test_images_and_pools_are_recorded_in_their_shape() -> None:
    net = ternary(nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), lif(), nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 5), lif(),
    ))  # fmt: skip
    arrays, found = compared(net, spikes(2, 4, 4))
    assert arrays["spikes.1"].shape == (7, STEPS, 3, 4, 4)
    assert found.misreadings == 0
    assert found.not_compared == ("no scores recorded: the readout is not compared",)


def test_signals_of_one_dimension_are_recorded_as_torch_holds_them() -> None:
    net = ternary(nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), lif(), nn.Flatten(), nn.Linear(24, 5), lif()))
    arrays, found = compared(net, spikes(2, 8))
    assert arrays["v.1"].shape == (7, STEPS, 3, 8)
    assert found.misreadings == 0


class Plain(nn.Module):
    """A neuron of the user's own, in plain torch."""

    def __init__(self) -> None:
        super().__init__()
        self.v: Any = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.v = 0.5 * self.v + x
        spikes: torch.Tensor = (self.v > 1).to(x.dtype)
        self.v = self.v * (1 - spikes)
        return spikes


class PlainNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(INPUTS, 12), Plain()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.lif.v = 0.0
        return torch.stack([self.lif(self.fc(x[:, t])) for t in range(x.shape[1])], 1).sum(1)


def test_neurons_of_plain_torch_are_recorded_by_name(tmp_path: Path) -> None:
    net = ternary(PlainNet())
    options: dict[str, Any] = {"names": {"lif": "hidden"}, "potentials": {"lif": ("v", "after")}, "call": "batch_first"}
    arrays = api.record(net, spikes(), out=tmp_path / "run.npz", **options)
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    np.savez(tmp_path / "net.npz", **state)
    (tmp_path / "net.yaml").write_text(
        f"input: {{shape: [{INPUTS}]}}\nsteps: {STEPS}\nreadout: spike_count\nlayers:\n  - dense: {{tensors: fc}}\n"
        "  - name: hidden\n    neuron: {kind: leaky, beta: 0.5, threshold: 1.0, reset: zero, reset_delay: false, "
        'fire: ">"}\n'
    )
    graph = api.load(tmp_path / "net.npz", tmp_path / "net.yaml")
    with np.load(tmp_path / "run.npz") as stored:
        assert set(stored.files) == set(arrays) == {
            "spikes", "spikes.hidden", "v.hidden", "v_when", "v_when.hidden", "dtype", "scores"}  # fmt: skip
        oracle = make_oracle(dict(stored), graph, 7, STEPS)
    assert oracle is not None
    found = read(graph, {"input": spikes()}, oracle)
    assert found.ok
    assert (found.spikes, found.populations[0].potentials) == (arrays["spikes.hidden"].sum(), 7 * STEPS * 12)


def test_a_static_input_is_repeated_over_the_steps() -> None:
    class Static(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(INPUTS, 12), snn.Leaky(beta=0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mem, out = self.lif.init_leaky(), []
            for _ in range(STEPS):
                spk, mem = self.lif(self.fc(x), mem)
                out.append(spk)
            return torch.stack(out).sum(0)

    net = ternary(Static())
    x = np.repeat(spikes()[:, :1], STEPS, axis=1)
    arrays, found = compared(net, x, call="static")
    assert found.ok
    assert arrays["spikes.lif"].shape == (7, STEPS, 12)
    with pytest.raises(InputError, match="requires the same input in every step"):
        api.record(net, spikes(), call="static")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": {"nothing": "a"}}, "requires names of its layers; found 'nothing'; they are fc1, lif1, fc2, lif2"),
        ({"potentials": {"lif1": ("mem", "later")}}, r"requires \(attribute, 'before' or 'after'\)"),
        ({"call": "sideways"}, "call: requires one of auto, step, time_first, batch_first,.*; found 'sideways'"),
        ({"names": {"fc1": "a"}}, "requires spikes of -1, 0 and 1"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        api.record(ternary(Looped()), spikes(), **options)
    assert "\n" not in str(caught.value)


def test_modules_that_cannot_be_read_say_what_to_add() -> None:
    class Unread(PlainNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.softmax(-1))

    with pytest.raises(InputError, match="requires how its forward is called.*say call= one of step, time_first"):
        api.record(Unread(), spikes())
    with pytest.raises(InputError, match="requires neuron layers; found none.*names="):
        api.record(Unread(), spikes(), call="batch_first")
    assert "spikes.lif" in api.record(PlainNet(), spikes(), call="batch_first")
    with pytest.raises(InputError, match="requires to run once in each of 18 steps"):
        api.record(PlainNet(), spikes(), call="time_first", names={"lif": "hidden"})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"labels": np.zeros(3)}, "data: requires inputs"),
        (np.zeros((3, 4)), r"data: spikes: requires \(samples, steps, \*shape\) of numbers; found \(3, 4\)"),
        ("missing.npz", "missing.npz: requires an npz file; found none there"),
    ],
)
def test_data_that_are_none_are_refused(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        api.record(Looped(), data)
