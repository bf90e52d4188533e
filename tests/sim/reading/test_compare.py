"""The float model held against a recorded run: what is a misreading, what a tie, and what is not compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from nodes import part
from oracle_net import MISREADINGS, NAMES, NET, STEPS, count_spikes, module, spikes, write
from tern2lava import api
from tern2lava.compiler.ir.graph import Compare, Delay, Dense, Graph, Input, Level, Neuron, Reset
from tern2lava.sim.reading.compare import PopulationReading, Reading, merged
from tern2lava.sim.reading.oracle import Oracle, make_oracle
from tern2lava.sim.reading.run import read
from tern2lava.sim.reference.real import run_float

neuron: Any = pytest.importorskip("spikingjelly.activation_based.neuron", reason="SpikingJelly is not installed")
Array = NDArray[Any]


def recorded(scale: float = 0.5, samples: int = 6) -> dict[str, Array]:
    return api.record(module(scale), spikes(samples), names=NAMES, scores=count_spikes)


def held(arrays: dict[str, Array], graph: Graph, *without: str) -> Reading:
    """The reading of `graph` against the recorded arrays, leaving out those that start with one of `without`."""
    kept = {name: value for name, value in arrays.items() if not without or not name.startswith(without)}
    x = arrays["spikes"]
    oracle = make_oracle(kept, graph, *x.shape[:2])
    assert oracle is not None
    return read(graph, {graph.of_kind(Input)[0].name: x}, oracle)


@pytest.mark.parametrize("scale", [0.5, 1 / 3])
@pytest.mark.parametrize("without", [(), ("v",)], ids=["with potentials", "spikes alone"])
def test_a_net_read_as_it_is_has_no_misreading(tmp_path: Path, scale: float, without: tuple[str, ...]) -> None:
    found = held(recorded(scale), api.load(*write(tmp_path, module(scale))), *without)
    assert found.ok
    assert found.misreadings == 0
    assert found.spikes > 1000
    assert (found.ties > 0) == (scale != 0.5)
    assert [row.population for row in found.populations] == ["hidden", "out"]
    assert found.scores is not None
    assert (found.scores.samples, found.scores.misread) == (6, 0)


@pytest.mark.parametrize("without", [(), ("v",)], ids=["with potentials", "spikes alone"])
@pytest.mark.parametrize("misread", MISREADINGS)
def test_each_of_twelve_misreadings_of_a_net_yaml_is_found(
    tmp_path: Path, misread: str, without: tuple[str, ...]
) -> None:
    right, wrong = MISREADINGS[misread]
    assert NET.count(right) == 1
    found = held(recorded(), api.load(*write(tmp_path, module(), NET.replace(right, wrong))), *without)
    assert not found.ok
    assert found.steps_differ if misread == "steps" else found.misreadings > 0


@pytest.mark.parametrize("misread", [name for name in MISREADINGS if name != "steps"])
def test_they_are_found_where_float32_rounds_too(tmp_path: Path, misread: str) -> None:
    found = held(recorded(1 / 3), api.load(*write(tmp_path, module(1 / 3), NET.replace(*MISREADINGS[misread]))))
    assert found.misreadings > 0


def test_a_wrong_comparison_differs_only_at_the_threshold(tmp_path: Path) -> None:
    graph = api.load(*write(tmp_path, module(), NET.replace(*MISREADINGS["fire"])))
    found = held(recorded(), graph, "v")
    assert found.first is not None
    assert (found.first.population, found.first.what, found.first.bound) == ("hidden", "spike", 0.0)
    assert found.first.potential == found.first.threshold == 1.0
    assert (found.first.recorded, found.first.model) == (0, 1)
    hidden = found.populations[0]
    assert (hidden.missing, hidden.extra) == (0, hidden.misread)
    assert str(found.first) == (
        f"first misreading in step {found.first.step} of sample {found.first.sample}, population hidden, neuron "
        f"{found.first.neuron} {found.first.coordinates}: spike 0 against 1, potential 1, threshold 1, bound 0"
    )


def lif(weight: Array, tau: float, steps: int, reset: float | None = 0.0) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(weight.shape[1], weight.shape[0], bias=False), neuron.LIFNode(tau=tau, v_reset=reset))
    with torch.no_grad():
        part(net, "0", nn.Linear).weight.copy_(torch.from_numpy(weight))
    return net


@pytest.mark.parametrize(("steps", "static"), [(32, False), (64, True)])
@pytest.mark.parametrize("tau", [2.0, 3.0])
@pytest.mark.parametrize("scale", [1 / 3, 1 / 5])
def test_float32_ties_are_counted_apart(steps: int, static: bool, tau: float, scale: float) -> None:
    rng = np.random.default_rng(0)
    net = lif(rng.choice([-1, 0, 0, 1, 1], (64, 48)) * scale, tau, steps)
    x = (rng.random((20, steps, 48)) < 0.3).astype(np.uint8)
    x = np.repeat(x[:, :1], steps, axis=1) if static else x
    found = held(api.record(net, x), api.load(net, input_shape=(48,), steps=steps))
    assert found.misreadings == 0
    if static:
        assert found.ties > 0
    # What follows a tie in a run of its own is not counted: each population reads the recorded spikes.
    assert found.populations[0].missing + found.populations[0].extra == found.ties


def test_a_tie_in_the_first_layer_leaves_the_second_alone() -> None:
    rng = np.random.default_rng(2)
    first = lif(rng.choice([-1, 0, 1, 1], (64, 48)) / 3, 2.0, 64)
    second = lif(rng.choice([-1, 0, 1, 1], (32, 64)) * 0.5, 2.0, 64)
    net = nn.Sequential(*first, *second)
    x = np.repeat((rng.random((20, 1, 48)) < 0.3).astype(np.uint8), 64, axis=1)
    found = held(api.record(net, x), api.load(net, input_shape=(48,), steps=64))
    assert found.misreadings == 0
    assert found.populations[0].ties > 50


def test_recorded_potentials_find_what_few_spikes_tell(tmp_path: Path) -> None:
    graph = api.load(*write(tmp_path, module(), NET.replace("beta: 0.5", "beta: 0.501")))
    hidden = held(recorded(), graph).populations[0]
    assert 0 < 10 * hidden.misread < hidden.potentials_misread


def test_a_potential_is_shown_with_both_values(tmp_path: Path) -> None:
    arrays = recorded()
    arrays["v.hidden"][2, 3, 1, 0, 2] += 0.25
    found = held(arrays, api.load(*write(tmp_path, module())))
    assert found.misreadings == 1
    first = found.first
    assert first is not None
    assert (first.what, first.sample, first.step, first.coordinates) == ("potential", 2, 4, (1, 0, 2))
    assert first.recorded_v == first.potential + 0.25
    assert f"potential {first.recorded_v:.9g} against {first.potential:.9g}" in str(first)


def test_scores_alone_say_what_is_not_compared(tmp_path: Path) -> None:
    graph = api.load(*write(tmp_path, module()))
    found = held(recorded(), graph, "spikes.", "v")
    assert found.populations == ()
    assert found.scores is not None
    assert found.scores.samples + found.scores.left_out == 6
    assert found.scores.misread == 0
    assert "no spikes recorded of hidden, out: not compared" in str(found)
    graph = api.load(*write(tmp_path, module(), NET.replace(*MISREADINGS["threshold"])))
    wrong = held(recorded(), graph, "spikes.", "v")
    assert not wrong.ok
    assert wrong.scores is not None
    assert wrong.scores.misread == wrong.scores.samples


def test_where_rounding_may_have_changed_a_spike_that_is_not_recorded_nothing_is_claimed(tmp_path: Path) -> None:
    arrays = recorded(1 / 3)
    graph = api.load(*write(tmp_path, module(1 / 3)))
    found = held(arrays, graph, "spikes.hidden", "v")
    out = found.populations[0]
    assert out.population == "out"
    assert out.misread == 0
    assert out.left_out > 0
    assert out.neuron_steps + out.left_out == 6 * STEPS * 48
    assert "rounding may have changed spikes that they read" in str(found)


def test_a_mean_over_the_steps_is_the_sum_times_a_number(tmp_path: Path) -> None:
    arrays = recorded()
    arrays["scores"] = arrays["scores"] / STEPS
    found = held(arrays, api.load(*write(tmp_path, module())))
    assert found.scores is not None
    assert found.scores.misread == 0
    assert found.scores.factor == pytest.approx(1 / STEPS)
    arrays["scores"] = arrays["scores"][:, ::-1].copy()
    turned = held(arrays, api.load(*write(tmp_path, module())))
    assert not turned.ok
    assert "are not spike_count of out" in str(turned)


def test_shards_add_up_to_the_whole(tmp_path: Path) -> None:
    arrays = recorded(1 / 3)
    for text in (NET, NET.replace(*MISREADINGS["reset"]), NET.replace(*MISREADINGS["readout"])):
        graph = api.load(*write(tmp_path, module(1 / 3), text))
        whole = held(arrays, graph)
        oracle = make_oracle(arrays, graph, 6, STEPS)
        assert oracle is not None
        parts = [
            read(graph, {"input": arrays["spikes"][a:b]}, oracle.slice(a, b), begin=a)
            for a, b in ((0, 1), (1, 4), (4, 6))
        ]
        found = merged(parts)
        assert found.populations == whole.populations
        assert (found.samples, found.misreadings, found.ties) == (6, whole.misreadings, whole.ties)
        assert found.scores is not None
        assert whole.scores is not None
        assert (found.scores.samples, found.scores.misread) == (whole.scores.samples, whole.scores.misread)


def loop(compare: Compare = Compare.GE, delay: int = 1) -> Graph:
    """Neurons that read themselves through weights, two steps late, and a signed refractory layer behind them."""
    rng = np.random.default_rng(7)
    return Graph(level=Level.IMPORTED, steps=20, nodes=(
        Input(name="x", shape=(10,)),
        Dense(name="w", inputs=("x",), weight=rng.choice([-1, 0, 1], (16, 10)) * 0.5),
        Delay(name="late", inputs=("n",), steps=delay),
        Dense(name="back", inputs=("late",), weight=rng.choice([-1, 0, 1], (16, 16)) * 0.25),
        Neuron(name="n", inputs=("w", "back"), shape=(16,), alpha_v=np.asarray(0.5), compare=compare,
               threshold=np.asarray(0.75), reset=Reset.SUBTRACT, reset_amount=np.asarray(0.75)),
        Dense(name="w2", inputs=("n",), weight=rng.choice([-1, 0, 1], (12, 16)) * 0.5),
        Neuron(name="m", inputs=("w2",), shape=(12,), alpha_v=np.asarray(0.75), refractory=1, compare=Compare.GE,
               threshold_low=np.asarray(-1.0)),
    ))  # fmt: skip


def run_loop(x: Array) -> dict[str, Array]:
    """The network of `loop` in float32, written down anew."""
    single = np.float32
    nodes = {node.name: node for node in loop().nodes}
    w, back, w2 = (nodes[name].weight.astype(single) for name in ("w", "back", "w2"))  # type: ignore[union-attr]
    v, u = np.zeros((len(x), 16), single), np.zeros((len(x), 12), single)
    n, held = [np.zeros((len(x), 16), single)], np.zeros((len(x), 12), int)
    m = []
    for t in range(x.shape[1]):
        v = single(0.5) * v + x[:, t].astype(single) @ w.T + n[-1] @ back.T
        n.append((v >= single(0.75)).astype(single))
        v = v - single(0.75) * n[-1]
        u = np.where(held > 0, u, single(0.75) * u + n[-1] @ w2.T)
        s = np.where(held > 0, 0, (u >= 1).astype(int) - (u <= -1))
        held = np.where(s != 0, 1, np.maximum(held - 1, 0))
        u = np.where(s != 0, single(0), u)
        m.append(s)
    return {"n": np.stack(n[1:], 1), "m": np.stack(m, 1)}


def test_loops_signs_and_refractory_steps_are_followed() -> None:
    x = (np.random.default_rng(8).random((12, 20, 10)) < 0.4).astype(np.uint8)
    own = {name: values.astype(np.int8) for name, values in run_loop(x).items()}
    right = read(loop(), {"x": x}, Oracle(spikes=own, v={}))
    assert right.ok
    assert (own["m"] == -1).any()
    for wrong in (loop(Compare.GT), loop(delay=2)):
        assert read(wrong, {"x": x}, Oracle(spikes=own, v={})).populations[0].misread > 0
    plain = loop()
    nodes = [
        replace(node, refractory=0) if isinstance(node, Neuron) and node.name == "m" else node for node in plain.nodes
    ]
    assert read(plain.with_nodes(nodes), {"x": x}, Oracle(spikes=own, v={})).populations[1].misread > 0
    # Of the loop's neurons nothing is recorded: the model's own spikes feed it, exactly here.
    free = read(loop(), {"x": x}, Oracle(spikes={"m": own["m"]}, v={}))
    assert (free.misreadings, free.populations[0].left_out) == (0, 0)
    assert "no spikes recorded of n" in str(free)


def test_adaptive_thresholds_are_followed_within_their_bound() -> None:
    """b' = rho b + jump s; v' = alpha v + (1 - alpha) x - (b' + th) s; a spike where v' > b' + th."""
    rng = np.random.default_rng(9)
    single = np.float32
    alpha, rho, jump, threshold = (float(single(n)) for n in (0.9, 0.95, 0.05, 0.1))
    weight = rng.choice([-1, 0, 1, 1], (30, 20)) * 0.5
    node = Neuron(
        name="n", inputs=("w",), shape=(30,), alpha_v=np.asarray(alpha), gain_v=np.asarray(1 - alpha),
        alpha_a=np.asarray(rho), gain_a=np.asarray(jump), threshold=np.asarray(threshold), reset=Reset.SUBTRACT,
        reset_amount=np.asarray(threshold), reset_delay=True,
    )  # fmt: skip
    layer = Dense(name="w", inputs=("x",), weight=weight)
    graph = Graph(level=Level.IMPORTED, steps=60, nodes=(Input(name="x", shape=(20,)), layer, node))
    x = (rng.random((10, 60, 20)) < 0.4).astype(np.uint8)
    v, b, s, _ = (np.zeros((10, 30), single) for _ in range(4))
    found = []
    for t in range(60):
        b = single(rho) * b + single(jump) * s
        current = x[:, t].astype(single) @ weight.T.astype(single)
        v = single(alpha) * v + (single(1) - single(alpha)) * current - (b + single(threshold)) * s
        s = (v - b - single(threshold) > 0).astype(single)
        found.append(s.copy())
    recorded: NDArray[np.int8] = np.asarray(np.stack(found, 1), np.int8)
    right = read(graph, {"x": x}, Oracle(spikes={"n": recorded}, v={}))
    assert recorded.sum() > 1000
    assert right.misreadings == 0
    for wrong in (replace(node, gain_a=np.asarray(2 * jump)), replace(node, alpha_a=np.asarray(0.9))):
        nodes = (*graph.nodes[:2], wrong)
        assert read(graph.with_nodes(nodes), {"x": x}, Oracle(spikes={"n": recorded}, v={})).misreadings > 0


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_other_precisions_have_bounds_of_their_own(dtype: str) -> None:
    rng = np.random.default_rng(10)
    net = lif(rng.choice([-1, 0, 0, 1, 1], (64, 48)) / 3, 2.0, 24).to(getattr(torch, dtype))
    x = (rng.random((10, 24, 48)) < 0.3).astype(np.uint8)
    arrays = api.record(net, x)
    assert str(arrays["dtype"]) == dtype
    found = held(arrays, api.load(net, input_shape=(48,), steps=24))
    assert found.misreadings == 0
    assert (found.ties > 0) == (dtype != "float64")
    # In float32's own bound, bfloat16's rounding would be a misreading.
    if dtype != "float64":
        arrays["dtype"] = np.array("float32")
        assert held(arrays, api.load(net, input_shape=(48,), steps=24)).misreadings > 0


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_of_every_kind_agree_with_a_run_of_the_float_model(
    make_network: Callable[..., tuple[Graph, dict[str, Array]]], seed: int
) -> None:
    """Convolutions, pools, loops, delays, signs, adaptation: what real.py gives is what is read, v too."""
    graph, inputs = make_network(seed, leak=seed % 2 == 1)
    own = run_float(graph, inputs)
    oracle = Oracle(spikes=own.spikes, v=own.v, dtype="float64")
    found = read(graph, inputs, oracle)
    assert (found.misreadings, found.ties) == (0, 0)
    assert {row.population for row in found.populations} == {node.name for node in graph.of_kind(Neuron)}
    assert all(row.neuron_steps == own.spikes[row.population].size for row in found.populations)
    # Without what was recorded the model's own spikes feed the rest, with the same result where nothing is in doubt.
    first = next(iter(own.spikes))
    part = Oracle(spikes={name: s for name, s in own.spikes.items() if name != first}, v={}, dtype="float64")
    assert read(graph, inputs, part).misreadings == 0


def test_a_few_ties_against_fire_are_chance_and_many_are_the_other_rule() -> None:
    few = PopulationReading(population="n", ties=9, met_against=7)
    assert (few.misreadings, few.float_ties) == (0, 9)
    many = PopulationReading(population="n", ties=9, met_against=8)
    assert (many.misreadings, many.float_ties) == (8, 1)
    both = PopulationReading(population="n", ties=9, met_against=8, met_with=1)
    assert (both.misreadings, both.float_ties) == (0, 9)
