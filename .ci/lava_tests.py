"""Lava's own unit tests of the parts that tern2lava uses, with tern2lava's mends of Lava in place.

    python .ci/lava_tests.py [--unmended]     --unmended: Lava as it is, to see what the mends are for

The environment holds tern2lava, lava-nc, pytest and psutil. lava-nc installs its tests as the package `tests`. Each
file runs in a process group of its own, which is ended after LIMIT seconds: where one Lava process raises, the others
wait for it for ever. A file that fails is run once more, since some of these tests measure time.

Prints each test that failed twice, and exits 1 where one of them is not in KNOWN.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 180.0
PARTS = (
    "proc/conv", "proc/dense", "proc/lif", "magma/compiler", "magma/core", "magma/runtime", "utils/test_weightutils.py",
)  # fmt: skip
# What fails however Lava is run on some Python, and why that says nothing of Lava itself.
KNOWN = {
    "magma/compiler/test_compiler.py::TestCompiler::test_compile_proc_groups": (
        "its mocks lack an attribute that unittest.mock looks for since Python 3.12"
    ),
}
_RUN = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
_MENDED = f"from tern2lava.sim.lava.compat import require_lava; require_lava(); {_RUN}"
_FAILED = re.compile(r"^(?:FAILED|ERROR) tests/lava/(\S+)", re.MULTILINE)


def test_files() -> list[Path]:
    """The test files of PARTS, relative to the folder that packages are installed in."""
    listed = sorted(Path(str(path)) for path in importlib.metadata.files("lava-nc") or ())
    wanted = tuple(f"tests/lava/{part}" for part in PARTS)
    return [path for path in listed if path.name.startswith("test_") and path.as_posix().startswith(wanted)]


def run_file(path: Path, folder: Path, mended: bool) -> tuple[set[str], int]:
    """(names of the tests of a file that failed, number of those that passed). A file that takes too long or ends
    without a result is named itself."""
    command = [sys.executable, "-c", _MENDED if mended else _RUN, "-q", "--import-mode=importlib", "-rfE"]
    command += ["-p", "no:cacheprovider", str(path)]
    name = path.relative_to("tests/lava").as_posix()
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            printed, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return {f"{name} (ended after {LIMIT:.0f} s)"}, 0
    passed = re.search(r"(\d+) passed", printed)
    failed = set(_FAILED.findall(printed))
    # 5: the file holds no test.
    if process.returncode not in (0, 5) and not failed:
        failed = {f"{name} (exit code {process.returncode})"}
    return failed, int(passed[1]) if passed else 0


def main() -> int:
    mended = "--unmended" not in sys.argv[1:]
    folder = Path(str(importlib.metadata.distribution("lava-nc").locate_file("")))
    began, passed = time.monotonic(), 0
    failed: set[str] = set()
    for path in test_files():
        found, count = run_file(path, folder, mended)
        if found:
            again, count = run_file(path, folder, mended)
            found &= again
        failed |= found
        passed += count
    for name in sorted(failed):
        print(f"lava tests: {name} failed{f': {KNOWN[name]}' if name in KNOWN else ''}")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "networkx", "scipy"))
    print(
        f"lava tests: {passed} passed, {len(failed)} failed on Python {platform.python_version()}, {versions}, "
        f"{'mended' if mended else 'unmended'} ({time.monotonic() - began:.0f} s)"
    )
    return 1 if failed - set(KNOWN) or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
