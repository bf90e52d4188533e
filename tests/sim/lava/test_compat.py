"""Lava imports on every supported Python, with nothing patched and nothing written; without it the error helps."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tern2lava.errors import MissingPackageError
from tern2lava.sim.lava import compat as lava_compat


def run_python(code: str) -> str:
    """What a fresh interpreter prints that can import what this one can."""
    start = f"import sys; sys.path[:] = {sys.path!r}\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_lava_imports_and_dataclasses_stays_as_it_was() -> None:
    printed = run_python(
        "import dataclasses\n"
        "before = dict(vars(dataclasses))\n"
        "from tern2lava.sim.lava.compat import require_lava\n"
        "require_lava(); require_lava()\n"
        "import lava.magma.compiler.var_model as found\n"
        "from lava.proc.lif.process import LIFReset\n"
        "import lava.magma.compiler\n"
        "assert vars(dataclasses) == before, 'dataclasses was changed'\n"
        "assert found.dataclass is dataclasses.dataclass\n"
        "assert lava.magma.compiler.var_model is found\n"
        "assert found.CoreEncoder().x == found.ByteEncoder(0, 0, 0)\n"
        "assert 'torch' not in sys.modules\n"
        "print(LIFReset(shape=(2,)).v.shape)"
    )
    assert printed == "(2,)"


def test_nothing_is_written_beside_lava() -> None:
    root = Path(next(iter(importlib.util.find_spec("lava").submodule_search_locations)))  # type: ignore[union-attr, arg-type]
    folder = root / "magma" / "compiler"

    def state() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in [*folder.glob("var_model*"), *folder.glob("*/var_model*")]}

    before = state()
    assert "var_model.py" in before
    run_python("from tern2lava.sim.lava.compat import require_lava; require_lava()")
    assert state() == before


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 accepts the default as it is")
def test_the_mend_is_still_needed() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_python("import lava.magma.compiler.var_model")
    assert "mutable default" in caught.value.stderr
    assert dataclasses.is_dataclass(type("Plain", (), {})) is False


def test_the_version_that_was_mended_is_the_one_installed() -> None:
    assert importlib.metadata.version("lava-nc") == lava_compat.LAVA.removeprefix("lava-nc==")


def test_without_lava_the_error_is_the_command_that_adds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="lava")

    monkeypatch.delitem(sys.modules, lava_compat.BROKEN_MODULE, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    with pytest.raises(MissingPackageError) as caught:
        lava_compat.require_lava()
    expected = "pip install lava-nc" if sys.version_info < (3, 11) else "pip install --ignore-requires-python lava-nc"
    assert expected in str(caught.value)
    assert caught.value.exit_code == 2
