"""Memory and remains of many verifications in Lava: what this process holds after each, and what is left behind.

uv run python benchmarks/lava_memory.py          # 200 verifications, 200 rounds in one child: half an hour or so;
                                                 # writes benchmarks/results/lava_memory.md
uv run python benchmarks/lava_memory.py --quick  # 6 of each, prints only
uv run python benchmarks/lava_memory.py --check  # exit code 1, naming what fell short: memory that grew by more
                                                 # than 0.1 MiB per run after the first tenth, or anything left
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava import api
from tern2lava.bundle import Bundle, read_bundle
from tern2lava.sim.data.spike_file import SpikeData, make_spikes
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.cores import run_cores
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.lava.shared_arrays import SharedArrays
from tern2lava.sim.verify.shard import LavaMode
from tern2lava.zoo import ZOO
from tern2lava.zoo.samples import samples_of

RESULTS = Path(__file__).resolve().parent / "results" / "lava_memory.md"
# Bytes that a run may add: the allocator's arenas wander by some MiB, a kept copy of one run's arrays would show.
GROWTH = (1 << 20) // 10
FEWER = 6
# In the environment of every process that descends from this one, whoever becomes its parent.
MARK = f"TERN2LAVA_MEMORY_{os.getpid()}"


def held() -> int:
    """Bytes of memory that this process holds (resident set)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def report_held(payload: None, shared: SharedArrays) -> None:
    """Leaves in shared["held"] what the child holds (the child's side)."""
    shared["held"][0] = held()


def remains() -> set[str]:
    """Names of everything that a run could leave: temporary folders, a child's processes, shared memory of no one."""
    found = {str(path) for path in Path(tempfile.gettempdir()).glob("t2l-*")}
    mapped = ""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            mapped += (folder / "maps").read_text()
            if MARK.encode() in (folder / "environ").read_bytes():
                found.add(f"process {folder.name}")
        except OSError:
            continue
    return found | {str(path) for path in Path("/dev/shm").glob("t*") if str(path) not in mapped}


def demo_bundle(folder: Path) -> tuple[Bundle, SpikeData]:
    """The smaller demonstration network compiled, and four samples for it."""
    data = resources.files("tern2lava.demo")
    api.compile(str(data / "mlp.pt"), "loihi2", net=str(data / "mlp.yaml"), out=folder / "mlp")
    bundle = read_bundle(folder / "mlp")
    arrays = samples_of(ZOO.get("mlp")).arrays
    return bundle, make_spikes({key: value[:4] for key, value in arrays.items()}, bundle.executable.program)


def verifications(bundle: Bundle, spikes: SpikeData, runs: int) -> list[int]:
    """Bytes held by this process after each of `runs` verifications, in every Lava mode by turns, each with a child of
    its own."""
    modes: tuple[LavaMode, ...] = ("fused", "inprocess", "stock")
    found = []
    for run in range(runs):
        report = api.verify(bundle, spikes, lava_mode=modes[run % len(modes)])
        if report.verification is None or not report.verification.equal:
            sys.exit(f"verification {run} failed: {report.verification}")
        found.append(held())
    return found


def jobs(bundle: Bundle, spikes: SpikeData, runs: int) -> list[int]:
    """Bytes held by one child after each of `runs` rounds of all Lava modes in it."""
    executable = bundle.executable
    found = []
    inputs = {name: np.asarray(values[:]) for name, values in spikes.inputs.items()}
    with LavaChild() as child:
        for _ in range(runs):
            run_stock(executable.program, inputs, child=child)
            run_stock(executable.program, inputs, sequential=True, child=child)
            run_cores(executable.images, executable.host_image, inputs, child=child)
            shared = SharedArrays({"held": ((1,), "int64")})
            child.run("lava_memory:report_held", None, shared, steps=1, timeout=60)
            found.append(int(shared["held"][0]))
    return found


def measure(runs: int) -> list[tuple[str, list[int], float]]:
    """(what, bytes held after each run, seconds) of `runs` verifications, and of as many rounds in one child."""
    found: list[tuple[str, list[int], float]] = []
    with tempfile.TemporaryDirectory() as folder:
        bundle, spikes = demo_bundle(Path(folder))
        ways: tuple[tuple[str, Any], ...] = (
            ("this process, a child for each verification", verifications), ("one child, all runs in it", jobs),
        )  # fmt: skip
        for what, way in ways:
            began = time.perf_counter()
            found.append((what, way(bundle, spikes, runs), time.perf_counter() - began))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="verifications (with 200 the results are written)")
    parser.add_argument("--quick", action="store_true", help=f"{FEWER} verifications")
    parser.add_argument("--check", action="store_true", help="exit code 1 if memory grew or anything is left")
    arguments = parser.parse_args()
    if importlib.util.find_spec("lava") is None:
        sys.exit("Lava is not installed")
    runs = FEWER if arguments.quick else arguments.runs
    os.environ[MARK] = "1"
    with tempfile.TemporaryDirectory() as own:
        # Where other work also keeps temporary files, theirs would be counted.
        tempfile.tempdir = own
        before = remains()
        rows = measure(runs)
        left = sorted(remains() - before)
        tempfile.tempdir = None
    warm = max(1, runs // 10)
    short = [f"left behind: {name}" for name in left]
    table = []
    for what, values, seconds in rows:
        growth = (values[-1] - values[warm - 1]) / max(1, runs - warm)
        # A few runs cannot tell the filling of caches from growth.
        if growth > GROWTH and runs > FEWER:
            short.append(f"{what}: {growth / 1024:.1f} KiB grown per run, wanted at most {GROWTH // 1024}")
        mib = [f"{values[at - 1] / 2**20:.1f}" for at in (warm, max(1, runs // 2), runs)]
        table.append(f"| {what} | {' | '.join(mib)} | {growth / 1024:.1f} | {seconds / runs:.2f} |")
    lines = [
        "# Memory of many verifications in Lava",
        "",
        f"`uv run python benchmarks/lava_memory.py`: {runs} verifications of the demonstration's mlp, 4 samples, Lava "
        "run in its three ways (L1, L2, L3), by turns or in the one child all three each time. MiB held (resident):",
        "",
        f"| what | after {warm} | after {runs // 2} | after {runs} | growth per run, KiB | seconds per run |",
        "|---|---:|---:|---:|---:|---:|",
        *table,
        "",
        f"Left behind (processes, shared memory, temporary files): {', '.join(left) or 'nothing'}.",
    ]
    print("\n".join(lines))
    if runs >= 200:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for each in short:
        print(f"short of the bar: {each}", file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
