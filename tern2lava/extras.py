"""What only some actions need beside the packages of every installation, and the one line that adds it.

Every hint that names an installation is made here (a test executes each), and `require` gives it before work begins.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass

from tern2lava.errors import MissingPackageError


@dataclass(frozen=True, kw_only=True)
class Addition:
    """Packages, and the lines that add them: `uv` with uv, in a checkout; `pip` without it, where README's
    `pip install .` was given.

    modules: what is imported of them, and the name that users know it by. purpose: what needs them.
    """

    modules: dict[str, str]
    uv: str
    pip: str
    purpose: str = ""

    def missing(self) -> list[str]:
        """Names of the packages that are not installed; imports none but a module's parents."""
        return [name for module, name in self.modules.items() if not installed(module)]

    def hint(self) -> str:
        """The part of an error's text that says how to add it."""
        return f"add it with: {self.uv} (without uv: {self.pip})"


def _extra(name: str, purpose: str = "", /, **modules: str) -> Addition:
    """The addition that is the extra `name` of pyproject.toml. --inexact leaves what was added before."""
    return Addition(
        modules=modules, uv=f"uv sync --inexact --extra {name}", pip=f"pip install '.[{name}]'", purpose=purpose
    )


ADDITIONS: dict[str, Addition] = {
    # In uv's default group, and so in every environment that `uv run` makes. Without --no-deps pip would take the
    # releases that its wheel asks for (numpy 1, networkx 2.8.7) in place of those that are there.
    "lava": Addition(
        modules={"lava.magma": "lava-nc (Intel's Lava)"},
        uv="uv sync --inexact --group lava",
        pip="pip install --ignore-requires-python --no-deps lava-nc==0.10.0",
        purpose="verify and demo in Lava, export --to lava",
    ),
    # A dependency of tern2lava: only an environment that was put together by hand lacks it.
    "hdf5": Addition(
        modules={"h5py": "h5py"}, uv="uv sync --inexact", pip="pip install .", purpose="NIR and lava-dl files, NIRData"
    ),
    "torch": _extra("torch", "live modules, record", torch="torch"),
    "train": _extra("train", "train", torch="torch", snntorch="snnTorch"),
    "tensorboard": _extra("tensorboard", "TensorBoard's events of a training run", tensorboard="TensorBoard"),
    "images": _extra("images", "images of JPEG files to train on", PIL="Pillow"),
    "plots": _extra("plots", "train --plots", matplotlib="matplotlib"),
    "pandas": _extra("pandas", "report.to_frame() and other tables for pandas", pandas="pandas"),
    "ray": _extra("ray", "verify --engine ray, train --engine ray", ray="Ray"),
    "mapping": _extra("mapping", "the placements exact and mtkahypar", mtkahypar="Mt-KaHyPar", ortools="OR-tools"),
}


def installed(module: str) -> bool:
    """Whether `module` can be imported, told without importing it."""
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def require(name: str, *modules: str, why: str = "") -> None:
    """Raise MissingPackageError, with the line that adds them, where a package of the addition `name` is not installed:
    of `modules` if given, else of all. why: what needs it, where that is not plain."""
    addition = ADDITIONS[name]
    wanted = [addition.modules[module] for module in modules] if modules else list(addition.modules.values())
    missing = [package for package in addition.missing() if package in wanted]
    if missing:
        raise lacks(name, missing[0], why)


def lacks(name: str, package: str, why: str = "") -> MissingPackageError:
    """The error that says that `package` of the addition `name` is not installed, and the line that adds it."""
    hint = ADDITIONS[name].hint()
    return MissingPackageError(package, f"{why}; {hint}" if why else hint)
