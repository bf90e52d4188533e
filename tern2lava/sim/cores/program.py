"""Core images as programs of the fast engine: every neuron group a program of its own, fed along the routes.

Nothing but the images is read: weights and parameters are those decoded from their bytes, and what a group sees is put
together from the routes that end in its axons (sim.cores.routes). A group whose sources are all known is executed for
whole spike trains at a time; groups in a loop, across cores or not, hardware timestep by hardware timestep
(sim.cores.loop).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import networkx
import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.image.core_image import CoreImage
from tern2lava.compiler.ir.graph import Graph, Input, Level, Projection
from tern2lava.compiler.ir.shapes import Pooling, Spikes
from tern2lava.sim.cores.loop import Loop
from tern2lava.sim.cores.reference import slowdown_of
from tern2lava.sim.cores.result import Result
from tern2lava.sim.cores.routes import Gather, Place, fill, gathers
from tern2lava.sim.engine.program import Program, prepare
from tern2lava.sim.engine.run import run as run_engine

NOTHING = "nothing"


@dataclass(frozen=True, eq=False)
class Stage:
    """One group and its program, or groups in a loop. reads: gathers whose rows are its Inputs, by name. last: those
    of them that no later stage reads."""

    groups: tuple[Place, ...]
    program: Program | Loop
    reads: dict[str, int]
    last: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CoreProgram:
    """Images ready to run; the host's groups are those of image `host`, behind the cores."""

    gathers: tuple[Gather, ...]
    stages: tuple[Stage, ...]
    host: int

    def run(
        self, inputs: dict[int, Spikes], *, states: bool, driven: Mapping[Place, Spikes] | None = None
    ) -> Iterator[Result]:
        """What each group does on `inputs`, by group of the host (samples, steps, neurons), in an order in which each
        is computed after what it reads. driven: of some groups, what others receive in the place of their spikes."""
        driven = driven or {}
        samples, steps = next(iter(inputs.values())).shape[:2]
        rows: dict[Place, Spikes] = {(self.host, g): values for g, values in inputs.items()}
        gathered: dict[int, Spikes] = {}
        for stage in self.stages:
            for k in stage.reads.values():
                if k not in gathered:
                    gathered[k] = fill(self.gathers[k], rows, samples, steps)
            given = {name: gathered[k] for name, k in stage.reads.items()}
            if not given:
                # Neurons that no synapse reaches; what stands here says only how long they run.
                given[NOTHING] = np.zeros((samples, steps, 1), np.uint8)
            if isinstance(stage.program, Loop):
                results = stage.program.run(given, samples, steps, states, driven)
            else:
                trace = run_engine(stage.program, given, states=states, threads=1).trace
                (name,) = trace.spikes
                one = Result(stage.groups[0], trace.spikes[name], trace.u.get(name), trace.v.get(name))
                results = iter([one])
            for result in results:
                forced = driven.get(result.place)
                rows[result.place] = result.spikes if forced is None else forced.astype(result.spikes.dtype)
                yield result
            for k in stage.last:
                del gathered[k]


def prepare_cores(images: list[CoreImage], host: CoreImage, levels: list[tuple[int, int]]) -> CoreProgram:
    """The program of core images. levels: range of the values of each input, in the order of the host's groups.

    Raises InputError where a route leads to a core or axon range that is not there, or one for another population.
    """
    everything = [*images, host]
    slowdown_of(everything)
    found, of_axons = gathers(everything)
    reads: dict[Place, dict[str, int]] = {}
    for c, image in enumerate(images):
        for g in range(len(image.groups)):
            axons = [a for a, each in enumerate(image.axons) if image.blocks[each.block].group == g]
            reads[c, g] = {f"{c}.{a}": of_axons[c, a] for a in axons}
    stages: list[Stage] = []
    for members in _order(reads, found):
        inside = set(members)
        own = {name: k for member in members for name, k in reads[member].items()}
        looped = any(feed.source in inside for k in own.values() for feed in found[k].feeds)
        if looped:
            loop = Loop(everything, members, found, of_axons)
            stages.append(Stage(members, loop, loop.outside, ()))
            continue
        graph = _group_graph(everything, members[0], own, found, levels)
        stages.append(Stage(members, prepare(graph), own, ()))
    return CoreProgram(found, _with_last(stages), len(images))


def _order(reads: dict[Place, dict[str, int]], found: tuple[Gather, ...]) -> list[tuple[Place, ...]]:
    """Groups (those of a loop together) in an order in which each comes after what it reads."""
    digraph = networkx.DiGraph()
    digraph.add_nodes_from(reads)
    for place, names in reads.items():
        sources = {feed.source for k in names.values() for feed in found[k].feeds}
        digraph.add_edges_from((source, place) for source in sources if source in reads)
    condensed = networkx.condensation(digraph)
    members = condensed.nodes(data="members")
    return [tuple(sorted(members[n])) for n in networkx.lexicographical_topological_sort(condensed)]


def _group_graph(
    everything: list[CoreImage], place: Place, reads: dict[str, int], found: tuple[Gather, ...],
    levels: list[tuple[int, int]],
) -> Graph:  # fmt: skip
    """A group alone as an INTEGER graph. A source's rows count from its own start, which its spikes wait for."""
    c, g = place
    image = everything[c]
    local = image.groups[g].local
    assert local is not None
    inputs: list[Input] = [] if reads else [Input(name=NOTHING, shape=(1,))]
    projections: list[Projection] = []
    for name, k in reads.items():
        axons = image.axons[int(name.partition(".")[2])]
        low, high, start = _source(everything, found[k], levels)
        shape = axons.box.extent if axons.window != (1, 1) else (axons.box.volume,)
        inputs.append(Input(name=name, shape=shape, levels=(low * found[k].most, high * found[k].most)))
        block = image.blocks[axons.block].local
        pooling = None
        if axons.window != (1, 1):
            channels, height, width = axons.box.extent
            pooling = Pooling(in_shape=(channels, height, width), window=axons.window)
        projections.append(
            replace(block, name=f"block {name}", inputs=(name,), delay=block.delay + start, pooling=pooling)
        )
    population = replace(local, name="neurons", inputs=tuple(p.name for p in projections))
    return Graph(
        level=Level.INTEGER, arithmetic=image.arithmetic, nodes=(*inputs, *projections, population),
        slowdown=image.slowdown,
    )  # fmt: skip


def _source(everything: list[CoreImage], gather: Gather, levels: list[tuple[int, int]]) -> tuple[int, int, int]:
    """Least and largest value that is gathered from one feed, and the start of the population it comes from."""
    if not gather.feeds:
        return 0, 1, 0
    c, g = gather.feeds[0].source
    local = everything[c].groups[g].local
    if local is None:
        return *levels[g], 0
    return *emitted_range(local), local.start


def _with_last(stages: list[Stage]) -> tuple[Stage, ...]:
    """The stages, each with the gathers that it is the last to read."""
    last: dict[int, int] = {}
    for index, stage in enumerate(stages):
        last |= dict.fromkeys(stage.reads.values(), index)
    return tuple(
        replace(stage, last=tuple(k for k, user in last.items() if user == index)) for index, stage in enumerate(stages)
    )
