"""Coverage: synapses counted as if every convolution were unrolled and every spike followed one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driven_nets import chain
from fingerprints import sample_graph
from random_programs import Builder, input_values, numbers, random_profile
from sample_nets import SAMPLES
from tern2lava.compiler.build import build
from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import Array, frozen, size
from tern2lava.compiler.mapped import map_program
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.coverage import activity_of, added_activity, coverage_of, silent_synapses


def followed(program: Graph, sent: dict[str, Array], steps: int) -> dict[str, tuple[int, int, int]]:
    """(synapses, those that carried a spike, those whose source sent one too late or too early) of every population,
    each spike of each source followed along each weight by itself."""
    found = {}
    for target in program.of_kind(Population):
        total = carried = late = 0
        for name in target.inputs:
            wire = program.projection(name)
            source = program[wire.inputs[0]]
            start = source.start if isinstance(source, Population) else 0
            spikes = sent[wire.inputs[0]].reshape(-1, steps, sent[wire.inputs[0]][0, 0].size)
            for weights, sources in synapses(wire):
                ever = arrived = False
                for sample in spikes:
                    for step in range(steps):
                        if sample[step, sources].any():
                            ever = True
                            at = (start + step + 1) + 1 + wire.delay  # hardware timestep of its arrival
                            arrived |= target.start + 1 <= at <= target.start + steps
                total, carried, late = total + weights, carried + weights * arrived, late + weights * (ever > arrived)
        found[target.name] = (total, carried, late)
    return found


def synapses(wire: Projection) -> list[tuple[int, list[int]]]:
    """Of each axon (a neuron, or a window of a pooled source), its weights that are not 0 and its neurons."""
    plain = replace(wire, pooling=None)
    axons = wire.weight.shape[1] if wire.geometry is None else size(wire.geometry.in_shape)
    places = [[axon] for axon in range(axons)]
    if wire.pooling is not None:
        (channels, height, width), (py, px) = wire.pooling.in_shape, wire.pooling.window
        places = [
            [(c * height + y * py + i) * width + x * px + j for i in range(py) for j in range(px)]
            for c in range(channels) for y in range(height // py) for x in range(width // px)
        ]  # fmt: skip
    return [(count_of(plain, axon), neurons) for axon, neurons in enumerate(places)]


def count_of(wire: Projection, axon: int) -> int:
    """How many weights that are not 0 an axon leads to, position by position of a kernel."""
    if wire.geometry is None:
        return int(np.count_nonzero(wire.weight[:, axon]))
    g = wire.geometry
    channels, height, width = g.in_shape
    c, y, x = axon // (height * width), axon // width % height, axon % width
    found = 0
    for out in range(g.out_shape[0]):
        if out // (g.out_shape[0] // g.groups) != c // (channels // g.groups):
            continue
        kernel = wire.weight[out, c % (channels // g.groups)]
        for i, j in np.argwhere(kernel):
            top, left = y + g.padding[0] - i * g.dilation[0], x + g.padding[2] - j * g.dilation[1]
            row, column = divmod(top, g.stride[0]), divmod(left, g.stride[1])
            inside = 0 <= row[0] < g.out_shape[1] and 0 <= column[0] < g.out_shape[2]
            found += row[1] == 0 and column[1] == 0 and inside
    return int(found)


@pytest.mark.parametrize("seed", numbers(10))
def test_synapses_are_counted_as_if_each_were_followed_by_itself(seed: int) -> None:
    rng = np.random.default_rng([6, seed])
    program, steps = Builder(rng, channel_gain=False).graph(), 4
    values = input_values(rng, program, 2, steps)
    inputs = {name: each * (rng.random(each.shape) < 0.1) for name, each in values.items()}
    trace = integer.run(program, inputs)
    found = coverage_of(program, (), activity_of(program, trace.spikes, inputs))
    rows = {row.name: row for row in found.nodes}
    for name, counts in followed(program, {**inputs, **trace.spikes}, steps).items():
        assert (rows[name].synapses, rows[name].carried, rows[name].late) == counts, name
        spiked = trace.spikes[name].any(axis=(0, 1))
        assert (rows[name].neurons, rows[name].spiked) == (spiked.size, int(np.count_nonzero(spiked)))
    (node,) = program.of_kind(Input)
    assert rows[node.name].spiked == np.count_nonzero(inputs[node.name].any(axis=(0, 1)))
    assert (rows[node.name].kind, rows[node.name].synapses) == ("input", 0)


def test_a_spike_that_has_no_steps_left_carries_nothing() -> None:
    program = chain(delay=2)
    early, last = (np.zeros((1, 4, 1), np.uint8) for _ in range(2))
    early[0, 1], last[0, 2] = 1, 1
    x = np.zeros((1, 4, 1), np.uint8)
    for sent, counts in ((early, (1, 0)), (last, (0, 1))):
        trace = integer.run(program, {"x": x}, driven={"h": sent})
        found = coverage_of(program, (), activity_of(program, trace.spikes, {"x": x, "h": sent}))
        row = found.nodes[2]
        assert (row.carried, row.late) == counts
    two = [activity_of(program, trace.spikes, {"x": x, "h": each}) for each in (early, last)]
    row = coverage_of(program, (), added_activity(two)).nodes[2]
    assert (row.carried, row.late) == (1, 0)
    assert coverage_of(program, (), added_activity(two)).silent == ("x", "h", "y")


def test_cores_add_up_to_populations_and_hold_what_their_images_say() -> None:
    done = 0
    for seed in numbers(4):
        rng = np.random.default_rng([7, seed])
        program = Builder(rng, channel_gain=False).graph()
        try:
            mapped = map_program(program, random_profile(rng, "codec-none"))
        except CapacityError:
            continue
        done += 1
        inputs = input_values(rng, program, 2, 5)
        trace = integer.run(program, inputs)
        found = coverage_of(program, mapped.images, activity_of(program, trace.spikes, inputs))
        inner = [row for row in found.nodes if row.kind != "input"]
        for key in ("neurons", "spiked", "synapses", "carried", "late"):
            assert sum(getattr(row, key) for row in found.cores) == sum(getattr(row, key) for row in inner)
        for data, row in zip(mapped.images, found.cores, strict=True):
            image = decode_core(data)
            assert (row.name, row.neurons) == (str(image.core), sum(group.box.volume for group in image.groups))
            spiked = [trace.spikes[group.name][:, :, group.box.flat()].any(axis=(0, 1)) for group in image.groups]
            assert row.spiked == sum(np.count_nonzero(each) for each in spiked)
    assert done >= 2


def test_synapses_from_what_sends_nothing_but_0_are_named() -> None:
    program = chain()
    assert silent_synapses(program) == ()
    mute = [Input(name="x", shape=(1,), levels=(0, 0)), *program.nodes[1:]]
    assert silent_synapses(program.with_nodes(mute)) == (("w", 1, "x sends nothing but 0"),)
    zero = [
        replace(node, weight=frozen(np.zeros((1, 1)), np.int8)) if isinstance(node, Projection) else node
        for node in program.nodes
    ]
    trace = integer.run(program.with_nodes(zero), {"x": np.ones((1, 2, 1), np.uint8)})
    found = coverage_of(
        program.with_nodes(zero), (), activity_of(program, trace.spikes, {"x": np.ones((1, 2, 1), np.uint8)})
    )
    assert found.synapses == found.carried == 0


def test_a_weight_whose_gain_is_0_is_no_synapse() -> None:
    x, w, *rest = chain().nodes
    assert isinstance(w, Projection)
    program = chain().with_nodes([x, replace(w, gain=frozen(np.zeros(1), np.int64)), *rest])
    inputs = {"x": np.ones((1, 3, 1), np.uint8)}
    trace = integer.run(program, inputs)
    rows = {row.name: row for row in coverage_of(program, (), activity_of(program, trace.spikes, inputs)).nodes}
    assert (rows["h"].synapses, rows["y"].synapses) == (0, 1)


def test_a_spike_before_the_target_begins_carries_nothing() -> None:
    program = chain()
    late = program.with_nodes([*program.nodes[:-2], replace(program.population("y"), start=5), program.nodes[-1]])
    x = np.zeros((1, 6, 1), np.uint8)
    for step, carried in ((2, 0), (3, 1)):
        sent = np.zeros((1, 6, 1), np.uint8)
        sent[0, step] = 1
        trace = integer.run(late, {"x": x}, driven={"h": sent})
        # A spike that arrives is seen: it moves the potential.
        assert bool(trace.v["y"].any()) == bool(carried)
        row = coverage_of(late, (), activity_of(late, trace.spikes, {"x": x, "h": sent})).nodes[2]
        assert (row.carried, row.late) == (carried, 1 - carried)


def test_a_projection_that_reads_a_part_of_its_source_carries_spikes_of_that_part() -> None:
    sample, profile = SAMPLES["relays"], load_profile("tiny")
    program = build(sample_graph("relays"), profile, sample.options, sample.mapping(profile)).lowered.program
    (node,) = program.of_kind(Input)
    wires = [p for p in program.of_kind(Projection) if p.inputs == (node.name,)]
    assert len(wires) > 1
    for spiking in (0, size(node.shape) - 1):
        x = np.zeros((1, 4, size(node.shape)), np.uint8)
        x[0, 0, spiking] = 1
        inputs = {node.name: x.reshape(1, 4, *node.shape)}
        found = coverage_of(program, (), activity_of(program, integer.run(program, inputs).spikes, inputs))
        counted: dict[str, list[int]] = {}
        for wire in wires:
            assert wire.reads is not None
            (target,) = (p for p in program.of_kind(Population) if wire.name in p.inputs)
            column = np.flatnonzero(wire.reads.flat() == spiking)
            total, carried = counted.setdefault(target.name, [0, 0])
            counted[target.name] = [
                total + np.count_nonzero(wire.weight), carried + np.count_nonzero(wire.weight[:, column])
            ]  # fmt: skip
        rows = {row.name: [row.synapses, row.carried] for row in found.nodes}
        assert {name: rows[name] for name in counted} == counted
