"""What this machine and environment have, what is missing, what that is for, and the line that adds it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any, Literal

from tern2lava.extras import ADDITIONS, installed
from tern2lava.memory_need import available, in_words

State = Literal["ok", "missing", "broken", "untried"]
_LAVA_SECONDS = 120
"""Seconds that an import of Lava may take: measured 2 to 5, more beside other work."""
_IMPORT = "from tern2lava.sim.lava.compat import require_lava; require_lava(); import lava.magma.core.process.process"
FRAMEWORKS = {"torch": "torch", "snntorch": "snnTorch", "spikingjelly": "SpikingJelly", "norse": "Norse", "nir": "NIR"}
"""Packages whose files or modules are read, by the name of their distribution."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line. state: ok; missing (an optional package); broken (what every use or the demo needs does not work);
    untried (works perhaps). found: what is there. purpose: what needs it. add: the line that adds it, "" if none does.
    needed: whether `demo` needs it."""

    name: str
    state: State
    found: str
    purpose: str = ""
    add: str = ""
    needed: bool = False


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """All findings. ok: whether everything that `demo` needs is there and works."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(one.state in ("ok", "untried") for one in self.findings if one.needed)

    def to_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, "findings": [asdict(one) for one in self.findings]}


def doctor() -> Checkup:
    """The checkup of this environment. Lava is imported, in a process of its own; frameworks are not."""
    found = [_python(), _platform(), *_packages(), _lava(), _kept_code(), *_frameworks(), *_additions()]
    return Checkup(findings=tuple(found))


def _python() -> Finding:
    tried = (3, 10) <= sys.version_info[:2] <= (3, 13)
    return Finding(
        name="Python", state="ok" if tried else "untried", found=f"{platform.python_version()} in {sys.prefix}",
        purpose="" if tried else "3.10 to 3.13 are tried", needed=True,
    )  # fmt: skip


def _platform() -> Finding:
    tried = sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")
    memory = available()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    words = f"{platform.system()} {platform.machine()}, {cores} CPU cores"
    windows = "verify --backend reference does without Lava, which does not run on Windows"
    return Finding(
        name="Machine", state="ok" if tried else "untried",
        found=words if memory is None else f"{words}, {in_words(memory)} of memory available",
        purpose="" if tried else windows if sys.platform == "win32" else "Linux on x86-64 is what is tried",
        needed=True,
    )  # fmt: skip


def _packages() -> Iterator[Finding]:
    """What every installation has."""
    declared = requires("tern2lava") or []
    names = [re.split(r"[<>=;~!\[ ]", line)[0] for line in declared if "extra ==" not in line]
    missing = [name for name in names if _version(name) is None]
    there = ", ".join(f"{name} {_version(name)}" for name in names if name not in missing)
    yield Finding(
        name="Packages", state="broken" if missing else "ok",
        found=f"without {', '.join(missing)}" if missing else there,
        purpose="every command" if missing else "", add=_line("hdf5") if missing else "", needed=True,
    )  # fmt: skip


def _lava() -> Finding:
    """Lava: whether it is there, what of it is mended (sim/lava/compat.py), and whether it is imported then."""
    purpose = ADDITIONS["lava"].purpose
    if not installed("lava.magma"):
        return Finding(
            name="Lava", state="missing", found="not installed", purpose=purpose, add=_line("lava"), needed=True
        )  # fmt: skip
    from tern2lava.sim.lava.compat import needed_mends

    mends = len(needed_mends())
    mended = f"lava-nc {_version('lava-nc') or '?'}, " + (f"{mends} modules mended" if mends else "nothing to mend")
    try:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT], capture_output=True, text=True, timeout=_LAVA_SECONDS, check=False
        )  # fmt: skip
        problem = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = f"{type(error).__name__}: no import within {_LAVA_SECONDS} s"
    if problem:
        return Finding(
            name="Lava", state="broken", found=f"{mended}; its import fails: {problem}", purpose=purpose,
            add=_line("lava"), needed=True,
        )  # fmt: skip
    return Finding(name="Lava", state="ok", found=f"{mended}, imported", purpose=purpose, needed=True)


def _kept_code() -> Finding:
    """Where numba keeps what it compiled, so that the next process begins at once."""
    try:
        from tern2lava.sim.engine.kernels import kept_in
    except Exception as error:
        return Finding(
            name="numba", state="broken", found=f"{type(error).__name__}: {error}",
            purpose="the fast engine, placements", add=_line("hdf5"), needed=True,
        )  # fmt: skip
    folder, files, size = kept_in()
    if folder is None:
        return Finding(
            name="numba's cache", state="untried", found="no folder that can be written",
            purpose="kernels are compiled anew by each process; set NUMBA_CACHE_DIR to a folder",
        )  # fmt: skip
    kept = f"{files:,} kernels kept, {in_words(size)}" if files else "nothing kept yet: the first run compiles kernels"
    return Finding(name="numba's cache", state="ok", found=f"{kept}, in {folder}")


def _frameworks() -> Iterator[Finding]:
    there = [f"{words} {_version(name)}" for name, words in FRAMEWORKS.items() if _version(name) is not None]
    yield Finding(
        name="Frameworks", state="ok" if there else "missing", found=", ".join(there) or "none installed",
        purpose="live modules; files are read without them",
    )  # fmt: skip


def _additions() -> Iterator[Finding]:
    """The optional packages, Lava and those of every installation apart."""
    for name, addition in ADDITIONS.items():
        if name in ("lava", "hdf5"):
            continue
        missing = addition.missing()
        yield Finding(
            name=f"Extra {name}", state="missing" if missing else "ok",
            found=f"without {', '.join(missing)}" if missing else ", ".join(addition.modules.values()),
            purpose=addition.purpose, add=_line(name) if missing else "",
        )  # fmt: skip


def _line(name: str) -> str:
    return f"{ADDITIONS[name].uv} (without uv: {ADDITIONS[name].pip})"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
