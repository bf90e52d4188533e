"""Events of a run: every spike meets the synapses, cores and links that the program and its mapping give it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nets import codes, geometry, neurons
from random_loops import draw_loop
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import Pooling, Spikes, frozen, size
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.hw_profiles import load_profile
from tern2lava.report.energy.expected import expected_events
from tern2lava.sim.activity import measured_rates
from tern2lava.sim.data.spike_file import SpikeData, make_spikes
from tern2lava.sim.events.count import Counter
from tern2lava.sim.events.counts import CoreSteps, Events
from tern2lava.sim.events.wiring import wiring_of
from tern2lava.sim.reference import integer

STEPS = 5


def network(target: str) -> Graph:
    """A convolution with padding, pooled into a second one where the target sums spikes in axons, else of stride 2, and
    a dense layer with a delay."""
    rng = np.random.default_rng(4)
    sums = load_profile(target).routing.axon_sums.value
    pooling = Pooling(in_shape=(3, 8, 8), window=(2, 2)) if sums else None
    side = 4 if sums else 8
    first = geometry((2, 8, 8), 3, (3, 3), padding=(1, 1, 1, 1))
    second = geometry((3, side, side), 4, (3, 3), stride=(1, 1) if sums else (2, 2))
    behind = second.out_shape
    nodes = (
        Input(name="in", shape=(2, 8, 8)),
        Projection(name="w1", inputs=("in",), weight=codes(rng, 3, 2, 3, 3), geometry=first),
        neurons("a", "w1", (3, 8, 8), start=1),
        Projection(name="w2", inputs=("a",), weight=codes(rng, 4, 3, 3, 3), geometry=second, pooling=pooling),
        neurons("b", "w2", behind, start=2),
        Projection(name="w3", inputs=("b",), weight=codes(rng, 5, size(behind)), delay=1),
        neurons("c", "w3", (5,), start=4),
        Output(name="out", inputs=("c",)),
    )
    arithmetic = Arithmetic(**load_profile(target).arithmetic_values())
    return Graph(level=Level.INTEGER, nodes=nodes, arithmetic=arithmetic, steps=STEPS)


def mapped(target: str, data: SpikeData | None = None) -> Mapped:
    graph = network(target)
    rates = None if data is None else measured_rates(graph, data)
    options = MapOptions(max_neurons_per_core=40, placement="linear", share_cores=False)
    return map_program(graph, load_profile(target), options, rates)


def values() -> Spikes:
    return (np.random.default_rng(5).random((3, STEPS, 2, 8, 8)) < 0.3).astype(np.uint8)


def counted(found: Mapped) -> tuple[Events, list[CoreSteps], dict[str, Spikes]]:
    spikes = integer.run(found.graph, {"in": values()}).spikes
    counter = Counter(found.graph, wiring_of(found.images, found.host_image, found.profile))
    work = list(counter.add({"in": values()}, spikes))
    return counter.result(), work, {"in": values().reshape(3, STEPS, -1), **spikes}


@pytest.fixture(scope="module", params=["loihi1", "truenorth"])
def run(request: pytest.FixtureRequest) -> tuple[Mapped, Events, list[CoreSteps], dict[str, Spikes]]:
    found = mapped(request.param)
    return (found, *counted(found))


def test_spikes_meet_the_synapses_that_the_program_has_for_them(
    run: tuple[Mapped, Events, list[CoreSteps], dict[str, Spikes]],
) -> None:
    found, events, _, spikes = run
    rows = {layer.name: layer for layer in events.layers}
    for population in found.graph.of_kind(Population):
        (name,) = population.inputs
        projection = found.graph.projection(name)
        sent = (spikes[projection.inputs[0]] != 0).reshape(3 * STEPS, -1)
        ones = replace(projection, weight=frozen(projection.weight != 0, np.int8))
        assert rows[population.name].nonzero == accumulate(ones, sent).sum() > 0
        every = replace(projection, weight=frozen(np.ones_like(projection.weight), np.int8))
        stored = ones if found.profile.crossbar is not None else every
        assert rows[population.name].stored == accumulate(stored, sent).sum()
        assert rows[population.name].spikes == np.count_nonzero(spikes[population.name])
    assert (events.samples, events.steps, events.measured) == (3, STEPS, True)


def test_what_cores_do_adds_up_to_what_layers_do(
    run: tuple[Mapped, Events, list[CoreSteps], dict[str, Spikes]],
) -> None:
    found, events, work, _ = run
    populations = [layer for layer in events.layers if layer.name != "in"]
    assert sum(float(w.nonzero.sum()) for w in work) == sum(layer.nonzero for layer in events.layers)
    assert sum(float(w.stored.sum()) for w in work) == sum(layer.stored for layer in events.layers)
    assert sum(float(w.arriving.sum()) for w in work) == sum(layer.messages for layer in events.layers)
    assert sum(float(w.leaving.sum()) for w in work) == sum(layer.messages for layer in populations)
    assert sum(float(w.spikes.sum()) for w in work) == sum(layer.spikes for layer in populations)
    assert work[0].neurons.sum() == sum(layer.neurons for layer in populations)
    # The last population starts after 4 steps, and its last spike goes nowhere.
    assert (events.timesteps, work[0].spikes.shape) == (STEPS + 4, (3 * (STEPS + 4), found.partition.cores))


def test_a_spike_arrives_a_step_and_its_delay_later(
    run: tuple[Mapped, Events, list[CoreSteps], dict[str, Spikes]],
) -> None:
    found, _, work, spikes = run
    arriving = work[0].arriving.reshape(3, STEPS + 4, -1)
    alone = np.zeros(found.partition.cores, bool)
    alone[[part.core for part in found.partition.parts if part.population == "c"]] = True
    # b starts after 2 steps: its spikes arrive from the fourth timestep on.
    expected = (spikes["b"] != 0).sum(axis=2) * alone.sum()
    assert (arriving[:, 4 : 4 + STEPS, alone].sum(axis=2) == expected).all()
    assert not arriving[:, :4, alone].any()


@pytest.mark.parametrize("target", ["loihi1", "truenorth"])
def test_rates_that_were_measured_expect_the_messages_and_links_that_a_run_has(target: str) -> None:
    data = make_spikes({"spikes": values()}, network(target))
    found = mapped(target, data)
    expected, work = expected_events(found)
    events, steps, _ = counted(found)
    assert expected.timesteps == events.timesteps
    assert (expected.cores, expected.chips) == (events.cores, events.chips)
    assert (work.neurons == steps[0].neurons).all()
    hops = sum(layer.across + layer.along for layer in events.layers) / (events.samples * events.steps)
    # A part sends as often as its neurons do on average, wherever the routes that read some of them end.
    assert hops == pytest.approx(found.routing.spike_hops, rel=0.1)
    for mine, other in zip(expected.layers, events.layers, strict=True):
        assert mine.name == other.name
        assert mine.spikes == pytest.approx(other.spikes / events.samples)
        for key in ("messages", "across", "along", "nonzero", "stored"):
            assert getattr(mine, key) == pytest.approx(getattr(other, key) / events.samples, rel=0.15, abs=1)


def test_in_steps_of_several_timesteps_each_population_spikes_in_its_own_and_the_totals_stay() -> None:
    graph, inputs = draw_loop(1, "plain")
    profile = load_profile("generic-ternary")
    program = lower(graph, Arithmetic(**profile.arithmetic_values()), profile=profile).program
    assert program.slowdown > 1
    found = map_program(program, profile)
    spikes = integer.run(program, inputs).spikes
    counter = Counter(program, wiring_of(found.images, found.host_image, profile))
    (work,) = counter.add(inputs, spikes)
    events, (samples, steps) = counter.result(), inputs["x"].shape[:2]
    assert events.timesteps > (steps - 1) * program.slowdown + max(p.start for p in program.of_kind(Population))
    assert expected_events(found)[0].timesteps == events.timesteps
    fired = work.spikes.reshape(samples, events.timesteps, -1).sum(axis=2)
    wanted = np.zeros_like(fired)
    for population in program.of_kind(Population):
        for k in range(steps):
            wanted[:, population.start + k * program.slowdown] += spikes[population.name][:, k].sum(axis=1)
    np.testing.assert_array_equal(fired, wanted)
    assert work.arriving.sum() == sum(layer.messages for layer in events.layers) > 0
    assert work.rest
    assert expected_events(found)[1].rest
