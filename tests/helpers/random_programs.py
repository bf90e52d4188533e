"""Random INTEGER networks on random small targets, and what must hold of every mapping of one."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nets import geometry, neurons, sparse_codes, variant
from tern2lava.compiler.image.core_image import decode_core, sections
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import Array, Pooling, frozen, size
from tern2lava.compiler.mapped import Mapped
from tern2lava.hw_profiles import Profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.cores.machine import links
from tern2lava.sim.reference import integer


def numbers(count: int) -> range:
    """Seeds of random networks: the same in every run, so that what is counted over them cannot change by chance;
    new ones with TERN2LAVA_FUZZ=1."""
    first = secrets.randbelow(1 << 31) if os.environ.get("TERN2LAVA_FUZZ") else 0
    return range(first, first + count)


def wide_codes(rng: np.random.Generator, shape: tuple[int, ...], bits: int = 2) -> Array:
    """Codes of this number of bits; ternary ones with any share of zeros."""
    if bits == 2:
        return sparse_codes(rng, *shape, zeros=rng.uniform(0, 0.9))
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
        weight = wide_codes(self.rng, (outputs, inputs), bits)
        return Projection(name=name, inputs=(source,), weight=weight, bits=bits, **self.common(outputs))

    def conv(self, name: str, source: str, shape: tuple[int, ...]) -> Projection | None:
        rng = self.rng
        groups = int(rng.choice([g for g in range(1, shape[0] + 1) if shape[0] % g == 0]))
        out = groups * int(rng.integers(1, 4))
        kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
        stride, dilation = ((int(a), int(b)) for a, b in rng.integers(1, 3, (2, 2)))
        top, bottom, left, right = (int(p) for p in rng.integers(0, 4, 4))
        padding = (top, bottom, left, right)
        g = geometry(shape, out, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
        if min(g.out_shape) < 1:
            return None
        weight = wide_codes(rng, (out, shape[0] // groups, *kernel))
        return Projection(name=name, inputs=(source,), weight=weight, geometry=g, **self.common(out))

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
        return neurons(
            name, inputs, shape, reset=Reset(rng.choice(["zero", "subtract", "none"])),
            decay_u=self.parameter(2000, 4097, shape), decay_v=self.parameter(0, 1500, shape),
            bias=self.parameter(-1, 2, shape), bias_u=self.parameter(-1, 2, shape),
            threshold=self.parameter(1, 7, shape), reset_amount=self.parameter(1, 7, shape),
            v_init=self.parameter(-2, 3, shape), start=int(rng.integers(0, 3)),
            decays=list(Decays)[len(name + str(shape)) % 2],
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
        neuron__rounding="nearest",
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
    return np.asarray(accumulate(projection, np.eye(inputs)).T, np.int64)


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
        # No weight is stored twice; those that are not stored are 0.
        ones = unrolled(replace(projection, weight=np.ones_like(projection.weight)))
        assert (synapses[projection.name] <= ones).all()
        assert (synapses[projection.name] == ones)[unrolled(projection) != 0].all()


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
            assert use.synapse_bits[0] == 8 * sections(data).blocks
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
        neurons = 1 if link.first is None else np.diff([*link.first, link.neuron.size])
        np.add.at(reached[link.target], link.axon, neurons)
    assert all((count == window).all() for count, window in zip(reached, windows, strict=True))


def check_equal(graph: Graph, program: Mapped, inputs: dict[str, Array]) -> None:
    expected = integer.run(graph, inputs)
    found = mapped.run(program.images, program.host_image, inputs)
    for name in expected.spikes:
        np.testing.assert_array_equal(found.spikes[name], expected.spikes[name])
        np.testing.assert_array_equal(found.v[name], expected.v[name])
        np.testing.assert_array_equal(found.u[name], expected.u[name])
