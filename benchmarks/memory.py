"""Measures the synaptic memory that ternary networks take: layer by layer, on three targets, every overhead counted.

    uv run python benchmarks/memory.py                                    # about two minutes
    uv run python benchmarks/memory.py --all                              # all networks on all targets: half an hour
    uv run python benchmarks/memory.py -o benchmarks/results/memory.md    # and writes what it printed
    uv run python benchmarks/memory.py --quick --check                    # under one minute

The networks are the two trained ones of the demonstration, and shapes of published ones with random ternary codes, half
of them zero (networks.py). Each is cut into the parts that a target's cores hold, as `compile` does. All ratios are to
fp32: 32 bits for each weight of the layer, a kernel counted once. Columns, in bits for each of the layer's weights:

    entropy   h(p) + 1 - p of the actual codes: what no code of these frequencies can be below
    file      the layer as a stream for storage and transport (rANS, header and checksum)
    stored    synaptic memory on all cores: heads, gains, codes, row pointers, padding, and every copy
    axons     records of axon ranges and routes in the core images (52 bytes each), which are no synaptic memory

copies: how often each weight is stored. least: how often it must be, given how many cores a channel's neurons take.

--check ends with exit code 1 and names the layers that miss a bar:

    ternary core   layers of 10,000 weights or more take at most 1/16 of fp32 on generic-ternary; where the neurons of a
                   channel take several cores, which no cut avoids, at most 1/16 for each copy that this forces
    loihi 1        no layer takes more than the best of NxTF's encodings would for the same parts
    file           layers of 100,000 weights or more take at most 1 % over their entropy
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from networks import NETWORKS, vgg

from tern2lava.compiler.build import build
from tern2lava.compiler.image.code_rows import code_rows
from tern2lava.compiler.image.codecs.stream import write_stream
from tern2lava.compiler.image.layout import codes_groups
from tern2lava.compiler.ir.graph import Graph, Population, Projection
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.ir.slices import cut, mapped_shape
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.mapper.routing.connections import connections
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.errors import CapacityError
from tern2lava.frontends.load import load
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.report.memory import entropy

TARGETS = ("generic-ternary", "loihi1", "loihi2")
RECORD_BITS = 8 * 52
LARGE, RATIO, FILE_LARGE, FILE_BAR = 10_000, 16, 100_000, 1.01
FILE_SHARES = (0.0, 0.1, 0.2, 1 / 3, 0.5, 0.7, 0.9)


def demo(name: str) -> Graph:
    """The INTEGER program of one of the demonstration's networks."""
    data = resources.files("tern2lava.demo")
    with resources.as_file(data / f"{name}.pt") as file, resources.as_file(data / f"{name}.yaml") as net:
        return build(load(file, net), load_profile("generic-ternary")).lowered.program


NETS: dict[str, Callable[[], Graph]] = {
    "demo mlp": lambda: demo("mlp"), "demo conv": lambda: demo("conv"), **NETWORKS,
    "vgg9 on 64 x 64": lambda: vgg(9, 64),
}  # fmt: skip
SMALL = ("demo mlp", "demo conv", "mlp", "cnn", "lenet5", "rnn")


def nets_of(target: str, quick: bool, every: bool) -> tuple[str, ...]:
    """The networks to measure on a target: by default the small ones, all on generic-ternary, one larger on loihi2."""
    if every or (target == "generic-ternary" and not quick):
        return tuple(NETS)
    larger = {"generic-ternary": ("vgg9", "mobilenet"), "loihi2": () if quick else ("vgg9",)}
    return SMALL + larger.get(target, ())


@dataclass(frozen=True)
class Row:
    """One layer on one target; bits in all, not by weight. nxtf: by the best of NxTF's encodings, on loihi1."""

    name: str
    weights: int
    zeros: float
    entropy: float
    file: int
    stored: int
    axons: int
    copies: float
    least: int
    nxtf: int | None

    @property
    def ratio(self) -> float:
        return 32 * self.weights / self.stored

    def cells(self) -> list[str]:
        bits = [value / self.weights for value in (self.entropy, self.file, self.stored)]
        least = str(self.least) if self.least > 1 else ""
        nxtf = "" if self.nxtf is None else f"{self.nxtf / self.weights:.2f}"
        return [
            self.name, f"{self.weights:,}", f"{self.zeros:.2f}", *(f"{b:.2f}" for b in bits), f"{self.ratio:.1f} x",
            f"{self.copies:.1f}", least, nxtf, f"{self.axons / self.weights:.2f}",
        ]  # fmt: skip


HEADS = ("layer", "weights", "zeros", "entropy", "file", "stored", "fp32 over it", "copies", "least", "NxTF", "axons")


def measure(graph: Graph, profile: Profile) -> tuple[int, int, list[Row]]:
    """(cores, lower bound, rows) of a network on a target. Raises CapacityError where it does not fit."""
    if not profile.routing.axon_sums.value:
        graph = unpooled_graph(graph)
    cores = partition(graph, profile, MapOptions())
    model = CostModel(graph, profile)
    stored, held, nxtf, records = (defaultdict[str, int](int) for _ in range(4))
    names = []
    for part in cores.parts:
        population = graph[part.population]
        assert isinstance(population, Population)
        counted = model.part(population, part.box) if profile.synapse.memory_model.value == "nxtf" else None
        for index, block in enumerate(part.blocks):
            names.append(block.projection)
            projection = graph[block.projection]
            assert isinstance(projection, Projection)
            piece = cut(projection, part.box, whole=profile.crossbar is not None)
            assert piece is not None
            stored[block.projection] += block.synapse_bits
            held[block.projection] += int(piece.local.weight.size)
            records[block.projection] += 1
            if counted is not None:
                nxtf[block.projection] += counted.blocks[index].synapse_bits
    for box in connections(graph, cores).box.tolist():
        records[names[box]] += 1
    rows = []
    for population in graph.of_kind(Population):
        shape = mapped_shape(graph, population)
        channel = size(shape[1:]) if len(shape) == 3 else 1
        least = -(-channel // profile.core.neurons.value)
        for name in population.inputs:
            p = graph[name]
            assert isinstance(p, Projection)
            codec = "rans_storage" if p.bits == 2 else "raw8"
            rows.append(
                Row(
                    name, int(p.weight.size), float(np.mean(p.weight == 0)), entropy(p.weight) * p.weight.size,
                    8 * len(write_stream(code_rows(p.weight, codes_groups(p)), codec)), stored[name],
                    RECORD_BITS * records[name], held[name] / p.weight.size, least if p.geometry else 1,
                    nxtf.get(name),
                )
            )  # fmt: skip
    return cores.cores, cores.cores_lower_bound, rows


def table(title: str, rows: list[Row]) -> list[str]:
    heads = [head for head in HEADS if head != "NxTF" or any(row.nxtf is not None for row in rows)]
    lines = [f"### {title}", "", "| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for row in rows:
        cells = dict(zip(HEADS, row.cells(), strict=True))
        lines.append("| " + " | ".join(cells[head] for head in heads) + " |")
    weights, stored = sum(row.weights for row in rows), sum(row.stored for row in rows)
    files = sum(row.file for row in rows)
    total = f"All layers: {weights:,} weights, fp32 is {32 * weights / stored:.1f} x what is stored"
    return [*lines, "", f"{total}, {32 * weights / files:.1f} x their files.", ""]


def check(net: str, target: str, rows: list[Row], missed: list[str], forced: list[str]) -> None:
    """Adds the layers that miss a bar to `missed`, those that no cut could store once to `forced`."""
    for row in rows:
        where = f"{net} on {target}, {row.name} of {row.weights:,} weights"
        if target == "generic-ternary" and row.weights >= LARGE:
            if row.ratio * row.least < RATIO:
                missed.append(f"ternary core: {where} takes 1/{row.ratio:.1f} of fp32 with {row.copies:.1f} copies")
            elif row.ratio < RATIO:
                forced.append(f"{where}: 1/{row.ratio:.1f} of fp32; a channel's neurons take {row.least} cores")
        if row.nxtf is not None and row.stored > row.nxtf:
            missed.append(f"loihi 1: {where} takes {row.stored:,} bits, NxTF's best {row.nxtf:,}")
        if row.weights >= FILE_LARGE and row.file > FILE_BAR * row.entropy:
            missed.append(f"file: {where} takes {row.file / row.entropy:.4f} of its entropy")


def files_table() -> list[str]:
    """A layer of 10,000 weights as a file, by share of zeros."""
    lines = [
        "A layer of 100 x 100 random ternary weights as a file (`export --to weights`), header and checksum counted.",
        "", "| zeros | entropy | file | fp32 over it | 8 bit over it |", "|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    for zeros in FILE_SHARES:
        codes = (2 * rng.integers(0, 2, 10_000) - 1).astype(np.int8)
        codes[rng.permutation(codes.size)[: round(zeros * codes.size)]] = 0
        bits = 8 * len(write_stream(codes.reshape(100, 100), "rans_storage")) / codes.size
        lines.append(f"| {zeros:.2f} | {entropy(codes):.4f} | {bits:.4f} | {32 / bits:.1f} x | {8 / bits:.1f} x |")
    return [*lines, ""]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small networks, and two larger ones on generic-ternary")
    parser.add_argument("--all", action="store_true", help="all networks on all targets, larger ones on Loihi too")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("-o", "--out", type=Path, help="also write the tables to this Markdown file")
    args = parser.parse_args()
    missed: list[str] = []
    forced: list[str] = []
    command = "uv run python benchmarks/memory.py" + (" --quick" if args.quick else "") + (" --all" if args.all else "")
    lines = [
        "# Synaptic memory of ternary networks", "", f"Made by `{command}` on Python {platform.python_version()}, "
        f"numpy {np.__version__}. The head of that file says what is measured, and how; numbers are bits for each "
        "weight.", "", "## Files", "", *files_table(),
    ]  # fmt: skip
    for target in TARGETS:
        lines += [f"## {target}", ""]
        profile = load_profile(target)
        for net in nets_of(target, args.quick, args.all):
            try:
                cores, least, rows = measure(NETS[net](), profile)
            except CapacityError as error:
                lines += [f"### {net}", "", f"Does not fit: {error}", ""]
                continue
            check(net, target, rows, missed, forced)
            lines += table(f"{net}: {cores:,} cores, lower bound {least:,}", rows)
            print(f"{target}: {net}", file=sys.stderr, flush=True)
    bars = "All bars are met." if not missed else "Bars missed:\n\n" + "\n".join(f"- {line}" for line in missed)
    lines += ["## Bars", "", bars]
    if forced:
        lines += ["", "More than 1/16, because no cut of such a layer stores each weight once:", ""]
        lines += [f"- {line}" for line in forced]
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[2:]))
    for line in missed:
        print(f"MISSED {line}", file=sys.stderr)
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
