"""Measures `tern2lava prove`: how many miscompilations it catches, and how long it takes.

    uv run python benchmarks/prove.py                                         # about five minutes
    uv run python benchmarks/prove.py -o benchmarks/results/prove.md          # and writes what it printed
    uv run python benchmarks/prove.py --quick --check                         # under one minute

Small networks are compiled for every target that takes them, onto several cores, and one thing in the images is made
wrong, drawn from a seed (prove_mutants.py), the checksum made anew. A mutant is left out only where the product's own
decoder finds the same synapses and neurons in it, and the execution of the images the same spikes and states on random
inputs (prove_meaning.py): where nothing is wrong. Images as they were compiled must be proven.

--check ends with exit code 1 and names the bars that were missed:

    caught      every miscompilation
    proven      every network as it was compiled
    seconds     VGG-16 on loihi2 in 10 CPU seconds
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from networks import PLAIN, TWINS, network
from networks_net import Net, Style
from prove_meaning import executed, meaning
from prove_mutants import ALL, NoPlaceError, mutants

from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import Graph, Population, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import load_profile
from tern2lava.prove.program import Program, program_of
from tern2lava.prove.run import prove_images

TARGETS = ("generic-ternary", "loihi2", "loihi1", "tiny", "paicore2", "truenorth", "hala-point", "kapoho-point")


def dense(style: Style) -> Graph:
    net = Net(style=style)
    return net.graph(net.dense(net.dense(net.input(20), 16), 8, classes=True), "dense 20-16-8")


def convolution(style: Style) -> Graph:
    net = Net(style=style)
    at = net.conv(net.input(2, 7, 6), 4, 3, stride=2, pad=1)
    at = net.conv(at, 4, 3, pad=1)
    return net.graph(net.dense(at, 5, classes=True), "convolutions")


def pooled(style: Style) -> Graph:
    net = Net(style=style)
    at = net.conv(net.input(2, 8, 8), 4, 3, pad=1)
    at = net.conv(at, 4, 3, pad=1, pool=2)
    return net.graph(net.dense(at, 5, pool=2, classes=True), "pooling")


def grouped(style: Style) -> Graph:
    net = Net(style=style)
    at = net.conv(net.input(4, 6, 6), 4, 3, pad=1, groups=4)
    at = net.conv(at, 6, 1)
    return net.graph(net.conv(at, 6, 3, groups=2), "channel groups")


def residual(style: Style) -> Graph:
    net = Net(style=style)
    first = net.conv(net.input(2, 6, 6), 4, 3, pad=1)
    at = net.conv(net.conv(first, 4, 3, pad=1), 4, 3, pad=1, shortcut=first)
    return net.graph(net.dense(at, 4, classes=True), "residual")


def recurrent(style: Style) -> Graph:
    net = Net(style=style)
    return net.graph(net.dense(net.dense(net.input(12), 10, loop=True), 6, classes=True), "recurrent")


def mechanisms(style: Style) -> Graph:
    """Adaptive thresholds, signed spikes, refractory and rearming neurons, and a relay that passes sums on."""
    net = Net(style=style)
    names = [net.input(12)]
    for outputs in (20, 18, 16, 14, 12):
        names.append(net.dense(names[-1], outputs))
    graph = net.graph(names[-1], "mechanisms")
    ones = np.ones(20, np.int64)
    kinds: tuple[dict[str, Any], ...] = (
        {
            "gain_a": frozen(3 * ones),
            "decay_a": frozen(200 * ones),
            "reset": Reset.SUBTRACT,
            "reset_amount": frozen(20),
        },
        {"threshold_low": frozen(-30 * ones[:18]), "reset": Reset.SUBTRACT, "reset_amount": frozen(30)},
        {"refractory": 2, "bias": frozen(ones[:16])},
        {"levels": (-600, 600), "reset": Reset.NONE, "decay_v": frozen(4096), "threshold": frozen(0)},
        {"rearm": True},
    )
    given = dict(zip(names[1:], kinds, strict=True))
    nodes = tuple(replace(n, **given[n.name]) if isinstance(n, Population) else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


# Published networks whose proof is timed.
TIMED = (
    ("vgg16", "loihi2"),
    ("resnet18", "generic-ternary"),
    ("mobilenet", "generic-ternary"),
    ("lenet5", "truenorth"),
)

NETWORKS: dict[str, Callable[[Style], Graph]] = {
    "dense": dense, "convolution": convolution, "pooled": pooled, "grouped": grouped, "residual": residual,
    "recurrent": recurrent, "mechanisms": mechanisms,
}  # fmt: skip


def compiled(name: str, target: str) -> tuple[Graph, Mapped] | None:
    """A network on a target, on several cores; None where the target does not take it."""
    graph = NETWORKS[name](TWINS.get(target, PLAIN))
    try:
        return graph, map_program(graph, load_profile(target), MapOptions(placement="linear", max_neurons_per_core=60))
    except Tern2LavaError:
        return None


def is_proven(data: list[bytes], program: Program) -> bool:
    """Whether the images, the host's last, are proven to be the program; those that are damaged are not."""
    try:
        return prove_images(data[:-1], data[-1], program).proven
    except Tern2LavaError:
        return False


class Tally:
    """Counts of mutants: made, left out, caught, by kind; lines on those that were missed."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.same: Counter[str] = Counter()
        self.caught: Counter[str] = Counter()
        self.missed: list[str] = []
        self.unproven: list[str] = []
        self.pairs = 0


def measure(count: int, tally: Tally) -> None:
    """Mutants of every network on every target in turn, until `count` of them change something."""
    pairs = [(name, target, found) for name in NETWORKS for target in TARGETS if (found := compiled(name, target))]
    subjects = []
    for name, target, (graph, mapped) in pairs:
        data, program = [*mapped.images, mapped.host_image], program_of(*graph_document(graph))
        if not is_proven(data, program):
            tally.unproven.append(f"{name} on {target}")
        images = [decode_core(each) for each in data]
        subjects.append((f"{name} on {target}", graph, data, images, program, meaning(data)))
    tally.pairs = len(subjects)
    number = 0
    while sum(tally.made.values()) - sum(tally.same.values()) < count:
        rng = np.random.default_rng([7, number])
        where, graph, data, images, program, meant = subjects[int(rng.integers(len(subjects)))]
        kind = ALL[number % len(ALL)]
        number += 1
        try:
            mutant = mutants(images, data, kind, rng)
        except NoPlaceError:
            continue
        tally.made[kind] += 1
        if meaning(mutant) == meant and executed(graph, mutant, number) == executed(graph, data, number):
            tally.same[kind] += 1
        elif is_proven(mutant, program):
            tally.missed.append(f"{kind}, {where}, seed {number - 1}")
        else:
            tally.caught[kind] += 1


def seconds_of(name: str, target: str) -> tuple[float, float]:
    """CPU seconds of the proof of a published network, and of its mapping."""
    graph = network(name, target)
    begin = time.process_time()
    mapped = map_program(graph, load_profile(target))
    middle = time.process_time()
    found = prove_images(mapped.images, mapped.host_image, program_of(*graph_document(graph)))
    assert found.proven, found
    return time.process_time() - middle, middle - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, help="write the tables to this file too")
    parser.add_argument("--quick", action="store_true", help="100 mutants, no VGG-16")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    options = parser.parse_args()
    tally = Tally()
    measure(100 if options.quick else 1000, tally)
    caught = sum(tally.caught.values())
    wanted = caught + len(tally.missed)
    lines = [
        "# Proof of core images", "", "`uv run python benchmarks/prove.py -o benchmarks/results/prove.md`", "",
        f"{caught:,} of {wanted:,} miscompilations caught, of {tally.pairs} networks on targets; "
        f"{sum(tally.same.values())} more mutants changed nothing.", "",
        "| mistake | caught | changed nothing |", "|---|---|---|",
        *(f"| {kind} | {tally.caught[kind]} | {tally.same[kind]} |" for kind in ALL),
    ]  # fmt: skip
    slow = 0.0
    if not options.quick:
        lines += ["", "| network | target | prove, CPU seconds | map, CPU seconds |", "|---|---|---|---|"]
        for name, target in TIMED:
            prove, mapping = seconds_of(name, target)
            slow = prove if name == "vgg16" else slow
            lines.append(f"| {name} | {target} | {prove:.2f} | {mapping:.1f} |")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    bars = [f"missed: {line}" for line in tally.missed] + [f"not proven: {line}" for line in tally.unproven]
    bars += [f"seconds: {slow:.1f}"] if slow > 10 else []
    for line in bars:
        print(line)
    return 1 if options.check and bars else 0


if __name__ == "__main__":
    sys.exit(main())
