"""Measures the mapper: cores, traffic, time and memory on the shapes of published networks, against what others do.

    uv run python benchmarks/mapping.py                                       # half an hour
    uv run python benchmarks/mapping.py -o benchmarks/results/mapping.md      # and writes what it printed
    uv run python benchmarks/mapping.py --quick --check                       # under one minute

Networks are those of benchmarks/networks.py, codes drawn from a seed, half of them zero; every neuron and input spikes
0.1 times a step. Each row is a process of its own: CPU seconds are partition, placement, routes and images together,
memory is the most that the process held by then (with Python and its packages). Hops are spikes per step times hops,
chip borders counted as the profile says.

--check ends with exit code 1 and names the bars that were missed:

    cores       at most 1.10 x the lower bound where the largest layer needs more than a core, 1.25 x else
    hops        at most 0.6 x those of sequential filling placed row by row
    mtkahypar   no more hops than Mt-KaHyPar's own mapping
    small       at most 1.05 x the best known placement on up to 12 cores (CP-SAT, proven where it says so)
    seconds     VGG-16 on kapoho-point (the Loihi 2 board that holds it) in 20 CPU seconds
    memory      8 GiB for every network
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mapping_baselines import one_a_core, sequential
from networks import NETWORKS, NEURONS, SYNAPSES

from tern2lava.compiler.connections import connections
from tern2lava.compiler.cost import CostModel, limits
from tern2lava.compiler.ir import Graph
from tern2lava.compiler.lower_bound import total_resources
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.partition import Partition
from tern2lava.compiler.place import place, problem
from tern2lava.compiler.placement.exact import LARGEST, prove
from tern2lava.compiler.placement.problem import Problem
from tern2lava.compiler.traffic import traffic
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import Profile, load_profile

CORES_BAR, SMALL_CORES_BAR, HOPS_BAR, SMALL_BAR, SECONDS_BAR, GIB_BAR = 1.10, 1.25, 0.6, 1.05, 20.0, 8.0
ALGORITHMS = ("linear", "random", "hilbert", "spectral", "quadratic", "mtkahypar", "search", "auto")
QUICK_NETWORKS = ("mlp", "cnn", "lenet5", "rnn")
QUICK_TARGETS = ("loihi2", "generic-ternary")
PROOF_SECONDS = 5.0
SHOWN = ("cores", "bound", "hops", "row_major", "seconds", "gib", "error")
TIMED = ("vgg16", "kapoho-point")
TARGETS = ("loihi2", "kapoho-point", "generic-ternary", "loihi1", "truenorth", "paicore2", "hala-point")
GROWTH_TARGET = "hala-point"
STOP = math.inf
Rows = dict[tuple[str, str], dict[str, Any]]


def in_child(work: Callable[..., dict[str, Any]], *arguments: Any, limit: float = 600.0) -> dict[str, Any]:
    """What `work` returns in a process of its own, or its `error`."""
    left = STOP - time.monotonic()
    if left < 0:
        return {"error": "not measured: --stop-after was over"}
    limit = min(limit, left)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, work, arguments))
    child.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv() if ours.poll(limit) else {"error": f"not done after {limit:.0f} s"}
    except EOFError:
        found = {"error": "the process died"}
    child.kill()
    child.join()
    print(*arguments, {k: v for k, v in found.items() if k in SHOWN}, file=sys.stderr, flush=True)
    return found


def _child(pipe: Any, work: Callable[..., dict[str, Any]], arguments: tuple[Any, ...]) -> None:
    try:
        pipe.send(work(*arguments))
    except (Tern2LavaError, MemoryError, ValueError) as error:
        pipe.send({"error": str(error) or type(error).__name__})


def stop_after(seconds: float) -> None:
    """Start no row after so many seconds, and end those that run."""
    global STOP
    STOP = time.monotonic() + seconds


def held() -> float:
    """Most GiB that this process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def task(graph: Graph, profile: Profile, found: Partition) -> Problem:
    wired = connections(graph, found)
    return problem(profile, found.cores, wired.source, wired.target, traffic(graph, found, wired).spikes)


def row_of(network: str, target: str) -> dict[str, Any]:
    """Our mapping, what others make of the network, each placement algorithm on our partition, and for few cores what
    CP-SAT proves."""
    graph, profile = NETWORKS[network](), load_profile(target)
    begin = time.process_time()
    mapped = map_program(graph, profile)
    seconds = time.process_time() - begin
    found, limit = mapped.partition, limits(profile)
    total = total_resources(mapped.graph, profile, CostModel(mapped.graph, profile))
    several = {part.population for part in found.parts if not part.box.is_full}
    row: dict[str, Any] = {
        "cores": found.cores, "bound": mapped.cores_lower_bound, "chips": len({c.chip for c in mapped.core_use()}),
        "hops": mapped.placement.cost, "link": mapped.quality.link, "seconds": seconds, "gib": held(),
        "large": bool(several), "scarce": max(total, key=lambda name: total[name] / limit[name]),
        "alone": one_a_core(mapped.graph, profile),
    }  # fmt: skip
    work = task(mapped.graph, profile, found)
    for name in ALGORITHMS:
        begin = time.process_time()
        try:
            row[name] = place(work, name).cost
        except Tern2LavaError:
            row[name] = math.nan
        row[f"{name} s"] = time.process_time() - begin
    if 1 < found.cores <= LARGEST:
        proof = prove(work, seconds=PROOF_SECONDS)
        row |= {"best": min(work.cost(proof.slot), row["auto"]), "proof": proof.bound, "optimal": proof.optimal}
    row |= {"filled": math.nan, "row_major": math.nan, "anywhere": math.nan}
    try:
        before = sequential(mapped.graph, profile)
    except ValueError:
        return row
    row["filled"] = before.cores
    if before.cores <= profile.system.cores:
        filled = task(mapped.graph, profile, before)
        row |= {"row_major": place(filled, "linear").cost, "anywhere": place(filled, "random").cost}
    return row


def growth_row(kind: str, size: str) -> dict[str, Any]:
    graph, profile = (SYNAPSES if kind == "synapses" else NEURONS)[size](), load_profile(GROWTH_TARGET)
    begin = time.process_time()
    mapped = map_program(graph, profile)
    return {
        "source": graph.source, "cores": mapped.partition.cores, "bound": mapped.cores_lower_bound,
        "seconds": time.process_time() - begin, "gib": held(), "chips": len({c.chip for c in mapped.core_use()}),
    }  # fmt: skip


def mapping_table(rows: Rows, missed: list[str]) -> list[str]:
    heads = (
        "network", "target", "cores", "bound", "ratio", "chips", "hops", "filled, random", "filled, row-major", "ratio",
        "link", "CPU s", "GiB", "one a core", "filled",
    )  # fmt: skip
    lines = [
        "What a mapping takes. bound: no mapping takes fewer cores. filled: sequential filling, hops with its parts "
        "placed at random and row by row (-: it fits nowhere); ratio: our hops over the latter. link: "
        "spikes a step on the most loaded link. one a core, filled: their cores, output axons not looked at.",
        "", "| " + " | ".join(heads) + " |", "|---|---|" + "---:|" * (len(heads) - 2),
    ]  # fmt: skip
    reasons = []
    for (network, target), row in rows.items():
        if "error" in row:
            lines.append(f"| {network} | {target} | - |" + " |" * (len(heads) - 3))
            reasons.append(f"- {network} on {target}: {row['error']}")
            continue
        ratio = row["cores"] / row["bound"]
        bar = CORES_BAR if row["large"] else SMALL_CORES_BAR
        if ratio > bar:
            missed.append(
                f"cores: {network} on {target} takes {row['cores']:,}, {ratio:.2f} x the bound {row['bound']:,} "
                f"(bar {bar:.2f}; scarcest in total: {row['scarce']})"
            )
        against = row["hops"] / row["row_major"] if row["row_major"] else float(row["hops"] > 0)
        if against > HOPS_BAR:
            missed.append(f"hops: {network} on {target} makes {against:.2f} x those of filling + row-major")
        if (network, target) == TIMED and row["seconds"] > SECONDS_BAR:
            missed.append(f"seconds: {network} on {target} took {row['seconds']:.1f} CPU s")
        if row["gib"] > GIB_BAR:
            missed.append(f"memory: {network} on {target} held {row['gib']:.1f} GiB")
        lines.append(
            f"| {network} | {target} | {row['cores']:,} | {row['bound']:,} | {ratio:.2f} | {row['chips']:,} | "
            f"{row['hops']:,.0f} | {shown(row['anywhere'])} | {shown(row['row_major'])} | {shown(against, 2)} | "
            f"{row['link']:,.0f} | {row['seconds']:.1f} | {row['gib']:.2f} | {row['alone']} | {shown(row['filled'])} |"
        )
    return [*lines, "", "Not mapped, with the reason:", "", *reasons] if reasons else lines


def placement_table(rows: Rows, missed: list[str]) -> list[str]:
    lines = [
        "Hops of each placement algorithm on the same partition, over those of linear (row-major); CPU seconds in "
        "brackets. -: more cores than the algorithm takes.",
        "", "| network | target | cores | linear | " + " | ".join(ALGORITHMS[1:]) + " |",
        "|---|---|---:|---:|" + "---:|" * (len(ALGORITHMS) - 1),
    ]  # fmt: skip
    small = [
        "", f"Few cores: our placement over the best known, and what CP-SAT proves in {PROOF_SECONDS:.0f} s.",
        "", "| network | target | cores | auto | best known | ratio | lower bound | proven |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]  # fmt: skip
    for (network, target), row in rows.items():
        if "error" in row or row["cores"] < 2:
            continue
        cells = [
            "-" if math.isnan(row[name]) else f"{over(row[name], row['linear'])} ({row[f'{name} s']:.1f})"
            for name in ALGORITHMS[1:]
        ]  # fmt: skip
        lines.append(f"| {network} | {target} | {row['cores']:,} | {row['linear']:,.0f} | {' | '.join(cells)} |")
        if row["auto"] > row["mtkahypar"] * (1 + 1e-9):
            missed.append(f"mtkahypar: {network} on {target}: its {row['mtkahypar']:,.0f}, ours {row['auto']:,.0f}")
        if "best" in row:
            ratio = row["auto"] / row["best"] if row["best"] else 1.0
            if ratio > SMALL_BAR:
                missed.append(f"small: {network} on {target} is {ratio:.3f} x the best known")
            small.append(
                f"| {network} | {target} | {row['cores']} | {row['auto']:,.1f} | {row['best']:,.1f} | {ratio:.3f} | "
                f"{row['proof']:,.1f} | {'yes' if row['optimal'] else 'no'} |"
            )
    return lines + small


def over(value: float, other: float) -> str:
    return f"{value / other:.3f}" if other else f"{value:,.0f} / 0"


def shown(value: float, digits: int = 0) -> str:
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


def growth_table(rows: Rows, missed: list[str]) -> list[str]:
    lines = [
        f"How time and memory grow, on {GROWTH_TARGET}: dense layers by synapses (each weight its own), convolutions "
        "on a camera's image by neurons.", "", "| size | network | cores | bound | chips | CPU s | GiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for (kind, size), row in rows.items():
        if "error" in row:
            lines.append(f"| {size} {kind} | {row['error']} | | | | | |")
            missed.append(f"growth: {size} {kind}: {row['error']}")
            continue
        if row["gib"] > GIB_BAR:
            missed.append(f"memory: {size} {kind} held {row['gib']:.1f} GiB")
        lines.append(
            f"| {size} {kind} | {row['source']} | {row['cores']:,} | {row['bound']:,} | {row['chips']:,} | "
            f"{row['seconds']:.1f} | {row['gib']:.2f} |"
        )
    return lines


def main() -> None:
    """Measure, print the tables, and check the bars where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small networks on two targets, under a minute")
    parser.add_argument("--check", action="store_true", help="exit code 1, naming what fell short")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that a row may take (default 600)")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="seconds for all rows together")
    parser.add_argument("--jobs", type=int, default=1, help="rows measured at a time (default 1)")
    parser.add_argument("-o", "--out", type=Path, help="file for the tables, as Markdown")
    options = parser.parse_args()
    stop_after(options.stop_after)
    networks = QUICK_NETWORKS if options.quick else tuple(NETWORKS)
    targets = QUICK_TARGETS if options.quick else TARGETS
    sizes = [("synapses", name) for name in SYNAPSES] + [("neurons", name) for name in NEURONS]
    few = sizes[:4] if options.quick else sizes
    pairs = [(network, target) for target in targets for network in networks]
    with ThreadPoolExecutor(options.jobs) as pool:
        found = pool.map(lambda pair: in_child(row_of, *pair, limit=options.limit), pairs)
        grown = pool.map(lambda pair: in_child(growth_row, *pair, limit=options.limit), few)
    rows = dict(zip(pairs, found, strict=True))
    growth = dict(zip(few, grown, strict=True))
    missed: list[str] = []
    command = " ".join(["benchmarks/mapping.py", *sys.argv[1:]])
    where = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    tables = [
        ["# The mapper", "", f"By `uv run python {command}` on {where}."],
        mapping_table(rows, missed),
        placement_table(rows, missed),
        growth_table(growth, missed),
        ["Bars missed:", "", *(f"- {line}" for line in missed)] if missed else ["All bars are met."],
    ]
    text = "\n\n".join("\n".join(table) for table in tables) + "\n"
    print(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    if options.check and missed:
        print("missed: " + "; ".join(missed), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
