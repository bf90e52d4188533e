"""Memory and remains of many verifications in Lava: what this process holds after each, and what is left behind.

    uv run python benchmarks/lava_memory.py             # 200 verifications, 200 runs in one child; some minutes;
                                                        # writes benchmarks/results/lava_memory.md
    uv run python benchmarks/lava_memory.py --runs 10   # quick, prints only

Exit code 1 where memory grew by more than a megabyte per ten runs after the first tenth, or a process, a file of the
temporary folder or shared memory is left.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

from tern2lava import api
from tern2lava.bundle import Bundle, read_bundle
from tern2lava.demo.run import test_spikes
from tern2lava.sim.lava_child import LavaChild
from tern2lava.sim.lava_cores import run_cores
from tern2lava.sim.lava_shared import SharedArrays
from tern2lava.sim.lava_stock import run_stock
from tern2lava.sim.shard import LavaMode
from tern2lava.sim.spikes import SpikeData, make_spikes

RESULTS = Path(__file__).resolve().parent / "results" / "lava_memory.md"
GROWTH = 1 << 20


def held() -> int:
    """Bytes of memory that this process holds (resident set)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def report_held(payload: None, shared: SharedArrays) -> None:
    """Leaves in shared["held"] what the child holds (the child's side)."""
    shared["held"][0] = held()


def remains() -> set[str]:
    """Names of everything that a run could leave: temporary folders, shared memory, processes of a child."""
    found = {str(path) for path in Path(tempfile.gettempdir()).glob("t2l-*")}
    found |= {str(path) for path in Path("/dev/shm").glob("t*")}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"tern2lava.sim.lava_main" in command:
            found.add(f"process {folder.name}")
    return found


def demo_bundle(folder: Path) -> tuple[Bundle, SpikeData]:
    """The smaller demonstration network compiled, and four samples for it."""
    data = resources.files("tern2lava.demo")
    api.compile(str(data / "mlp.pt"), "loihi2", net=str(data / "mlp.yaml"), out=folder / "mlp")
    bundle = read_bundle(folder / "mlp")
    arrays = test_spikes(json.loads((data / "metrics.json").read_text(encoding="utf-8"))["mlp"])
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
    with LavaChild() as child:
        for _ in range(runs):
            run_stock(executable.program, spikes.inputs, child=child)
            run_stock(executable.program, spikes.inputs, sequential=True, child=child)
            run_cores(executable.images, executable.host_image, spikes.inputs, child=child)
            shared = SharedArrays({"held": ((1,), "int64")})
            child.run("lava_memory:report_held", None, shared, steps=1, timeout=60)
            found.append(int(shared["held"][0]))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="verifications (with 200 the results are written)")
    arguments = parser.parse_args()
    if importlib.util.find_spec("lava") is None:
        sys.exit("Lava is not installed")
    before, runs = remains(), arguments.runs
    with tempfile.TemporaryDirectory() as folder:
        bundle, spikes = demo_bundle(Path(folder))
        rows: list[tuple[str, list[int], float]] = []
        measures: tuple[tuple[str, Any], ...] = (
            ("this process, a child for each verification", verifications), ("one child, all runs in it", jobs),
        )  # fmt: skip
        for what, measure in measures:
            began = time.perf_counter()
            rows.append((what, measure(bundle, spikes, runs), time.perf_counter() - began))
    left = sorted(remains() - before)
    warm = max(1, runs // 10)
    lines = [
        "# Memory of many verifications in Lava",
        "",
        f"`uv run python benchmarks/lava_memory.py`: {runs} verifications of the demonstration's mlp, 4 samples, Lava "
        "run in its three ways (L1, L2, L3), by turns or in the one child all three each time. MiB held (resident):",
        "",
        f"| what | after {warm} | after {runs // 2} | after {runs} | growth per run, KiB | seconds per run |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    grew = False
    for what, values, seconds in rows:
        growth = (values[-1] - values[warm - 1]) / max(1, runs - warm)
        grew |= values[-1] - values[warm - 1] > GROWTH * max(1, runs // 10)
        mib = [f"{values[at - 1] / 2**20:.1f}" for at in (warm, max(1, runs // 2), runs)]
        lines.append(f"| {what} | {' | '.join(mib)} | {growth / 1024:.1f} | {seconds / runs:.2f} |")
    lines += ["", f"Left behind (processes, shared memory, temporary files): {', '.join(left) or 'nothing'}."]
    print("\n".join(lines))
    if runs >= 200:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if grew or left else 0


if __name__ == "__main__":
    sys.exit(main())
