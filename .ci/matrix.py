"""The checks on every Python that is there, with the lowest and the highest versions of the dependencies.

    .ci/matrix [--python 3.10,3.13] [--versions lowest,highest] [--steps wheel,fingerprints,tests,lava]

For each pair a fresh environment holds what a user's has, without extras, and pytest. In it are run

- wheel: .ci/wheel.py, README's lines for plain pip, with these versions as pip's constraints;
- fingerprints: tests/test_fingerprints.py;
- tests: those of the simulators and Lava (tests/sim), of the command line, the Python interface and bundles;
- lava: .ci/lava_tests.py, Lava's own tests with the mends in place.

lowest: the lowest version of each dependency that pyproject.toml allows and that has a wheel for that Python. A Python
that is not here is asked of uv, which may download it. Ends with a line for each pair, and says what could not be run
and why; exits 1 where something failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# 3.14 is not declared yet: it is tried where it is there.
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
RESOLUTIONS = {"lowest": "lowest-direct", "highest": "highest"}
STEPS = ("wheel", "fingerprints", "tests", "lava")
TOOLS = ("pytest", "pytest-xdist", "hypothesis", "psutil", "tomli; python_version < '3.11'")
LAVA = "lava-nc==0.10.0"
TESTS = {
    "fingerprints": ["tests/test_fingerprints.py"],
    "tests": [
        "tests/sim", "tests/test_cli.py", "tests/test_api.py", "tests/bundle", "tests/test_bundle_bytes.py",
        "tests/compiler/ir/test_files.py", "tests/test_extras.py",
    ],
}  # fmt: skip
SHOWN = ("numpy", "scipy", "networkx", "numba")


def run(*command: object, **more: str) -> tuple[int, str]:
    """(exit code, all that was printed) of a command; `more` is added to its environment."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | more
    texts = [str(part) for part in command]
    done = subprocess.run(texts, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def last_line(printed: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing was printed"


def interpreter(version: str) -> tuple[Path | None, str]:
    """(a Python of that version, or None and why there is none): on the path, of pyenv, or downloaded by uv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept = sorted(pyenv.glob(f"{version}.*/bin/python"))
    if kept:
        return kept[-1], ""
    reason = ""
    for attempt in ("find", "install", "find"):
        code, printed = run("uv", "python", attempt, version, UV_PYTHON_DOWNLOADS="manual")
        if attempt == "find" and code == 0:
            return Path(last_line(printed)), ""
        if attempt == "install":
            reason = last_line(printed)
    return None, f"no such Python is here and uv could not download it ({reason})"


def make_environment(python: Path, resolution: str, folder: Path) -> tuple[Path | None, str]:
    """(the new environment's interpreter, its versions), or (None, why it could not be made)."""
    venv = folder / "venv"
    pip = ("uv", "pip", "install", "--quiet", "--python", venv)
    commands: list[tuple[object, ...]] = [
        ("uv", "venv", "--quiet", "--python", python, venv),
        (*pip, "--resolution", resolution, "--only-binary", ":all:", "-r", "pyproject.toml"),
        (*pip, "--no-deps", LAVA),
        (*pip, "--no-deps", "--editable", "."),
    ]
    for command in commands:
        code, printed = run(*command)
        if code:
            return None, f"`{' '.join(map(str, command[:3]))} ...`: {' '.join(printed.split())[:300]}"
    code, printed = run("uv", "pip", "freeze", "--python", venv, "--exclude-editable")
    # Also what holds the tools back to versions that go with these.
    (folder / "constraints.txt").write_text(
        "\n".join(line for line in printed.splitlines() if "==" in line and line != LAVA)
    )
    code, printed = run(*pip, "--constraint", folder / "constraints.txt", *TOOLS)
    if code:
        return None, f"the test tools: {' '.join(printed.split())[:300]}"
    pinned = dict(re.findall(r"^(\S+)==(\S+)$", (folder / "constraints.txt").read_text(), re.MULTILINE))
    return venv / "bin" / "python", ", ".join(f"{name} {pinned[name]}" for name in SHOWN)


def do_step(step: str, python: Path, base: Path, folder: Path) -> tuple[bool, str]:
    """(whether a step succeeded, its last line; all that it printed where it failed)."""
    if step == "wheel":
        constraints = {"PIP_CONSTRAINT": str(folder / "constraints.txt")}
        code, printed = run(sys.executable, ".ci/wheel.py", base, **constraints)
    elif step == "lava":
        code, printed = run(python, ".ci/lava_tests.py")
    else:
        # -v for pytest's closing line with the numbers, -q of pyproject.toml notwithstanding.
        code, printed = run(python, "-m", "pytest", "-v", "-p", "no:cacheprovider", *TESTS[step])
    return code == 0, last_line(printed).strip("= ") if code == 0 else printed


def check_pair(version: str, versions: str, base: Path, steps: list[str]) -> tuple[str, bool]:
    """(a line on a Python with these versions, whether all went well)."""
    with tempfile.TemporaryDirectory(prefix="matrix-", dir=ROOT / "build") as folder:
        python, said = make_environment(base, RESOLUTIONS[versions], Path(folder))
        if python is None:
            return f"{version} {versions}: NOT RUN, no environment: {said}", False
        good, parts = True, []
        for step in steps:
            began = time.monotonic()
            fine, text = do_step(step, python, base, Path(folder))
            print(f"{version} {versions}: {step}: {text} ({time.monotonic() - began:.0f} s)", flush=True)
            parts.append(f"{step} {'ok' if fine else 'FAILED'}")
            good = good and fine
        return f"{version} {versions}: {', '.join(parts)} ({said})", good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=",".join(PYTHONS))
    parser.add_argument("--versions", default=",".join(RESOLUTIONS))
    parser.add_argument("--steps", default=",".join(STEPS))
    asked = parser.parse_args()
    pythons, versions, steps = (text.split(",") for text in (asked.python, asked.versions, asked.steps))
    if set(versions) - set(RESOLUTIONS) or set(steps) - set(STEPS):
        parser.error(f"versions are {', '.join(RESOLUTIONS)}; steps are {', '.join(STEPS)}")
    (ROOT / "build").mkdir(exist_ok=True)
    lines, good = [], True
    for version in pythons:
        base, why = interpreter(version)
        if base is None:
            lines.append(f"{version}: NOT RUN: {why}")
            continue
        for name in versions:
            line, fine = check_pair(version, name, base, steps)
            lines.append(line)
            good = good and fine
    print("\n".join(["", *lines]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
