"""Shells complete commands, options and names (targets, networks, verdicts, ...); nothing heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tern2lava.cli import complete
from tern2lava.export.exporters import EXPORTERS
from tern2lava.hw_profiles import profile_names

HEAVY = ("numpy", "scipy", "numba", "torch", "lava", "h5py", "networkx", "rich")


def completed(line: str) -> list[str]:
    """What bash is told to offer at the end of `line`; fails where something heavy was imported for it."""
    program = (
        "import os, sys\n"
        "sys.argv = ['tern2lava']\n"
        f"os.environ.update(_TERN2LAVA_COMPLETE='complete_bash', COMP_WORDS={line!r}, COMP_CWORD='{line.count(' ')}')\n"
        "from tern2lava.cli import app\n"
        "try:\n"
        "    app()\n"
        "finally:\n"
        f"    print('imported:', [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines()[-1] == "imported: []"
    return done.stdout.split()


def test_a_target_is_completed_without_numpy() -> None:
    assert completed("tern2lava compile net.pt --target loi") == ["loihi1", "loihi2"]


@pytest.mark.parametrize(
    ("function", "incomplete", "expected"),
    [
        (complete.targets, "", list(profile_names())),
        (complete.targets, "hala", ["hala-point"]),
        (complete.exporters, "", list(EXPORTERS.names())),
        (complete.efforts, "t", ["thorough"]),
        (complete.engines, "f", ["fast"]),
        (complete.networks, "co", ["conv"]),
        (complete.verdicts, "exec", ["execution"]),
        (complete.verdicts, "execution,arithmetic=1%,", [
            f"execution,arithmetic=1%,{name}" for name in ("reading", "ranges", "images")
        ]),
        (complete.targets, "nothing", []),
    ],
)  # fmt: skip
def test_what_is_offered_are_the_words_that_begin_so(function: object, incomplete: str, expected: list[str]) -> None:
    assert callable(function)
    assert function(incomplete) == expected


def test_bash_completes_by_the_script_that_is_installed(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(_script("bash"))
    main = "import sys; sys.argv[0] = 'tern2lava'; from tern2lava.__main__ import main; main()"
    (tmp_path / "tern2lava").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{main}" "$@"\n')
    (tmp_path / "tern2lava").chmod(0o755)
    typed = (
        "source ./script; COMP_WORDS=(tern2lava export build/ --to im); COMP_CWORD=4; "
        "_tern2lava_completion ./tern2lava; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", typed], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["image"]


def test_zsh_is_given_a_script_of_its_own() -> None:
    script = _script("zsh")
    assert script.lstrip().startswith("#compdef tern2lava")
    assert "_TERN2LAVA_COMPLETE=complete_zsh" in script


def _script(shell: str) -> str:
    program = (
        f"import os, sys; os.environ['_TERN2LAVA_COMPLETE'] = 'source_{shell}'; sys.argv = ['tern2lava']\n"
        "from tern2lava.cli import app\napp()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    ).stdout
