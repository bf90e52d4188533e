"""README's first lines work in a fresh clone, and the environment that they make is as small as README says.

    uv run --group dev python .ci/start.py [PYTHON]     PYTHON: a version or an interpreter; without it, this one

The commit that is checked out is cloned into a folder of its own. There README's block with `uv run tern2lava demo` is
executed up to that line, with a few samples; it must end VERIFIED in Lava. Then the environment is measured as `du`
does: at most LIMIT, no more than README says, nothing of HEAVY in it. Prints the size, and exits 1 with a line for each
fault.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from wheel import ROOT, CheckError, run, verdict_faults

UV = "pip install uv"
DEMO = "uv run tern2lava demo"
LIMIT = 500
# What may not come with the main command.
HEAVY = re.compile(r"torch|nvidia|cuda|triton|snntorch|spikingjelly|norse|nir|ray|tensorboard|ortools|mtkahypar")
_SAID = re.compile(r"environment of at most (\d+) MB")


def first_lines(text: str) -> list[str]:
    """README's commands from UV to DEMO, comments left out. Raises CheckError where there are none."""
    for block in re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        lines = [line.partition("#")[0].strip() for line in block.splitlines()]
        if lines[:1] == [UV] and DEMO in lines:
            return lines[: lines.index(DEMO) + 1]
    raise CheckError(f"README.md has no block that begins with `{UV}` and has the line `{DEMO}`")


def said_size(text: str) -> int:
    """MB that README says. Raises CheckError where it says none."""
    found = _SAID.search(text)
    if found is None:
        raise CheckError(f"README.md does not say the size as `{_SAID.pattern}`")
    return int(found[1])


def size(folder: Path) -> int:
    """MB on the disk, as `du -sm` counts them: a file with several names once, blocks of 512 bytes, rounded up."""
    seen = {}
    for path in [folder, *folder.rglob("*")]:
        stat = path.lstat()
        seen[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return math.ceil(sum(seen.values()) / 2**20)


def size_faults(found: int, said: int, packages: list[str]) -> list[str]:
    """What is too large, is not as README says, or does not belong there."""
    faults = []
    if found > LIMIT:
        faults.append(f"the environment takes {found} MB, more than {LIMIT}")
    if found > said:
        faults.append(f"the environment takes {found} MB, README says {said}")
    return faults + [f"the environment holds {name}" for name in packages if HEAVY.match(name)]


def check(python: str | None, folder: Path) -> tuple[str, list[str]]:
    """(the sizes, every fault) of README's first lines in a clone in `folder`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    said = said_size(text)
    clone = folder / "tern2lava"
    run("git", "clone", "--quiet", ROOT, clone)
    # uv's own variable for what `--python` says; the line itself stays as README has it.
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= {"UV_PYTHON": python or sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
    faults: list[str] = []
    for line in first_lines(text):
        if line == UV:
            run("uv", "--version")
            continue
        words = [*line.split(), *(("--samples", "4") if line == DEMO else ())]
        done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise CheckError(f"`{line}` ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
        faults += verdict_faults(done.stdout) if line == DEMO else []
    venv = clone / ".venv"
    packages = [path.name.partition("-")[0] for path in venv.glob("lib/python*/site-packages/*.dist-info")]
    found = size(venv)
    return f"{found} MB, {len(packages)} packages", faults + size_faults(found, said, packages)


def main() -> int:
    python = sys.argv[1] if len(sys.argv) > 1 else None
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="start-", dir=ROOT / "build") as folder:
        try:
            sizes, faults = check(python, Path(folder))
        except CheckError as error:
            sizes, faults = "", [str(error)]
    for fault in faults:
        print(f"start: {fault}", file=sys.stderr)
    if not faults:
        print(f"start: VERIFIED in Lava by README's first lines, in an environment of {sizes}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
