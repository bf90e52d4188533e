"""The package as Python shows it: its names, its help, its version."""

from __future__ import annotations

import pydoc
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import tern2lava
from command_line import in_process
from tern2lava.bundle import tool_version

PUBLIC = {
    "MapOptions", "Options", "Tern2LavaError", "bench", "check", "compile", "conformance", "export", "load", "prove",
    "record", "report", "simulate", "verify", "what_if", "worst",
}  # fmt: skip


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_dir_and_star_show_the_public_names_only() -> None:
    shown = {name for name in dir(tern2lava) if not name.startswith("_")}
    assert shown == PUBLIC == set(tern2lava.__all__)
    # Also after the subpackages were imported: they are no names of the front door.
    code = "import tern2lava.cli, tern2lava.api, tern2lava.export.nir\n"
    assert set(python(f"{code}print(*[n for n in dir(tern2lava) if n[0] != '_'])").split()) == PUBLIC
    star = "before = set(globals())\nfrom tern2lava import *\nprint(*(set(globals()) - before - {'before'}))"
    assert set(python(star).split()) == PUBLIC


def test_the_functions_stay_functions_after_the_subpackages_of_their_names_are_imported() -> None:
    code = "import tern2lava.report.model, tern2lava.export.nir, tern2lava.prove.run, tern2lava as t\n"
    code += "print(callable(t.report), callable(t.export), callable(t.prove))"
    assert python(code) == "True True True"


def test_help_says_what_every_function_takes_returns_and_raises() -> None:
    text = pydoc.plain(pydoc.render_doc(tern2lava))
    assert "A compiler backend for ternary spiking neural networks" in text
    assert version("tern2lava") in text
    for name in sorted(PUBLIC - {"MapOptions", "Options", "Tern2LavaError"}):
        assert f"    {name}(" in text, name
        words = pydoc.plain(pydoc.render_doc(getattr(tern2lava, name)))
        assert "Raises" in words, name
        assert "functools" not in words
    assert "(samples, steps, *input shape)" in pydoc.plain(pydoc.render_doc(tern2lava.verify))


def test_the_version_is_that_of_the_packages_metadata(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tern2lava.__version__ == version("tern2lava") == tool_version()
    done = in_process(monkeypatch, capsys)("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tern2lava {version('tern2lava')}\n", "")
    project = Path(tern2lava.__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        assert f'\nversion = "{tern2lava.__version__}"\n' in project.read_text("utf-8")


def test_the_version_is_printed_without_anything_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['tern2lava', '--version']\nfrom tern2lava.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([n for n in ('numpy', 'torch', 'rich', 'numba') if n in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"
