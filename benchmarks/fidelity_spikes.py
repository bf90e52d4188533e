"""The second table: spikes that change between a network's real dynamics and its integers (fidelity.py says more)."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fidelity_data import CALIBRATE, COUNT
from fidelity_files import FILES, file_case
from fidelity_measure import measure
from fidelity_nets import CASES
from fidelity_own import run, write

GENERIC, LOIHI2, LOIHI1 = TARGETS = ("generic-ternary", "loihi2", "loihi1")
# Bars: shares of the reference's spikes, of what 3f246db gives, of decisions; how much longer a compilation may take.
SHARES, TENTH, DECISIONS, LONGER = {GENERIC: 0.002, LOIHI2: 0.01}, 0.1, 0.001, 2.0
RESULTS = Path(__file__).parent / "results"
BEFORE = RESULTS / "fidelity_before.json"
ALL = (*CASES, *FILES)
QUICK = ("alif-grid", "lif-hard")
Counts = dict[str, Any]


@dataclass
class Row:
    """One network on one target: the reference's spikes, populations' shares of neuron-timesteps that spike, decisions,
    and the counts (fidelity_measure.measure) of 3f246db and of this checkout, not calibrated and calibrated."""

    network: str
    target: str
    spikes: int
    activity: tuple[float, float]
    decisions: int
    stock_loop: bool
    before: Counts | None = None
    plain: Counts = field(default_factory=dict)
    calibrated: Counts = field(default_factory=dict)


def prepare(name: str, folder: Path) -> Row | str:
    """The folder of a network for fidelity_measure, and its row without counts; why it is left out, if it is."""
    folder.mkdir()
    if name in FILES:
        found = file_case(name, folder)
        if isinstance(found, str):
            return found
        case, inputs, spikes, calibration = found
        stock_loop = FILES[name].stock_loop
    else:
        made = CASES[name]()
        write(made.network, folder)
        inputs, calibration = made.data(COUNT)[0], made.data(CALIBRATE)[0]
        spikes, stock_loop = run(made.network, inputs), made.stock_loop
        output = made.network.layers[-1].name
        case = {"source": "net.npz", "net": "net.yaml", "options": {}, "load": {}, "output": output, "decides": True}
        case |= {key: str(folder / case[key]) for key in ("source", "net")}
    (folder / "case.json").write_text(json.dumps(case | {"targets": TARGETS}), encoding="utf-8")
    np.savez(folder / "counted.npz", input=inputs, **spikes)
    np.savez(folder / "calibration.npz", spikes=calibration)
    shares = [float(np.abs(value).mean()) for value in spikes.values()]
    return Row(
        network=name, target="", spikes=sum(int(np.abs(value).sum(dtype=np.int64)) for value in spikes.values()),
        activity=(min(shares), max(shares)), decisions=len(inputs) if case["decides"] else 0, stock_loop=stock_loop,
    )  # fmt: skip


def counts_of(checkout: Path, folders: list[Path]) -> dict[str, Counts]:
    """The counts of another checkout by "network on target", by its own modules in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("fidelity_measure.py")), *map(str, folders)]
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment, cwd=checkout)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {f"{row.pop('network')} on {row.pop('target')}": row for row in rows}


def rows(names: list[str], checkout: Path | None, times: int) -> tuple[list[Row], list[str]]:
    """The rows, and why networks are left out. checkout: 3f246db, measured anew beside this one; else what it gave is
    read from the results."""
    stored: dict[str, Counts] = json.loads(BEFORE.read_text(encoding="utf-8")) if BEFORE.exists() else {}
    found, left_out = [], []
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            print(name, file=sys.stderr, flush=True)
            folder = Path(place) / name
            row = prepare(name, folder)
            if isinstance(row, str):
                left_out.append(row)
                continue
            old = stored if checkout is None else counts_of(checkout, [folder])
            for target in TARGETS:
                plain = measure(folder, target, False, times)
                calibrated = measure(folder, target, True, times)
                found.append(
                    replace(
                        row, target=target, before=old.get(f"{name} on {target}"), plain=plain, calibrated=calibrated
                    )
                )
            shutil.rmtree(folder)
    return found, left_out


def store(found: list[Row]) -> None:
    """What the other checkout gave, in the results; rows of networks that were not run stay as they are."""
    stored: dict[str, Counts] = json.loads(BEFORE.read_text(encoding="utf-8")) if BEFORE.exists() else {}
    stored |= {f"{row.network} on {row.target}": row.before for row in found if row.before is not None}
    lines = [f"{json.dumps(key)}: {json.dumps(stored[key])}" for key in sorted(stored)]
    BEFORE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


@cache
def seconds_to_start() -> float:
    """CPU seconds of `tern2lava compile` before it compiles: those of its imports."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "import tern2lava.api, tern2lava.report.terminal, tern2lava.cli"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def missed_bars(found: list[Row], beside: bool) -> list[str]:
    """A line for each bar that is missed. beside: 3f246db was measured in this run, so that seconds compare."""
    lines: list[str] = []
    generic = {row.network: row for row in found if row.target == GENERIC}
    for row in found:
        where = f"{row.network} on {row.target}"
        if row.before is None:
            lines.append(f"before: {where}: 3f246db was not measured")
            continue
        old = None if "refused" in row.before else row.before
        for word, now in (("plain", row.plain), ("calibrated", row.calibrated)):
            if "refused" in now:
                lines += [] if old is None else [f"{word}: {where}: {now['refused']}"]
                continue
            for way in ("free", "fed"):
                most = _most(row, word, way)
                if most is not None and now[way] > most:
                    lines.append(f"{word}: {where}, {way}: {now[way]:,} differ, at most {most:,.0f} may")
                other = generic[row.network].plain if word == "plain" else generic[row.network].calibrated
                if row.target == LOIHI2 and "refused" not in other and other[way] > now[way]:
                    lines.append(f"generic-ternary: {row.network}, {word}, {way}: {other[way]:,} differ, "
                                 f"{now[way]:,} on loihi2")  # fmt: skip
            if not now["same"]:
                lines.append(f"same: {where}, {word}: two compilations made other integers")
            most = DECISIONS * row.decisions
            if word == "calibrated" and row.target in SHARES and row.decisions and now["changed"] > most:
                lines.append(f"decisions: {where}: {now['changed']:,} of {row.decisions:,} changed")
            shorter = row.plain if word == "calibrated" else old if beside else None
            # Samples are run in the command that a user waits for, which starts Python as well.
            start = seconds_to_start() if word == "calibrated" else 0.0
            if shorter is not None and "refused" not in shorter:
                took, else_took = start + now["seconds"], start + shorter["seconds"]
                if took > LONGER * else_took:
                    lines.append(f"time: {where}, {word}: {took:.3f} s, else {else_took:.3f} s")
    return lines


def _most(row: Row, word: str, way: str) -> float | None:
    """How many spikes may differ; None where no bar says."""
    old = None if row.before is None or "refused" in row.before else row.before
    if word == "plain":
        return None if old is None else float(old[way])
    if row.stock_loop and row.target != GENERIC:
        return None if old is None else TENTH * old[way]
    share = SHARES.get(row.target)
    return None if share is None else share * row.spikes


def table(found: list[Row], left_out: list[str]) -> list[str]:
    """The table in Markdown, and its sums by target."""
    lines = [
        "| network | target | spikes | active, % | 3f246db: free | fed | plain: free | fed | calibrated: free | fed "
        "| decisions | changed: 3f246db | plain | calibrated | seconds: 3f246db | plain | calibrated |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        each = (row.before or {}, row.plain, row.calibrated)
        if all("refused" in counts for counts in each if counts):
            continue
        low, high = (100 * share for share in row.activity)
        cells = [row.network, row.target, f"{row.spikes:,}", f"{low:.0f} to {high:.0f}"]
        cells += [_cell(counts, key) for counts in each for key in ("free", "fed")]
        cells += [f"{row.decisions:,}" if row.decisions else "-"]
        cells += [_cell(counts, "changed") if row.decisions else "-" for counts in each]
        cells += [_cell(counts, "seconds") for counts in each]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    for target in TARGETS:
        run = [row for row in found if row.target == target and "refused" not in row.calibrated]
        if run:
            spikes, decisions = sum(row.spikes for row in run), sum(row.decisions for row in run)
            free, fed, changed = (sum(row.calibrated[key] for row in run) for key in ("free", "fed", "changed"))
            lines.append(
                f"- {target}, {len(run)} networks, calibrated: of {spikes:,} spikes {free:,} differ free-running, "
                f"{fed:,} fed; of {decisions:,} decisions {changed:,} change."
            )
    if left_out:
        lines += ["", "Left out: " + "; ".join(left_out) + "."]
    return lines


def _cell(counts: Counts, key: str) -> str:
    if not counts or "refused" in counts:
        return "refused" if counts else "-"
    return f"{counts[key]:.2f}" if key == "seconds" else f"{counts[key]:,}"
