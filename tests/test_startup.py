"""The command line starts without the packages that take long to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "scipy", "numba", "torch", "lava", "h5py", "networkx", "rich", "markdown_it", "pygments")


@pytest.mark.parametrize("arguments", [["--help"], ["compile", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['tern2lava', *{arguments!r}]\n"
        "from tern2lava.cli import app\n"
        "try:\n"
        "    app()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print('imported:', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "Usage:" in done.stdout
    assert done.stdout.splitlines()[-1] == "imported: []"
