"""Loops of several populations: a step of the network takes several hardware timesteps, the same in all executions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nets import neurons
from random_loops import KINDS, draw_loop
from random_programs import numbers
from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.image.core_image import CoreImage, decode_core, encode_core
from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.prove.program import program_of
from tern2lava.prove.run import prove_images
from tern2lava.sim.cores import reference as cores
from tern2lava.sim.cores.program import prepare_cores
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.cores import run_cores
from tern2lava.sim.lava.mapped.run import run_mapped
from tern2lava.sim.lava.process_choice import plan_stock
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float
from tern2lava.sim.verify.compare import compare
from tern2lava.sim.verify.driven import Stimulus, cut_inputs, cut_program, driven_populations

TINY = load_profile("tiny")
FINE = Arithmetic(**TINY.arithmetic_values())


def mapped(graph: Graph) -> tuple[Graph, Mapped]:
    program = lower(graph, FINE, profile=TINY).program
    return program, map_program(program, TINY)


def images_alone(program: Mapped, inputs: Mapping[str, Any]) -> Trace:
    """What L2's runner makes of the images, without Lava."""
    decoded, host = [decode_core(data) for data in program.images], decode_core(program.host_image)
    places = {(c, g): group for c, image in enumerate(decoded) for g, group in enumerate(image.groups)}
    given = {g: inputs[group.name].reshape(*inputs[group.name].shape[:2], -1) for g, group in enumerate(host.groups)}
    batch, steps = next(iter(given.values())).shape[:2]
    sizes = {group.name: int(np.prod(group.box.shape)) for group in places.values()}
    found = {kind: {n: np.zeros((batch, steps, k), np.int64) for n, k in sizes.items()} for kind in "suv"}
    for result in prepare_cores(decoded, host, [(0, 1)] * len(given)).run(given, states=True):
        group = places[result.place]
        for kind, values in (("s", result.spikes), ("u", result.u), ("v", result.v)):
            found[kind][group.name][:, :, group.box.flat()] = values
    return Trace(spikes=found["s"], u=found["u"], v=found["v"])


@pytest.mark.parametrize("seed", numbers(20))
def test_every_execution_of_a_random_loop_spikes_and_holds_its_states_alike(seed: int) -> None:
    graph, inputs = draw_loop(seed)
    program, on_cores = mapped(graph)
    assert program.slowdown > 1
    expected = integer.run(program, inputs)
    found = {
        "I": expected, "E": run_engine(program, inputs).trace,
        "M": cores.run(on_cores.images, on_cores.host_image, inputs), "L2's runner": images_alone(on_cores, inputs),
    }  # fmt: skip
    comparison = compare(found, program)
    assert comparison.equal, str(comparison)
    assert comparison.compared_values == 9 * sum(values.size for values in expected.spikes.values())


def test_integers_in_long_steps_spike_as_the_real_network_does_in_one() -> None:
    exact = spikes = 0
    for seed in numbers(16):
        graph, inputs = draw_loop(seed, leak=False)
        lowered = lower(graph, FINE, profile=TINY)
        if any(one.verdict is not Verdict.EXACT for one in lowered.certificates):
            continue
        wanted, found = run_float(graph, inputs).spikes, integer.run(lowered.program, inputs).spikes
        for name, values in wanted.items():
            np.testing.assert_array_equal(found[name], values, err_msg=f"{seed} {name}")
            spikes += int(np.abs(values).sum())
        exact += 1
    assert exact >= 8
    assert spikes > 500


@pytest.mark.parametrize("kind", ["plain", "refractory", "rearm", "adaptive"])
def test_lava_runs_loops_of_every_kind_of_neuron_in_long_steps(kind: str, lava_child: LavaChild) -> None:
    graph, inputs = draw_loop(list(KINDS).index(kind), kind)
    program, on_cores = mapped(graph)
    images = on_cores.images, on_cores.host_image
    found = {
        "I": integer.run(program, inputs),
        "L3": run_stock(program, inputs, sequential=True, child=lava_child).trace,
        "LM": run_mapped(*images, inputs, processes=8, child=lava_child).trace,
    }
    if kind == "adaptive":
        found |= {
            "L1": run_stock(program, inputs, child=lava_child).trace,
            "L2": run_cores(*images, inputs, child=lava_child).trace,
        }
    comparison = compare(found, program)
    assert comparison.equal, str(comparison)
    assert any(values.any() for values in found["I"].spikes.values())


def test_no_stock_neuron_of_lava_that_leaks_in_every_timestep_executes_a_loop_in_long_steps() -> None:
    program, _ = mapped(draw_loop(0, "plain")[0])
    plan = plan_stock(program, 2, 5)
    assert {use.process for use in plan.uses if use.name.startswith("p")} == {"TernaryNeuron"}
    assert "(LIF leaks in each)" in plan.neurons["p0"].use.reason
    assert "LIF leaks" not in plan_stock(replace(program, slowdown=1), 2, 5).neurons["p0"].use.reason


def one_later(image: CoreImage) -> CoreImage:
    """Its first population steps one hardware timestep late."""
    first = image.groups[0]
    assert first.local is not None
    late = replace(first, local=replace(first.local, start=first.local.start + 1))
    return replace(image, groups=(late, *image.groups[1:]))


def every_timestep(image: CoreImage) -> CoreImage:
    return replace(image, slowdown=1)


def slower(image: CoreImage) -> CoreImage:
    return replace(image, slowdown=image.slowdown + 1)


@pytest.mark.parametrize("mistake", [one_later, every_timestep, slower])
def test_a_core_that_steps_in_another_timestep_is_seen_and_is_not_the_program(
    mistake: Callable[[CoreImage], CoreImage],
) -> None:
    graph, inputs = draw_loop(1, "plain")
    program, on_cores = mapped(graph)
    document = program_of(*graph_document(program))
    assert prove_images(on_cores.images, on_cores.host_image, document).proven
    images = [encode_core(mistake(decode_core(on_cores.images[0]))), *on_cores.images[1:]]
    assert not prove_images(images, on_cores.host_image, document).proven
    if decode_core(images[0]).slowdown != program.slowdown:
        with pytest.raises(InputError, match="requires one number of hardware timesteps a step"):
            cores.run(images, on_cores.host_image, inputs)
        return
    found = cores.run(images, on_cores.host_image, inputs)
    assert not compare({"I": integer.run(program, inputs), "M": found}, program).equal


@pytest.mark.parametrize("seed", numbers(6))
def test_driven_populations_are_driven_in_their_own_timesteps(seed: int) -> None:
    graph, inputs = draw_loop(seed)
    program, on_cores = mapped(graph)
    rng = np.random.default_rng(seed)
    driven = {p.name: rng.integers(0, 2, (3, 10, 4)) for p in driven_populations(program)}
    stimulus = Stimulus(inputs=inputs, driven=driven)
    expected = integer.run(program, inputs, driven=driven)
    found = {
        "I": expected, "E": run_engine(cut_program(program), cut_inputs(program, stimulus)).trace,
        "M": cores.run(on_cores.images, on_cores.host_image, inputs, driven=driven),
    }  # fmt: skip
    assert compare(found, program).equal


def test_neurons_leak_once_a_step_and_hear_of_the_loop_one_step_later_by_hand() -> None:
    """A neuron a that halves its potential, b that follows it in the same step, and b's spike against a in the next."""

    def one(name: str, source: str, sign: int = 1) -> Projection:
        return Projection(name=name, inputs=(source,), weight=frozen([[sign]], np.int8), gain=frozen(8, np.int64))

    graph = Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(), slowdown=2,
        nodes=(
            Input(name="x", shape=(1,)), one("in", "x"), one("on", "a"), one("back", "b", -1),
            neurons("a", ("in", "back"), (1,), decay_v=frozen(2048, np.int64), threshold=frozen(10, np.int64), start=1),
            neurons("b", ("on",), (1,), threshold=frozen(5, np.int64), start=2), Output(name="y", inputs=("b",)),
        ),
    )  # fmt: skip
    check(graph)
    trace = integer.run(graph, {"x": np.array([[[1], [1], [1], [0], [1]]])})
    # 8; 4 + 8 spikes; 8 - 8; 0; 8. Leaking in each timestep a would have 2 + 8 in step 2, which is no spike.
    assert trace.v["a"].ravel().tolist() == [8, 0, 0, 0, 8]
    assert trace.spikes["a"].ravel().tolist() == trace.spikes["b"].ravel().tolist() == [0, 1, 0, 0, 0]


def test_spikes_that_would_arrive_between_the_steps_of_their_target_are_refused() -> None:
    program, _ = mapped(draw_loop(1, "plain")[0])
    wrong: Any
    for wrong in (0, 1 << 16, 2.0, program.slowdown + 1):
        with pytest.raises(InputError, match="hardware timesteps"):
            check(replace(program, slowdown=wrong))
    with pytest.raises(InputError, match="requires a step of 1 to 65,535 hardware timesteps, of 1 above the integers"):
        check(replace(draw_loop(1)[0], slowdown=2))
