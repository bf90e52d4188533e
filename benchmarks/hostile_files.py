"""What it costs to refuse hostile files, and that large honest ones load.

    OMP_NUM_THREADS=1 uv run python benchmarks/hostile_files.py            # all of them, and the file of results
    OMP_NUM_THREADS=1 uv run python benchmarks/hostile_files.py --quick    # without those that take long to be made
    OMP_NUM_THREADS=1 uv run python benchmarks/hostile_files.py --check    # exit code 1 where a bar falls short

Each input of tests/helpers/hostile_inputs.py is given to the command line in a process of its own. Memory is the
largest resident set that the system counted of this process and those that it waited for (wait4). Time is that of the
clock, beside it that of processors, of the same processes; other programs running beside them make the first longer.
What takes two minutes of the clock is ended, and counts as not refused. Of all three is taken what the same command
takes that is given a file which is not there.

Bars: 512 MiB and 5 s to refuse any of them, in one line with exit code 2; a checkpoint of 1 GB in each format and
spikes of 10,000 samples of VGG-9 (16 steps of 3 x 32 x 32) load.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import numpy as np
from numpy.typing import NDArray

from hostile_inputs import HOSTILE
from hostile_making import DEMO, Hostile, Words

RESULTS = Path(__file__).parent / "results" / "hostile_files.md"
MIB_BAR, SECONDS_BAR = 512.0, 5.0
GIVE_UP = 120.0
COMMAND = (sys.executable, "-m", "tern2lava")


@dataclass(frozen=True)
class Cost:
    """How a process ended: exit code (None: it was ended), MiB, seconds of processors and of the clock, and what it
    said on stderr."""

    code: int | None
    mib: float
    seconds: float
    clock: float
    said: str


# The system counts the memory of the process that starts another as the other's, up to its own program: a small one
# starts them, not this one, which has made inputs of a gigabyte. It says how the command ended, in bytes on its stdout.
_STARTER = """
import json, os, signal, subprocess, sys, time
begin = time.perf_counter()
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
code = None
while True:
    done, status, used = os.wait4(child.pid, os.WNOHANG)
    if done:
        code = os.waitstatus_to_exitcode(status)
        break
    if time.perf_counter() - begin > float(sys.argv[1]):
        os.killpg(child.pid, signal.SIGKILL)
        _, _, used = os.wait4(child.pid, 0)
        break
    time.sleep(0.005)
child.returncode = -1
clock = time.perf_counter() - begin
print(json.dumps([code, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime, clock]))
"""


def cost_of(words: Words, here: Path, command: tuple[str, ...] = COMMAND) -> Cost:
    """Run a command in `here`."""
    starter = [sys.executable, "-I", "-S", "-c", _STARTER, str(GIVE_UP)]
    with tempfile.TemporaryFile() as said:
        ran = subprocess.run(
            [*starter, *command, *map(str, words)], cwd=here, stdout=subprocess.PIPE, stderr=said, check=True
        )
        code, mib, seconds, clock = json.loads(ran.stdout)
        said.seek(0)
        return Cost(code, mib, seconds, clock, said.read().decode("utf-8", "replace"))


def plain(words: Words) -> Words:
    """The same command, given a file that is not there."""
    command, *rest = words
    match command:
        case "compile":
            return ["compile", "missing.pt", "--net", DEMO / "mlp.yaml", "-o", "build"]
        case "train":
            return ["train", "--config", "missing.yaml", "-o", "run"]
        case "simulate" | "verify":
            return [command, rest[0], "--data", "missing.npz"]
        case _:
            return [command, "missing"]


@contextmanager
def folder(under: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=under) as made:
        yield Path(made)


@dataclass(frozen=True)
class Row:
    """An input, what it cost more than a plain start, and whether it was refused in one line."""

    name: str
    mib: float
    seconds: float
    clock: float
    refused: bool

    @property
    def good(self) -> bool:
        return self.refused and self.mib <= MIB_BAR and max(self.seconds, self.clock) <= SECONDS_BAR


# What each command costs that is given a file that is not there.
_STARTS: dict[str, Cost] = {}


def refuse(hostile: Hostile, bundle: Path, under: Path) -> Row:
    with folder(under) as here:
        words = hostile.make(here, bundle)
        command = str(words[0])
        if command not in _STARTS:
            _STARTS[command] = cost_of(plain(words), here)
        start = _STARTS[command]
        found = cost_of(words, here)
        lines = [line for line in found.said.splitlines() if line.strip()]
        refused = found.code == 2 and len(lines) == 1
        if not refused:
            print(f"{hostile.name}: exit code {found.code}: {found.said[-300:]}", file=sys.stderr)
        return Row(
            hostile.name, found.mib - start.mib, found.seconds - start.seconds, found.clock - start.clock, refused
        )


# Honest files.

CHECKPOINT = (
    "from tern2lava.frontends.files.checkpoint import read_checkpoint; import sys; "
    "found = read_checkpoint(sys.argv[1]); print(sum(found.tensors.needed(name).size for name in found.tensors))"
)
SPIKES = """
import sys
from pathlib import Path
from tern2lava.compiler.ir.graph import Graph, Input, Level
from tern2lava.sim.data.spike_file import load_spikes
data = load_spikes(Path(sys.argv[1]), Graph(level=Level.IMPORTED, nodes=(Input(name="x", shape=(3, 32, 32)),)))
assert data.samples == 10_000 and data.labels is not None
print(sum(int(data.values(at, at + 250)["x"].sum()) for at in range(0, 10_000, 250)))
"""


def ternary(rng: np.random.Generator, rows: int, zeros: float = 0.5) -> NDArray[np.float32]:
    codes = rng.integers(-1, 2, (rows, 4096)).astype(np.float32)
    codes[rng.random(codes.shape, np.float32) < zeros] = 0
    weight: NDArray[np.float32] = codes * np.float32(0.037)
    return weight


def torch_file(path: Path) -> None:
    import torch

    rng = np.random.default_rng(0)
    torch.save({f"fc{n}.weight": torch.from_numpy(ternary(rng, 16_384)) for n in range(4)}, path)


def torch_old(path: Path) -> None:
    import torch

    rng = np.random.default_rng(0)
    state = {f"fc{n}.weight": torch.from_numpy(ternary(rng, 16_384)) for n in range(4)}
    torch.save(state, path, _use_new_zipfile_serialization=False)


def npz_file(path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {f"fc{n}.weight": ternary(rng, 16_384) for n in range(4)}
    np.savez(path, **arrays)


def packed_npz(path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {f"fc{n}.weight": ternary(rng, 16_384, 0.98) for n in range(4)}
    np.savez_compressed(path, **arrays)


def safetensors_file(path: Path) -> None:
    rng = np.random.default_rng(0)
    size = 16_384 * 4096 * 4
    entry = {"dtype": "F32", "shape": [16_384, 4096]}
    spans = {f"fc{n}.weight": entry | {"data_offsets": [n * size, (n + 1) * size]} for n in range(4)}
    header = json.dumps(spans).encode()
    with path.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        for _ in range(4):
            stream.write(ternary(rng, 16_384).tobytes())


def vgg9_spikes(share: float) -> Callable[[Path], None]:
    """10,000 samples of 16 steps, `share` of whose values are spikes."""

    def write(path: Path) -> None:
        import zipfile

        rng = np.random.default_rng(0)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            with archive.open("spikes.npy", "w", force_zip64=True) as entry:
                header = {"descr": "|u1", "fortran_order": False, "shape": (10_000, 16, 3, 32, 32)}
                np.lib.format.write_array_header_1_0(entry, header)
                for _ in range(100):
                    entry.write((rng.random((100, 16, 3, 32, 32), np.float32) < share).tobytes())
            with archive.open("labels.npy", "w") as entry:
                np.lib.format.write_array(entry, np.zeros(10_000, np.int64))

    return write


HONEST: tuple[tuple[str, str, Callable[[Path], None]], ...] = (
    ("1 GB of ternary weights, torch", CHECKPOINT, torch_file),
    ("1 GB of ternary weights, torch before 1.6", CHECKPOINT, torch_old),
    ("1 GB of ternary weights, npz", CHECKPOINT, npz_file),
    ("1 GB of ternary weights, 98 % zeros, packed npz", CHECKPOINT, packed_npz),
    ("1 GB of ternary weights, safetensors", CHECKPOINT, safetensors_file),
    ("10,000 samples of VGG-9, 5 % spikes, packed", SPIKES, vgg9_spikes(0.05)),
    ("10,000 samples of VGG-9, 0.02 % spikes, packed", SPIKES, vgg9_spikes(0.0002)),
)


@dataclass(frozen=True)
class Loaded:
    """An honest file: MB of it, what reading all of it took."""

    name: str
    megabytes: float
    mib: float
    seconds: float
    good: bool


def load(name: str, script: str, write: Callable[[Path], None], under: Path) -> Loaded:
    with folder(under) as here:
        path = here / ("x.npz" if "npz" in name or "samples" in name else "x.pt")
        write(path)
        found = cost_of([path], here, (sys.executable, "-c", script))
        if found.code != 0:
            print(f"{name}: {found.said[-300:]}", file=sys.stderr)
        return Loaded(name, path.stat().st_size / 1e6, found.mib, found.seconds, found.code == 0)


def report(rows: list[Row], loaded: list[Loaded], quick: bool) -> str:
    """The page of results."""
    worst = sorted(rows, key=lambda row: -max(row.mib / MIB_BAR, row.clock / SECONDS_BAR))
    good, mib, clock = sum(row.good for row in rows), max(row.mib for row in rows), max(row.clock for row in rows)
    command = "OMP_NUM_THREADS=1 uv run python benchmarks/hostile_files.py" + " --quick" * quick
    lines = [
        "# What it costs to refuse hostile files", "",
        f"Measured by `{command}`, whose head says how. Costs are above those of the same command given a file that is "
        "not there.", "",
        f"{good} of {len(rows)} hostile inputs are refused in one line with exit code 2, within {MIB_BAR:.0f} MiB and "
        f"{SECONDS_BAR:.0f} s; most memory {mib:.0f} MiB, most time {clock:.2f} s.", "",
        "## The dearest", "", "| input | MiB | s | processor s | refused |", "|---|---:|---:|---:|---|",
    ]  # fmt: skip
    lines += [
        f"| {row.name} | {row.mib:.0f} | {row.clock:.2f} | {row.seconds:.2f} | {'yes' if row.refused else 'NO'} |"
        for row in worst[:30]
    ]
    if loaded:
        lines += [
            "",
            "## Honest files",
            "",
            "| file | MB | MiB of the process | processor s | loads |",
            "|---|---:|---:|---:|---|",
        ]
    for each in loaded:
        loads = "yes" if each.good else "NO"
        lines.append(f"| {each.name} | {each.megabytes:.0f} | {each.mib:.0f} | {each.seconds:.1f} | {loads} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="every sixteenth of what is quickly made")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar falls short")
    parser.add_argument("--only", default="", help="inputs whose names hold this text")
    chosen = parser.parse_args()
    inputs = [hostile for hostile in HOSTILE if chosen.only in hostile.name and not (chosen.quick and hostile.slow)]
    inputs = inputs[:: 16 if chosen.quick and not chosen.only else 1]
    with tempfile.TemporaryDirectory() as made:
        under = Path(made)
        bundle = under / "sound"
        cost_of(["compile", DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml", "-o", bundle], under)
        rows = [refuse(hostile, bundle, under) for hostile in inputs]
        loaded = [] if chosen.quick or chosen.only else [load(*each, under) for each in HONEST]
    text = report(rows, loaded, chosen.quick)
    print(text)
    if not (chosen.quick or chosen.only):
        RESULTS.write_text(text, encoding="utf-8")
    short = [row.name for row in rows if not row.good] + [each.name for each in loaded if not each.good]
    for name in short:
        print(f"falls short: {name}", file=sys.stderr)
    return 1 if chosen.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
