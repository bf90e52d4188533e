"""A search for the inputs on which integers part furthest from the real dynamics: all inputs where they are few, else
random ones that are bettered again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.compiler.progress import Progress, silent
from tern2lava.sim.verify.deviation import part

# Inputs of a network up to which all of them are tried.
FEW = 1 << 20
# Inputs run together, and the best ones of a population that others are made of. Chosen.
TOGETHER, PARENTS = 64, 8
# Values of an input up to which the synapses of neurons are looked at.
WIDEST = 4096
# A difference of float64 potentials is taken for one of the integers beyond this part of the bound or of one weight.
NOISE = 1e-9

Inputs = Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The worst input of one population: its deviation there (in units of the synapses' scale), step and neuron.
    random: the largest deviation on random inputs; bound: that of its certificate, None: none holds for every input.
    tried, differing: inputs that were tried, and those on which its spikes differ though its sources' do not.
    first: of these, the step of the first that was found; None: there is none. sample: place of the worst input in the
    file; differing_sample: that of the first on which spikes differ."""

    population: str
    verdict: str
    deviation: float
    random: float
    bound: float | None
    step: int
    neuron: int
    tried: int
    differing: int
    first: int | None
    sample: int = 0
    differing_sample: int | None = None

    @property
    def excess(self) -> bool:
        """Whether the certificate is refuted: a potential parts by more than its bound."""
        return self.bound is not None and self.deviation > self.bound * (1 + NOISE) + NOISE


@dataclass(frozen=True, eq=False, kw_only=True)
class Worst:
    """What was found. inputs: for each Input the inputs that are told of, (samples, steps, *shape). every: whether all
    inputs of the network were tried, so that nothing is worse."""

    found: tuple[Found, ...]
    inputs: dict[str, Array]
    every: bool
    tried: int
    steps: int

    @property
    def excess(self) -> bool:
        """Whether a certificate is refuted."""
        return any(found.excess for found in self.found)


@dataclass(frozen=True, kw_only=True)
class Certified:
    """What a certificate says of a population; bound: None where none holds for every input."""

    verdict: str
    bound: float | None


@dataclass(eq=False)
class _Best:
    """The best inputs of one population so far, best first, and what else is known of it."""

    pool: list[tuple[float, dict[str, Array], tuple[int, int]]] = field(default_factory=list)
    random: float = 0.0
    tried: int = 0
    differing: int = 0
    first: tuple[int, dict[str, Array]] | None = None


def search(
    real: Graph, program: Graph, certified: Mapping[str, Certified], steps: int, tries: int, seed: int = 0,
    few: int = FEW,
    progress: Progress = silent,
) -> Worst:  # fmt: skip
    """The worst inputs of `steps` steps of every population: of all inputs, where these are at most `few`, else of
    `tries` random ones and as many again for each population, made of the best ones. The same for the same seed."""
    nodes = program.of_kind(Input)
    names = [p.name for p in program.of_kind(Population) if p.name in real.by_name]
    best = {name: _Best() for name in names}
    every = inputs_in_all(program, steps, few)
    # No more together than a few million values.
    neurons = sum(size(x.shape) for x in nodes) + sum(size(x.shape) for x in program.of_kind(Population))
    together = max(1, min(TOGETHER if every is None else 1 << 12, (1 << 22) // max(1, neurons * steps)))
    run = _Search(real, program, nodes, best, np.random.default_rng(seed), steps)
    done, total = 0, every if every is not None else tries * (1 + len(names))
    if every is not None:
        for batch in all_inputs(nodes, steps, together):
            done += run.judge(batch, random=False)
            progress("inputs", done, total)
    else:
        while done < tries:
            done += run.judge(run.random(min(together, tries - done)), random=True)
            progress("inputs", done, total)
        for name in names:
            for first in range(0, tries, together):
                count = min(together, tries - first)
                driven = run.driven(name, count) if first == 0 else None
                done += run.judge(driven or run.children(name, count), random=False)
                progress("inputs", done, total)
    return _worst(best, certified, nodes, every is not None, done, steps)


def inputs_in_all(program: Graph, steps: int, few: int = FEW) -> int | None:
    """The number of inputs of `steps` steps that the network has; None: more than `few`."""
    count = 1
    for node in program.of_kind(Input):
        choices = node.levels[1] - node.levels[0] + 1
        if steps * size(node.shape) > few.bit_length():
            return None
        count *= choices ** (steps * size(node.shape))
    return count if count <= few else None


def all_inputs(nodes: tuple[Input, ...], steps: int, together: int) -> Iterator[dict[str, Array]]:
    """Every input, in pieces."""
    places = [(node, steps * size(node.shape)) for node in nodes]
    values = [range(node.levels[0], node.levels[1] + 1) for node, count in places for _ in range(count)]
    rows: list[tuple[int, ...]] = []

    def piece() -> dict[str, Array]:
        table, first, result = np.array(rows, np.int32), 0, {}
        for node, count in places:
            result[node.name] = table[:, first : first + count].reshape(len(rows), steps, *node.shape)
            first += count
        return result

    for row in product(*values):
        rows.append(row)
        if len(rows) == together:
            yield piece()
            rows = []
    if rows:
        yield piece()


@dataclass(frozen=True, eq=False)
class _Search:
    real: Graph
    program: Graph
    nodes: tuple[Input, ...]
    best: dict[str, _Best]
    rng: np.random.Generator
    steps: int

    def judge(self, inputs: dict[str, Array], random: bool) -> int:
        """Run `inputs`, keep what is better than what is known; their number."""
        count = len(next(iter(inputs.values())))
        for name, found in part(self.real, self.program, inputs).items():
            best = self.best[name]
            best.tried += count
            best.differing += int(np.count_nonzero(found.differs >= 0))
            for k in np.argsort(-found.furthest, kind="stable")[:PARENTS]:
                value, place = float(found.furthest[k]), (int(found.at[k, 0]), int(found.at[k, 1]))
                if len(best.pool) < PARENTS or value > best.pool[-1][0]:
                    best.pool.append((value, {n: x[k].copy() for n, x in inputs.items()}, place))
                    best.pool.sort(key=lambda entry: -entry[0])
                    del best.pool[PARENTS:]
            if random:
                best.random = max(best.random, float(found.furthest.max()))
            if best.first is None and (found.differs >= 0).any():
                k = int((found.differs >= 0).argmax())
                best.first = int(found.differs[k]), {n: x[k].copy() for n, x in inputs.items()}
        return count

    def random(self, count: int) -> dict[str, Array]:
        """Inputs of every density."""
        rng, result = self.rng, {}
        share = rng.random((count, 1))
        for node in self.nodes:
            shape = (count, self.steps * size(node.shape))
            drawn = rng.integers(node.levels[0], node.levels[1] + 1, shape)
            if node.levels[0] == 0:
                drawn = np.where(rng.random(shape) < 0.5, drawn, node.levels[1])
            rest = min(max(0, node.levels[0]), node.levels[1])
            values = np.where(rng.random(shape) < share, drawn, rest)
            result[node.name] = values.reshape(count, self.steps, *node.shape).astype(np.int32)
        return result

    def driven(self, name: str, count: int) -> dict[str, Array] | None:
        """Inputs that drive neurons of a population as far down or up as their synapses do, from a step on or all the
        time; None where it does not read inputs of the network, or reads too many of them."""
        wires = [p for p in self.real.projections(self.real.neuron(name).inputs) if p.inputs[0] in self.sources]
        if not wires or any(size(self.sources[p.inputs[0]].shape) > WIDEST for p in wires):
            return None
        rng, result = self.rng, self.random(count)
        neurons = size(self.real.neuron(name).shape)
        chosen, turn = rng.integers(neurons, size=count), rng.integers(-1, self.steps, size=count)
        for wire in wires:
            node = self.sources[wire.inputs[0]]
            row = accumulate(wire, np.eye(size(node.shape), dtype=np.int8))[:, chosen].T
            low, high = node.levels
            down, up = np.where(row < 0, high, min(low, 0)), np.where(row > 0, high, min(low, 0))
            down = np.where(row == 0, 0, np.where(row > 0, low, down))
            up = np.where(row == 0, 0, np.where(row < 0, low, up))
            late = np.arange(self.steps)[None, :] > turn[:, None]
            first, then = (down, up) if rng.random() < 0.5 else (up, down)
            values = np.where(late[:, :, None], first[:, None], then[:, None])
            result[node.name] = values.reshape(count, self.steps, *node.shape).astype(np.int32)
        return result

    @property
    def sources(self) -> dict[str, Input]:
        """The inputs of the network by name."""
        return {node.name: node for node in self.nodes}

    def children(self, name: str, count: int) -> dict[str, Array]:
        """Inputs made of the best ones of a population: two of them joined at a step, values drawn anew in a few places
        or in a whole step, a source held at one value, everything moved by a step."""
        rng, pool = self.rng, self.best[name].pool
        made: dict[str, list[Array]] = {node.name: [] for node in self.nodes}
        for _ in range(count):
            parent, other = (pool[int(rng.integers(len(pool)))][1] for _ in range(2))
            kind, cut = int(rng.integers(6)), int(rng.integers(self.steps))
            for node in self.nodes:
                x = parent[node.name].reshape(self.steps, -1).copy()
                mate = other[node.name].reshape(self.steps, -1)
                low, high = node.levels
                places = 1 << int(rng.integers(0, max(1, x.size.bit_length() - 2)))
                if kind == 0:
                    x[cut:] = mate[cut:]
                elif kind == 1:
                    x = np.roll(x, int(rng.choice([-1, 1])), axis=0)
                elif kind == 2:
                    x[cut] = rng.integers(low, high + 1, x.shape[1])
                elif kind == 3:
                    x[: cut + 1, int(rng.integers(x.shape[1]))] = int(rng.integers(low, high + 1))
                where = rng.integers(x.size, size=places)
                x.reshape(-1)[where] = rng.integers(low, high + 1, places)
                made[node.name].append(x.reshape(self.steps, *node.shape))
        return {name: np.stack(values) for name, values in made.items()}


def _worst(
    best: dict[str, _Best], certified: Mapping[str, Certified], nodes: tuple[Input, ...], every: bool, tried: int,
    steps: int,
) -> Worst:  # fmt: skip
    told: list[dict[str, Array]] = []
    found = []
    for name, one in best.items():
        value, inputs, (step, neuron) = one.pool[0]
        told.append(inputs)
        place = len(told) - 1
        if one.first is not None:
            told.append(one.first[1])
        says = certified.get(name, Certified(verdict="", bound=None))
        found.append(
            Found(
                population=name, verdict=says.verdict, deviation=value, random=one.random, bound=says.bound, step=step,
                neuron=neuron, tried=one.tried, differing=one.differing, sample=place,
                first=None if one.first is None else one.first[0],
                differing_sample=None if one.first is None else place + 1,
            )
        )  # fmt: skip
    dtypes = {n.name: np.uint8 if n.levels == (0, 1) else np.int32 for n in nodes}
    inputs = {name: np.stack([x[name] for x in told]).astype(dtype) for name, dtype in dtypes.items()}
    return Worst(found=tuple(found), inputs=inputs, every=every, tried=tried, steps=steps)
