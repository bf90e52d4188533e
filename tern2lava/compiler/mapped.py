"""From an INTEGER graph and a profile to core images: partition, place, route, encode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.image.core_image import (
    CORE,
    HOST,
    Axons,
    CoreImage,
    Group,
    Route,
    SynapseBlock,
    cut_population,
    encode_core,
)
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Level, Population, Projection
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.ir.slices import cut, incoming, sources
from tern2lava.compiler.mapper.cost.core_cost import allowed_encodings, stored_projection
from tern2lava.compiler.mapper.crossbar.windows import stored, unrolled
from tern2lava.compiler.mapper.partition import Partition, least_cores
from tern2lava.compiler.mapper.placement.slots import Placement, location
from tern2lava.compiler.mapper.quality import Quality
from tern2lava.compiler.mapper.routing.connections import HOST as FROM_HOST
from tern2lava.compiler.mapper.routing.routes import Routing
from tern2lava.compiler.mapper.search.objectives import make_plan
from tern2lava.compiler.options import MapOptions, check_map_options
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.compiler.progress import Progress, silent
from tern2lava.compiler.shown import Shown
from tern2lava.compiler.target.rules import check_rules
from tern2lava.counts import count
from tern2lava.effort import NORMAL, Effort
from tern2lava.findings import any_refused, unseen
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True)
class CoreUse:
    """One used core: its number on the target, where it lies, (used, max) by resource, and the populations on it."""

    id: int
    chip: int
    row: int
    col: int
    neurons: tuple[int, int]
    synapse_bits: tuple[int, int]
    in_axons: tuple[int, int]
    out_axons: tuple[int, int]
    populations: tuple[str, ...]


@dataclass(frozen=True)
class LayerMemory:
    """Weight memory of the projections into one population, in bits.

    weights: parameters, zeros included (a kernel counts once); fp32 and int8: 32 and 8 bits each; ternary: synaptic
    memory really taken on all cores, with copies, headers, indices and padding; encodings: names used, sorted.
    """

    population: str
    weights: int
    fp32: int
    int8: int
    ternary: int
    synapses: int
    encodings: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Mapped(Shown):
    """A program on its target. images[k] are the bytes of the partition's core k, host_image those of the inputs.
    rates: mean spikes per neuron and step by population, where they were measured."""

    graph: Graph
    profile: Profile
    options: MapOptions
    partition: Partition
    placement: Placement
    routing: Routing
    images: tuple[bytes, ...]
    host_image: bytes
    quality: Quality
    rates: dict[str, float]

    def _shown(self) -> str:
        cores = count(self.partition.cores, "core")
        return f"{self.profile.name}: {cores}, lower bound {self.cores_lower_bound:,}, for {self.options.objective}"

    @property
    def cores_lower_bound(self) -> int:
        return self.partition.cores_lower_bound

    def core_use(self) -> tuple[CoreUse, ...]:
        """What every used core holds, in the order of the partition."""
        used, limit = self.partition.used, self.partition.limit
        result = []
        for core in range(self.partition.cores):
            number = int(self.placement.core[core])
            where = location(self.profile, number)

            def pair(name: str, core: int = core) -> tuple[int, int]:
                return int(used[name][core]), limit[name]

            result.append(
                CoreUse(
                    number, where.chip, where.row, where.col, pair("neurons"), pair("synapse_bits"), pair("in_axons"),
                    (int(self.routing.out_axons[core]), limit["out_axons"]),
                    tuple(part.population for part in self.partition.of_core(core)),
                )
            )  # fmt: skip
        return tuple(result)

    def memory(self) -> tuple[LayerMemory, ...]:
        """Weight memory by population, in the order of the network."""
        rows = []
        populations = self.graph.of_kind(Population)
        for population in populations:
            weights = sum(int(p.weight.size) for p in incoming(self.graph, population))
            blocks = [b for part in self.partition.parts if part.population == population.name for b in part.blocks]
            rows.append(
                LayerMemory(
                    population.name, weights, 32 * weights, 8 * weights, sum(b.synapse_bits for b in blocks),
                    sum(b.synapses for b in blocks), tuple(sorted({b.encoding for b in blocks})),
                )
            )  # fmt: skip
        return tuple(rows)


def map_program(
    graph: Graph, profile: Profile, options: MapOptions | None = None, rates: dict[str, Reals] | None = None,
    progress: Progress = silent, effort: Effort = NORMAL,
) -> Mapped:  # fmt: skip
    """The program on the cores of a target, with its core images.

    rates: spikes per neuron and step by population, from a run (see sim.activity.measured_rates); a rate is assumed
    where there are none. Raises CapacityError where it does not fit and UnsupportedError where the target lacks a
    feature.
    """
    assert graph.level is Level.INTEGER
    assert graph.arithmetic is not None
    options = options or MapOptions()
    check_map_options(options, graph)
    check_rules(graph, profile)
    if any_refused():
        # What is refused already is not mapped: what one of its neurons takes of a core is looked at alone.
        least_cores(graph, profile)
        raise unseen("the mapping onto cores")
    if not profile.routing.axon_sums.value:
        graph = unpooled_graph(graph)
    plan = make_plan(graph, profile, options, rates, progress, effort)
    cores, placement, routing = plan.partition, plan.placement, plan.routing
    encodings = allowed_encodings(profile, options.encodings)
    images = []
    for core in range(cores.cores):
        progress("core images", core, cores.cores)
        images.append(encode_core(_core_image(graph, profile, encodings, cores, placement, routing, core)))
    host = encode_core(_host_image(graph, placement, routing))
    return Mapped(
        graph=graph, profile=profile, options=options, partition=cores, placement=placement, routing=routing,
        images=tuple(images), host_image=host, quality=plan.quality,
        rates={name: float(np.mean(values)) for name, values in (rates or {}).items()},
    )  # fmt: skip


def _core_image(
    graph: Graph, profile: Profile, encodings: tuple[str, ...], cores: Partition, placement: Placement,
    routing: Routing, core: int,
) -> CoreImage:  # fmt: skip
    """What core `core` holds: groups in the order of its parts, blocks and axon ranges in the order of routing."""
    assert graph.arithmetic is not None
    number = {node.name: index for index, node in enumerate(sources(graph))}
    groups: list[Group] = []
    blocks: list[SynapseBlock] = []
    axons: list[Axons] = []
    for index, part in enumerate(cores.of_core(core)):
        population = graph.population(part.population)
        local = cut_population(population, part.box)
        groups.append(Group(name=population.name, number=number[population.name], box=part.box, local=local))
        for block in part.blocks:
            projection = graph.projection(block.projection)
            piece = cut(projection, part.box, whole=profile.crossbar is not None)
            assert piece is not None
            assert piece.source == block.source
            axons.append(
                Axons(
                    source=number[projection.inputs[0]],
                    box=piece.source,
                    block=len(blocks),
                    window=piece.window,
                )
            )
            blocks.append(
                SynapseBlock(
                    group=index, codec=block.codec, encodings=encodings, per_entry=profile.synapse.max_per_entry.value,
                    local=_stored(piece.local, block.codec, profile, population.name),
                )
            )  # fmt: skip
    return CoreImage(
        kind=CORE, core=int(placement.core[core]), arithmetic=graph.arithmetic, groups=tuple(groups),
        axons=tuple(axons), blocks=tuple(blocks), routes=_routes(routing, placement, core), slowdown=graph.slowdown,
    )  # fmt: skip


def _stored(local: Projection, codec: str, profile: Profile, node: str) -> Projection:
    """A slice as its core stores it: with the integers of synapse lists, or unrolled into the cells of a crossbar."""
    if CODECS.get(codec).lists:
        return stored_projection(local, profile, node)
    return local if profile.crossbar is None else unrolled(stored(local, profile))


def _host_image(graph: Graph, placement: Placement, routing: Routing) -> CoreImage:
    """The inputs and where they go."""
    assert graph.arithmetic is not None
    groups = tuple(
        Group(name=node.name, number=index, box=Box.full(node.shape), local=None)
        for index, node in enumerate(sources(graph))
        if isinstance(node, Input)
    )
    return CoreImage(
        kind=HOST, core=0, arithmetic=graph.arithmetic, groups=groups, axons=(), blocks=(),
        routes=_routes(routing, placement, FROM_HOST), slowdown=graph.slowdown,
    )  # fmt: skip


def _routes(routing: Routing, placement: Placement, core: int) -> tuple[Route, ...]:
    first, last = np.searchsorted(routing.source, [core, core + 1])
    return tuple(
        Route(
            group=int(routing.group[i]), core=int(placement.core[routing.target[i]]), axons=int(routing.axons[i]),
            box=routing.boxes[i],
        )
        for i in range(first, last)
    )  # fmt: skip
