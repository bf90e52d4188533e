"""Lava works on every supported Python and numpy, with nothing patched and nothing written; without it the error says
how it is added."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tern2lava import extras
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


def test_a_port_that_reshapes_does_so_on_this_numpy() -> None:
    printed = run_python(
        "import numpy as np\n"
        "before = dict(vars(np))\n"
        "from tern2lava.sim.lava.compat import require_lava\n"
        "require_lava()\n"
        "from lava.magma.core.process.ports.ports import OutPort\n"
        "port = OutPort((2, 3)).flatten()\n"
        "forth, back = port.get_transform_func_fwd(), port.get_transform_func_bwd()\n"
        "assert {name: value for name, value in vars(np).items() if name in before} == before, 'numpy was changed'\n"
        "print(forth(np.arange(6).reshape(2, 3)).shape, back(np.arange(6)).tolist())"
    )
    assert printed == "(6,) [[0, 1, 2], [3, 4, 5]]"


def test_nothing_is_written_beside_lava() -> None:
    root = Path(next(iter(importlib.util.find_spec("lava").submodule_search_locations)))  # type: ignore[union-attr, arg-type]

    def state() -> dict[str, int]:
        found = [*root.glob("magma/compiler/**/var_model*"), *root.glob("magma/core/process/ports/**/ports.*")]
        return {str(path): path.stat().st_mtime_ns for path in found}

    before = state()
    assert {"var_model.py", "ports.py"} <= {Path(path).name for path in before}
    run_python("from tern2lava.sim.lava.compat import require_lava; require_lava()")
    assert state() == before


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 accepts the default as it is")
def test_the_mend_of_the_encoders_is_still_needed() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_python("import lava.magma.compiler.var_model")
    assert "mutable default" in caught.value.stderr
    assert dataclasses.is_dataclass(type("Plain", (), {})) is False


def test_the_mends_are_those_that_this_python_and_numpy_need() -> None:
    names = set(inspect.signature(np.reshape).parameters)
    needed = {lava_compat.ENCODERS: sys.version_info >= (3, 11), lava_compat.PORTS: "newshape" not in names}
    given = lava_compat.needed_mends()
    assert {module for module, is_needed in needed.items() if is_needed} <= set(given)
    # numpy 2.1 to 2.3 know both names and warn of the old one.
    assert (lava_compat.PORTS in given) is ("shape" in names)


def test_the_version_that_was_mended_is_the_one_installed() -> None:
    assert f"lava-nc=={importlib.metadata.version('lava-nc')}" in extras.ADDITIONS["lava"].pip


def test_without_lava_the_error_is_the_command_that_adds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="lava")

    monkeypatch.delitem(sys.modules, "lava.magma", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    with pytest.raises(MissingPackageError) as caught:
        lava_compat.require_lava()
    assert extras.ADDITIONS["lava"].hint() in str(caught.value)
    assert caught.value.exit_code == 2
