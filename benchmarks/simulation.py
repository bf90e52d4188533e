"""Speed of the simulators side by side in one run: samples and synaptic operations a second, and the machine's bounds.

    uv run python benchmarks/simulation.py                  # some minutes; writes results/simulation.json and .md
    uv run python benchmarks/simulation.py --only conv      # one part (mlp, conv, machine); the others as last written
    uv run python benchmarks/simulation.py --quick          # under a minute on a quiet machine, prints only
    uv run python benchmarks/simulation.py --quick --check  # exit code 1, naming every bar that falls short

Both networks have random ternary weights and neurons without leak that reset to zero, so that float32 frameworks can
compute them exactly: every contender's output spikes must equal the integer reference's. Both are run with leaky
neurons too, where a framework rounds in its own way and only its time counts. A synaptic operation is one
synapse in one step, zeros and silent sources included (what a dense framework computes). Every bar compares what one
part measured, side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from simulation_contenders import CHILDREN, CONTENDERS, FRAMEWORKS, LEAKY, OURS, Runner, missing
from simulation_machine import (
    CORES,
    bandwidth,
    dense_fraction,
    growth,
    popcount_rate,
    seconds_of,
    start_up,
    streamed,
    verification,
)
from simulation_nets import Array, Net, convolution, mlp

from tern2lava.sim.reference import integer

RESULTS = Path(__file__).resolve().parent / "results"
PARTS = ("mlp", "conv", "machine")
# They choose slower kernels for numpy than the machine has: the contenders that use it would not be themselves.
HAMPERING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
# Of Lava: core images in our process, and its process models in sequence, as multiples of stock Lava per sample. Of the
# engine: multiples of the fastest framework for one sample, and for many.
FUSED, SEQUENTIAL, AT_ONE, AT_MANY = {"mlp": 300.0, "conv": 75.0}, 5.0, {"mlp": 50.0, "conv": 10.0}, 4.0


@dataclass(frozen=True, kw_only=True)
class Row:
    net: str
    contender: str
    batch: int
    seconds: float
    operations: int

    @property
    def rate(self) -> float:
        return self.batch / self.seconds


def compare_contenders(net: Net, batches: tuple[int, ...], budget: float) -> list[Row]:
    """Every contender on a network and every batch; ends the program where one's output spikes differ."""
    rows = []
    x = net.spikes(max(max(contender.batches or batches) for contender in CONTENDERS))
    for contender in CONTENDERS:
        lacking = missing(contender)
        if lacking:
            print(f"{contender.name}: left out, {lacking} is not installed")
            continue
        given = net.leaky() if contender.leaky else net
        expected = integer.run(given.graph, {"x": x[:8]}, states=False).spikes[net.output]
        run = contender.make(given)
        run(x[:1])
        for batch in contender.batches or batches:
            part = np.ascontiguousarray(x[:batch])
            if contender.settles:
                run(part)
            found: list[Array] = []

            def action(run: Runner = run, part: Array = part, found: list[Array] = found) -> None:
                found[:] = [run(part)]

            spent = seconds_of(action, budget)
            if contender.exact and not np.array_equal(found[0][:8], expected[:batch]):
                sys.exit(f"{contender.name} on {net.name}: output spikes differ from the integer reference")
            row = Row(
                net=net.name, contender=contender.name, batch=batch, seconds=spent,
                operations=net.operations * batch,
            )  # fmt: skip
            rows.append(row)
            print(f"  {net.name:30} {contender.name:40} batch {batch:4}: {row.rate:10,.1f} samples/s", flush=True)
    return rows


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table, first column left, the others right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return [line(header), rule, *(line(row) for row in rows)]


@dataclass(frozen=True, kw_only=True)
class Bar:
    name: str
    found: float
    wanted: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.found <= self.wanted if self.at_most else self.found >= self.wanted


def engine_bars(part: str, rows: list[Row], batches: tuple[int, ...]) -> list[Bar]:
    """The engine against the fastest framework run of the same network, without leak and with it."""
    bars = []
    for batch, wanted in ((batches[0], AT_ONE[part]), (batches[-1], AT_MANY)):
        rates = {row.contender: row.rate for row in rows if row.batch == batch}
        for kind in ("", LEAKY):
            frameworks = [name + kind for name, _, _ in FRAMEWORKS if name + kind in rates]
            fastest = max(frameworks, key=lambda name: rates[name], default=None)
            found = rates[OURS + kind] / rates[fastest] if fastest else np.nan
            name = f"{rows[0].net}, batch {batch}: engine / {fastest or 'a framework (none here)'}"
            bars.append(Bar(name=name, found=found, wanted=wanted))
    return bars


def lava_bars(part: str, rows: list[Row]) -> list[Bar]:
    """Lava's other ways, on their largest batch, against Lava as documented, both in children that run already."""
    stock = [row.rate for row in rows if row.contender.endswith("per sample")]
    bars = []
    for mark, wanted in (("(L2)", FUSED[part]), ("(L3)", SEQUENTIAL)):
        ours = [row for row in rows if row.contender.endswith(mark)]
        name = f"{ours[-1].contender}, batch {ours[-1].batch}" if ours else f"Lava {mark} (not installed)"
        found = ours[-1].rate / stock[0] if ours and stock else np.nan
        bars.append(Bar(name=f"{rows[0].net}: {name} / stock Lava per sample", found=found, wanted=wanted))
    return bars


def measure_network(part: str, quick: bool) -> dict[str, Any]:
    """Rows and bars of one network."""
    batches, budget = ((1, 8), 0.2) if quick else ((1, 256), 2.0)
    rows = compare_contenders({"mlp": mlp, "conv": convolution}[part](), batches, budget)
    bars = engine_bars(part, rows, batches) + lava_bars(part, rows)
    return {"rows": [asdict(row) for row in rows], "bars": [asdict(bar) for bar in bars]}


def measure_machine(quick: bool) -> dict[str, Any]:
    """The machine's bounds, the engine's growth, verification and start-up, and their bars."""
    budget = 0.2 if quick else 3.0
    rate, read = popcount_rate(budget), bandwidth(budget)
    words, activity = dense_fraction(budget)
    samples = 2_000 if quick else 10_000
    bars = [Bar(name="dense layer: share of the machine's AND + popcount rate", found=words / rate, wanted=0.5)]
    for name, spent in verification(samples):
        scaled = spent * 10_000 / samples
        bars.append(Bar(name=f"seconds to verify 10,000 samples, demo {name}", found=scaled, wanted=10.0, at_most=True))
    bars.append(Bar(name="seconds of tern2lava --help", found=start_up(), wanted=0.3, at_most=True))
    few, many = streamed((10_000, 20_000) if quick else (10_000, 40_000))
    name = f"peak memory of simulating {many[0]:,} samples / {few[0]:,}"
    bars.append(Bar(name=name, found=many[2] / few[2], wanted=1.1, at_most=True))
    bounds = [
        ["read from main memory", f"{read / 1e9:.1f} GB/s"],
        ["AND + popcount + add, 64-bit words", f"{rate / 1e9:.1f} G/s"],
        [f"engine, dense 1024 x 1024, {activity:.0%} active", f"{words / 1e9:.1f} G/s"],
        ["... as synapses (two words hold 64)", f"{words * 32 / 1e9:,.0f} G/s"],
        *(
            [f"peak memory of `simulate`, {count:,} samples, file of {mib:,.0f} MiB", f"{peak:,.0f} MiB"]
            for count, mib, peak in (few, many)
        ),
    ]
    return {"bounds": bounds, "growth": growth(budget / 5), "bars": [asdict(bar) for bar in bars]}


def render(found: dict[str, dict[str, Any]], quick: bool) -> list[str]:
    """Lines of the Markdown report of the parts that were measured."""
    rows = [Row(**row) for part in found.values() for row in part.get("rows", ())]
    bars = [Bar(**bar) for part in found.values() for bar in part["bars"]]
    loads = ", ".join(f"{part} {each['load']:.1f}" for part, each in found.items())
    lines = [
        "# Speed of simulation",
        "",
        f"`uv run python benchmarks/simulation.py{' --quick' if quick else ''}` on {CORES} cores of "
        f"{platform.machine()} {platform.system()} ({found[next(iter(found))]['processor']}); load average when a part "
        f"began: {loads}. Least wall time of several runs, everything that a contender does per run included; torch "
        "with the faster of 1 and 2 threads.",
    ]
    if "machine" in found:
        machine = found["machine"]
        grown = [[what, value, f"{s * 1e3:,.2f}", f"{each:.5f}"] for what, value, s, each in machine["growth"]]
        lines += ["", "## Growth (engine, 1 thread)", ""]
        lines += table(["what grows", "value", "ms", "ns per synaptic operation"], grown)
        lines += ["", "## The machine's bounds (1 core), and memory", "", *table(["what", "value"], machine["bounds"])]
    if rows:
        cells = [
            [f"{r.net}: {r.contender}", str(r.batch), f"{r.seconds * 1e3:,.2f}", f"{r.rate:,.1f}",
             f"{r.operations / r.seconds / 1e9:,.2f}"]
            for r in rows
        ]  # fmt: skip
        header = ["network and contender", "batch", "ms", "samples/s", "G synaptic operations/s"]
        lines += ["", "## Side by side", "", *table(header, cells)]
    cells = [
        [b.name, f"{b.found:,.2f}", f"{'<=' if b.at_most else '>='} {b.wanted:g}", "met" if b.met else "SHORT"]
        for b in bars
    ]
    return [*lines, "", "## Bars", "", *table(["bar", "found", "wanted", ""], cells)]


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=RESULTS, help="folder of simulation.json and simulation.md")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part (repeatable; default: all)")
    parser.add_argument("--quick", action="store_true", help="short measurements, batch 8 in place of 256, not written")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a bar of what was measured is missed")
    arguments = parser.parse_args()
    for name in HAMPERING:
        if name in os.environ:
            sys.exit(f"{name} is set, which slows numpy down: unset it")
    stored = arguments.out / "simulation.json"
    found: dict[str, dict[str, Any]] = {}
    if not arguments.quick and stored.is_file():
        found = json.loads(stored.read_text(encoding="utf-8"))
    measured = arguments.only or list(PARTS)
    for part in measured:
        load = os.getloadavg()[0]
        # Children of one part would share the cores with what the next one measures.
        with CHILDREN:
            result = measure_machine(arguments.quick) if part == "machine" else measure_network(part, arguments.quick)
        found[part] = {"load": load, "processor": processor(), **result}
    found = {part: found[part] for part in PARTS if part in found}
    lines = render(found, arguments.quick)
    if not arguments.quick:
        arguments.out.mkdir(parents=True, exist_ok=True)
        stored.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (arguments.out / "simulation.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(["", *lines]))
    short = [bar for part in measured for each in found[part]["bars"] if not (bar := Bar(**each)).met]
    for bar in short:
        print(f"short of the bar: {bar.name}: {bar.found:,.2f}, wanted {bar.wanted:g}", file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
