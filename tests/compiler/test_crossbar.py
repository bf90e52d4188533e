"""Crossbar cores: random networks on random small ones are mapped whole, within limits, and spike alike."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tern2lava.compiler.box import Box
from tern2lava.compiler.codecs.bit_planes import width
from tern2lava.compiler.crossbar import boxes_of, fold_of, stored, unrolled
from tern2lava.compiler.image import decode_core
from tern2lava.compiler.ir import (
    Arithmetic,
    Array,
    ConvGeometry,
    Graph,
    Input,
    Level,
    Node,
    Output,
    Pooling,
    Population,
    Projection,
    Reset,
    conv_out,
    frozen,
    size,
)
from tern2lava.compiler.linear import accumulate, per_neuron
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions, Objective
from tern2lava.compiler.walk import walk
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.sim import integer, mapped

# Where cores lie is not what these tests are about.
LINEAR = MapOptions(placement="linear")


def variant(name: str, **values: Any) -> Profile:
    data = load_profile(name).model_dump()
    for key, value in values.items():
        section, leaf = key.split("__")
        data[section][leaf]["value"] = value
    return Profile.model_validate(data)


def codes(rng: np.random.Generator, shape: tuple[int, ...], low: int = -1) -> Array:
    return frozen(rng.integers(low, 2, shape), np.int8)


class Sketch:
    """A random network of neurons that these targets have."""

    def __init__(self, rng: np.random.Generator, profile: Profile) -> None:
        self.rng, self.profile = rng, profile
        self.late = profile.neuron.late_start.value != "none"

    def population(self, name: str, inputs: tuple[str, ...], shape: tuple[int, ...], start: int) -> Population:
        rng = self.rng
        threshold = rng.integers(0, 5, shape if rng.random() < 0.5 else ())
        bias = rng.integers(-1, 2, shape) if self.late or start == 0 else np.zeros(())
        zero = frozen(0, np.int64)
        return Population(
            name=name, inputs=inputs, shape=shape, reset=Reset(rng.choice(["zero", "subtract", "none"])),
            decay_u=frozen(1 << 12, np.int64), decay_v=zero, bias=frozen(bias, np.int64), bias_u=zero,
            threshold=frozen(threshold, np.int64), reset_amount=frozen(threshold + 1, np.int64), v_init=zero,
            lsb=frozen(1.0), start=start,
        )  # fmt: skip

    def wire(self, name: str, source: str, shape: tuple[int, ...], dense: int | None) -> Projection | None:
        rng = self.rng
        common: dict[str, Any] = {"inputs": (source,), "delay": int(rng.choice([0, 0, 1, 3]))}
        rows = int(rng.integers(1, 12)) if dense is None else dense
        if dense is not None or len(shape) == 1 or rng.random() < 0.2:
            gain = frozen(rng.integers(1, 4, rows) if rng.random() < 0.3 else 1, np.int64)
            return Projection(name=name, weight=codes(rng, (rows, size(shape))), gain=gain, **common)
        pooling = None
        if rng.random() < 0.3 and shape[1] > 3 and shape[2] > 3:
            pooling = Pooling(in_shape=(shape[0], shape[1], shape[2]), window=(2, 2))
            shape = pooling.out_shape
        groups = int(rng.choice([g for g in range(1, shape[0] + 1) if shape[0] % g == 0]))
        out = groups * int(rng.integers(1, 4))
        kernel, stride = (tuple(int(k) for k in rng.integers(1, 4, 2)) for _ in range(2))
        pad = (0, 0, 0, 0) if pooling is not None else tuple(int(p) for p in rng.integers(0, 3, 4))
        dilation = int(rng.integers(1, 3))
        sides = [
            conv_out(shape[1 + a], kernel[a], stride[a], pad[2 * a] + pad[2 * a + 1], dilation) for a in (0, 1)
        ]  # fmt: skip
        if min(sides) < 1:
            return None
        geometry = ConvGeometry(
            in_shape=(shape[0], shape[1], shape[2]), out_shape=(out, sides[0], sides[1]), dilation=(dilation, dilation),
            stride=(stride[0], stride[1]), padding=(pad[0], pad[1], pad[2], pad[3]), groups=groups,
        )  # fmt: skip
        weight = codes(rng, (out, shape[0] // groups, *kernel))
        gain = frozen(rng.integers(1, 4, out) if rng.random() < 0.3 else 1, np.int64)
        return Projection(name=name, weight=weight, gain=gain, geometry=geometry, pooling=pooling, **common)

    def graph(self) -> Graph:
        rng = self.rng
        shape = tuple(int(n) for n in (rng.integers(1, 4), *rng.integers(3, 9, 2)))
        shapes: dict[str, tuple[int, ...]] = {"in": shape}
        nodes: list[Node] = [Input(name="in", shape=shape)]
        name = "in"
        for index in range(int(rng.integers(2, 5))):
            source = name if rng.random() < 0.8 else str(rng.choice(list(shapes)))
            first = self.wire(f"w{index}", source, shapes[source], None)
            if first is None:
                continue
            name = f"p{index}"
            mine = (first.weight.shape[0],) if first.geometry is None else first.geometry.out_shape
            wires = [first]
            shapes[name] = mine
            if rng.random() < 0.3:
                # From another population, or from itself.
                other = str(rng.choice(list(shapes)))
                second = self.wire(f"v{index}", other, shapes[other], size(mine))
                assert second is not None
                wires.append(second)
            nodes += [*wires, self.population(name, tuple(w.name for w in wires), mine, index)]
        if name == "in":
            return self.graph()
        nodes.append(Output(name="out", inputs=(name,)))
        arithmetic = Arithmetic(**self.profile.arithmetic_values())
        return Graph(level=Level.INTEGER, nodes=tuple(nodes), arithmetic=arithmetic)


def matrix(projection: Projection) -> Array:
    """(targets, sources) of what a projection adds."""
    if projection.pooling is not None:
        inputs = size(projection.pooling.in_shape)
    else:
        inputs = projection.weight.shape[1] if projection.geometry is None else size(projection.geometry.in_shape)
    weights = accumulate(projection, np.eye(inputs)).T
    result: Array = (weights * per_neuron(projection.gain, projection)[:, None]).astype(np.int64)
    return result


def check_images(graph: Graph, program: Mapped) -> None:
    """Every neuron on one core, every synapse stored once, as single bits of the target's cells."""
    seen = {p.name: np.zeros(size(p.shape), int) for p in graph.of_kind(Population)}
    values = {p.name: np.zeros_like(matrix(p)) for p in graph.of_kind(Projection)}
    for core, data in enumerate(program.images):
        image = decode_core(data)
        parts = program.partition.of_core(core)
        names = [(block.projection, part.box) for part in parts for block in part.blocks]
        for group in image.groups:
            seen[group.name][group.box.flat()] += 1
        for axons, (name, box) in zip(image.axons, names, strict=True):
            block = image.blocks[axons.block]
            assert block.local.geometry is None
            assert block.codec in ("bit_planes", "axon_pairs")
            values[name][np.ix_(box.flat(), axons.box.flat())] += matrix(block.local)
    assert all((count == 1).all() for count in seen.values())
    for projection in graph.of_kind(Projection):
        np.testing.assert_array_equal(values[projection.name], matrix(projection))


def check_counts(program: Mapped) -> None:
    """Copies, columns and axons recounted neuron by neuron from routes and images."""
    profile, crossbar = program.profile, program.profile.crossbar
    assert crossbar is not None
    images = [decode_core(data) for data in program.images]
    walk([*images, decode_core(program.host_image)], profile)
    targets: dict[tuple[int, int], set[tuple[int, ...]]] = defaultdict(set)
    pair = crossbar.planes.value == "axons"
    core_of = {image.core: index for index, image in enumerate(images)}
    for image in images:
        for route in image.routes:
            group = image.groups[route.group]
            for neuron in np.intersect1d(group.box.flat(), route.box.flat()).tolist():
                axons = images[core_of[route.core]].axons[route.axons]
                block = images[core_of[route.core]].blocks[axons.block]
                targets[group.number, neuron].add((route.core if pair else 0, axons.source, block.local.delay))
    for use, image, core in zip(program.core_use(), images, range(len(images)), strict=True):
        sources = {(a.source, a.block, n) for a in image.axons for n in a.box.flat().tolist()}
        least = sum(len(targets[g.number, n]) * (2 if pair else 1) for g in image.groups for n in g.box.flat().tolist())
        neurons = sum(g.box.volume for g in image.groups)
        assert max(neurons, least if pair else 0) <= use.neurons[0] <= use.neurons[1]
        assert use.out_axons[0] == use.neurons[0]
        assert use.synapse_bits[0] <= use.synapse_bits[1]
        assert use.in_axons[0] <= use.in_axons[1]
        if pair:
            assert 2 * len({(s, n) for s, _, n in sources}) <= use.in_axons[0]
            assert use.synapse_bits[0] == use.in_axons[0] * crossbar.columns.value
        else:
            fold = fold_of(profile, use.in_axons[0])
            widths = [width(int(b.local.weight.min()), int(b.local.weight.max())) for b in image.blocks]
            assert use.synapse_bits[0] >= use.neurons[0] * max(widths, default=1) * fold * crossbar.inputs.value
        assert core < program.partition.cores
    assert program.cores_lower_bound <= len(images)


@pytest.mark.parametrize("name", ["paicore2", "truenorth"])
def test_random_networks_on_random_crossbars_are_mapped_whole_and_spike_alike(name: str) -> None:
    outcome = {"mapped": 0, "several cores": 0, "refused": 0, "spikes": 0, "copies": 0}

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(seed=st.integers(0, 2**32 - 1), share=st.booleans())
    def check(seed: int, share: bool) -> None:
        rng = np.random.default_rng(seed)
        inputs, columns = int(rng.integers(80, 300)), int(rng.integers(32, 130))
        if name == "paicore2":
            profile = variant(
                name, crossbar__inputs=inputs, crossbar__columns=columns, core__neurons=columns,
                core__synapse_memory=inputs * columns, core__out_axons=columns, core__in_axons=64 * inputs,
            )  # fmt: skip
        else:
            profile = variant(
                name, crossbar__inputs=4 * inputs, crossbar__columns=columns, core__neurons=columns,
                core__synapse_memory=4 * inputs * columns, core__out_axons=columns, core__in_axons=4 * inputs,
            )  # fmt: skip
        graph = Sketch(rng, profile).graph()
        node = graph["in"]
        assert isinstance(node, Input)
        values = {"in": rng.integers(0, 2, (2, 6, *node.shape))}
        try:
            options = MapOptions(share_cores=share, placement="linear", objective=get_args(Objective)[seed % 4])
            program = map_program(graph, profile, options)
        except CapacityError:
            outcome["refused"] += 1
            return
        expected = integer.run(program.graph, values)
        found = mapped.run(program.images, program.host_image, values)
        for population in expected.spikes:
            np.testing.assert_array_equal(found.spikes[population], expected.spikes[population])
            np.testing.assert_array_equal(found.v[population], expected.v[population])
        check_images(program.graph, program)
        check_counts(program)
        outcome["mapped"] += 1
        outcome["several cores"] += program.partition.cores > 1
        neurons = sum(size(p.shape) for p in graph.of_kind(Population))
        outcome["copies"] += int(program.partition.used["neurons"].sum()) > neurons
        outcome["spikes"] += int(sum(s.sum() for s in expected.spikes.values()))

    check()
    assert outcome["mapped"] > 2 * outcome["refused"]
    assert outcome["several cores"] >= 15
    assert outcome["copies"] >= 5
    assert outcome["spikes"] > 1000


def dense(profile: Profile, widths: tuple[int, ...], low: int = -1, **population: Any) -> Graph:
    rng = np.random.default_rng(1)
    zero = frozen(0, np.int64)
    nodes: list[Node] = [Input(name="in", shape=(widths[0],))]
    for at in range(1, len(widths)):
        weight = codes(rng, (widths[at], widths[at - 1]), low)
        nodes.append(Projection(name=f"w{at}", inputs=("in" if at == 1 else f"p{at - 1}",), weight=weight))
        values: dict[str, Any] = {"decay_u": frozen(1 << 12, np.int64), "decay_v": zero, "bias": zero, "v_init": zero}
        values |= {"threshold": frozen(6, np.int64), "reset": Reset.ZERO, "reset_amount": zero} | population
        nodes.append(
            Population(name=f"p{at}", inputs=(f"w{at}",), shape=(widths[at],), lsb=frozen(1.0), start=at - 1, **values)
        )
    nodes.append(Output(name="out", inputs=(f"p{len(widths) - 1}",)))
    return Graph(level=Level.INTEGER, nodes=tuple(nodes), arithmetic=Arithmetic(**profile.arithmetic_values()))


def test_weights_of_more_bits_and_wider_fan_in_take_more_dendrites() -> None:
    profile = load_profile("paicore2")
    # By the published rule 512 / (bits x LCN) neurons a core: 2 bits, 1 bit, and 2 bits at LCN 2.
    for widths, low, cores in (((784, 512, 10), -1, 3), ((784, 512, 10), 0, 2), ((1153, 256), -1, 2)):
        program = map_program(dense(profile, widths, low), profile, LINEAR)
        assert program.partition.cores == cores == program.cores_lower_bound
    folded = map_program(dense(profile, (1153, 128), -1), profile, LINEAR).core_use()[0]
    assert (folded.neurons[0], folded.in_axons[0], folded.synapse_bits) == (128, 1153, (512 * 1152, 512 * 1152))


def test_a_ternary_input_takes_two_axons_of_truenorth_and_a_neuron_a_copy_for_each() -> None:
    profile = load_profile("truenorth")
    apart = MapOptions(share_cores=False, placement="linear")
    program = map_program(dense(profile, (128, 128, 10), -1), profile, apart)
    hidden, last = program.core_use()
    assert (hidden.neurons[0], hidden.in_axons[0], hidden.synapse_bits[0]) == (256, 256, 65536)
    assert (last.neurons[0], last.in_axons[0]) == (10, 256)
    with pytest.raises(CapacityError, match=r"p1: needs 258 in_axons, the target has 256"):
        map_program(dense(profile, (129, 10), -1), profile)


def test_a_neuron_is_copied_for_every_core_on_truenorth_and_for_none_under_multicast() -> None:
    # 600 neurons take three cores, so each of the 100 before them needs six axons on TrueNorth.
    profile, apart = load_profile("truenorth"), MapOptions(share_cores=False, placement="linear")
    single = map_program(dense(profile, (20, 100, 600)), profile, apart)
    readers = {use.id for use in single.core_use() if "p2" in use.populations}
    copies = sum(use.neurons[0] for use in single.core_use() if "p1" in use.populations)
    assert len(readers) == 3
    assert copies == 100 * 2 * 3
    multicast = map_program(dense(load_profile("paicore2"), (20, 100, 600)), load_profile("paicore2"), LINEAR)
    assert sum(use.neurons[0] for use in multicast.core_use()) == 700


@pytest.mark.parametrize("name", ["paicore2", "truenorth"])
def test_what_the_neurons_lack_is_refused_by_name(name: str) -> None:
    profile = load_profile(name)
    five = frozen(5, np.int64)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"decay_v": five}, "a potential that decays by a factor"),
        ({"decay_u": five}, "a synaptic current with memory"),
        ({"reset": Reset.SUBTRACT, "reset_amount": five}, "a reset by 5 where the lowest potential that spikes is 7"),
        ({"refractory": 2}, "refractory"),
    ]
    if name == "paicore2":
        cases.append(({"v_init": five}, "potentials that do not begin at 0"))
    else:
        cases.append(({"bias": five}, "p2: .* a bias from step 1 on"))
    for values, words in cases:
        with pytest.raises(UnsupportedError, match=words) as caught:
            map_program(dense(profile, (20, 30, 10), -1, **values), profile)
        assert f"{name} allows" in str(caught.value)
    exact = dense(profile, (20, 30, 10), -1, reset=Reset.SUBTRACT, reset_amount=frozen(7, np.int64))
    assert map_program(exact, profile, LINEAR).partition.cores >= 1


def test_neurons_with_biases_that_start_at_different_steps_share_no_core_of_paicore() -> None:
    profile = load_profile("paicore2")
    plain = map_program(dense(profile, (20, 30, 10)), profile, LINEAR)
    biased = map_program(dense(profile, (20, 30, 10), -1, bias=frozen(1, np.int64)), profile, LINEAR)
    assert (plain.partition.cores, biased.partition.cores) == (1, 2)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_range_of_a_window_is_covered_once_by_few_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unit = int(rng.integers(1, 4))
    shape = (unit * int(rng.integers(1, 5)), *(int(n) for n in rng.integers(1, 6, 2)))
    first = unit * int(rng.integers(0, shape[0] // unit))
    lo = (first, *(int(rng.integers(0, n)) for n in shape[1:]))
    hi = (shape[0], *(int(rng.integers(a + 1, n + 1)) for a, n in zip(lo[1:], shape[1:], strict=True)))
    window = Box(shape, lo, hi)
    low, high = sorted(int(n) for n in rng.integers(0, window.volume + 1, 2))
    boxes = boxes_of(window, low, high, (unit,))
    found = np.concatenate([box.flat() for box in boxes]) if boxes else np.zeros(0, np.int64)
    assert np.sort(found).tolist() == window.flat()[low:high].tolist()
    for box in boxes:
        a, b = box.lo[0], box.hi[0]
        assert a // unit == (b - 1) // unit or (a % unit == 0 and b % unit == 0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_an_unrolled_convolution_is_the_same_linear_map(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wire = None
    while wire is None or wire.geometry is None or wire.pooling is not None:
        shape = tuple(int(n) for n in (rng.integers(1, 5), *rng.integers(3, 9, 2)))
        wire = Sketch(rng, load_profile("paicore2")).wire("w", "in", shape, None)
    np.testing.assert_array_equal(matrix(unrolled(wire)), matrix(wire))
    np.testing.assert_array_equal(matrix(unrolled(stored(wire, load_profile("paicore2")))), matrix(wire))
