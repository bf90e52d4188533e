"""Measures the mapper: cores, traffic, time and memory on the shapes of published networks, against what others do.

    uv run python benchmarks/mapping.py                                       # some 45 minutes
    uv run python benchmarks/mapping.py -o benchmarks/results                 # and writes mapping.json and mapping.md
    uv run python benchmarks/mapping.py -o benchmarks/results --targets loihi1 --networks vgg9  # these rows anew
    uv run python benchmarks/mapping.py -o benchmarks/results --stored        # tables of what was measured before
    uv run python benchmarks/mapping.py --quick --check                       # under one minute

Networks are those of benchmarks/networks.py, codes drawn from a seed, half of them zero; every neuron and input spikes
0.1 times a step. Each row is a process of its own: CPU seconds are partition, placement, routes and images together,
memory is the most that the process held by then (with Python and its packages). Hops are spikes per step times hops,
chip borders counted as the profile says. Parts: `cores` (the default objective, baselines, placement algorithms),
`traffic` (the other objective) and `growth`.

--check ends with exit code 1 and names the bars that were missed:

    cores       at most 1.10 x the lower bound where the largest layer needs more than a core, 1.25 x else
    hops        at most 0.6 x those of sequential filling placed row by row
    mtkahypar   no more hops than Mt-KaHyPar's own mapping
    small       at most 1.05 x the best known placement on up to 12 cores (CP-SAT, proven where it says so)
    seconds     VGG-16 on kapoho-point (the Loihi 2 board that holds it) in 20 CPU seconds
    memory      8 GiB for every network

On generic-ternary the default objective puts synaptic memory before traffic and misses `hops` on larger networks: there
`hops` is checked, together with `cores`, on the mapping of `--objective traffic`, and the default's ratio is shown.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from mapping_rows import Row, growth_row, in_child, row_of, stop_after, traffic_row
from mapping_table import render
from networks import NETWORKS, NEURONS, SYNAPSES

TARGETS = ("loihi2", "kapoho-point", "generic-ternary", "loihi1", "truenorth", "paicore2", "hala-point")
TRAFFIC_TARGETS = ("generic-ternary", "loihi2", "kapoho-point", "truenorth", "paicore2")
SIZES = [(name, "synapses") for name in SYNAPSES] + [(name, "neurons") for name in NEURONS]
WORK: dict[str, Callable[..., Row]] = {"cores": row_of, "traffic": traffic_row, "growth": growth_row}
QUICK_NETWORKS = ("mlp", "cnn", "lenet5", "rnn")
QUICK = {
    "cores": [(name, target) for target in ("loihi2", "generic-ternary") for name in QUICK_NETWORKS],
    "traffic": [(name, "generic-ternary") for name in QUICK_NETWORKS],
    "growth": SIZES[:4],
}
ALL = {
    "cores": [(name, target) for target in TARGETS for name in NETWORKS],
    "traffic": [(name, target) for target in TRAFFIC_TARGETS for name in NETWORKS],
    "growth": SIZES,
}


def key(pair: tuple[str, str]) -> str:
    return "@".join(pair)


def load(path: Path) -> dict[str, Any]:
    """What was written before, nothing where nothing was."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {part: {} for part in ALL}


def save(folder: Path, stored: dict[str, Any]) -> None:
    """All rows so far, so that a run that is cut off keeps what it measured."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / "mapping.json.new"
    aside.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    aside.replace(folder / "mapping.json")


def main() -> int:
    """Measure, print the tables, and check the bars where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small networks on two targets, under a minute")
    parser.add_argument("--check", action="store_true", help="exit code 1, naming what fell short")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), help="only these, others as stored")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, help="only these, others as stored")
    parser.add_argument("--parts", nargs="+", choices=list(ALL), help="only these, others as stored")
    parser.add_argument("--stored", action="store_true", help="measure nothing, tables from what is stored")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that a row may take (default 600)")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="seconds for all rows together")
    parser.add_argument("--jobs", type=int, default=1, help="rows measured at a time (default 1)")
    parser.add_argument("-o", "--out", type=Path, help="folder of mapping.json, where rows are stored, and mapping.md")
    options = parser.parse_args()
    some = bool(options.networks or options.targets or options.parts)
    if options.out is None and (some or options.stored):
        parser.error("--networks, --targets, --parts and --stored need -o, the folder of what is stored")
    if options.quick and (some or options.stored or options.out):
        parser.error("--quick measures its own rows and writes none")
    stop_after(options.stop_after)
    wanted = QUICK if options.quick else ALL
    if some:
        wanted = {
            part: [
                (name, target) for name, target in pairs if options.parts is None or part in options.parts
                if part != "growth" or not (options.networks or options.targets)
                if part == "growth" or options.networks is None or name in options.networks
                if part == "growth" or options.targets is None or target in options.targets
            ]
            for part, pairs in ALL.items()
        }  # fmt: skip
    todo = [] if options.stored else [(part, pair) for part, pairs in wanted.items() for pair in pairs]
    stored = {part: {} for part in ALL} if options.quick or not options.out else load(options.out / "mapping.json")

    writing = Lock()
    if todo:
        stored["where"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"

    def measure(job: tuple[str, tuple[str, str]]) -> None:
        part, pair = job
        row = in_child(WORK[part], *pair, limit=options.limit)
        with writing:
            stored[part][key(pair)] = row
            if options.out:
                save(options.out, stored)

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(measure, todo))
    # In the order of the lists, rows of both old and new measurements.
    found = {
        part: {pair: stored[part][key(pair)] for pair in pairs if key(pair) in stored[part]}
        for part, pairs in ALL.items()
    }
    origin = f"By `uv run python benchmarks/mapping.py -o benchmarks/results` on {stored['where']}."
    text, missed = render(found, origin)
    print(text)
    if options.out is not None:
        # In the order of the tables, without rows that no table has any more.
        kept = {part: {key(pair): row for pair, row in rows.items()} for part, rows in found.items()}
        save(options.out, {"where": stored["where"], **kept})
        (options.out / "mapping.md").write_text(text, encoding="utf-8")
    if options.check and missed:
        print("missed: " + "; ".join(missed), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
