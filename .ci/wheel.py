"""What users receive works: the sdist, the wheel made from it, and README's lines for plain pip in a fresh environment.

    uv run --group dev python .ci/wheel.py [PYTHON]     PYTHON: a version or an interpreter; without it, this one

Built in a temporary folder beside the checkout (where uv can link from its cache instead of copying):

- the sdist holds every tracked file but the links at the root, the wheel every tracked file of the package, no others;
- the wheel made from a checkout whose links are text files, as on Windows, is the same wheel;
- the text for an index's page has no relative link;
- README's block with `pip install .`, line by line, ends in a demo that is VERIFIED in Lava; `.` is the wheel;
- there, every hint of tern2lava.extras for plain pip can be resolved: by uv, which reads the same words and downloads
  no torch for it; that for `mapping`, which is small, by pip itself. Lava's is a line of README.

Exit code 1 and one line per fault where this is not so.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "tern2lava"
INSTALL = "pip install ."
DEMO = "tern2lava demo"
DEMO_NETS = {"mlp", "conv"}
PIP_RESOLVES = "mapping"
# What a build adds to the files that it is given.
ADDED_TO_SDIST = {"PKG-INFO"}
METADATA = re.compile(rf"{PACKAGE}-[^/]+\.dist-info/")


class CheckError(Exception):
    """A command that failed, or a README without the lines."""


def run(*command: object, cwd: Path = ROOT) -> str:
    """What a command prints on stdout. Raises CheckError with all its output where it fails."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    texts = [str(part) for part in command]
    done = subprocess.run(texts, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise CheckError(f"`{' '.join(texts)}` ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def tracked(root: Path = ROOT) -> list[str]:
    """Paths that git tracks and that are there."""
    listed = run("git", "ls-files", "-z", cwd=root).split("\0")
    return [path for path in listed if path and os.path.lexists(root / path)]


def sdist_files(archive: Path) -> set[str]:
    """Paths in an sdist, below its own folder."""
    with tarfile.open(archive) as tar:
        return {name.partition("/")[2] for name in tar.getnames()}


def wheel_files(archive: Path) -> dict[str, int]:
    """Checksum of each file in a wheel."""
    with zipfile.ZipFile(archive) as wheel:
        return {entry.filename: entry.CRC for entry in wheel.infolist()}


def differences(what: str, found: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """A line for each path that is missing or too much."""
    found, wanted = set(found), set(wanted)
    missing = [f"{what} lacks {path}" for path in sorted(wanted - found)]
    return missing + [f"{what} holds {path}, which git does not track there" for path in sorted(found - wanted)]


def content_faults(sdist: Path, wheel: Path, root: Path = ROOT) -> list[str]:
    """What sdist and wheel lack or hold beyond the tracked files of `root`."""
    paths = tracked(root)
    source = {path for path in paths if not (root / path).is_symlink()}
    package = {path for path in paths if path.startswith(f"{PACKAGE}/")}
    code = {path for path in wheel_files(wheel) if not METADATA.match(path)}
    return differences("the sdist", sdist_files(sdist) - ADDED_TO_SDIST, source) + differences(
        "the wheel", code, package
    )


def link_faults(wheel: Path) -> list[str]:
    """Relative links in the text that an index shows; a licence or type marker that is not there."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    links = re.findall(r"\]\(([^)]*)\)", text)
    links += re.findall(r"\b(?:src|srcset)=\"([^\"]*)\"", text)
    faults = [f"the index's page links to {link}" for link in links if not re.match(r"https?://|#", link)]
    return faults if "# tern2lava" in text else [*faults, "the index's page has no text"]


def without_links(folder: Path) -> Path:
    """A copy of the tracked files in which links are text files, as git makes them on a system without links."""
    for path in tracked():
        source, target = ROOT / path, folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.write_text(os.readlink(source), encoding="utf-8")
        else:
            shutil.copy(source, target)
    return folder


def readme_lines(text: str) -> list[str]:
    """Commands of README's block for plain pip, comments left out. Raises CheckError where there is none."""
    for block in re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        lines = [line.partition("#")[0].strip() for line in block.splitlines()]
        if INSTALL in lines and DEMO in lines:
            return [line for line in lines if line]
    raise CheckError(f"README.md has no block with the lines `{INSTALL}` and `{DEMO}`")


def verdict_faults(printed: str) -> list[str]:
    """A line for each network of the demo whose closing verdict does not say that Lava (L1, L2) equals the integers."""
    closing = printed.rpartition("\nVerdicts\n")[2]
    chains = re.findall(r"^(\w+): accuracy.*\nExecution +VERIFIED ([^:\n]*):", closing, re.MULTILINE)
    good = {net for net, chain in chains if {"I", "L1", "L2"} <= set(chain.split(" == "))}
    return [f"the demo does not end with {net} VERIFIED in Lava:{closing}" for net in sorted(DEMO_NETS - good)]


def with_wheel(line: str, wheel: Path) -> list[str]:
    """The words of a line for pip, `.` and `.[extra]` read as the wheel."""
    words = shlex.split(line)
    return [f"{wheel}{word[1:]}" if re.fullmatch(r"\.(\[\w+\])?", word) else word for word in words]


def demo_faults(wheel: Path, python: str | None, folder: Path) -> list[str]:
    """What fails when README's lines are run in a fresh environment in `folder`."""
    venv = folder / "venv"
    run("uv", "venv", "--quiet", "--seed", "--no-python-downloads", "--python", python or sys.executable, venv)
    faults = []
    for line in readme_lines((ROOT / "README.md").read_text(encoding="utf-8")):
        if line.startswith("pip install "):
            run(venv / "bin" / "python", "-m", *with_wheel(line, wheel), "--quiet", cwd=folder)
        elif line == DEMO:
            printed = run(venv / "bin" / PACKAGE, "demo", "--samples", 4, "-o", folder / "demo", cwd=folder)
            faults += verdict_faults(printed)
        else:
            raise CheckError(f"README.md: no rule here for the line `{line}`")
    return faults + hint_faults(wheel, venv / "bin" / "python", folder)


def hint_faults(wheel: Path, python: Path, folder: Path) -> list[str]:
    """The hints for plain pip that cannot be resolved in the environment of `python`; nothing is installed."""
    code = "import json; from tern2lava.extras import ADDITIONS as a; print(json.dumps({k: a[k].pip for k in a}))"
    faults = []
    for name, hint in json.loads(run(python, "-c", code, cwd=folder)).items():
        words = with_wheel(hint, wheel)
        try:
            if name == PIP_RESOLVES:
                run(python, "-m", *words, "--dry-run", cwd=folder)
            elif name != "lava":
                run("uv", *words, "--dry-run", "--python", python, cwd=folder)
        except CheckError as error:
            faults.append(f"the hint `{hint}`: {error}")
    return faults


def check(python: str | None, folder: Path) -> list[str]:
    """Every fault of what users receive, built and installed in `folder`."""
    run("uv", "build", "--quiet", "--out-dir", folder / "dist", ROOT)
    sdist = next((folder / "dist").glob("*.tar.gz"))
    wheel = next((folder / "dist").glob("*.whl"))
    faults = content_faults(sdist, wheel) + link_faults(wheel)
    run("uv", "build", "--quiet", "--wheel", "--out-dir", folder / "copied", without_links(folder / "copy"))
    if wheel_files(folder / "copied" / wheel.name) != wheel_files(wheel):
        faults.append("the wheel made from a checkout without links is another one than that made from the sdist")
    return faults or demo_faults(wheel, python, folder)


def main() -> int:
    python = sys.argv[1] if len(sys.argv) > 1 else None
    (ROOT / "build").mkdir(exist_ok=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=ROOT / "build") as folder:
        try:
            faults = check(python, Path(folder))
        except CheckError as error:
            faults = [str(error)]
    for fault in faults:
        print(f"wheel: {fault}", file=sys.stderr)
    if not faults:
        print(f"wheel: built, installed by README's lines, VERIFIED in Lava ({time.monotonic() - begun:.0f} s)")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
