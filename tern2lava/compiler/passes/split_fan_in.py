"""Pass: neurons with more inputs than one of the target can have get them as partial sums from relay neurons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import networkx
import numpy as np

from tern2lava.compiler.certify.ranges import input_range, payload_width
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Node, Population, Projection, Reset
from tern2lava.compiler.ir.linear import per_neuron
from tern2lava.compiler.ir.shapes import ConvGeometry, Ints, compact, frozen, size
from tern2lava.compiler.ir.slices import incoming, mapped_shape
from tern2lava.compiler.ir.timing import in_source_time
from tern2lava.compiler.passes.divide_fan_in import divide, width
from tern2lava.compiler.passes.expand_pooling import unpooled
from tern2lava.compiler.passes.retime import pipeline_latencies
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.findings import alone, replaced
from tern2lava.hw_profiles import NO_CHIP, Profile, known_profiles

RELAY = "relay"
# What a relay sends is an int32 in every execution.
WIDEST = 32


def split_fan_in(graph: Graph, profile: Profile | None) -> Graph:
    """The INTEGER graph in which no neuron has more inputs than one of the target can have. Exact.

    The inputs of a projection are divided into parts, each with a population of relays that send their partial sum, an
    integer, as one graded spike:
        gain * (weight @ x) = sum over parts j of gain * r_j,      r_j = weight[:, part j] @ x[part j]
    An integer sum does not depend on the order of its terms, and no relay rounds, overflows or keeps anything: its sums
    lie within the payload of a spike and the width of the state, whatever the input. So u and v take the same values in
    the same steps of the source. Each level of relays takes one hardware timestep more, which retime.pipeline_latencies
    gives to everything behind it; in a loop that has none to spare all steps take more of them. Where the relays are
    too many themselves, relays of relays follow.

    Projections that are narrow enough stay, those in loops before others. Unchanged where nothing is too wide, where no
    target is named, and where its neurons do not relay (mapping refuses that with the numbers). Raises CapacityError
    for what cannot be divided, UnsupportedError for sums wider than a payload.
    """
    if profile is None or RELAY not in profile.neuron.kinds.value:
        return graph
    limit = _Limit.of(graph, profile)
    wide = {p.name: p for p in graph.of_kind(Population) if limit.exceeded(limit.widths(graph, p)) is not None}
    if not wide:
        return graph
    nodes: list[Node] = []
    splits: list[_Split] = []
    gone: set[str] = set()
    plain = in_source_time(graph)
    taken = {node.name for node in graph.nodes}
    for node in plain.nodes:
        if isinstance(node, Population) and node.name in wide:
            with alone() as each:
                split = _Split(plain, node, limit, taken)
                split.run()
                splits.append(split)
                nodes += split.nodes()
                gone |= set(split.sums)
            if each.refused:
                replaced(node.name)
                nodes.append(node)
        else:
            nodes.append(node)
    result = _in_chip_time(plain.with_nodes(node for node in nodes if node.name not in gone))
    return result.with_nodes(result.nodes, notes=[split.note(result) for split in splits])


@dataclass(frozen=True)
class _Limit:
    """What a neuron of the target can have: synapses, input axons, and bits of a graded spike; top: its largest sum."""

    synapses: int
    axons: int
    payload: int
    top: int
    pooled: bool

    @classmethod
    def of(cls, graph: Graph, profile: Profile) -> _Limit:
        assert graph.arithmetic is not None
        payload = min(profile.routing.payload_bits.value, WIDEST)
        top, pooled = graph.arithmetic.state_max, profile.routing.axon_sums.value
        return cls(profile.core.fan_in.value, profile.core.in_axons.value, payload, top, pooled)

    def widths(self, graph: Graph, population: Population) -> list[tuple[int, int]]:
        """(synapses, axons) of each projection into a population."""
        return [width(p if self.pooled else unpooled(p)) for p in incoming(graph, population)]

    def exceeded(self, widths: list[tuple[int, int]]) -> tuple[str, int, int] | None:
        """(resource, need, have) of the first limit that a neuron with these inputs exceeds."""
        synapses, axons = sum(w[0] for w in widths), sum(w[1] for w in widths)
        for name, need, have in (("fan_in", synapses, self.synapses), ("in_axons", axons, self.axons)):
            if need > have:
                return name, need, have
        return None

    def carries(self, low: Ints, high: Ints) -> bool:
        """Whether a spike can carry every sum from low to high."""
        least, most = min(int(low.min()), 0), max(int(high.max()), 0)
        return payload_width(least, most) <= self.payload and max(-least, most) <= self.top


@dataclass(frozen=True, eq=False)
class _Sum:
    """What one population of relays sends: low and high by channel, whatever the input."""

    relay: Population
    low: Ints
    high: Ints


@dataclass(eq=False)
class _Split:
    """One population whose fan-in is being split. kept: projections as they were; sums: by projection, the relays whose
    sums the population adds up; made: new nodes."""

    graph: Graph
    population: Population
    limit: _Limit
    taken: set[str]
    kept: dict[str, Projection] = field(default_factory=dict)
    sums: dict[str, list[_Sum]] = field(default_factory=dict)
    made: list[Node] = field(default_factory=list)
    whole: dict[str, Projection] = field(init=False)
    wide: tuple[str, int, int] | None = field(init=False)

    def __post_init__(self) -> None:
        self.whole = {p.name: p for p in incoming(self.graph, self.population)}
        self.kept = {n: p if self.limit.pooled else unpooled(p) for n, p in self.whole.items()}
        self.wide = self.limit.exceeded(self._widths())

    def run(self) -> None:
        """Split projections, or add levels of relays to those split, until the neurons' inputs are within the limits.

        The split that removes most inputs comes first; projections in loops come last.
        """
        loops = _in_loops(self.graph, self.population)
        while (over := self.limit.exceeded(self._widths())) is not None:
            name, need, have = over
            choices = [
                (p in loops, -self._gained(p, 0 if name == "fan_in" else 1), place)
                for place, p in enumerate(self.whole)
            ]
            _, gained, place = min((c for c in choices if c[1] < 0), default=(False, 0, -1))
            if gained == 0:
                hint = f"let it read at most {have:,} layers; fewer of them change the network"
                raise CapacityError(self.population.name, f"{name} for partial sums", need, have, hint)
            chosen = list(self.whole)[place]
            if chosen in self.kept:
                self._divide(self.kept.pop(chosen))
            else:
                self._gather(chosen)

    def nodes(self) -> list[Node]:
        """The new nodes and the population that reads them."""
        inputs: list[str] = []
        for name, projection in self.whole.items():
            if name in self.kept:
                inputs.append(name)
                continue
            gain = self._channel_gain(projection)
            inputs += [self._passing(each, name, gain).name for each in self.sums[name]]
        return [*self.made, replace(self.population, inputs=tuple(inputs))]

    def note(self, result: Graph) -> str:
        """What was done, for reports; `result` is the graph in chip time."""
        assert self.wide is not None
        name, need, have = self.wide
        relays = [node for node in self.made if isinstance(node, Population)]
        neurons = sum(size(relay.shape) for relay in relays)
        behind = max(_levels(result, each) for each in self.sums)
        # A relay takes at most `have` inputs away and is one itself.
        least = -(-(need - have) // max(1, have - 1))
        return (
            f"{self.population.name}: {need:,} {name} of a neuron exceed {have:,}; split over {len(relays):,} relays a "
            f"neuron ({neurons:,} in all; no split has fewer than {least:,} a neuron), "
            f"+{behind} step{'s' if behind > 1 else ''} of latency"
        )

    def _widths(self) -> list[tuple[int, int]]:
        return [width(p) for p in self.kept.values()] + [(len(sums), len(sums)) for sums in self.sums.values()]

    def _gained(self, name: str, which: int) -> int:
        """Inputs fewer (synapses: 0, axons: 1) once `name` is split, or its relays are."""
        most = min(self.limit.synapses, self.limit.axons)
        before = width(self.kept[name])[which] if name in self.kept else len(self.sums[name])
        return before - -(-before // most) if most > 1 else 0

    def _divide(self, projection: Projection) -> None:
        """Split a projection into parts with a relay each, as wide as the limits and the spike payload allow."""
        most = min(self.limit.synapses, width(projection)[0])
        parts, ranges, fits = self._parts(projection, most)
        fewest, last = 1, most
        while not fits and fewest < last:
            # Sums of fewer inputs are narrower: the most that fit, by halving.
            middle = (fewest + last + 1) // 2
            fewest, last = (middle, last) if self._parts(projection, middle)[2] else (fewest, middle - 1)
            if fewest == last:
                parts, ranges, fits = self._parts(projection, fewest)
        if not fits:
            self._refuse(*max(ranges, key=lambda r: int(np.maximum(-r[0], r[1]).max())))
        self.sums[projection.name] = []
        for part, (low, high) in zip(parts, ranges, strict=True):
            part = replace(part, name=self._free(part.name))
            self.made.append(part)
            self._relay(projection.name, (part,), low, high)

    def _parts(self, projection: Projection, most: int) -> tuple[list[Projection], list[tuple[Ints, Ints]], bool]:
        """Parts of at most `most` synapses a neuron, the ranges of their sums, and whether spikes can carry those."""
        parts = divide(projection, most, self.limit.axons)
        if parts is None:
            g = projection.geometry
            assert g is not None
            raise CapacityError(
                self.population.name, "inputs of one kernel tap in a group of channels", g.in_shape[0] // g.groups,
                min(most, self.limit.axons), "choose a target with more input axons; smaller groups change the network",
            )  # fmt: skip
        ranges = [input_range(part, self.graph) for part in parts]
        return parts, ranges, all(self.limit.carries(low, high) for low, high in ranges)

    def _gather(self, name: str) -> None:
        """Add one more level of relays to a projection: each sums several relays of the last level."""
        sums, self.sums[name] = self.sums[name], []
        most = min(self.limit.synapses, self.limit.axons)
        while sums:
            count = min(most, len(sums))
            while not self.limit.carries(*_total(sums[:count])):
                count -= 1
            if count == 1:
                if len(sums) > 1:
                    self._refuse(*_total(sums[:2]))
                self.sums[name].append(sums.pop())
                continue
            low, high = _total(sums[:count])
            inputs = tuple(self._passing(each, name, frozen(1, np.int64)) for each in sums[:count])
            self._relay(name, inputs, low, high)
            sums = sums[count:]

    def _refuse(self, low: Ints, high: Ints) -> None:
        need = payload_width(int(low.min()), int(high.max()))
        others = (profile for profile in known_profiles() if profile.name not in NO_CHIP)
        wider = [p.name for p in others if RELAY in p.neuron.kinds.value and p.routing.payload_bits.value >= need]
        raise UnsupportedError(
            self.population.name, f"partial sums within a spike's payload of {self.limit.payload} bits",
            f"sums from {int(low.min()):,} to {int(high.max()):,}",
            f"choose a target that relays wider sums ({', '.join(wider) or 'none that is shipped'}); fewer inputs "
            "change the network",
        )  # fmt: skip

    def _relay(self, name: str, inputs: tuple[Projection, ...], low: Ints, high: Ints) -> None:
        arithmetic = self.graph.arithmetic
        assert arithmetic is not None
        number = sum(isinstance(node, Population) for node in self.made)
        levels = (min(int(low.min()), 0), max(int(high.max()), 0))
        relay = make_relay(
            self._free(f"{self.population.name}.{RELAY}{number}"), tuple(p.name for p in inputs),
            self.population.shape, levels, arithmetic,
        )  # fmt: skip
        self.made.append(relay)
        self.sums[name].append(_Sum(relay, low, high))

    def _passing(self, each: _Sum, part_of: str, gain: Ints) -> Projection:
        """The synapses from each relay to its neuron, made: a convolution of one tap, channels apart."""
        shape = mapped_shape(self.graph, self.population)
        image = (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)
        projection = Projection(
            name=self._free(f"{each.relay.name}.sum"), inputs=(each.relay.name,),
            weight=frozen(np.ones((image[0], 1, 1, 1)), np.int8), gain=gain, part_of=part_of,
            geometry=ConvGeometry(
                in_shape=image, out_shape=image, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=image[0],
            ),
        )  # fmt: skip
        self.made.append(projection)
        return projection

    def _channel_gain(self, projection: Projection) -> Ints:
        """The projection's gain for `_passing`: one, or one for each channel."""
        shape = mapped_shape(self.graph, self.population)
        gain = compact(per_neuron(projection.gain, projection).reshape(shape), shape).reshape(-1)
        if gain.size not in (1, shape[0]):
            raise UnsupportedError(
                self.population.name, "one scale for each channel behind relays", "a scale for each neuron",
                f"choose a target of more than {self.limit.synapses:,} inputs; one scale changes the network",
            )  # fmt: skip
        return frozen(gain[0] if gain.size == 1 else gain)

    def _free(self, name: str) -> str:
        """`name`, or one like it that no node has; taken from now on."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def make_relay(
    name: str, inputs: tuple[str, ...], shape: tuple[int, ...], levels: tuple[int, int], arithmetic: Arithmetic
) -> Population:
    """A population of relays (see ir.Population) that starts at 0."""
    none, whole = frozen(0, np.int64), frozen(1 << arithmetic.decay_bits, np.int64)
    return Population(
        name=name, inputs=inputs, shape=shape, decay_u=whole, decay_v=whole, bias=none, threshold=none,
        reset=Reset.NONE, reset_amount=none, v_init=none, lsb=frozen(1.0), start=0, levels=levels,
    )  # fmt: skip


def _total(sums: list[_Sum]) -> tuple[Ints, Ints]:
    return np.sum([each.low for each in sums], axis=0), np.sum([each.high for each in sums], axis=0)


def _levels(graph: Graph, name: str) -> int:
    """How many relays follow each other between a projection's source and its target."""
    depth: dict[str, int] = {}
    for node in graph.nodes:
        if isinstance(node, Population) and node.levels is not None:
            parts = graph.projections(node.inputs)
            if parts[0].part_of == name:
                depth[node.name] = 1 + max(depth.get(p.inputs[0], 0) for p in parts)
    return max(depth.values())


def _in_loops(graph: Graph, population: Population) -> set[str]:
    """The projections into a population that it can reach itself."""
    digraph = networkx.DiGraph()
    for target in graph.of_kind(Population):
        digraph.add_edges_from((p.inputs[0], target.name) for p in incoming(graph, target))
    behind = networkx.descendants(digraph, population.name) | {population.name}
    return {p.name for p in incoming(graph, population) if p.inputs[0] in behind}


def _in_chip_time(graph: Graph) -> Graph:
    """The graph with pipeline latencies, chip delays and slowdown for all that it holds now."""
    timing = pipeline_latencies(graph)
    nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
    for population in graph.of_kind(Population):
        nodes[population.name] = replace(population, start=timing.latency[population.name])
        for projection in incoming(graph, population):
            nodes[projection.name] = replace(projection, delay=timing.chip_delay(projection, population.name))
    slower = timing.note() if timing.slowdown > graph.slowdown else ()
    return replace(graph.with_nodes(nodes.values(), notes=slower), slowdown=timing.slowdown)
