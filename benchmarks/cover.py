"""Measures the cover stimulus of `tern2lava verify`: what it covers, and which mistakes in core images it shows.

    uv run python benchmarks/cover.py                                         # about ten minutes
    uv run python benchmarks/cover.py -o benchmarks/results/cover.md          # and writes what it printed
    uv run python benchmarks/cover.py --quick --check                         # under one minute

One weight, sign, delay or pair of sources in the core images is made another, drawn from a seed, the checksum made anew
(cover_mutants.py). Nothing looks at the images but their execution M, which is held against the integer reference as
verify does, on three kinds of spikes: the cover stimulus; data alone (100 test samples of the demonstration's networks,
for VGG-9 a sample of drawn spikes, one of five inputs in a step); and a stimulus of all ones, which drives every
population as the cover stimulus does but has all sources spike in every step. A mutant is left out only where its block
adds up to the same on drawn inputs. Of VGG-9 every fifth mutant is run on the two controls, and the
cover stimulus begins with the first steps of its first sample alone, of which a difference is one of all.

--check ends with exit code 1 and names the bars that were missed:

    covered     every synapse of the demonstration's networks and of VGG-9 carries a spike that arrives
    caught      every mutant, by the cover stimulus
    minutes     the cover stimulus of VGG-9 in M in 3 minutes
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from cover_mutants import KINDS, mutant
from networks import network

from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.compiler.ir.shapes import Spikes
from tern2lava.compiler.mapped import map_program
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as cores
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.executable import Executable
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare
from tern2lava.sim.verify.cover import Covered, cover, stimuli
from tern2lava.sim.verify.driven import Stimulus
from tern2lava.sim.verify.stimulus import frame_of, sources_of
from tern2lava.sim.verify.thresholds import SideWatch
from tern2lava.zoo import ZOO
from tern2lava.zoo.samples import samples_of

STIMULI = ("cover", "data", "all ones")


@dataclass(eq=False)
class Piece:
    """Some samples, what is sent in them, and what the integers do."""

    inputs: Mapping[str, Spikes]
    driven: Mapping[str, Spikes]
    expected: Trace


@dataclass(eq=False)
class Subject:
    """A network with its images, the host's last, and the pieces of each stimulus, made as they are asked for. effort:
    of the pieces; controls: every how many mutants are run on data and all ones; prefix: steps of the first sample that
    are run before all of it (0: none)."""

    name: str
    program: Graph
    data: list[bytes]
    given: Callable[[], Iterator[Stimulus]]
    effort: Effort = NORMAL
    controls: int = 1
    prefix: int = 0
    made: dict[str, list[Piece]] = field(default_factory=lambda: {name: [] for name in STIMULI})
    sources: dict[str, Iterator[Piece]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sources = {
            "cover": self._pieces(self._cover()),
            "data": self._pieces(self.given()),
            "all ones": self._pieces(iter([all_ones(self.program)])),
        }

    @property
    def executable(self) -> Executable:
        return Executable(
            imported=self.program, real=self.program, program=self.program, images=tuple(self.data[:-1]),
            host_image=self.data[-1],
        )  # fmt: skip

    def _cover(self) -> Iterator[Stimulus]:
        # Run here as well as for the trace, since ramps are for thresholds that the samples before them left.
        watch = SideWatch(self.program)
        for stimulus in stimuli(self.executable, watch, self.effort):
            integer.run(self.program, stimulus.inputs, make=watch, driven=stimulus.driven, states=False)
            if self.prefix and not self.made["cover"]:
                yield Stimulus(
                    inputs={name: values[:, : self.prefix] for name, values in stimulus.inputs.items()},
                    driven={name: values[:, : self.prefix] for name, values in stimulus.driven.items()},
                )
            yield stimulus

    def _pieces(self, each: Iterator[Stimulus]) -> Iterator[Piece]:
        for stimulus in each:
            trace = integer.run(self.program, stimulus.inputs, driven=stimulus.driven)
            yield Piece(stimulus.inputs, stimulus.driven, trace)

    def pieces(self, stimulus: str) -> Iterator[Piece]:
        """The pieces of a stimulus, each made once."""
        yield from self.made[stimulus]
        for piece in self.sources[stimulus]:
            self.made[stimulus].append(piece)
            yield piece

    def differs(self, data: list[bytes], stimulus: str) -> bool:
        """Whether M on these images differs from the integers, or refuses the images."""
        for piece in self.pieces(stimulus):
            try:
                trace = cores.run(data[:-1], data[-1], piece.inputs, driven=piece.driven)
                if not compare({"I": piece.expected, "M": trace}, self.program).equal:
                    return True
            except Tern2LavaError:
                return True
        return False


def all_ones(program: Graph) -> Stimulus:
    """Every source sends in every step."""
    frame = frame_of(program)
    values = {each.name: np.full((1, frame.steps, each.neurons), each.high) for each in sources_of(program)}
    inputs = {node.name: values.pop(node.name) for node in program.of_kind(Input)}
    return Stimulus(inputs=inputs, driven=values)


def demonstration(name: str, folder: Path) -> Subject:
    """A network of the demonstration on loihi2, and 100 of its test samples."""
    net = ZOO.get(name)
    with net.files() as files:
        api.compile(files.weights, "loihi2", net=files.net, out=folder / name)
    bundle = read_bundle(folder / name)
    program = bundle.executable.program
    spikes = samples_of(net).spikes[:100]
    (node,) = program.of_kind(Input)
    return Subject(
        name=name, program=program, data=[*bundle.executable.images, bundle.executable.host_image],
        given=partial(_in_tens, node.name, spikes),
    )  # fmt: skip


def _in_tens(name: str, spikes: Spikes) -> Iterator[Stimulus]:
    """The samples of an input, ten at a time."""
    for begin in range(0, len(spikes), 10):
        yield Stimulus(inputs={name: spikes[begin : begin + 10]}, driven={})


def vgg9() -> Subject:
    graph = network("vgg9", "loihi2")
    mapped = map_program(graph, load_profile("loihi2"))
    rng = np.random.default_rng(0)
    spikes = {
        node.name: (rng.random((1, 16, *node.shape)) < 0.2).astype(np.uint8) for node in graph.of_kind(Input)
    }  # fmt: skip
    return Subject(
        name="VGG-9", program=graph, data=[*mapped.images, mapped.host_image],
        given=lambda: iter([Stimulus(inputs=spikes, driven={})]),
        effort=replace(NORMAL, shard_values=1), controls=5, prefix=5,
    )  # fmt: skip


class Tally:
    """Mutants by network and kind: how many changed something, and how many each stimulus showed; by network, what the
    cover stimulus covered."""

    def __init__(self) -> None:
        self.changed: Counter[tuple[str, str]] = Counter()
        self.same = 0
        self.run: Counter[tuple[str, str, str]] = Counter()
        self.caught: Counter[tuple[str, str, str]] = Counter()
        self.missed: list[str] = []
        self.covered: dict[str, Covered] = {}

    def measure(self, subject: Subject, count: int) -> None:
        images = [decode_core(each) for each in subject.data]
        number = made = 0
        while made < count:
            kind = KINDS[number % len(KINDS)]
            found = mutant(images, subject.data, kind, np.random.default_rng([15, number]))
            number += 1
            if found is None:
                continue
            data, changes = found
            if not changes:
                self.same += 1
                continue
            made += 1
            self.changed[subject.name, kind] += 1
            for stimulus in STIMULI if made % subject.controls == 0 else STIMULI[:1]:
                self.run[subject.name, kind, stimulus] += 1
                caught = subject.differs(data, stimulus)
                self.caught[subject.name, kind, stimulus] += caught
                if stimulus == "cover" and not caught:
                    self.missed.append(f"{kind}, {subject.name}, seed {number - 1}")

    def add(self, part: Tally) -> None:
        self.changed += part.changed
        self.run += part.run
        self.caught += part.caught
        self.same += part.same
        self.missed += part.missed
        self.covered |= part.covered


def measured(name: str, whole: bool, count: int) -> Tally:
    """The mutants of a network, and with `whole` its coverage."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        subject = vgg9() if name == "VGG-9" else demonstration(name, Path(folder))
    if whole:
        tally.covered[name] = cover(subject.executable, backend="reference")
    tally.measure(subject, count)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, help="write the tables to this file too")
    parser.add_argument("--quick", action="store_true", help="40 mutants of the demonstration's networks, no VGG-9")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    options = parser.parse_args()
    jobs = [("mlp", True, 20), ("conv", True, 20)]
    if not options.quick:
        # Two of VGG-9, which takes longest.
        jobs = [("VGG-9", True, 0), ("VGG-9", False, 60), ("mlp", True, 220), ("conv", True, 220)]
    tally = Tally()
    with ProcessPoolExecutor(2) as pool:
        for part in pool.map(measured, *zip(*jobs, strict=True)):
            tally.add(part)
    text = "\n".join(report(tally)) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    bars = [f"caught: {line}" for line in tally.missed]
    for name, found in tally.covered.items():
        block = found.coverage
        if block.carried < block.synapses - sum(n for _, n, _ in found.uncovered):
            bars.append(f"covered: {name}, {block.carried:,} of {block.synapses:,}")
        if not found.comparison.equal:
            bars.append(f"equal: {name}, {found.comparison}")
        (seconds,) = (each.seconds for each in found.executions if each.name == "M")
        if seconds > 180:
            bars.append(f"minutes: {name}, {seconds:.0f} s")
    for line in bars:
        print(line)
    return 1 if options.check and bars else 0


def report(tally: Tally) -> Iterator[str]:
    """The lines of the page."""
    total = sum(tally.changed.values())
    of = {
        each: tuple(
            sum(n for (_, _, stimulus), n in counted.items() if stimulus == each)
            for counted in (tally.caught, tally.run)
        )
        for each in STIMULI
    }  # fmt: skip
    words = {each: f"{caught:,} of {run:,}" for each, (caught, run) in of.items()}
    yield from ("# Cover stimulus", "", "`uv run python benchmarks/cover.py -o benchmarks/results/cover.md`", "")
    yield (
        f"Of {total:,} changed weights, signs, delays and swapped sources, M alone shows {words['cover']} on the cover "
        f"stimulus, {words['data']} on data, {words['all ones']} where all sources spike in every step. {tally.same:,} "
        "more mutants changed nothing."
    )
    yield from ("", "| network | mistake | mutants | cover | data | all ones |", "|---|---|---|---|---|---|")
    for (name, kind), changed in tally.changed.items():
        keys = [(name, kind, stimulus) for stimulus in STIMULI]
        shown = " | ".join(f"{tally.caught[key]} of {tally.run[key]}" for key in keys)
        yield f"| {name} | {kind} | {changed} | {shown} |"
    yield from ("", "| network | synapses | carried | neurons | spiked | thresholds | met from both sides |")
    yield "|---|---|---|---|---|---|---|"
    for name, found in tally.covered.items():
        block, sides = found.coverage, found.sides
        nodes = [row for row in block.nodes if row.kind != "input"]
        neurons, spiked = sum(row.neurons for row in nodes), sum(row.spiked for row in nodes)
        thresholds, both = sum(row.thresholds for row in sides), sum(row.both for row in sides)
        numbers = (block.synapses, block.carried, neurons, spiked, thresholds, both)
        yield f"| {name} | {' | '.join(f'{number:,}' for number in numbers)} |"
    yield from ("", "| network | samples x steps | I, s | E, s | M, s |", "|---|---|---|---|---|")
    for name, found in tally.covered.items():
        seconds = " | ".join(f"{each.seconds:.1f}" for each in found.executions)
        yield f"| {name} | {found.samples} x {found.steps} | {seconds} |"


if __name__ == "__main__":
    sys.exit(main())
