"""Damages bundles and counts what is read all the same.

    uv run python benchmarks/bit_flips.py                                         # under two minutes
    uv run python benchmarks/bit_flips.py -o benchmarks/results/bit_flips.md      # and writes what it printed
    uv run python benchmarks/bit_flips.py --quick --check                         # under one minute

Bundles of several networks and targets, one of them verified, three with a recorded run, are damaged in one place drawn
from a seed, read through the public API (`tern2lava.report`), and a share of them through the command line in a
process of its own, whose commands take turns. Bits are drawn from all bits of a bundle, files being drawn with the
square root of their size, so that small files have their share. Other damage: files cut, emptied, made longer,
deleted, renamed, added, turned into links and pipes, and exchanged with those of another bundle.

--check ends with exit code 1 and names the bars that were missed:

    refused     all of them, each in one line that names the file (of two that were exchanged, one of them)
    commands    exit code 2 and one line on stderr, nothing on stdout
    whole       every bundle before and after
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np

import tern2lava
from tern2lava.__main__ import main as tern2lava_main
from tern2lava.errors import Tern2LavaError

DEMO = Path(str(resources.files("tern2lava.demo")))
Rng = np.random.Generator


def spikes(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {"spikes": (np.random.default_rng(3).random((2, 16, *shape)) < 0.2).astype(np.uint8)}


def write_bundles(folder: Path) -> list[Path]:
    """The networks of the demonstration on three targets, one of them verified and compared with its twins."""
    made = []
    for name, target in (("mlp", "tiny"), ("mlp", "loihi1"), ("conv", "tiny"), ("conv", "loihi2")):
        place = folder / f"{name}-{target}"
        recorded = DEMO / f"{name}-run.npz" if target != "loihi1" else None
        tern2lava.compile(DEMO / f"{name}.pt", target, net=DEMO / f"{name}.yaml", out=place, recorded=recorded)
        made.append(place)
    tern2lava.verify(made[0], spikes((1, 8, 8)), backend="reference")
    tern2lava.report(made[0], compare_bits=8)
    np.savez(folder / "data.npz", spikes=spikes((1, 8, 8))["spikes"])
    return made


def files_of(bundle: Path) -> list[str]:
    return sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())


def drawn_file(bundle: Path, rng: Rng) -> Path:
    names = files_of(bundle)
    weights = np.sqrt([float((bundle / name).stat().st_size) for name in names])
    return bundle / str(rng.choice(names, p=weights / weights.sum()))


# Each damages a bundle and returns the files of which a line must name one.


def flip(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    path = drawn_file(bundle, rng)
    data = bytearray(path.read_bytes())
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    return [path]


def cut(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    path = drawn_file(bundle, rng)
    path.write_bytes(path.read_bytes()[: int(rng.integers(path.stat().st_size))])
    return [path]


def lengthen(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    path = drawn_file(bundle, rng)
    path.write_bytes(path.read_bytes() + rng.bytes(int(rng.integers(1, 100))))
    return [path]


def delete(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    path = drawn_file(bundle, rng)
    path.unlink()
    # A folder without its manifest is not a bundle, so the error names the folder.
    return [bundle if path.name == "manifest.json" else path]


def rename(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    path = drawn_file(bundle, rng)
    other = path.with_name(f"{path.stem}2{path.suffix}")
    path.rename(other)
    return [bundle if path.name == "manifest.json" else path, other]


def add(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    path = drawn_file(bundle, rng)
    other = path.with_name(f"copy of {path.name}")
    shutil.copyfile(path, other)
    return [other]


def link(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    path = drawn_file(bundle, rng)
    aside = bundle.with_name("linked")
    shutil.copyfile(path, aside)
    path.unlink()
    path.symlink_to(aside)
    return [path]


def pipe(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    path = drawn_file(bundle, rng)
    path.unlink()
    os.mkfifo(path)
    return [path]


def exchange(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    """A file of another bundle in the place of that of the same name."""
    other = others[int(rng.integers(len(others)))]
    names = [
        name for name in files_of(bundle)
        if (other / name).is_file() and (other / name).read_bytes() != (bundle / name).read_bytes()
    ]  # fmt: skip
    name = str(rng.choice(names))
    shutil.copyfile(other / name, bundle / name)
    # A manifest and a report that do not belong together: either may be the wrong one.
    return [bundle / name, *([bundle / "report.json"] if name == "manifest.json" else [])]


def swap(bundle: Path, others: list[Path], rng: Rng) -> list[Path]:
    """Two files of a bundle, each in the place of the other."""
    while True:
        one, other = drawn_file(bundle, rng), drawn_file(bundle, rng)
        first, second = one.read_bytes(), other.read_bytes()
        if first != second:
            one.write_bytes(second)
            other.write_bytes(first)
            return [one, other]


DAMAGE: dict[str, Callable[[Path, list[Path], Rng], list[Path]]] = {
    "a bit flipped": flip, "cut": cut, "made longer": lengthen, "deleted": delete, "renamed": rename,
    "one more": add, "a link": link, "a pipe": pipe, "of another bundle": exchange, "two swapped": swap,
}  # fmt: skip
COMMANDS: tuple[Callable[[Path, Path], tuple[object, ...]], ...] = (
    lambda bundle, data: ("report", bundle),
    lambda bundle, data: ("prove", bundle),
    lambda bundle, data: ("verify", bundle, "--data", data, "--backend", "reference"),
    lambda bundle, data: ("simulate", bundle, "--data", data),
    lambda bundle, data: ("export", bundle, "--to", "image", "-o", data.with_name("exported")),
    lambda bundle, data: ("report", bundle, "--compare-bits", "8"),
)


@dataclass
class Tally:
    """Counts by kind of damage, flips by kind of file, and lines on what was missed."""

    made: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    flips: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)


def by_api(bundle: Path, data: Path) -> str | None:
    """The line with which the bundle is refused; None where it is read."""
    try:
        tern2lava.report(bundle)
    except Tern2LavaError as error:
        return str(error)
    return None


def by_command(number: int, bundle: Path, data: Path) -> str | None:
    """The same of a command in a process of its own: one in ten from the beginning, the others forked from this one,
    which has imported everything."""
    words = ["tern2lava", *map(str, COMMANDS[number % len(COMMANDS)](bundle, data))]
    if number % 10 == 0:
        done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        code, out, err = forked(words, bundle.parent)
    if code == 0:
        return None
    return f"exit code {code}: {out}{err}\n" if code != 2 or out else err.removesuffix("\n")


def forked(words: list[str], room: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command line in a child of this process."""
    places = [room / name for name in ("stdout", "stderr")]
    child = os.fork()
    if not child:
        code = 70
        try:
            for number, place in enumerate(places, 1):
                os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.argv = words
            tern2lava_main()
            code = 0
        except SystemExit as done:
            code = int(done.code or 0)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, places[0].read_text(), places[1].read_text()


def damaged(kind: str, number: int, bundles: list[Path], room: Path, tally: Tally, command: bool) -> None:
    """Damage one bundle, read it, and count."""
    rng = np.random.default_rng([11, list(DAMAGE).index(kind), number])
    whole = bundles[number % len(bundles)]
    bundle = room / "build"
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(whole, bundle)
    named = DAMAGE[kind](bundle, [each for each in bundles if each != whole], rng)
    read = partial(by_command, number) if command else by_api
    line = read(bundle, bundles[0].parent / "data.npz")
    tally.made[kind] += 1
    tally.commands[kind] += command
    if kind == "a bit flipped":
        inner = named[0].relative_to(bundle)
        tally.flips[f"{inner.parts[0]}/" if len(inner.parts) > 1 else inner.name] += 1
    what = f"{kind}, {whole.name}, number {number}, {named[0].relative_to(room)}"
    if line is None:
        tally.missed.append(f"read: {what}")
    elif "\n" in line or not any(f"{path}: " in line for path in named):
        tally.missed.append(f"not one line that names the file: {what}: {line}")
    else:
        tally.refused[kind] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, help="write the tables to this file too")
    parser.add_argument("--quick", action="store_true", help="a tenth of the damage, by a command 6 times")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    options = parser.parse_args()
    flips, others, commands = (100, 10, 6) if options.quick else (1000, 100, 60)
    tally, begin = Tally(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder).resolve()
        bundles = write_bundles(room)
        digests = [tern2lava.report(bundle).bundle for bundle in bundles]
        for kind in DAMAGE:
            many = flips if kind == "a bit flipped" else others
            by_commands = commands if kind == "a bit flipped" else commands // 10
            for number in range(many):
                damaged(kind, number, bundles, room, tally, command=number >= many - by_commands)
        if [tern2lava.report(bundle).bundle for bundle in bundles] != digests:
            tally.missed.append("whole: a bundle that nothing was done to")
    made, refused = tally.made.total(), tally.refused.total()
    lines = [
        "# Damaged bundles", "", "`uv run python benchmarks/bit_flips.py -o benchmarks/results/bit_flips.md`", "",
        f"{refused:,} of {made:,} damaged bundles of {len(digests)} networks on targets were refused in one line that "
        f"names the file; {tally.commands.total()} of them by the command line.", "",
        "| damage | made | refused | of them by a command |", "|---|---|---|---|",
        *(f"| {kind} | {tally.made[kind]:,} | {tally.refused[kind]:,} | {tally.commands[kind]} |" for kind in DAMAGE),
        "", "| bits flipped in | |", "|---|---|", *(f"| `{name}` | {n} |" for name, n in sorted(tally.flips.items())),
    ]  # fmt: skip
    text = "\n".join(lines) + "\n"
    print(text, end="")
    print(f"{time.process_time() - begin:.0f} CPU seconds", file=sys.stderr)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    for line in tally.missed:
        print(line)
    return 1 if options.check and tally.missed else 0


if __name__ == "__main__":
    sys.exit(main())
