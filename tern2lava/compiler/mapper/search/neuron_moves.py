"""Neurons of sparse layers moved between the cores of a placed mapping, where their spikes then travel fewer hops."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Array, Ints, Reals, size
from tern2lava.compiler.ir.slices import incoming, sources
from tern2lava.compiler.mapper.cost.core_cost import LARGEST, CostModel
from tern2lava.compiler.mapper.packing.first_fit import Part
from tern2lava.compiler.mapper.partition import Partition, renumbered
from tern2lava.compiler.mapper.placement.slots import Placement, problem, router_positions
from tern2lava.compiler.mapper.regroup.placed import Placed, moved
from tern2lava.compiler.mapper.routing.connections import connections
from tern2lava.compiler.mapper.routing.traffic import spikes_of, traffic
from tern2lava.compiler.mapper.routing.union import lines_of
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.compiler.mapper.tiling.tile_population import exceeded
from tern2lava.compiler.options import MapOptions
from tern2lava.effort import Effort
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

# Cores among which neurons are moved, and entries of the table of sources and cores, at most.
_CORES = 256
_TABLE = 2e7


def with_neurons_moved(
    graph: Graph, profile: Profile, options: MapOptions, model: CostModel, cores: Partition, placement: Placement,
    rates: dict[str, Reals] | None, effort: Effort,
) -> tuple[Partition, Placement] | None:  # fmt: skip
    """The partition and placement after neurons were moved; None where no layer is sparse, populations are pinned,
    cores are too many, or what comes out does not fit its cores."""
    names = [p.name for p in graph.of_kind(Population) if model.regrouper.reads(p) is not None]
    if not names or options.pins or profile.crossbar is not None or not cores.cores:
        return None
    task = problem(
        profile, cores.cores, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), spare=options.spare_cores
    )
    number = task.number if task.number.size <= _CORES else np.sort(placement.core)
    if number.size > _CORES or not np.isin(placement.core, number).all():
        return None
    scene = _scene(graph, names, rates, options.rate)
    if scene is None or float(scene.spikes.size) * number.size > _TABLE:
        return None
    slot = _lookup(number, placement.core)
    start, fixed = scene.start(cores, slot), np.zeros(number.size, np.int64)
    for part in cores.parts:
        fixed[slot[part.core]] += part.box.volume if part.population not in names else 0
    room = np.maximum(cores.limit["neurons"] - fixed, 0)
    if not options.share_cores:
        if len(names) > 1:
            return None
        room[fixed > 0] = 0
    lines = lines_of(profile)
    row, column, _ = router_positions(profile, number)
    at = np.stack([row, column] if lines.swapped else [column, row], axis=1).astype(np.int64)
    home, held = scene.outside(graph, cores, slot, at)
    found, _ = moved(
        Placed(
            first=scene.matrix.indptr.astype(np.int64), source=scene.matrix.indices.astype(np.int64),
            itself=scene.itself, home=home, spikes=scene.spikes, held=held, kind=scene.kind, at=at,
            room=room, trunk=lines.trunk, branch=lines.branch,
            joined=profile.routing.multicast.value,
        ),
        start, options.seed, effort.neuron_moves,
    )  # fmt: skip
    return _rebuilt(graph, profile, options, model, cores, scene, found, slot, number, rates)


def _lookup(number: Ints, core: Ints) -> Ints:
    order = np.argsort(number)
    result: Ints = order[np.searchsorted(number[order], core)]
    return result


@dataclass(frozen=True, eq=False)
class _Scene:
    """Sources and neurons of the sparse layers, one behind the other. matrix (neurons, sources): who reads whom; names,
    first: of the layers, and the first neuron of each; kind (neurons,): the layer; itself (sources,): the neuron that a
    source is, -1 for others; spikes (sources,): per step; place: the first source of each population or input."""

    matrix: csr_matrix
    names: list[str]
    first: dict[str, int]
    kind: Ints
    itself: Ints
    spikes: Reals
    place: dict[str, int]

    def start(self, cores: Partition, slot: Ints) -> Ints:
        """The slot of each neuron."""
        result = np.zeros(self.kind.size, np.int64)
        for part in cores.parts:
            if part.population in self.first:
                result[self.first[part.population] + part.box.flat()] = slot[part.core]
        return result

    def outside(self, graph: Graph, cores: Partition, slot: Ints, at: Ints) -> tuple[Ints, Array]:
        """(home, held) of Placed: where sources lie that do not move, and cores that sources reach without a neuron
        that moves."""
        home, held = np.zeros((self.spikes.size, 2), np.int64), np.zeros((self.spikes.size, len(at)), np.int32)
        for part in cores.parts:
            if part.population in self.place and part.population not in self.first:
                home[self.place[part.population] + part.box.flat()] = at[slot[part.core]]
        for part in cores.parts:
            if part.population in self.first:
                continue
            for block in part.blocks:
                source = graph.projection(block.projection).inputs[0]
                if source in self.place:
                    held[self.place[source] + block.source.flat(), slot[part.core]] = 1
        return home, held


def _scene(graph: Graph, names: list[str], rates: dict[str, Reals] | None, assumed: float) -> _Scene | None:
    """The scene of the sparse layers `names`; None where their sources are too many."""
    read = {wire.inputs[0] for name in names for wire in incoming(graph, graph.population(name))}
    count = {node.name: size(node.shape) for node in sources(graph) if node.name in read or node.name in names}
    if sum(count.values()) > _TABLE:
        return None
    blocks = []
    for name in names:
        wires = incoming(graph, graph.population(name))
        row = []
        for source, width in count.items():
            mine = [wire.weight != 0 for wire in wires if wire.inputs[0] == source]
            row.append(csr_matrix(np.any(mine, axis=0) if mine else (count[name], width), dtype=np.int32))
        blocks.append(hstack(row))
    first = _starts(names, count)
    itself = [first[n] + np.arange(width) if n in first else np.full(width, -1) for n, width in count.items()]
    spikes = [spikes_of(graph, name, width, rates, assumed) for name, width in count.items()]
    kind = np.repeat(np.arange(len(names)), [count[name] for name in names])
    return _Scene(
        csr_matrix(vstack(blocks)), names, first, kind, np.concatenate(itself).astype(np.int64), np.concatenate(spikes),
        _starts(list(count), count),
    )  # fmt: skip


def _starts(names: list[str], count: dict[str, int]) -> dict[str, int]:
    """Where each begins, one behind the other."""
    ends = np.cumsum([0, *(count[name] for name in names)])
    return dict(zip(names, ends[:-1].tolist(), strict=True))


def _rebuilt(
    graph: Graph, profile: Profile, options: MapOptions, model: CostModel, cores: Partition, scene: _Scene, found: Ints,
    slot: Ints, number: Ints, rates: dict[str, Reals] | None,
) -> tuple[Partition, Placement] | None:  # fmt: skip
    """Parts of the neurons as they lie now; None where some core cannot hold its own."""
    parts: list[tuple[Part, int]] = [
        (part, int(slot[part.core])) for part in cores.parts if part.population not in scene.first
    ]
    try:
        for name in scene.names:
            population = graph.population(name)
            where = found[scene.first[name] : scene.first[name] + size(population.shape)]
            whole = Box.full((where.size,))
            for at in np.unique(where).tolist():
                box = whole.listed(np.flatnonzero(where == at))
                cost = model.part(population, box, as_stored=True)
                parts.append((Part(name, box, 0, cost.blocks, cost.used | {"out_axons": 0}), at))
    except CapacityError:
        return None
    populations = graph.of_kind(Population)
    feeds = Feeds(graph, profile, False)
    for population in populations:
        feeds.set_targets(population, [part.blocks for part, _ in parts if part.population == population.name])
    used: dict[int, dict[str, int]] = {}
    numbered = {at: index for index, at in enumerate(sorted({at for _, at in parts}))}
    placed = []
    for part, at in parts:
        out = feeds.out_axons(graph.population(part.population), part.box)
        part = replace(part, core=numbered[at], used=part.used | {"out_axons": out})
        placed.append(part)
        total = used.setdefault(at, {})
        for name, value in part.used.items():
            total[name] = max(total.get(name, 0), value) if name in LARGEST else total.get(name, 0) + value
    if any(exceeded(total, cores.limit) for total in used.values()):
        return None
    result = replace(
        renumbered(populations, tuple(placed), cores.limit, cores.total, cores.density), contents=cores.contents
    )
    at_box = {(part.population, part.box): at for part, at in parts}
    core = np.array([number[at_box[mine[0].population, mine[0].box]] for mine in result.by_core], np.int64)
    wired = connections(graph, result)
    spikes = traffic(graph, result, wired, rates, options.rate).spikes
    task = problem(profile, result.cores, wired.source, wired.target, spikes, spare=options.spare_cores)
    return result, Placement(core, options.placement, task.cost(_lookup(task.number, core)))
