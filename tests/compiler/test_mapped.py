"""Random networks on random small targets: nothing lost, nothing doubled, no limit broken, no spike different."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tern2lava.compiler.box import Box
from tern2lava.compiler.image import block_bytes, decode_core, encode_core
from tern2lava.compiler.ir import (
    Arithmetic,
    Array,
    ConvGeometry,
    Graph,
    Input,
    Level,
    Output,
    Pooling,
    Population,
    Projection,
    Reset,
    conv_out,
    frozen,
    size,
)
from tern2lava.compiler.linear import accumulate
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.slices import cut, mapped_shape
from tern2lava.errors import CapacityError, InputError, UnsupportedError
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.sim import integer, mapped
from tern2lava.sim.core import links


def variant(name: str, **values: Any) -> Profile:
    """A shipped profile with some leaves changed; `core__neurons=5` sets core.neurons."""
    data = load_profile(name).model_dump()
    for key, value in values.items():
        section, leaf = key.split("__")
        data[section][leaf]["value"] = value
    return Profile.model_validate(data)


def codes(rng: np.random.Generator, shape: tuple[int, ...], bits: int = 2) -> Array:
    if bits == 2:
        zeros = rng.uniform(0, 0.9)
        return frozen(rng.choice([-1, 0, 1], shape, p=[(1 - zeros) / 2, zeros, (1 - zeros) / 2]), np.int8)
    return frozen(rng.integers(-(1 << (bits - 1)) + 1, 1 << (bits - 1), shape), np.int8)


@dataclass
class Builder:
    """Grows a random INTEGER graph."""

    rng: np.random.Generator
    channel_gain: bool

    def gain(self, rows: int) -> Array:
        if self.channel_gain and self.rng.random() < 0.4:
            return frozen(self.rng.integers(1, 9, rows), np.int64)
        return frozen(int(2 ** self.rng.integers(0, 3)), np.int64)

    def common(self, rows: int) -> dict[str, Any]:
        return {"gain": self.gain(rows), "delay": int(self.rng.choice([0, 0, 0, 1, 3]))}

    def dense(self, name: str, source: str, inputs: int, outputs: int) -> Projection:
        bits = int(self.rng.choice([2, 2, 2, 4]))
        weight = codes(self.rng, (outputs, inputs), bits)
        return Projection(name=name, inputs=(source,), weight=weight, bits=bits, **self.common(outputs))

    def conv(self, name: str, source: str, shape: tuple[int, ...]) -> Projection | None:
        rng = self.rng
        groups = int(rng.choice([g for g in range(1, shape[0] + 1) if shape[0] % g == 0]))
        out = groups * int(rng.integers(1, 4))
        kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
        stride, dilation = ((int(a), int(b)) for a, b in rng.integers(1, 3, (2, 2)))
        top, bottom, left, right = (int(p) for p in rng.integers(0, 4, 4))
        height = conv_out(shape[1], kernel[0], stride[0], top + bottom, dilation[0])
        width = conv_out(shape[2], kernel[1], stride[1], left + right, dilation[1])
        if height < 1 or width < 1:
            return None
        geometry = ConvGeometry(
            in_shape=(shape[0], shape[1], shape[2]), out_shape=(out, height, width), stride=stride,
            padding=(top, bottom, left, right), dilation=dilation, groups=groups,
        )  # fmt: skip
        weight = codes(rng, (out, shape[0] // groups, *kernel))
        return Projection(name=name, inputs=(source,), weight=weight, geometry=geometry, **self.common(out))

    def pooling(self, shape: tuple[int, ...]) -> Pooling | None:
        if len(shape) != 3 or self.rng.random() < 0.5:
            return None
        window = tuple(int(n) for n in self.rng.integers(1, 4, 2))
        pooling = Pooling(in_shape=(shape[0], shape[1], shape[2]), window=(window[0], window[1]))
        return pooling if min(pooling.out_shape) > 0 else None

    def parameter(self, low: int, high: int, shape: tuple[int, ...]) -> Array:
        kind = self.rng.integers(0, 3)
        extent = () if kind == 0 else shape if kind == 1 else (shape[0],)
        return frozen(self.rng.integers(low, high, extent), np.int64)

    def population(self, name: str, inputs: tuple[str, ...], shape: tuple[int, ...]) -> Population:
        rng = self.rng
        return Population(
            name=name, inputs=inputs, shape=shape, reset=Reset(rng.choice(["zero", "subtract", "none"])),
            decay_u=self.parameter(2000, 4097, shape), decay_v=self.parameter(0, 1500, shape),
            bias=self.parameter(-1, 2, shape), bias_u=self.parameter(-1, 2, shape),
            threshold=self.parameter(1, 7, shape), reset_amount=self.parameter(1, 7, shape),
            v_init=self.parameter(-2, 3, shape), lsb=frozen(1.0), start=int(rng.integers(0, 3)),
        )  # fmt: skip

    def graph(self) -> Graph:
        rng = self.rng
        spatial = rng.random() < 0.7
        extent = (rng.integers(1, 4), *rng.integers(3, 8, 2)) if spatial else (rng.integers(3, 13),)
        shape = tuple(int(n) for n in extent)
        shapes: dict[str, tuple[int, ...]] = {"in": shape}
        levels = (0, 1) if rng.random() < 0.8 else (-3, 7)
        nodes: list[Any] = [Input(name="in", shape=shape, levels=levels)]
        name = "in"
        for index in range(int(rng.integers(1, 4))):
            last, name = name, f"p{index}"
            source = str(rng.choice(list(shapes)))
            pooling = self.pooling(shapes[source])
            seen = shapes[source] if pooling is None else pooling.out_shape
            first = self.conv(f"{name}.0", source, seen) if len(seen) == 3 else None
            if first is not None and first.geometry is not None and rng.random() < 0.8:
                mine: tuple[int, ...] = first.geometry.out_shape
            else:
                mine = (2, 3, 3) if rng.random() < 0.4 else (int(rng.integers(1, 14)),)
                first = self.dense(f"{name}.0", source, size(seen), size(mine))
            if pooling is not None and not padded_remainder(pooling, first):
                first = replace(first, pooling=pooling)
            elif pooling is not None:
                name = last
                continue
            wires = [first]
            shapes[name] = mine
            if rng.random() < 0.5:
                # Also from itself: a recurrent projection.
                other = str(rng.choice(list(shapes)))
                wires.append(self.dense(f"{name}.1", other, size(shapes[other]), size(mine)))
            nodes += [*wires, self.population(name, tuple(w.name for w in wires), mine)]
        if name == "in":
            return self.graph()
        if rng.random() < 0.3 and "p0" in shapes:
            # A loop back to the first population.
            back = self.dense("back", name, size(shapes[name]), size(shapes["p0"]))
            nodes = [replace(n, inputs=(*n.inputs, "back")) if n.name == "p0" else n for n in nodes]
            nodes.insert(1, back)
        nodes.append(Output(name="out", inputs=(name,)))
        return Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=tuple(nodes))


def padded_remainder(pooling: Pooling, projection: Projection) -> bool:
    """Whether padding follows rows that pooling leaves out; front ends refuse it."""
    g = projection.geometry
    rest = [pooling.in_shape[1 + a] % pooling.window[a] for a in (0, 1)]
    return g is not None and any(rest[a] > 0 and g.padding[2 * a + 1] > 0 for a in (0, 1))


def random_profile(rng: np.random.Generator, model: str) -> Profile:
    nxtf = model.startswith("nxtf")
    return variant(
        "loihi1" if nxtf else "tiny",
        system__chip_rows=4, system__chip_cols=4, system__mesh_rows=8, system__mesh_cols=8,
        core__neurons=int(rng.integers(2, 40)), core__synapse_memory=64 * int(rng.integers(60, 400)),
        core__in_axons=int(rng.integers(100, 300)), core__out_axons=int(rng.integers(40, 200)),
        core__fan_in=int(rng.integers(100, 300)),
        synapse__sharing=model.split("-")[1],
        routing__out_axon_model=str(rng.choice(["edges", "ranges"])), routing__payload_bits=8,
        synapse__weight_bits=[2, 4, 6, 8], neuron__resets=["zero", "subtract", "none"],
    )  # fmt: skip


def input_values(rng: np.random.Generator, graph: Graph, batch: int, steps: int) -> dict[str, Array]:
    node = graph["in"]
    assert isinstance(node, Input)
    low, high = node.levels
    return {"in": rng.integers(low, high + 1, (batch, steps, *node.shape))}


def unrolled(projection: Projection) -> Array:
    """(targets, sources) matrix of a projection without gain."""
    inputs = projection.weight.shape[1] if projection.geometry is None else size(projection.geometry.in_shape)
    if projection.pooling is not None:
        inputs = size(projection.pooling.in_shape)
    return accumulate(projection, np.eye(inputs)).T.astype(np.int64)


def check_cover(graph: Graph, program: Mapped) -> None:
    """Every neuron on one core; every synapse stored in one block, read back from the images' bytes."""
    seen = {p.name: np.zeros(size(p.shape), int) for p in graph.of_kind(Population)}
    values = {p.name: np.zeros_like(unrolled(p)) for p in graph.of_kind(Projection)}
    synapses = {name: np.zeros_like(v) for name, v in values.items()}
    for core, data in enumerate(program.images):
        image = decode_core(data)
        parts = program.partition.of_core(core)
        names = [(block.projection, part.box) for part in parts for block in part.blocks]
        for group, part in zip(image.groups, parts, strict=True):
            assert (group.name, group.box) == (part.population, part.box)
            seen[group.name][group.box.flat()] += 1
        for axons, (name, box) in zip(image.axons, names, strict=True):
            local = image.blocks[axons.block].local
            at = np.ix_(box.flat(), axons.box.flat())
            values[name][at] += unrolled(local)[:, axons.axon_of()]
            synapses[name][at] += unrolled(replace(local, weight=np.ones_like(local.weight)))[:, axons.axon_of()]
    assert all((count == 1).all() for count in seen.values())
    for projection in graph.of_kind(Projection):
        np.testing.assert_array_equal(values[projection.name], unrolled(projection))
        ones = replace(projection, weight=np.ones_like(projection.weight))
        np.testing.assert_array_equal(synapses[projection.name], unrolled(ones))


def check_limits(program: Mapped) -> None:
    """Recounted from the images, every core's use equals what is reported and stays within the profile."""
    profile, core = program.profile, program.profile.core
    codec = profile.synapse.memory_model.value == "codec" and profile.synapse.sharing.value == "kernel"
    uses = program.core_use()
    assert len({use.id for use in uses}) == len(uses)
    for use, data in zip(uses, program.images, strict=True):
        image = decode_core(data)
        assert image.core == use.id
        assert use.neurons == (sum(g.box.volume for g in image.groups), program.partition.limit["neurons"])
        assert use.in_axons == (sum(a.count for a in image.axons), core.in_axons.value)
        if codec:
            assert use.synapse_bits[0] == 8 * sum(block_bytes(block) for block in image.blocks)
        if profile.routing.out_axon_model.value == "ranges":
            assert use.out_axons[0] == len(image.routes)
        for used, most in (use.neurons, use.synapse_bits, use.in_axons, use.out_axons):
            assert used <= most
    assert (program.partition.used["fan_in"] <= core.fan_in.value).all()
    assert program.cores_lower_bound <= len(uses)


def check_wires(program: Mapped) -> None:
    """Every input axon of every core is reached by exactly one neuron, by each of its window where it is pooled."""
    images = [decode_core(data) for data in (*program.images, program.host_image)]
    windows = [np.array([a.window[0] * a.window[1] for a in image.axons for _ in range(a.count)]) for image in images]
    reached = [np.zeros(window.size, int) for window in windows]
    for link in links(images):
        np.add.at(reached[link.target], link.axon, 1)
    assert all((count == window).all() for count, window in zip(reached, windows, strict=True))


def check_equal(graph: Graph, program: Mapped, inputs: dict[str, Array]) -> None:
    expected = integer.run(graph, inputs)
    found = mapped.run(program.images, program.host_image, inputs)
    for name in expected.spikes:
        np.testing.assert_array_equal(found.spikes[name], expected.spikes[name])
        np.testing.assert_array_equal(found.v[name], expected.v[name])
        np.testing.assert_array_equal(found.u[name], expected.u[name])


@pytest.mark.parametrize("model", ["codec-kernel", "codec-none", "nxtf-lists", "nxtf-none"])
def test_random_networks_on_random_targets_are_mapped_whole_and_spike_alike(model: str) -> None:
    outcome = {"mapped": 0, "several cores": 0, "refused": 0, "spikes": 0}

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(seed=st.integers(0, 2**32 - 1), share=st.booleans())
    def check(seed: int, share: bool) -> None:
        rng = np.random.default_rng([seed, len(model)])
        profile = random_profile(rng, model)
        graph = Builder(rng, profile.synapse.channel_gain.value).graph()
        inputs = input_values(rng, graph, batch=2, steps=6)
        try:
            program = map_program(graph, profile, MapOptions(share_cores=share))
        except CapacityError:
            outcome["refused"] += 1
            return
        outcome["mapped"] += 1
        outcome["several cores"] += program.partition.cores > 1
        outcome["spikes"] += int(sum(s.sum() for s in integer.run(graph, inputs).spikes.values()))
        check_cover(graph, program)
        check_limits(program)
        check_wires(program)
        check_equal(graph, program, inputs)

    check()
    # The property would be empty if nearly all examples were refused, small, or silent.
    assert outcome["mapped"] > 2 * outcome["refused"]
    assert outcome["several cores"] >= 20
    assert outcome["spikes"] > 1000


@pytest.mark.parametrize("model", ["codec-kernel", "codec-none", "nxtf-lists", "nxtf-none"])
def test_no_neuron_or_synapse_of_hundreds_of_networks_is_mapped_twice_or_lost(model: str) -> None:
    """As above without the run of the images, for more networks: parts are cut in every way that options know."""
    rng = np.random.default_rng([11, len(model)])
    whole, several = 0, 0
    for number in range(75):
        profile = random_profile(rng, model)
        graph = Builder(rng, profile.synapse.channel_gain.value).graph()
        most = int(rng.integers(2, 12)) if number % 3 == 0 else None
        options = MapOptions(share_cores=number % 4 > 0, max_neurons_per_core=most, placement="linear")
        try:
            program = map_program(graph, profile, options)
        except CapacityError:
            continue
        whole += 1
        several += program.partition.cores > 2
        check_cover(graph, program)
        check_limits(program)
        check_wires(program)
    assert whole >= 45
    assert several >= 30


def mlp(rng: np.random.Generator, inputs: int = 40, hidden: int = 70, outputs: int = 10, bits: int = 2) -> Graph:
    builder = Builder(rng, False)

    def population(name: str, wire: str, n: int, threshold: int, start: int) -> Population:
        p = builder.population(name, (wire,), (n,))
        return replace(
            p, threshold=frozen(threshold, np.int64), reset=Reset.ZERO, start=start, v_init=frozen(0, np.int64),
            bias=frozen(0, np.int64), bias_u=frozen(0, np.int64), decay_u=frozen(4096, np.int64),
            decay_v=frozen(100, np.int64),
        )  # fmt: skip

    nodes = (
        Input(name="in", shape=(inputs,)),
        Projection(name="w1", inputs=("in",), weight=codes(rng, (hidden, inputs), bits), bits=bits),
        population("h", "w1", hidden, 2, 0),
        Projection(name="w2", inputs=("h",), weight=codes(rng, (outputs, hidden), bits), bits=bits),
        population("o", "w2", outputs, 3, 1),
        Output(name="out", inputs=("o",)),
    )
    return Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=nodes)


def changed(graph: Graph, name: str, **values: Any) -> Graph:
    """The graph with some fields of one node replaced."""
    kept: list[Any] = [replace(n, **values) if n.name == name else n for n in graph.nodes]
    return replace(graph, nodes=tuple(kept))


def test_mapping_is_deterministic() -> None:
    first, second = (map_program(mlp(np.random.default_rng(1)), load_profile("tiny")) for _ in range(2))
    assert first.images == second.images
    assert first.host_image == second.host_image
    assert first.core_use() == second.core_use()


def test_a_changed_weight_with_a_valid_checksum_shows_in_the_run() -> None:
    rng = np.random.default_rng(2)
    graph = mlp(rng)
    program = map_program(graph, load_profile("tiny"))
    inputs = {"in": rng.integers(0, 2, (4, 30, 40))}
    reference = integer.run(graph, inputs)
    for core in range(len(program.images)):
        image = decode_core(program.images[core])
        block = image.blocks[0]
        weight = block.local.weight.copy()
        row, column = rng.integers(0, weight.shape[0]), rng.integers(0, weight.shape[1])
        weight[row, column] = -1 if weight[row, column] == 1 else 1
        wrong = replace(block, local=replace(block.local, weight=weight))
        changed = encode_core(replace(image, blocks=(wrong, *image.blocks[1:])))
        assert len(changed) >= len(program.images[core]) - 16
        images = (*program.images[:core], changed, *program.images[core + 1 :])
        trace = mapped.run(images, program.host_image, inputs)
        name = image.groups[block.group].name
        neuron = image.groups[block.group].box.flat()[row]
        assert (trace.u[name][:, :, neuron] != reference.u[name][:, :, neuron]).any()


def test_lost_and_doubled_routes_and_groups_are_noticed() -> None:
    rng = np.random.default_rng(3)
    graph = mlp(rng)
    program = map_program(graph, load_profile("tiny"), MapOptions(share_cores=False))
    assert program.partition.cores > 2
    inputs = {"in": rng.integers(0, 2, (2, 20, 40))}
    reference = integer.run(graph, inputs)
    host = decode_core(program.host_image)
    for routes in (host.routes[1:], (*host.routes, host.routes[0])):
        trace = mapped.run(program.images, encode_core(replace(host, routes=routes)), inputs)
        assert any((trace.v[name] != reference.v[name]).any() for name in trace.v)
    with pytest.raises(InputError, match=r"lies on 0 cores|no image has"):
        mapped.run(program.images[1:], program.host_image, inputs)
    with pytest.raises(InputError, match="lies on 2 cores"):
        mapped.run((*program.images, program.images[0]), program.host_image, inputs)
    moved = replace(host, routes=(replace(host.routes[0], axons=77), *host.routes[1:]))
    with pytest.raises(InputError, match="no image has"):
        mapped.run(program.images, encode_core(moved), inputs)


def test_inputs_of_the_wrong_size_are_refused() -> None:
    program = map_program(mlp(np.random.default_rng(3)), load_profile("tiny"))
    with pytest.raises(InputError, match=r"expected \(2, 5, 40\)"):
        mapped.run(program.images, program.host_image, {"in": np.zeros((2, 5, 39), np.uint8)})


def test_a_layer_with_too_many_inputs_names_layer_resource_and_limits() -> None:
    graph = mlp(np.random.default_rng(0), hidden=70)
    with pytest.raises(CapacityError) as caught:
        map_program(graph, variant("tiny", core__in_axons=64))
    assert (caught.value.node, caught.value.resource) == ("o", "in_axons")
    assert (caught.value.need, caught.value.have) == (70, 64)
    with pytest.raises(CapacityError) as caught:
        map_program(graph, variant("tiny", core__fan_in=39))
    assert (caught.value.node, caught.value.resource, caught.value.need) == ("o", "fan_in", 70)


def test_a_network_larger_than_the_target_is_refused_with_the_lower_bound() -> None:
    graph = mlp(np.random.default_rng(0), hidden=90)
    small = variant("tiny", system__mesh_rows=1, system__mesh_cols=1, core__neurons=5)
    with pytest.raises(CapacityError, match="no mapping needs fewer than 20 cores") as caught:
        map_program(graph, small)
    assert caught.value.resource == "cores"
    assert caught.value.have == 2


def test_a_delay_or_a_weight_beyond_the_target_is_refused() -> None:
    graph = mlp(np.random.default_rng(0), bits=8)
    with pytest.raises(UnsupportedError, match="w1: .*codes of 8 bits"):
        map_program(graph, variant("tiny", synapse__weight_bits=[2, 3, 4]))
    with pytest.raises(UnsupportedError, match="w2: .*up to 7 steps.*found a delay of 9 steps"):
        map_program(changed(graph, "w2", delay=9), load_profile("tiny"))


def test_features_that_the_target_lacks_are_refused() -> None:
    graph = mlp(np.random.default_rng(0))
    with pytest.raises(UnsupportedError, match="h: .*loihi1 allows: zero, none.*found reset subtract"):
        map_program(changed(graph, "h", reset=Reset.SUBTRACT), load_profile("loihi1"))
    with pytest.raises(UnsupportedError, match="in: .*1 bit.*found input values 0 to 15"):
        map_program(changed(graph, "in", levels=(0, 15)), load_profile("loihi1"))


def test_fewer_neurons_per_core_can_be_asked_for() -> None:
    graph = mlp(np.random.default_rng(0))
    program = map_program(graph, load_profile("generic-ternary"), MapOptions(max_neurons_per_core=20))
    assert program.partition.cores >= 4
    assert all(use.neurons[0] <= 20 and use.neurons[1] == 20 for use in program.core_use())
    assert program.cores_lower_bound == 4


def test_populations_share_a_core_only_when_allowed() -> None:
    graph = mlp(np.random.default_rng(0))
    profile = load_profile("generic-ternary")
    together = map_program(graph, profile).core_use()
    assert [use.populations for use in together] == [("h", "o")]
    apart = map_program(graph, profile, MapOptions(share_cores=False)).core_use()
    assert [use.populations for use in apart] == [("h",), ("o",)]


def test_distinct_thresholds_are_limited_on_loihi1() -> None:
    graph = mlp(np.random.default_rng(0), hidden=64)
    graph = changed(graph, "h", threshold=frozen(np.arange(1, 65), np.int64))
    program = map_program(graph, load_profile("loihi1"))
    assert [p.box.volume for p in program.partition.parts if p.population == "h"] == [16, 16, 16, 16]


def padding_of(graph: Graph, box: Box) -> tuple[int, ...]:
    """Padding that is left to the block of the convolution `c` into a box."""
    wire = graph["c"]
    assert isinstance(wire, Projection)
    piece = cut(wire, box)
    assert piece is not None
    assert piece.local.geometry is not None
    return piece.local.geometry.padding


def test_memory_counts_a_shared_kernel_once_per_core() -> None:
    rng = np.random.default_rng(5)
    builder = Builder(rng, False)
    geometry = ConvGeometry(
        in_shape=(4, 20, 20), out_shape=(8, 20, 20), stride=(1, 1), padding=(1, 1, 1, 1), dilation=(1, 1), groups=1
    )
    weight = frozen(rng.choice([-1, 1], (8, 4, 3, 3)), np.int8)
    nodes = (
        Input(name="in", shape=(4, 20, 20)),
        Projection(name="c", inputs=("in",), weight=weight, geometry=geometry),
        builder.population("p", ("c",), (8, 20, 20)),
        Output(name="out", inputs=("p",)),
    )
    graph = Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=nodes)
    program = map_program(graph, load_profile("generic-ternary"), MapOptions(encodings=("dense",)))
    (layer,) = program.memory()
    assert (layer.weights, layer.fp32, layer.int8) == (288, 288 * 32, 288 * 8)
    assert layer.encodings == ("dense",)
    assert layer.synapses == 8 * 4 * (20 * 3 - 2) ** 2
    # Each copy: a head of 4 bytes and a number each for delay, shapes, kernel, stride, padding, dilation, groups and
    # codes, of which none is above 127 here, one byte of gain, and the part's kernel at 2 bits, in whole words.
    expected = 0
    for part in program.partition.parts:
        channels = part.box.extent[0]
        assert max(channels * 9, *part.blocks[0].source.extent) < 128
        numbers = 1 + 6 + (4 if len(set(padding_of(graph, part.box))) == 1 else 10) + 1 + 1
        expected += 64 * -(-(4 + numbers + 1 + channels * 9) // 8)
    assert layer.ternary == expected
    assert mapped_shape(graph, graph.of_kind(Population)[0]) == (8, 20, 20)
    assert all(isinstance(part.box, Box) for part in program.partition.parts)


def test_xy_hops_and_chip_borders_are_those_of_the_mesh() -> None:
    graph = mlp(np.random.default_rng(0), hidden=80)
    profile = variant("tiny", system__mesh_rows=2, system__mesh_cols=2, system__chip_cols=40, core__neurons=8)
    program = map_program(graph, profile, MapOptions(share_cores=False, placement="linear"))
    uses = program.core_use()
    assert len(uses) == 12
    assert [(u.chip, u.row, u.col) for u in uses[:5]] == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0)]
    routing = program.routing

    def place(core: int) -> tuple[int, int, int]:
        return uses[core].row, uses[core].chip * 2 + uses[core].col, uses[core].chip

    inside = np.flatnonzero(routing.source >= 0)
    assert inside.size == 10 * 2
    for i in inside:
        (r0, c0, chip0), (r1, c1, chip1) = place(int(routing.source[i])), place(int(routing.target[i]))
        assert routing.hops[i] == abs(r0 - r1) + abs(c0 - c1)
        assert routing.crossings[i] == abs(chip0 - chip1)
        assert routing.neurons[i] == 8
    assert routing.multicast(0, 0) == (10, 11)
