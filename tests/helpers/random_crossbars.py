"""Random networks of neurons that crossbar targets have, and what must hold of every mapping of one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np

from nets import codes, convolution, geometry, neurons, variant
from tern2lava.compiler.image.codecs.bit_planes import width
from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Node, Output, Population, Projection, Reset
from tern2lava.compiler.ir.linear import accumulate, per_neuron
from tern2lava.compiler.ir.shapes import Array, frozen, size
from tern2lava.compiler.mapped import Mapped
from tern2lava.compiler.mapper.crossbar.windows import fold_of
from tern2lava.hw_profiles import Profile
from walk import walk


def small_crossbar(rng: np.random.Generator, name: str) -> Profile:
    """`name` with fewer inputs and columns."""
    inputs, columns = int(rng.integers(80, 300)), int(rng.integers(32, 130))
    axons = inputs if name == "paicore2" else 4 * inputs
    return variant(
        name, crossbar__inputs=axons, crossbar__columns=columns, core__neurons=columns,
        core__synapse_memory=axons * columns, core__out_axons=columns,
        core__in_axons=64 * inputs if name == "paicore2" else axons,
    )  # fmt: skip


class Sketch:
    """A random network of neurons that these targets have."""

    def __init__(self, rng: np.random.Generator, profile: Profile) -> None:
        self.rng, self.profile = rng, profile
        self.late = profile.neuron.late_start.value != "none"

    def population(self, name: str, inputs: tuple[str, ...], shape: tuple[int, ...], start: int) -> Population:
        rng = self.rng
        threshold = rng.integers(0, 5, shape if rng.random() < 0.5 else ())
        bias = rng.integers(-1, 2, shape) if self.late or start == 0 else np.zeros(())
        return neurons(
            name, inputs, shape, reset=Reset(rng.choice(["zero", "subtract", "none"])), bias=frozen(bias, np.int64),
            threshold=frozen(threshold, np.int64), reset_amount=frozen(threshold + 1, np.int64), start=start,
        )  # fmt: skip

    def wire(self, name: str, source: str, shape: tuple[int, ...], dense: int | None) -> Projection | None:
        rng = self.rng
        common: dict[str, Any] = {"inputs": (source,), "delay": int(rng.choice([0, 0, 1, 3]))}
        rows = int(rng.integers(1, 12)) if dense is None else dense
        if dense is not None or len(shape) == 1 or rng.random() < 0.2:
            gain = frozen(rng.integers(1, 4, rows) if rng.random() < 0.3 else 1, np.int64)
            return Projection(name=name, weight=codes(rng, rows, size(shape)), gain=gain, **common)
        window = (2, 2) if rng.random() < 0.3 and shape[1] > 3 and shape[2] > 3 else None
        groups = int(rng.choice([g for g in range(1, shape[0] + 1) if shape[0] % g == 0]))
        out = groups * int(rng.integers(1, 4))
        kernel, stride = (tuple(int(k) for k in rng.integers(1, 4, 2)) for _ in range(2))
        pad = (0, 0, 0, 0) if window is not None else tuple(int(p) for p in rng.integers(0, 3, 4))
        dilation = (int(rng.integers(1, 3)),) * 2
        seen = shape if window is None else (shape[0], shape[1] // 2, shape[2] // 2)
        keys: dict[str, Any] = {"stride": stride, "padding": pad, "dilation": dilation, "groups": groups}
        if min(geometry(seen, out, kernel, **keys).out_shape) < 1:
            return None
        weight = codes(rng, out, shape[0] // groups, *kernel)
        gains = rng.integers(1, 4, out) if rng.random() < 0.3 else 1
        return replace(convolution(name, source, shape, weight, window=window, gain=gains, **keys), **common)

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
