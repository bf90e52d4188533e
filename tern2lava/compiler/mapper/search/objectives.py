"""The mapping that an objective asks for: partitions, each really placed and routed, of which the best is taken.

cores    the fewest cores, then the least traffic: the partition made for few cores (of several with as few, where
         kernels are shared and routes take whole parts, the one with the fewest bits: partition.py), and where its
         parts are few also those in which parts that talk share cores
traffic  the fewest spike-hops per step, chip borders counted as the profile says: also partitions into smaller
         parts and those in which parts that talk to each other share cores
latency  the shortest step, as Quality.step estimates it from the busiest core, the most loaded link and the longest
         route: also partitions over more cores, of the chips that the fewest cores need
balance  as few cores as `cores` takes, and of these the least work for the busiest: also smaller parts, spread
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.partition import Partition, by_estimate, cut_finer, partition
from tern2lava.compiler.mapper.placement.slots import Placement, check_placement, place, problem
from tern2lava.compiler.mapper.quality import Quality, event_times, part_work, quality
from tern2lava.compiler.mapper.routing.connections import Connections, connections
from tern2lava.compiler.mapper.routing.routes import Routing, entries, route
from tern2lava.compiler.mapper.routing.traffic import Traffic, traffic
from tern2lava.compiler.mapper.routing.union import joined_hops
from tern2lava.compiler.mapper.search.by_traffic_and_load import evenly, part_traffic, repacked, together
from tern2lava.compiler.mapper.search.by_work_limit import fits, mixed
from tern2lava.compiler.mapper.search.chip_first import ByChip, by_chip
from tern2lava.compiler.mapper.search.neuron_moves import with_neurons_moved
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.progress import Progress, silent
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile
from tern2lava.hw_profiles.profile import Leaf

# Shares of the largest part's neurons that parts are cut to besides.
_FINER = (1.0, 0.5, 0.25, 0.125, 0.0625)
# Of a core's output axons, what parts may take while all that they reach is on their chip, so that some can leave.
_LEAVING = (0.75, 0.65, 0.5)
# Skip the all-off-chip partition when its output-axon demand exceeds _FAR x what chip-first cores offer: other cuts are
# hardly that much better.
_FAR = 1.2
# Of partitions with more parts no others are tried.
_MOST_PARTS = 5_000
# More cores of a crossbar are not filled with fewer neurons each, which takes minutes.
_MANY_CORES = 2_000
# Up to this number of parts, the fewest cores are also filled in other ways.
_FEW_PARTS = 24
# For latency: at most _LEVELS bounds on the work of a part are tried, the least first, until _TRIED of them gave a part
# for each core; up to _SHARED parts a core are spread. For balance the bounds are _SHARES of the mean work of a core.
_LEVELS = 40
_TRIED = 3
_SHARED = 3
_SHARES = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1)
# Partitions are ranked as spectral places them; the best _FINALISTS are then placed as the user wants.
_FINALISTS = 3
_MANY = Leaf[int](value=1 << 40, unit="of each", source="no limit while pieces are cut", kind="assumed")


@dataclass(frozen=True, eq=False)
class Plan:
    """A partition with its place, its routes and how good it is."""

    partition: Partition
    placement: Placement
    routing: Routing
    quality: Quality


def make_plan(
    graph: Graph, profile: Profile, options: MapOptions, rates: dict[str, Reals] | None = None,
    progress: Progress = silent, effort: Effort = NORMAL,
) -> Plan:  # fmt: skip
    """The best plan for the objective. Raises CapacityError where the network does not fit."""
    check_placement(options.placement)
    model = CostModel(graph, profile, options.encodings)
    progress("partition", 0, 0)
    first = _plan(graph, profile, options, rates, partition(graph, profile, options, model), progress=progress)
    if _overflows(first):
        # Axons that leave a chip cost more: chips are chosen before cores, or parts are cut as if every axon left.
        progress("partition by chips", 0, 0)
        cuts = chain([first.partition], cut_finer(graph, options, model, first.partition, _LEAVING))
        shared = by_chip(graph, profile, options, model, cuts)
        first = _plan(graph, profile, options, rates, *_fewer(graph, profile, options, model, shared), progress)
        if _overflows(first):
            most, have = int(first.routing.out_axons.max()), first.partition.limit["out_axons"]
            share = f"leave its layers {100 * have // most} % of their neurons"
            raise CapacityError("the network", "out_axons on a core", most, have, share)
    few = first.partition.cores > 1 and len(first.partition.parts) <= _FEW_PARTS
    if first.partition.cores == 0 or (options.objective == "cores" and not few):
        return first
    quick = replace(options, placement="spectral") if options.placement == "auto" else options
    ranked: list[Plan] = []
    for number, other in enumerate(_others(graph, profile, options, rates, first)):
        progress("other mappings", number, 0)
        try:
            found = _plan(graph, profile, quick, rates, other)
        except CapacityError:
            continue
        if not _overflows(found):
            ranked = sorted([*ranked, found], key=lambda plan: plan.quality.rank(options.objective))[:_FINALISTS]
    finalists = []
    for number, found in enumerate(ranked):
        progress("placement of the best", number, len(ranked))
        finalists.append(_plan(graph, profile, options, rates, found.partition))
    best = min(
        (first, *(found for found in finalists if not _overflows(found))),
        key=lambda plan: plan.quality.rank(options.objective),
    )
    if options.objective != "traffic":
        return best
    progress("neurons between cores", 0, 0)
    now = with_neurons_moved(graph, profile, options, model, best.partition, best.placement, rates, effort)
    if now is None:
        return best
    after = _routed(graph, profile, options, rates, *now)
    better = not _overflows(after) and after.quality.rank("traffic") < best.quality.rank("traffic")
    return after if better else best


def _plan(
    graph: Graph, profile: Profile, options: MapOptions, rates: dict[str, Reals] | None, cores: Partition,
    chips: tuple[int, ...] | None = None, progress: Progress = silent,
) -> Plan:  # fmt: skip
    """chips: of each core, where they were chosen with the partition."""
    progress("placement", 0, 0)
    wired = connections(graph, cores)
    carried = traffic(graph, cores, wired, rates, options.rate)
    if chips is None:
        pins = _pins(cores, options)
        chips = tuple(max((int(pins[at]) for at in at_core), default=-1) for at_core in _parts_by_core(cores))
    task = problem(
        profile, cores.cores, wired.source, wired.target, carried.spikes, spare=options.spare_cores, chips=chips
    )
    placement = place(task, options.placement, options.seed)
    progress("routes", 0, 0)
    return _routed(graph, profile, options, rates, cores, placement, wired, carried)


def _routed(
    graph: Graph, profile: Profile, options: MapOptions, rates: dict[str, Reals] | None, cores: Partition,
    placement: Placement, wired: Connections | None = None, carried: Traffic | None = None,
) -> Plan:  # fmt: skip
    """A placed partition with its routes. Its cost is that of routes that share links where routers copy spikes."""
    wired = wired or connections(graph, cores)
    carried = carried or traffic(graph, cores, wired, rates, options.rate)
    routing = route(graph, cores, placement, profile, wired, carried)
    if profile.routing.multicast.value:
        joined = joined_hops(graph, cores, placement.core, profile, rates, options.rate)
        placement = placement if joined is None else replace(placement, cost=joined)
    return Plan(cores, placement, routing, quality(graph, profile, cores, wired, placement, routing))


def _fewer(
    graph: Graph, profile: Profile, options: MapOptions, model: CostModel, shared: ByChip | None
) -> tuple[Partition, tuple[int, ...] | None]:
    """The partition with fewer cores: of parts shared out among chips, and of those that may all lie apart. The latter
    are not looked for where the former, whose output axons are few, would have too many by far if all left the chip."""
    if shared is not None:
        wired = connections(graph, shared.partition)
        apart = entries(graph, shared.partition, profile, wired, np.ones_like(wired.neurons))[wired.source >= 0]
        if apart.sum() > _FAR * shared.partition.cores * shared.partition.limit["out_axons"]:
            return shared.partition, shared.chip
    try:
        found = partition(graph, profile, options, model, all_edges_leave_chip=True)
    except CapacityError:
        if shared is None:
            raise
        return shared.partition, shared.chip
    if shared is not None and shared.partition.cores <= found.cores:
        return shared.partition, shared.chip
    return found, None


def _overflows(found: Plan) -> bool:
    return bool((found.routing.out_axons > found.partition.limit["out_axons"]).any())


def _others(
    graph: Graph, profile: Profile, options: MapOptions, rates: dict[str, Reals] | None, first: Plan
) -> Iterator[Partition]:
    """The partitions that might serve the objective better than the first."""
    if profile.crossbar is not None:
        yield from _fillings(graph, profile, options, first)
        return
    # Where bits count before traffic, the parts for the fewest cores stay as they were cut.
    kept = options.objective == "cores" and profile.routing.out_axon_model.value == "ranges"
    cuts = [] if kept else list(_cuts(graph, profile, options, first))
    per_chip = max(1, profile.system.cores_per_chip - options.spare_cores)
    count = first.partition.cores
    on_chips = -(-count // per_chip) * per_chip
    if options.objective in ("cores", "traffic"):
        yield from cuts
        for found in (first.partition, *cuts) if options.share_cores else ():
            wired = connections(graph, found)
            between = part_traffic(found, wired, traffic(graph, found, wired, rates, options.rate).spikes)
            for normal in (False, True):
                yield repacked(graph, found, together(found, between, _pins(found, options), normal))
        return
    work = [_work(graph, profile, options, rates, found) for found in cuts]
    if options.objective == "latency":
        tried = 0
        for most in _levels(cuts, work):
            found = mixed(graph, profile, cuts, work, most)
            few = len(found.parts) <= on_chips and fits(found)
            if few:
                yield found
            elif options.share_cores and len(found.parts) <= _SHARED * on_chips:
                yield from _spread(graph, profile, options, rates, found, on_chips)
            tried += few
            if tried == _TRIED:
                return
        return
    if options.share_cores:
        yield from _spread(graph, profile, options, rates, first.partition, count)
        mean = float(work[0].sum()) / count
        for share in _SHARES:
            yield from _spread(graph, profile, options, rates, mixed(graph, profile, cuts, work, mean * share), count)


def _fillings(graph: Graph, profile: Profile, options: MapOptions, first: Plan) -> Iterator[Partition]:
    """Cores with a crossbar filled anew with fewer neurons each: columns, folds and copies depend on what shares a core
    and on who reads it, so that no part can be moved by itself; and with windows chosen in other ways. Where cores are
    many, only the latter."""
    for found in by_estimate(graph, profile, options):
        yield replace(found, contents=first.partition.contents)
    if first.partition.cores > _MANY_CORES:
        return
    largest = max(part.box.volume for part in first.partition.parts)
    for cap in sorted({int(largest * share) for share in _FINER} - {0}, reverse=True):
        try:
            found = partition(graph, profile, replace(options, max_neurons_per_core=cap))
        except CapacityError:
            return
        # The cap is a means here: what a core can hold, and so the bounds, are those of the first.
        yield replace(found, limit=first.partition.limit, contents=first.partition.contents)


def _levels(cuts: list[Partition], work: list[Reals]) -> list[float]:
    """Bounds on the work of a part, the least first: the most that a part of some population has in some cut."""
    most: dict[tuple[int, str], float] = {}
    for index, (found, each) in enumerate(zip(cuts, work, strict=True)):
        for part, value in zip(found.parts, each.tolist(), strict=True):
            key = (index, part.population)
            most[key] = max(most.get(key, 0.0), value)
    levels = sorted(set(most.values()))
    return levels[:: max(1, len(levels) // _LEVELS)]


def _spread(
    graph: Graph, profile: Profile, options: MapOptions, rates: dict[str, Reals] | None, found: Partition, count: int
) -> Iterator[Partition]:
    """The parts of `found` evenly on `count` cores, if they have room."""
    core = evenly(found, _work(graph, profile, options, rates, found), _pins(found, options), count)
    if core is not None:
        yield repacked(graph, found, core)


def _work(
    graph: Graph, profile: Profile, options: MapOptions, rates: dict[str, Reals] | None, found: Partition
) -> Reals:
    wired = connections(graph, found)
    return part_work(graph, found, wired, traffic(graph, found, wired, rates, options.rate), event_times(profile))


def _cuts(graph: Graph, profile: Profile, options: MapOptions, first: Plan) -> Iterator[Partition]:
    """Partitions with a core for each part and parts ever smaller, under the limits of the first. Empty where the
    first has very many parts already."""
    if len(first.partition.parts) > _MOST_PARTS:
        return
    largest = max(part.box.volume for part in first.partition.parts)
    # More cores than the target has do not matter yet, since parts are going to share them, nor do output axons, which
    # depend on how other populations are cut.
    system = profile.system.model_copy(update={"chip_rows": _MANY})
    core = profile.core.model_copy(update={"out_axons": _MANY})
    roomy = profile.model_copy(update={"system": system, "core": core})
    for share in _FINER:
        cap = int(largest * share)
        if cap < 1:
            return
        try:
            found = partition(graph, roomy, replace(options, max_neurons_per_core=cap, share_cores=False))
        except CapacityError:
            return
        yield replace(found, limit=first.partition.limit, density=first.partition.density)


def _pins(cores: Partition, options: MapOptions) -> Ints:
    """The chip that each part must lie on, -1 for any."""
    chip = dict(options.pins)
    return np.array([chip.get(part.population, -1) for part in cores.parts], np.int64)


def _parts_by_core(cores: Partition) -> list[list[int]]:
    result: list[list[int]] = [[] for _ in range(cores.cores)]
    for index, part in enumerate(cores.parts):
        result[part.core].append(index)
    return result
