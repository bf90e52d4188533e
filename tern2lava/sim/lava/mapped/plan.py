"""Which Lava process executes each part of each core, and which cores share a process of the system. Imports no Lava.

Within a core the choice is that of L1 (process_choice.py): Lava's own processes wherever they are exact, else ours.
Where there are few enough, the parts of a core are Lava processes, each a process of the operating system. Else a Lava
process for each core, or for neighbouring cores, runs the same process models one after the other. The ports are those
of the cores either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tern2lava.compiler.certify.wrapping import refuse_unbounded
from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.effort import LAVA_PROCESSES
from tern2lava.sim.lava.assemble import CoreGroup
from tern2lava.sim.lava.mapped.wiring import Wiring
from tern2lava.sim.lava.parts import neuron_part, synapse_parts
from tern2lava.sim.lava.process_choice import NeuronPlan, SynapsePlan, plan_neuron, plan_synapse, refuse_unknown_kinds
from tern2lava.sim.lava.run import CorePart, MappedUse, Window


@dataclass(frozen=True, eq=False, kw_only=True)
class CorePlan:
    """How a core runs: `graph` as Wiring.core_graph, a plan for each projection and population of it, and the window of
    each population."""

    core: int
    graph: Graph
    synapses: dict[str, SynapsePlan]
    neurons: dict[str, NeuronPlan]
    windows: dict[str, Window]

    @property
    def leaves(self) -> int:
        """Number of Lava processes that the core's parts take: connections, delays in front of them and neurons."""
        return len(self.synapses) + sum(plan.own_delay > 0 for plan in self.synapses.values()) + len(self.neurons)


@dataclass(frozen=True, eq=False, kw_only=True)
class MappedPlan:
    """The whole network for `samples` samples of `steps` steps. shared: places of the cores that run in each process of
    the system; empty: each part of each core is one."""

    wiring: Wiring
    cores: tuple[CorePlan, ...]
    shared: tuple[tuple[int, ...], ...]
    samples: int
    steps: int
    period: int
    lava_steps: int
    use: MappedUse

    @property
    def input_window(self) -> Window:
        """When inputs are given."""
        return Window(
            samples=self.samples, steps=self.steps, period=self.period, start=0, slowdown=self.wiring.slowdown
        )  # fmt: skip


def plan_mapped(
    wiring: Wiring, samples: int, steps: int, processes: int = LAVA_PROCESSES, cores_per_chip: int | None = None
) -> MappedPlan:
    """The plan that takes about `processes` processes of the operating system at most: one at least for all cores, and
    one for each input and readout. cores_per_chip: cores of two chips share none, where there are processes for all
    chips.

    Raises UnsupportedError for neurons that no process executes, and for currents that no 64-bit integer holds.
    """
    graphs = [wiring.core_graph(core) for core in range(len(wiring.cores))]
    for graph in graphs:
        refuse_unknown_kinds(graph)
        refuse_unbounded(graph, steps)
    skews = _skews(wiring)
    slow = wiring.slowdown
    period = steps * slow + max((abs(skew) for each in skews for skew in each.values()), default=0)
    window = Window(samples=samples, steps=steps, period=period, start=0, slowdown=slow)
    cores = []
    for core, graph in enumerate(graphs):
        plan = _plan_core(wiring, core, graph, skews, window)
        cores.append(plan)
    starts = [group.local.start for image in wiring.cores for group in image.groups if group.local is not None]
    beside = len(wiring.host.groups) + len(readouts(wiring))
    leaves = sum(plan.leaves for plan in cores)
    shared: tuple[tuple[int, ...], ...] = ()
    if leaves + beside > processes:
        # Images come in the order of the mapper; cores whose numbers follow each other are beside each other.
        order = sorted(range(len(cores)), key=lambda place: cores[place].core)
        chips = [cores[place].core // cores_per_chip if cores_per_chip else 0 for place in order]
        runs = _neighbours([cores[place].leaves for place in order], chips, max(1, processes - beside))
        shared = tuple(tuple(order[k] for k in run) for run in runs)
    return MappedPlan(
        wiring=wiring, cores=tuple(cores), shared=shared, samples=samples, steps=steps, period=period,
        lava_steps=(samples - 1) * period + (steps - 1) * slow + 1 + max(starts, default=0),
        use=_use(wiring, cores, shared, beside),
    )  # fmt: skip


def groups_of(plan: CorePlan) -> list[CoreGroup]:
    """What a core consists of, as processes are made of it."""
    graph, found = plan.graph, []
    assert graph.arithmetic is not None
    for name in plan.neurons:
        population = graph.population(name)
        wires = []
        for wire in population.inputs:
            projection = graph.projection(wire)
            source = graph[projection.inputs[0]]
            assert isinstance(source, Input)
            wires.append((int(wire[1:]), synapse_parts(plan.synapses[wire], projection, source.shape[0])))
        neuron = neuron_part(plan.neurons[name], population, graph.arithmetic, population.shape[0])
        found.append(CoreGroup(neuron, plan.windows[name], wires))
    return found


def readouts(wiring: Wiring) -> tuple[tuple[int, int], ...]:
    """The groups whose spikes go to no core, (core, group): the host reads them."""
    read = {(each.source, each.group) for each in wiring.connections}
    return tuple(
        (core, group)
        for core, image in enumerate(wiring.cores)
        for group in range(len(image.groups))
        if (core, group) not in read
    )


def _skews(wiring: Wiring) -> list[dict[int, int]]:
    """For each core, by axon range: by how many steps its spikes arrive out of line with the target's window."""
    result: list[dict[int, int]] = [{} for _ in wiring.cores]
    for connection in wiring.connections:
        image = wiring.cores[connection.target]
        block = image.blocks[image.axons[connection.axons].block]
        local = image.groups[block.group].local
        assert local is not None
        arrival = wiring.start_of(connection) + 1 + block.local.delay
        # All routes into an axon range come from one population.
        result[connection.target][connection.axons] = local.start - arrival
    return result


def _plan_core(wiring: Wiring, core: int, graph: Graph, skews: list[dict[int, int]], window: Window) -> CorePlan:
    image = wiring.cores[core]
    neurons: dict[str, NeuronPlan] = {}
    synapses: dict[str, SynapsePlan] = {}
    windows: dict[str, Window] = {}
    for number, group in enumerate(image.groups):
        population = graph.population(f"g{number}")
        assert group.local is not None
        astray = [c for c in wiring.out_of(core, number) if skews[c.target][c.axons]]
        leads = ""
        if astray:
            leads = f"its spikes reach core {wiring.cores[astray[0].target].core} out of line with its window"
        early = _early(wiring, core, skews[core], [int(name[1:]) for name in population.inputs])
        plan = plan_neuron(graph, population, {}, window.steps, leads, early=early, samples=window.samples)
        neurons[population.name] = plan
        windows[population.name] = replace(window, start=group.local.start)
        for name in population.inputs:
            synapses[name] = plan_synapse(graph, graph.projection(name), plan.shift)
    return CorePlan(core=image.core, graph=graph, synapses=synapses, neurons=neurons, windows=windows)


def _early(wiring: Wiring, core: int, skews: dict[int, int], axons: list[int]) -> str:
    """Why spikes can come through these axon ranges before the window of what reads them; empty where none can."""
    for number in axons:
        if skews.get(number, 0) > 0:
            return f"spikes arrive at axon range {number} before its window"
        for route in wiring.into(core, number):
            local = None if route.source is None else wiring.cores[route.source].groups[route.group].local
            if local is not None and local.bias.any():
                return f"{local.name} has a bias, of which it can spike before the sample begins"
    return ""


def _use(wiring: Wiring, cores: list[CorePlan], shared: tuple[tuple[int, ...], ...], beside: int) -> MappedUse:
    """What executes the parts of cores, alike ones together under names that a user knows, and how much there is."""
    names = {group.number: group.name for image in (*wiring.cores, wiring.host) for group in image.groups}
    found: dict[tuple[str, str, str], list[int]] = {}
    for image, plan in zip(wiring.cores, cores, strict=True):
        for number, axons in enumerate(image.axons):
            target = image.groups[image.blocks[axons.block].group].name
            use = plan.synapses[f"b{number}"].use
            found.setdefault((f"{names[axons.source]} to {target}", use.process, use.reason), []).append(image.core)
        for number, group in enumerate(image.groups):
            use = plan.neurons[f"g{number}"].use
            found.setdefault((group.name, use.process, use.reason), []).append(image.core)
    return MappedUse(
        parts=tuple(
            CorePart(cores=tuple(dict.fromkeys(where)), part=part, process=process, reason=reason)
            for (part, process, reason), where in found.items()
        ),
        processes=beside + (len(shared) if shared else sum(plan.leaves for plan in cores)),
        shared=tuple(tuple(cores[place].core for place in places) for places in shared),
        ports=len(wiring.connections) + sum(len(image.groups) for image in wiring.cores),
        connections=len(wiring.connections) + len(readouts(wiring)),
    )


def _neighbours(sizes: list[int], chips: list[int], most: int) -> tuple[tuple[int, ...], ...]:
    """Cores in their order, in at most about `most` runs of about the same number of parts, each within a chip where
    there are no more chips than that."""
    if len(sizes) <= most:
        return tuple((core,) for core in range(len(sizes)))
    middle = np.cumsum(sizes) - np.array(sizes) / 2
    run = np.minimum((middle * most / sum(sizes)).astype(int), most - 1)
    cut = np.diff(run) != 0
    borders = np.diff(chips) != 0
    if borders.sum() < most:
        # A border takes the place of a cut beside it.
        cut = (cut & ~np.append(borders[1:], False) & ~np.append(False, borders[:-1])) | borders
    ends = [0, *(np.flatnonzero(cut) + 1).tolist(), len(sizes)]
    return tuple(tuple(range(begin, end)) for begin, end in pairwise(ends))
