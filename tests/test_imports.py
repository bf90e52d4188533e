"""Imports run one way, and heavy packages stay where they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tern2lava

ROOT = Path(tern2lava.__file__).parent

# What each part of the package may import besides itself, and errors.py, counts.py and extras.py, which import nothing
# heavy.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "counts": set(),
    "extras": set(),
    "hw_profiles": set(),
    "compiler": {"hw_profiles"},
    "sim": {"compiler", "hw_profiles"},
    "frontends": {"sim", "compiler", "hw_profiles"},
    "train": {"frontends", "sim", "compiler", "hw_profiles"},
    "export": {"frontends", "sim", "compiler", "hw_profiles"},
    "report": {"frontends", "train", "sim", "compiler", "hw_profiles"},
    "bundle": {"report", "sim", "compiler", "hw_profiles"},
    "api": {"bundle", "report", "export", "frontends", "train", "sim", "compiler", "hw_profiles"},
    "demo": {"api", "bundle", "report", "train", "sim"},
    "cli": {"api", "bundle", "demo", "report", "export", "frontends", "train", "sim", "compiler", "hw_profiles"},
    "__main__": {"cli"},
    "__init__": {"api"},
}
# Packages that only some places may import.
CONFINED: dict[str, tuple[str, ...]] = {
    "torch": ("frontends/", "train/"),
    "snntorch": ("frontends/", "train/"),
    "spikingjelly": ("frontends/",),
    "norse": ("frontends/",),
    "lava": ("sim/lava/",),
    "ray": ("sim/verify/ray",),
    "h5py": ("frontends/", "export/"),
    "nir": (),
    "mtkahypar": ("compiler/",),
    "ortools": ("compiler/",),
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> list[str]:
    """Every absolute module name imported anywhere in a file, imports for type checking left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.append(node.module or "")
            if node.module == "tern2lava":
                names += [f"tern2lava.{alias.name}" for alias in node.names]
    return names


def part(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    here = part(path)
    for name in imported(path):
        if name.startswith("tern2lava."):
            target = name.split(".")[1]
            assert target in {here, "errors", "counts", "extras"} | ALLOWED[here], f"{here} must not import {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_they_are_needed_only(path: Path) -> None:
    where = path.relative_to(ROOT).as_posix()
    for name in imported(path):
        places = CONFINED.get(name.split(".")[0])
        if places is not None:
            assert any(where.startswith(place) for place in places), f"{where} must not import {name}"


def test_every_part_of_the_package_has_its_rule() -> None:
    assert {part(path) for path in modules()} == set(ALLOWED)


@pytest.mark.parametrize("code", ["import tern2lava", "import tern2lava.cli", "import tern2lava.sim.reference.integer"])
def test_nothing_heavy_is_imported_before_it_is_used(code: str) -> None:
    heavy = "{'torch', 'lava', 'numba', 'h5py', 'scipy', 'ray', 'snntorch'}"
    script = f"import sys\n{code}\nprint(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_names_at_the_root_lead_to_the_package_itself() -> None:
    root = ROOT.parent
    if not (root / ".git").exists():
        pytest.skip("the names at the root are in the repository only: neither sdist nor wheel has links")
    for name in ("compiler", "hw_profiles", "sim"):
        link = root / name
        # git makes a text file of a link where the system has none.
        target = root / link.read_text(encoding="utf-8") if link.is_file() else link
        assert target.resolve() == ROOT / name
