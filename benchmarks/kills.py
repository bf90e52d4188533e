"""Kills, and interrupts, the command line at seeded moments, and looks at what lies there afterwards.

    uv run python benchmarks/kills.py                                    # about half an hour
    uv run python benchmarks/kills.py -o benchmarks/results/kills.md     # and writes what it printed
    uv run python benchmarks/kills.py --quick --check                    # under one minute

compile, verify, simulate, train and report of a small network each get kill -9 a hundred times: half of them at a
moment drawn over the whole run, half just before an operation on files, drawn from those that a whole run makes. A copy
of the interpreter with everything imported is forked for each, which runs the command line's own entry point
(forked_commands.py); of verify every tenth run starts Lava.

After each kill, what the command replaces must read as the old or as the new, and nothing else may differ, leftovers
with their own names (tern2lava/writing/leftovers.py) set aside; then the same command must succeed, give what a run
that was never killed gives, and remove the leftovers. Beside these, each command gets SIGINT and SIGTERM at such
moments: exit code 130 or 143, one line, and no leftover.

--check ends with exit code 1 and names the bars that were missed: no fault in any kill or signal.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from forked_commands import Blow, Ended, import_all, run
from kills_cases import CASES, Case, Content, copy, make_inputs

from tern2lava.writing import is_leftover

KILLS, SIGNALS = 100, 20
LAVA_EVERY = 10


@dataclass
class Row:
    """What was seen of one command and signal."""

    blows: int = 0
    hits: int = 0
    old: int = 0
    new: int = 0
    between: int = 0
    leftovers: int = 0
    faults: list[str] = field(default_factory=list)


def listing(folder: Path, without: str) -> dict[str, bytes]:
    """The content of every file but those of `without` and leftovers."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (not without or path.relative_to(folder).parts[0] != without)
        and not any(is_leftover(part) for part in path.relative_to(folder).parts)
    }


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if is_leftover(path.name)]


def remains(temporary: Path) -> list[str]:
    """Files for temporary use, shared memory and processes of Lava's that are still there after a moment."""
    deadline = time.monotonic() + 10
    while True:
        found = [path.name for path in temporary.iterdir()]
        with contextlib.suppress(OSError):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    with contextlib.suppress(OSError):
                        words = (entry / "environ").read_bytes().split(b"\0")
                        state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                        if any(word.startswith(b"TMPDIR=" + bytes(temporary) + b"/") for word in words):
                            found += [entry.name] if state not in "ZX" else []
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


class Bench:
    """One folder in which commands run, and what a whole run of each makes."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder / "work"
        self.temporary = folder / "temporary"
        self.folder.mkdir()
        self.temporary.mkdir()
        self.environment = {"TMPDIR": str(self.temporary)}
        self.draw = random.Random(seed)
        make_inputs(self.folder)
        for target, out in (("tiny", "old-build"), ("loihi2", "new-build")):
            self._whole("compile", "net.npz", "--net", "net.yaml", "-t", target, "-o", out)
        self._whole("simulate", "old-build", "--data", "data.npz", "-o", "old-out.npz", "--states")
        copy(self.folder, "new-build", "build")

    def _whole(self, *words: str) -> Ended:
        done = run(list(words), self.folder, environment=self.environment)
        if done.code:
            raise SystemExit(f"{' '.join(words)} ended with {done.code}: {done.err}")
        return done

    def measure(self, case: Case, words: list[str]) -> tuple[Content, Content, float, int]:
        """What `case` finds and makes, the seconds that it takes and the operations on files."""
        place = self.folder / (case.out or "build")
        case.before(self.folder)
        old = case.look(place)
        done = self._whole(*words)
        new = case.look(place)
        return old, new, done.seconds, done.operations

    def strike(self, case: Case, number: int, blows: int, lava: bool) -> Row:
        """End `case` with a signal, a number of times."""
        row = Row()
        plain = list(case.words)
        old, new, seconds, operations = self.measure(case, plain)
        with_lava = [*plain[:-1], "lava"]
        lava_of = self.measure(case, with_lava) if lava and case.name == "verify" else None
        for at in range(blows):
            words = plain
            if lava_of is not None and at % LAVA_EVERY == 0:
                words = with_lava
            known = lava_of if words is with_lava and lava_of is not None else (old, new, seconds, operations)
            if at % 2:
                blow = Blow(number=number, operation=self.draw.randrange(known[3]), folder=self.folder)
            else:
                blow = Blow(number=number, after=self.draw.uniform(0, known[2]))
            self._strike_once(row, case, words, blow, known)
        return row

    def _strike_once(
        self, row: Row, case: Case, words: list[str], blow: Blow, known: tuple[Content, Content, float, int]
    ) -> None:
        old, new = known[:2]
        place = self.folder / (case.out or "build")
        case.before(self.folder)
        around = listing(self.folder, case.out)
        done = run(words, self.folder, blow=blow, environment=self.environment)
        where = f"{' '.join(words)}, signal {blow.number} " + (
            f"after {blow.after:.3f} s" if blow.after is not None else f"before operation {blow.operation}"
        )
        row.blows += 1
        row.hits += done.code != 0
        if listing(self.folder, case.out) != around:
            row.faults.append(f"{where}: other files differ")
        left = leftovers(self.folder)
        row.leftovers += bool(left)
        if blow.number != signal.SIGKILL:
            self._judge_end(row, where, done, blow, left)
        try:
            found = case.look(place)
        except Exception as error:
            row.faults.append(f"{where}: damaged: {type(error).__name__}: {error}")
            return
        row.old += found == old
        row.new += found == new and found != old
        if found not in (old, new):
            row.between += 1
            if not case.partial:
                row.faults.append(f"{where}: neither the old nor the new")
        again = run(words, self.folder, environment=self.environment)
        if again.code != 0:
            row.faults.append(f"{where}: the next run ended with {again.code}: {again.err.strip()}")
        elif case.look(place) != new:
            row.faults.append(f"{where}: the next run gives another result")
        still = remains(self.temporary)
        if leftovers(self.folder) or still:
            # A command that writes nothing cleans nothing up: the next one that does.
            row.faults.append(f"{where}: left after the next run: {leftovers(self.folder) + still}")

    @staticmethod
    def _judge_end(row: Row, where: str, done: Ended, blow: Blow, left: list[str]) -> None:
        lines = done.err.splitlines()
        if done.code == 0 and not lines:
            return
        # Before Python's first line of the command, no program can answer.
        if done.code == -blow.number and not lines:
            return
        if done.code != 128 + blow.number or len(lines) != 1 or "interrupted" not in lines[0]:
            row.faults.append(f"{where}: exit code {done.code}, {lines[-3:]}")
        if left:
            row.faults.append(f"{where}: left {left}")


def table(rows: dict[tuple[str, str], Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| command | signal | sent | ended by it | old | new | between | with leftovers | faults |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (name, sign), row in rows.items():
        lines.append(
            f"| {name} | {sign} | {row.blows} | {row.hits} | {row.old} | {row.new} | {row.between} | {row.leftovers} | "
            f"{len(row.faults)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four kills and two signals of each command, without Lava")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="commands, with commas")
    parser.add_argument("--signals", default="SIGKILL,SIGINT,SIGTERM", help="signals, with commas")
    parser.add_argument("-o", "--out", type=Path)
    arguments = parser.parse_args()
    kills, signals = (4, 2) if arguments.quick else (KILLS, SIGNALS)
    began = time.perf_counter()
    import_all()
    rows: dict[tuple[str, str], Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.seed)
        for case in CASES:
            if arguments.only and case.name not in arguments.only.split(","):
                continue
            for number, blows in ((signal.SIGKILL, kills), (signal.SIGINT, signals), (signal.SIGTERM, signals)):
                if number.name not in arguments.signals.split(","):
                    continue
                lava = not arguments.quick and number == signal.SIGKILL
                row = rows[case.name, number.name] = bench.strike(case, number, blows, lava)
                print(f"{case.name} {number.name}: {row.blows} sent, {len(row.faults)} faults", file=sys.stderr)
                for fault in row.faults:
                    print(f"  {fault}", file=sys.stderr)
    took = time.perf_counter() - began
    killed = [row for (_, sign), row in rows.items() if sign == "SIGKILL"]
    text = (
        "# Kills\n\n"
        f"    uv run python benchmarks/kills.py{' --quick' if arguments.quick else ''} --seed {arguments.seed}\n\n"
        f"{platform.system()}, Python {platform.python_version()}, {os.cpu_count()} processors, "
        f"{took / 60:.0f} minutes.\n"
        "What is counted: benchmarks/kills.py.\n\n"
        + table(rows)
        + f"\nOf {sum(row.blows for row in killed)} kills {sum(len(row.faults) for row in killed)} left anything else "
        "than the old or the new (of `train` also: states that the next run went on from, to the same weights), and in "
        "none of the rest did the next run fail or leave anything.\n"
    )
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")
    faults = [fault for row in rows.values() for fault in row.faults]
    if arguments.check and faults:
        print(f"missed: {len(faults)} faults, the first: {faults[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
