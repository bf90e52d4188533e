"""Runs the demonstration's networks as exported C, on the host and on a 32-bit ARM, and measures what they take.

    apt-get install gcc gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user gcc-arm-none-eabi
    uv run python benchmarks/c_export.py                                      # 10,000 samples of each: some minutes
    uv run python benchmarks/c_export.py -o benchmarks/results/c_export.md    # and writes what it printed
    uv run python benchmarks/c_export.py --quick --check                      # 200 samples, under a minute

Both networks are compiled for generic-ternary, exported with `export --to c`, and compiled by gcc for this computer
(-O2) and by arm-linux-gnueabihf-gcc for ARMv7 (-Os, run by qemu-arm). Samples are random spikes of 16 steps, each of
another rate. Of each sample the C prints its scores and a digest of every spike and potential of every neuron and step;
both are held against the integer reference. Flash is .text and .rodata of model.o by arm-none-eabi-gcc -Os, RAM the
state. Seconds are of the host's process, in- and output included, beside those of tern2lava's own engines.

--check ends with exit code 1 where anything differs, where flash or RAM of a network is 64 KiB or more, or where a
compiler or QEMU is missing.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np

import tern2lava
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Array
from tern2lava.export.c.model import model
from tern2lava.export.c.write import c_files
from tern2lava.sim.data import readout
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.reference import integer

NETS, STEPS, LIMIT, BATCH = ("mlp", "conv"), 16, 64 * 1024, 500
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")
HOST = ("host", "gcc", ("-O2",), ())
ARM = ("32-bit ARM (QEMU)", "arm-linux-gnueabihf-gcc", ("-Os", "-static"), ("qemu-arm",))
CORES = ("cortex-m0", "cortex-m4")


@dataclass
class Result:
    """What was measured of one network."""

    name: str
    samples: int
    spikes: int = 0
    equal: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    flash: dict[str, int] = field(default_factory=dict)
    ram: int = 0
    tables: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def met(self) -> bool:
        equal = len(self.equal) == 2 and all(count == self.samples for count in self.equal.values())
        small = len(self.flash) == len(CORES) and max(*self.flash.values(), self.ram) < LIMIT
        return equal and small and not self.missing


def program(name: str) -> Graph:
    """The integer program of one of the demonstration's networks."""
    data = resources.files("tern2lava.demo")
    with resources.as_file(data / f"{name}.pt") as file, resources.as_file(data / f"{name}.yaml") as net:
        return tern2lava.compile(tern2lava.load(file, net), "generic-ternary").lowered.program


def samples(count: int) -> Array:
    """Random spikes (samples, steps, 1, 8, 8), a rate for each sample."""
    rng = np.random.default_rng(7)
    return (rng.random((count, STEPS, 1, 8, 8)) < rng.random((count, 1, 1, 1, 1))).astype(np.uint8)


def digests(graph: Graph, trace: Trace) -> list[str]:
    """What main.c prints of each sample first: FNV-1a over all spikes and potentials, 32 bits each."""
    made = model(graph, "tern2lava")
    found = np.full(next(iter(trace.spikes.values())).shape[0], 2166136261, np.uint32)
    for step in range(STEPS):
        for cells in made.cells:
            name = cells.source.name
            rows = [trace.spikes[name][:, step], *([trace.v[name][:, step]] if cells.has_v else [])]
            for values in np.concatenate(rows, axis=1, dtype=np.int64).astype(np.uint32).T:
                found = (found ^ values) * np.uint32(16777619)
    return [f"{value:08x}" for value in found]


def expected(graph: Graph, x: Array) -> tuple[list[str], int, dict[str, float]]:
    """The lines that the C has to print, the spikes of all neurons, and seconds of tern2lava's own executions."""
    lines, spikes, name = [], 0, graph.nodes[0].name
    seconds = {"integer reference": 0.0, "compiled kernels": 0.0}
    engine = prepare(graph)
    run_engine(engine, {name: x[:1]}, states=False)
    for first in range(0, len(x), BATCH):
        given = {name: x[first : first + BATCH]}
        begun = time.perf_counter()
        trace = integer.run(graph, given)
        seconds["integer reference"] += time.perf_counter() - begun
        begun = time.perf_counter()
        run_engine(engine, given, states=False)
        seconds["compiled kernels"] += time.perf_counter() - begun
        scores = readout.scores(graph, trace)
        spikes += sum(int(np.count_nonzero(trace.spikes[p.name])) for p in graph.of_kind(Population))
        rows = zip(digests(graph, trace), scores.tolist(), strict=True)
        lines += [" ".join([digest, *map(str, row)]) for digest, row in rows]
    return lines, spikes, seconds


def measure(name: str, count: int) -> Result:
    """One network, exported, compiled, run and measured."""
    graph, x, result = program(name), samples(count), Result(name, count)
    wanted, result.spikes, result.seconds = expected(graph, x)
    files = c_files(graph, version="benchmark")
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        for label, compiler, options, runner in (HOST, ARM):
            absent = [tool for tool in (compiler, *runner) if shutil.which(tool) is None]
            if absent:
                result.missing += absent
                continue
            command = [compiler, *STRICT, *options, "model.c", "main.c", "-o", "net"]
            subprocess.run(command, cwd=folder, check=True)
            begun = time.perf_counter()
            done = subprocess.run(
                [*runner, "./net", str(STEPS)], cwd=folder, input=x.tobytes(), capture_output=True, check=True
            )
            result.seconds[f"C on {label}"] = time.perf_counter() - begun
            found = done.stdout.decode().splitlines()
            result.equal[label] = sum(a == b for a, b in zip(found, wanted, strict=True))
        header = files["model.h"]
        result.ram, result.tables = (
            int(re.findall(rf"#define TERN2LAVA_{what} +(\d+)", header)[0]) for what in ("RAM_BYTES", "TABLE_BYTES")
        )
        for core in CORES:
            if shutil.which("arm-none-eabi-gcc") is None:
                result.missing.append("arm-none-eabi-gcc")
                break
            small = ["-Os", f"-mcpu={core}", "-mthumb", "-ffreestanding"]
            command = ["arm-none-eabi-gcc", *STRICT, *small, "-c", "model.c", "-o", "model.o"]
            subprocess.run(command, cwd=folder, check=True)
            size = subprocess.run(
                ["arm-none-eabi-size", "-A", "model.o"], cwd=folder, capture_output=True, text=True, check=True
            )
            sections = re.findall(r"^\.(?:text|rodata)\S* +(\d+)", size.stdout, re.MULTILINE)
            result.flash[core] = sum(int(bytes_) for bytes_ in sections)
    return result


def page(results: list[Result]) -> str:
    """The results as Markdown."""
    lines = [
        "# Exported C: equality, flash, RAM and time", "",
        f"Made by `python benchmarks/c_export.py -o benchmarks/results/c_export.md` on {platform.machine()}; its head",
        "says what is measured.", "",
        "## Equal to the integer reference", "",
        "| network | samples | spikes in them | host | 32-bit ARM (QEMU) |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for result in results:
        equal = [str(result.equal.get(label, "not run")) for label in (HOST[0], ARM[0])]
        lines.append(f"| {result.name} | {result.samples:,} | {result.spikes:,} | {' | '.join(equal)} |")
    lines += ["", "Columns host and ARM: samples whose scores, spikes and potentials all are equal.", ""]
    lines += ["## Bytes", "", "| network | tables | " + " | ".join(f"flash, {core}" for core in CORES) + " | RAM |"]
    lines.append("|---|---|---|---|---|")
    for result in results:
        flash = " | ".join(f"{result.flash[core]:,}" if core in result.flash else "not built" for core in CORES)
        lines.append(f"| {result.name} | {result.tables:,} | {flash} | {result.ram:,} |")
    lines += [
        "",
        "Flash is code and tables. The bar is 64 KiB for each.",
        "",
        "## Seconds for all samples, one core",
        "",
    ]
    kinds = list(results[0].seconds)
    lines += [f"| network | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for result in results:
        lines.append(f"| {result.name} | " + " | ".join(f"{result.seconds.get(k, 0):.2f}" for k in kinds) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="200 samples")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("-o", "--out", type=Path, help="a Markdown file")
    given = parser.parse_args()
    results = [measure(name, 200 if given.quick else given.samples) for name in NETS]
    text = page(results)
    print(text)
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    for result in results:
        if not result.met:
            print(f"{result.name}: a bar is missed{': no ' + ', '.join(result.missing) if result.missing else ''}")
    if given.check and not all(result.met for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
