"""Driven populations: what their targets receive comes from outside, the same in every execution."""

from __future__ import annotations

import numpy as np
import pytest

from driven_nets import chain
from nodes import there
from random_programs import Builder, input_values, numbers, random_profile
from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.compiler.mapped import map_program
from tern2lava.errors import CapacityError
from tern2lava.sim.cores import reference as cores
from tern2lava.sim.cores.program import prepare_cores
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.driven import Stimulus, cut_inputs, cut_program, driven_populations


def test_targets_receive_the_stimulus_while_the_population_spikes_and_resets_on_its_own_inputs() -> None:
    sent = np.array([[1, 0, 1, 1, 0]])[..., None]
    x = np.array([[1, 1, 0, 1, 1]])[..., None]
    trace = integer.run(chain(), {"x": x}, driven={"h": sent})
    assert trace.v["h"].ravel().tolist() == [6, 0, 0, 6, 0]  # 6, 12 resets, 0, 6, 12 resets
    assert trace.spikes["h"].ravel().tolist() == [0, 1, 0, 0, 1]
    assert trace.v["y"].ravel().tolist() == [4, 4, 8, 0, 0]  # of 4, 4, 8, 12 what was sent adds up to
    assert trace.spikes["y"].ravel().tolist() == [0, 0, 0, 1, 0]
    late = integer.run(chain(delay=2), {"x": x}, driven={"h": sent})
    assert late.v["y"].ravel().tolist() == [0, 0, 4, 4, 8]


def drawn(program: Graph, seed: int, steps: int = 7) -> Stimulus:
    rng = np.random.default_rng([3, seed])
    driven = {}
    for population in driven_populations(program):
        low, high = emitted_range(population)
        driven[population.name] = rng.integers(low, high + 1, (2, steps, size(population.shape)))
    return Stimulus(inputs=input_values(rng, program, 2, steps), driven=driven)


def check_alike(expected: Trace, found: Trace) -> None:
    for name in expected.spikes:
        np.testing.assert_array_equal(found.spikes[name], expected.spikes[name])
        np.testing.assert_array_equal(found.u[name], expected.u[name])
        np.testing.assert_array_equal(found.v[name], expected.v[name])


def of_images(images: list[bytes], host: bytes, stimulus: Stimulus, expected: Trace) -> Trace:
    """What L2's runner makes of the images, without Lava."""
    decoded, last = [decode_core(data) for data in images], decode_core(host)
    inputs = {g: stimulus.inputs[group.name] for g, group in enumerate(last.groups)}
    rows: dict[int, Array] = {g: values.reshape(*values.shape[:2], -1) for g, values in inputs.items()}
    levels = [(int(min(0, values.min())), int(max(1, values.max()))) for values in rows.values()]
    groups = {(c, g): group for c, image in enumerate(decoded) for g, group in enumerate(image.groups)}
    forced = {
        place: stimulus.driven[group.name][:, :, group.box.flat()]
        for place, group in groups.items() if group.name in stimulus.driven
    }  # fmt: skip
    found = Trace(
        spikes={name: np.full_like(each, -7, dtype=np.int64) for name, each in expected.spikes.items()},
        u={name: np.zeros_like(each) for name, each in expected.u.items()},
        v={name: np.zeros_like(each) for name, each in expected.v.items()},
    )  # fmt: skip
    for result in prepare_cores(decoded, last, levels).run(rows, states=True, driven=forced):
        name, flat = groups[result.place].name, groups[result.place].box.flat()
        found.spikes[name][:, :, flat] = result.spikes
        found.u[name][:, :, flat], found.v[name][:, :, flat] = there(result.u), there(result.v)
    return found


@pytest.mark.parametrize("seed", numbers(8))
def test_random_networks_do_the_same_on_a_stimulus_in_every_execution(seed: int) -> None:
    rng = np.random.default_rng([5, seed])
    program = Builder(rng, channel_gain=False).graph()
    stimulus = drawn(program, seed)
    expected = integer.run(program, stimulus.inputs, driven=stimulus.driven)
    cut = cut_program(program)
    check_alike(expected, integer.run(cut, cut_inputs(program, stimulus)))
    check_alike(expected, run_engine(prepare(cut), cut_inputs(program, stimulus), threads=1).trace)
    try:
        mapped = map_program(program, random_profile(rng, "codec-none"))
    except CapacityError:
        return
    images = list(mapped.images)
    check_alike(expected, cores.run(images, mapped.host_image, stimulus.inputs, driven=stimulus.driven))
    check_alike(expected, of_images(images, mapped.host_image, stimulus, expected))
    # Some of them driven, beside others on the same cores that are not.
    some = Stimulus(inputs=stimulus.inputs, driven=dict(list(stimulus.driven.items())[::2]))
    expected = integer.run(program, some.inputs, driven=some.driven)
    check_alike(expected, cores.run(images, mapped.host_image, some.inputs, driven=some.driven))
    check_alike(expected, of_images(images, mapped.host_image, some, expected))


def test_a_stimulus_of_a_populations_own_spikes_changes_nothing() -> None:
    program = Builder(np.random.default_rng(4), channel_gain=False).graph()
    stimulus = drawn(program, 0)
    own = integer.run(program, stimulus.inputs)
    sent = {population.name: own.spikes[population.name] for population in driven_populations(program)}
    check_alike(own, integer.run(program, stimulus.inputs, driven=sent))


def test_the_inputs_of_a_cut_program_take_no_name_that_is_there() -> None:
    program = chain()
    (x, w, h, c, y, out) = program.nodes
    odd = program.with_nodes((x, w, h, c, y, Input(name="h driven", shape=(1,)), out))
    assert [node.name for node in cut_program(odd).of_kind(Input)] == ["h driven'", "x", "h driven"]
