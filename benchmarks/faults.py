"""Runs each command on a machine that lacks something, and looks at how it ends.

    uv run python benchmarks/faults.py                                    # some minutes; more of it as root
    uv run python benchmarks/faults.py -o benchmarks/results/faults.md    # and writes what it printed
    uv run python benchmarks/faults.py --quick --check                    # under one minute: without Lava

A fault is made in a fork of its own (forked_commands.py): limits, closed descriptors, variables, and, where the system
lets this process (root), file systems of its own. A command must end with a result, or with one line and a documented
exit code: 2, 5 (Lava did not finish) or 141 (a closed pipe); never with 1, which means that a verdict is not met, with
70 or a traceback. What was there must stay whole, and no leftover be there after the next run.

--check ends with exit code 1 and names the bars that were missed: no fault in any cell.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from forked_commands import Ended, import_all, run
from kills_cases import bundle, copy, make_inputs

from tern2lava.writing import is_leftover

COMMANDS: dict[str, tuple[str, ...]] = {
    "compile": ("compile", "../net.npz", "--net", "../net.yaml", "-t", "loihi2", "-o", "build"),
    "verify": ("verify", "build", "--data", "../data.npz", "--backend", "reference"),
    "verify in Lava": ("verify", "build", "--data", "../data.npz"),
    "simulate": ("simulate", "build", "--data", "../data.npz", "-o", "out.npz"),
    "train": ("train", "-c", "../train.yaml", "-o", "run"),
    "report": ("report", "build"),
    "demo": ("demo", "-o", "demo", "--samples", "2"),
}
DOCUMENTED = {0, 2, 5, 141}
SLOW = ("verify in Lava", "demo")
_NEWNS, _PRIVATE, _BIND, _REMOUNT, _READ_ONLY = 0x20000, 0x40000 | 0x4000, 0x1000, 0x20, 1


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def own_mounts() -> None:
    """A space of mounts of this process alone."""
    _call("unshare", _NEWNS)
    _call("mount", None, b"/", None, _PRIVATE, None)


def full_disk() -> None:
    """The working folder on a file system with the bundle in it and 8 KiB free."""
    own_mounts()
    here = Path.cwd()
    files = {path.relative_to(here): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    _call("mount", b"tmpfs", bytes(here), b"tmpfs", 0, b"size=4m")
    os.chdir(here)
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    free = os.statvfs(here).f_bavail * os.statvfs(here).f_bsize
    Path("filler").write_bytes(bytes(free - 8192))


def read_only() -> None:
    own_mounts()
    here = bytes(Path.cwd())
    _call("mount", here, here, None, _BIND, None)
    _call("mount", here, here, None, _BIND | _REMOUNT | _READ_ONLY, None)
    os.chdir(here)


def no_shared_memory() -> None:
    own_mounts()
    _call("mount", b"tmpfs", b"/dev/shm", b"tmpfs", _READ_ONLY, None)


def no_fork() -> None:
    """Another user, who may read and write all files but have no further process or thread."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    _call("prctl", 8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setgroups([])
    os.setresuid(54321, 54321, 54321)
    kept = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    _call("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0))


def output(path: str) -> Callable[[], None]:
    def redirect() -> None:
        descriptor = os.open(path, os.O_WRONLY)
        os.dup2(descriptor, 1)
        os.close(descriptor)

    return redirect


def closed() -> None:
    os.close(1)
    sys.stdout = None


def closed_pipe() -> None:
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    os.close(writing)
    os.close(reading)


@dataclass(frozen=True)
class Fault:
    """How a machine is made to lack something. root: whether only root can make it so."""

    name: str
    prepare: Callable[[], object] | None = None
    environment: dict[str, str | None] = field(default_factory=dict)
    root: bool = False


FAULTS = (
    Fault("a full disk", full_disk, root=True),
    Fault("files of 2 KiB at most", lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))),
    Fault("a read-only folder", read_only, root=True),
    Fault("no /dev/shm", no_shared_memory, root=True),
    Fault("no further process", no_fork, root=True),
    Fault("40 file handles", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))),
    Fault("12 file handles", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))),
    Fault("closed output", closed),
    Fault("full output", output("/dev/full")),
    Fault("a closed pipe", closed_pipe),
    Fault("no HOME", None, {"HOME": None}),
    Fault("no such TMPDIR", None, {"TMPDIR": "/nowhere/at/all"}),
)


def cell(words: tuple[str, ...], fault: Fault, folder: Path, whole: object) -> tuple[str, str]:
    """(what is shown, what is wrong with it or "") of one command on a machine with one fault."""
    done: Ended = run(list(words), folder, prepare=fault.prepare, environment=fault.environment)
    lines = done.err.splitlines()
    shown = "result" if done.code == 0 else f"{done.code}"
    wrong = ""
    if done.code not in DOCUMENTED:
        wrong = f"exit code {done.code}: {lines[-1:]}"
    elif done.code not in (0, 141) and len(lines) != 1:
        wrong = f"{len(lines)} lines: {lines[-3:]}"
    if bundle(folder / "build") not in (whole if isinstance(whole, list) else [whole]) and words[0] in (
        "compile", "simulate", "report", "train"
    ):  # fmt: skip
        wrong = wrong or "the bundle differs"
    left = [path.name for path in folder.rglob("*") if is_leftover(path.name)]
    if left:
        wrong = wrong or f"left {left}"
    return shown, wrong if wrong else (lines[0] if lines else "")[:0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without Lava and the demonstration")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("-o", "--out", type=Path)
    arguments = parser.parse_args()
    import_all()
    names = [name for name in COMMANDS if not (arguments.quick and name in SLOW)]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as above:
        os.chmod(above, 0o755)
        base = Path(above) / "base"
        base.mkdir()
        make_inputs(Path(above))
        for target in ("tiny", "loihi2"):
            words = ["compile", "../net.npz", "--net", "../net.yaml", "-t", target, "-o", f"{target}-build"]
            assert run(words, base).code == 0
        whole = [bundle(base / "tiny-build"), bundle(base / "loihi2-build")]
        for fault in FAULTS:
            shown = []
            for name in names:
                if fault.root and os.geteuid() != 0:
                    shown.append("not root")
                    continue
                folder = Path(above) / "work"
                subprocess.run(["rm", "-rf", str(folder)], check=True)
                folder.mkdir()
                copy(base.parent, "base/tiny-build", "work/build")
                found, why = cell(COMMANDS[name], fault, folder, whole)
                shown.append(found)
                if why:
                    wrong.append(f"{fault.name}, {name}: {why}")
                    print(f"  {wrong[-1]}", file=sys.stderr)
            lines.append(f"| {fault.name} | {' | '.join(shown)} |")
            print(lines[-1], file=sys.stderr)
    text = (
        "# Faults of the machine\n\n"
        f"    uv run python benchmarks/faults.py{' --quick' if arguments.quick else ''}\n\n"
        f"{platform.system()}, Python {platform.python_version()}. `result`: exit code 0; else the exit code, with one "
        "line. What is counted: benchmarks/faults.py.\n\n" + "\n".join(lines) + f"\n\nFaults: {len(wrong)}.\n"
    )
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")
    if arguments.check and wrong:
        print(f"missed: {len(wrong)} faults, the first: {wrong[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
