"""A network in C as data: its sources, projections, populations and readouts, and the bytes that they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tern2lava.compiler.ir.graph import Graph, Input, Output, Population, Projection, Readout
from tern2lava.compiler.ir.shapes import size
from tern2lava.export.c.ctypes import UINT32, computing, least_signed
from tern2lava.export.c.layout import Member, struct_bytes, union_bytes
from tern2lava.export.c.names import identifiers
from tern2lava.export.c.neurons import Cells, cells
from tern2lava.export.c.ranges import held, most_steps, sent_range, sums_range
from tern2lava.export.c.readouts import Score, score
from tern2lava.export.c.schedule import Schedule, schedule
from tern2lava.export.c.spikes import Source
from tern2lava.export.c.synapses import Synapses, synapses


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """A network in C. sources: by name, inputs first; synapses: each projection once; cells: in the order of a step.

    most: the steps that a sample may have at most (None: any number)."""

    graph: Graph
    prefix: str
    sources: Mapping[str, Source]
    inputs: tuple[Source, ...]
    synapses: tuple[Synapses, ...]
    cells: tuple[Cells, ...]
    scores: tuple[Score, ...]
    plan: Schedule
    most: int | None

    @property
    def counts_calls(self) -> bool:
        """Whether the calls since the last reset are counted."""
        return self.plan.latency > 0 or self.most is not None

    def members(self) -> list[Member]:
        """The state but for the sums, widest elements first."""
        found = [Member("calls", UINT32)] if self.counts_calls else []
        if self.plan.latency:
            found.append(Member("drained", UINT32))
        for source in self.sources.values():
            found.append(Member(source.array, source.element, (source.slots, source.width)))
            if source.slots > 1:
                found.append(Member(f"head_{source.id}", source.head))
        for made in self.cells:
            found += made.members()
        for each in self.scores:
            found += each.members()
        return found

    def sums(self) -> dict[str, list[Member]]:
        """For each population with synapses, the sums that it needs while it makes its step."""
        return {
            made.id: [Member(f"by_{wire.id}", wire.sum, (made.source.size,)) for wire in made.received]
            for made in self.cells
            if made.received
        }

    @property
    def ram_bytes(self) -> int:
        """Bytes of the state, where every element is aligned to its size."""
        _, align = struct_bytes(self.members())
        shared, wide = union_bytes(list(self.sums().values()))
        # The members lie widest first, and the union of sums where its alignment stands among them.
        before = sum(m.bytes for m in self.members() if m.kind.bytes >= wide)
        after = sum(m.bytes for m in self.members() if m.kind.bytes < wide)
        most = max(align, wide)
        return -(-(-(-before // wide) * wide + shared + after) // most) * most


def model(graph: Graph, prefix: str) -> Model:
    """An INTEGER network in C. Raises UnsupportedError for what has none."""
    plan = schedule(graph)
    populations = {p.name: p for p in graph.of_kind(Population)}
    inputs = graph.of_kind(Input)
    called = identifiers([*(n.name for n in inputs), *populations])
    shapes = {n.name: n.shape for n in inputs} | {p.name: p.shape for p in populations.values()}
    sources = {}
    for name, shape in shapes.items():
        low, high = sent_range(graph, name)
        sources[name] = Source(
            name=name, id=called[name], size=size(shape), low=low, high=high, slots=plan.slots[name]
        )  # fmt: skip
    most = most_steps(graph)
    outputs = graph.of_kind(Output)
    for output in outputs:
        if output.step_weights is not None and output.step_weights.ndim:
            most = min(len(output.step_weights), most or len(output.step_weights))
    wires = {}
    projections = graph.of_kind(Projection)
    for projection, name in zip(projections, identifiers(p.name for p in projections).values(), strict=True):
        kind = least_signed(*sums_range(graph, projection))
        wires[projection.name] = synapses(projection, name, sources[projection.inputs[0]], kind)
    read = {o.inputs[0] for o in outputs if o.readout is not Readout.SPIKE_COUNT}
    steps = most_steps(graph)
    made = tuple(
        cells(
            graph, populations[name], sources[name], [wires[w] for w in populations[name].inputs], steps, name in read
        )
        for name in plan.order
    )
    scores = []
    for output, name in zip(outputs, identifiers(o.name for o in outputs).values(), strict=True):
        population = populations[output.inputs[0]]
        found = held(graph, population, steps)
        scores.append(score(output, name, population, sources[population.name], computing(found.largest).bytes > 4))
    return Model(
        graph=graph, prefix=prefix, sources=sources, inputs=tuple(sources[n.name] for n in inputs),
        synapses=tuple(wires[name] for made_cells in made for name in made_cells.population.inputs), cells=made,
        scores=tuple(scores), plan=plan, most=most,
    )  # fmt: skip
