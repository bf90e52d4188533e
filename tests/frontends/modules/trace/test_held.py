"""A forward that alters what its layers hold, or computes otherwise when it is called again, is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import snntorch as snn
import torch
from spikingjelly.activation_based import functional as sj_functional
from spikingjelly.activation_based import neuron as sj
from torch import Tensor, nn
from torch.nn import functional

from tern2lava.compiler.ir.graph import Dense
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.modules.known_modules import fresh_copy
from tern2lava.frontends.modules.read import load_module, read_module
from tern2lava.frontends.record.record import record_module
from tern2lava.sim.reference.real import run_float

STEPS = 6


class Net(nn.Module):
    """One layer of weights and one of neurons; `run` is the forward over (time, batch, 4)."""

    def __init__(self, cell: nn.Module, run: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.fc, self.cell, self.run = nn.Linear(4, 3, bias=False), cell, run
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[1.0, 0, 1, -1], [0, 1, 1, 0], [1, 1, 0, 0]]) * 0.75)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def leaky() -> Any:
    return snn.Leaky(beta=0.75, threshold=0.83)


def hidden() -> Any:
    return snn.Leaky(beta=0.75, threshold=0.83, init_hidden=True)


def lif() -> Any:
    return sj.LIFNode(tau=2.0, v_threshold=0.83, v_reset=None)


def over_steps(net: Any, x: Tensor, each: Callable[[Any, int], Any], start: Any = None) -> Tensor:
    """Spikes of all steps, of neurons that are handed their state from `start` on; `each` runs behind each step."""
    mem, spikes = start, []
    for t in range(len(x)):
        s, mem = net.cell(net.fc(x[t]), mem)
        each(net, t)
        spikes.append(s)
    return torch.stack(spikes)


def own_states(net: Any, x: Tensor, each: Callable[[Any, int], Any]) -> Tensor:
    """Spikes of all steps, of neurons that keep their state themselves."""
    spikes = []
    for t in range(len(x)):
        spikes.append(net.cell(net.fc(x[t])))
        each(net, t)
    return torch.stack(spikes)


def other_threshold(net: Any, x: Tensor) -> Any:
    return over_steps(net, x, lambda net, t: net.cell.threshold.add_(1e-7), net.cell.reset_mem())


def other_setting(net: Any, x: Tensor) -> Any:
    return own_states(net, x, lambda net, t: setattr(net.cell, "v_threshold", 0.83 + 1e-7 * t))


def other_weights(net: Any, x: Tensor) -> Any:
    return over_steps(net, x, lambda net, t: net.fc.weight.data.mul_(1 + 1e-9), net.cell.reset_mem())


def other_weights_of_each_call(net: Any, x: Tensor) -> Any:
    spikes = over_steps(net, x, lambda net, t: None, net.cell.reset_mem())
    net.fc.weight.data.mul_(1 + 1e-9)
    return spikes


def clamped_state(net: Any, x: Tensor) -> Any:
    return own_states(net, x, lambda net, t: setattr(net.cell, "v", net.cell.v.clamp(-50, 50)))


def decayed_state(net: Any, x: Tensor) -> Any:
    return own_states(net, x, lambda net, t: net.cell.v.mul_(1 - 1e-9))


def reset_on_the_way(net: Any, x: Tensor) -> Any:
    return own_states(net, x, lambda net, t: sj_functional.reset_net(net) if t == 2 else None)


def learnt_start(net: Any, x: Tensor) -> Any:
    return over_steps(net, x, lambda net, t: None, torch.full((x.shape[1], 3), 1e-7))


def start_set(net: Any, x: Tensor) -> Any:
    net.cell.mem = torch.full((x.shape[1], 3), 1e-7)
    return own_states(net, x, lambda net, t: None)


def without_state(net: Any, x: Tensor) -> Any:
    return torch.stack([net.cell(net.fc(x[t]))[0] for t in range(len(x))])


def random_weights(net: Any, x: Tensor) -> Any:
    weight = net.fc.weight + 1e-9 * torch.randn_like(net.fc.weight)
    return own_states(net, functional.linear(x, weight) @ net.fc.weight, lambda net, t: None)


def counting(net: Any, x: Tensor) -> Any:
    net.count += 1
    return own_states(net, x * (1 + 1e-9 * net.count), lambda net, t: None)


ALTERED = [
    (leaky, other_threshold, r"cell \(Leaky\): .*another threshold than in its first call \(test_held.py"),
    (lif, other_setting, r"cell \(LIFNode\): .*another v_threshold than in its first call"),
    (leaky, other_weights, r"layer fc \(Linear\): .*another weight than in its first call"),
    (leaky, other_weights_of_each_call, r"layer fc \(Linear\): .*another weight than in its first call"),
    (lif, clamped_state, r"cell \(LIFNode\): .*own state of the step before; found torch.clamp of"),
    (lif, decayed_state, r"cell \(LIFNode\): .*found states that were altered, in v \(test_held.py"),
    (lif, reset_on_the_way, r"cell \(LIFNode\): .*found states that were altered, in v"),
    (leaky, learnt_start, r"cell \(Leaky\): requires neurons that start at rest; .*v_init in a net.yaml"),
    (hidden, start_set, r"cell \(Leaky\): .*found a start from other states than rest, in mem"),
    (norse.LIFBoxCell, without_state, r"cell \(LIFBoxCell\): .*found no state \(test_held.py"),
    (lif, random_weights, r"every call of the module; found another one in the second call: torch.linear \(test_held"),
    (lif, counting, r"every call of the module; found another one in the second call: torch.scale \(test_held"),
]


@pytest.mark.parametrize(("cell", "run", "words"), ALTERED, ids=[run.__name__ for _, run, _ in ALTERED])
def test_what_a_forward_alters_in_its_layers_is_refused_however_little(cell: Any, run: Any, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        load_module(Net(cell(), run), (4,), STEPS)


def zeros_as_start(net: Any, x: Tensor) -> Any:
    return over_steps(net, x, lambda net, t: None, torch.zeros(x.shape[1], 3))


def weights_quantised_in_place(net: Any, x: Tensor) -> Any:
    net.fc.weight.data = torch.sign(net.fc.weight.data)
    return over_steps(net, x, lambda net, t: None, net.cell.reset_mem())


def detached_state(net: Any, x: Tensor) -> Any:
    sj_functional.reset_net(net)
    return own_states(net, x, lambda net, t: setattr(net.cell, "v", net.cell.v.detach()))


def added_into_zeros(net: Any, x: Tensor) -> Any:
    total = torch.zeros(x.shape[1], 3)
    mem = net.cell.reset_mem()
    for t in range(len(x)):
        s, mem = net.cell(net.fc(x[t]), mem)
        total += s
    return total


KEPT = [
    (leaky, zeros_as_start), (leaky, weights_quantised_in_place), (lif, detached_state), (leaky, added_into_zeros),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "run"), KEPT, ids=[run.__name__ for _, run in KEPT])
def test_a_forward_that_alters_nothing_of_it_gives_the_modules_own_spikes(cell: Any, run: Any) -> None:
    net = Net(cell(), run)
    graph = load_module(net, (4,), STEPS)
    x = (np.random.default_rng(3).random((5, STEPS, 4)) < 0.6).astype(np.uint8)
    with torch.no_grad():
        own = fresh_copy(net)(torch.from_numpy(x).double().transpose(0, 1)).numpy()
    own = own.sum(0) if own.ndim == 3 else own
    assert own.any()
    np.testing.assert_array_equal(run_float(graph, {"input": x}).spikes["cell"].sum(1), own)


def own_run(net: nn.Module, steps: int = STEPS, seed: int = 3) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """(inputs, (samples, steps, ...) of what a copy of the net returns on them)."""
    x = (np.random.default_rng(seed).random((5, steps, 4)) < 0.6).astype(np.uint8)
    with torch.no_grad():
        own = fresh_copy(net)(torch.from_numpy(x).double().transpose(0, 1)).numpy()
    assert own.any()
    return {"input": x}, own.swapaxes(0, 1)


def handed_states(net: Any, x: Tensor) -> Any:
    one, other, spikes = net.cell.reset_mem(), net.cell.reset_mem(), []
    for t in range(len(x)):
        s, one = net.cell(net.fc(x[t]), one)
        s, other = net.cell(2 * s, other)
        spikes.append(s)
    return torch.stack(spikes)


def put_at_rest(net: Any, x: Tensor) -> Any:
    first = own_states(net, x, lambda net, t: None)
    sj_functional.reset_net(net)
    return torch.stack([net.cell(2 * s) for s in first])


def over_time_twice(net: Any, x: Tensor) -> Any:
    return net.cell(4 * net.cell(4 * net.fc(x))[0])[0]


@pytest.mark.parametrize(
    ("cell", "run"), [(leaky, handed_states), (lif, put_at_rest), (norse.LIF, over_time_twice)],
    ids=["handed states", "put at rest", "over time"],
)  # fmt: skip
def test_neurons_that_start_from_rest_in_each_of_two_places_are_two_populations(cell: Any, run: Any) -> None:
    net = Net(cell(), run)
    loaded = read_module(net, (4,), STEPS)
    inputs, own = own_run(net)
    assert loaded.shared["cell"][0] == ("cell", "cell.2")
    np.testing.assert_array_equal(run_float(loaded.graph, inputs).spikes["cell.2"], own)
    kept = record_module(net, inputs, loaded=loaded)
    assert not loaded.names
    np.testing.assert_array_equal(kept["spikes.cell.2"], own)
    assert kept["spikes.cell"].any()


def test_neurons_whose_state_goes_from_one_place_to_another_are_refused_for_that() -> None:
    def both(net: Any, x: Tensor) -> Any:
        return torch.stack([net.cell(net.cell(net.fc(s))) for s in x])

    with pytest.raises(UnsupportedError, match=r"12 calls in 6 steps, .* goes on in the next place; .* another netw"):
        load_module(Net(lif(), both), (4,), STEPS)


def latent_weights_restored(net: Any, x: Tensor) -> Any:
    kept = net.fc.weight.data.clone()
    net.fc.weight.data.copy_(torch.sign(kept) * 0.6)
    spikes = own_states(net, x, lambda net, t: None)
    net.fc.weight.data.copy_(kept)
    return spikes


def weights_swapped_in_each_step(net: Any, x: Tensor) -> Any:
    spikes = []
    for step in x:
        kept = net.fc.weight.data
        net.fc.weight.data = torch.sign(kept) * 0.6
        spikes.append(net.cell(functional.linear(step, net.fc.weight)))
        net.fc.weight.data = kept
    return torch.stack(spikes)


@pytest.mark.parametrize("run", [latent_weights_restored, weights_swapped_in_each_step])
def test_weights_that_are_quantised_in_place_and_put_back_are_those_of_the_calls(run: Any) -> None:
    net = Net(lif(), run)
    inputs, own = own_run(net)
    graph = load_module(net, (4,), STEPS)
    (weight,) = (node.weight for node in graph.of_kind(Dense))
    assert set(np.unique(weight)) <= {-0.6, 0.0, 0.6}
    np.testing.assert_array_equal(run_float(graph, inputs).spikes["cell"], own)
    assert set(net.fc.weight.detach().abs().unique().tolist()) == {0.0, 0.75}


def test_a_forward_that_writes_the_parameters_of_the_original_is_refused_before_it_does() -> None:
    kept: list[Tensor] = []

    def outside(net: Any, x: Tensor) -> Any:
        kept[0].data.mul_(0.5)
        return own_states(net, x, lambda net, t: None)

    net = Net(lif(), outside)
    kept.append(net.fc.weight)
    with pytest.raises(UnsupportedError, match=r"written through a reference kept outside of it \(test_held.py"):
        load_module(net, (4,), STEPS)
    assert float(net.fc.weight.abs().max()) == 0.75


def test_a_refusal_that_the_forward_catches_is_one_all_the_same() -> None:
    def caught(net: Any, x: Tensor) -> Any:
        try:
            if net.cell.training or x.sum() > 3:
                x = x * 0
        except Exception:
            pass
        return own_states(net, x, lambda net, t: None)

    with pytest.raises(UnsupportedError, match=r"found Tensor.__bool__ of .* \(test_held.py"):
        load_module(Net(lif(), caught), (4,), STEPS)


def test_steps_that_read_zeros_before_the_first_spikes_are_a_delay() -> None:
    def shifted(net: Any, x: Tensor) -> Any:
        late = torch.cat([torch.zeros_like(x[:2]), x[:-2]])
        return own_states(net, late, lambda net, t: None)

    net = Net(lif(), shifted)
    x = (np.random.default_rng(3).random((5, STEPS, 4)) < 0.6).astype(np.uint8)
    with torch.no_grad():
        own = fresh_copy(net)(torch.from_numpy(x).double().transpose(0, 1)).numpy()
    found = run_float(load_module(net, (4,), STEPS), {"input": x}).spikes["cell"]
    np.testing.assert_array_equal(found.swapaxes(0, 1), own)
    assert own.any()


def test_lazy_layers_and_modules_on_meta_are_told_what_they_lack() -> None:
    lazy = Net(leaky(), other_weights)
    lazy.fc = nn.LazyLinear(3)
    with pytest.raises(InputError, match=r"fc.weight: .*lazy layer .*; run the module once"):
        load_module(lazy, (4,), STEPS)
    with pytest.raises(InputError, match=r"fc.weight: .*meta device"):
        load_module(Net(leaky(), other_weights).to("meta"), (4,), STEPS)


@pytest.mark.parametrize("beside", [0.0, 1.0])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("start", [0.0, 1e-7])
def test_steps_before_the_first_read_zeros_and_nothing_else(start: float, bias: bool, beside: float) -> None:
    def late(net: Any, x: Tensor) -> Any:
        before, spikes = torch.full_like(x[0], start), []
        for t in range(len(x)):
            now = net.fc(before)
            spikes.append(net.cell(now + net.fc(x[t]) if beside else now))
            before = x[t]
        return torch.stack(spikes)

    net = Net(lif(), late)
    if bias:
        net.fc.bias = nn.Parameter(torch.tensor([0.5, -0.25, 0.125]))
    if start:
        with pytest.raises(UnsupportedError, match=r"cell \(LIFNode\): requires zeros .*other numbers in step 0"):
            load_module(net, (4,), STEPS)
    else:
        assert load_module(net, (4,), STEPS).steps == STEPS


def test_dropout_that_draws_in_evaluation_is_told_what_it_lacks() -> None:
    def drops(net: Any, x: Tensor) -> Any:
        return own_states(net, functional.dropout(x, 0.5), lambda net, t: None)

    with pytest.raises(UnsupportedError, match=r"draws in evaluation too \(test_held.py:\d+\), for want of training="):
        load_module(Net(lif(), drops), (4,), STEPS)


def bright(x: Tensor) -> Tensor:
    """1 where a step has more spikes than any of the check has, else 0."""
    return (x.sum() > 1e4).to(x.dtype)


def assigned(net: Any, x: Tensor) -> None:
    net.fc.weight.data = net.latent * (1 + bright(x))


def written_in_place(net: Any, x: Tensor) -> None:
    net.fc.weight.data.mul_(1 - bright(x))


def copied_into(net: Any, x: Tensor) -> None:
    net.fc.weight.data.copy_(net.latent * (1 + bright(x)))


def a_threshold(net: Any, x: Tensor) -> None:
    net.cell.v_threshold = 0.83 + bright(x)


@pytest.mark.parametrize("lead", [assigned, written_in_place, copied_into, a_threshold])
def test_weights_and_thresholds_that_follow_the_input_are_refused_where_no_run_of_the_check_moves_them(
    lead: Callable[[Any, Tensor], None],
) -> None:
    def led(net: Any, x: Tensor) -> Any:
        spikes = []
        for row in x:
            lead(net, row)
            spikes.append(net.cell(net.fc(row)))
        return torch.stack(spikes)

    net: Any = Net(lif(), led)
    net.register_buffer("latent", net.fc.weight.detach().clone())
    with pytest.raises(UnsupportedError, match=r"a (weight|v_threshold) that is computed from it \(test_held.py"):
        load_module(net, (4,), STEPS, call="time_first")
