"""Imports run one way, and heavy packages stay where they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tern2lava

ROOT = Path(tern2lava.__file__).parent

# What each part of the package may import besides itself and what all may import.
COMMON = {
    "errors",
    "findings",
    "counts",
    "likely",
    "registry",
    "arguments",
    "extras",
    "effort",
    "interruption",
    "writing",
    "memory_need",
}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "findings": set(),
    "counts": set(),
    "likely": set(),
    "effort": set(),
    "interruption": set(),
    "writing": set(),
    "memory_need": set(),
    "registry": set(),
    "arguments": set(),
    "extras": set(),
    "hw_profiles": {"files"},
    # The one door through which files are read.
    "files": set(),
    # What proves the compiler right shares nothing with it.
    "prove": set(),
    "compiler": {"hw_profiles", "files"},
    "sim": {"compiler", "hw_profiles", "files"},
    "frontends": {"sim", "compiler", "hw_profiles", "files"},
    "train": {"frontends", "sim", "compiler", "hw_profiles", "files"},
    "export": {"frontends", "sim", "compiler", "hw_profiles", "files"},
    "report": {"prove", "frontends", "train", "sim", "compiler", "hw_profiles", "files"},
    "bundle": {"prove", "report", "sim", "compiler", "hw_profiles", "files"},
    "api": {"prove", "bundle", "report", "export", "frontends", "train", "sim", "compiler", "hw_profiles", "files"},
    "zoo": {"api", "report", "train", "compiler", "files"},
    "demo": {"zoo", "api", "bundle", "report", "sim"},
    "cli": {
        "api",
        "bundle",
        "demo",
        "zoo",
        "report",
        "export",
        "frontends",
        "train",
        "sim",
        "compiler",
        "hw_profiles",
        "files",
    },
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
    "matplotlib": ("train/uncertainty/plots",),
    "mtkahypar": ("compiler/",),
    "ortools": ("compiler/",),
}


# What each room of a part may import of that part besides itself. A room is a folder, with the folders in it, or a file
# that lies beside them.
ROOMS: dict[str, dict[str, set[str]]] = {
    "compiler": {
        "shown": set(),
        "ir": {"shown"},
        "neurons": {"shown", "ir"},
        "progress": set(),
        "options": {"shown", "ir"},
        "image": {"shown", "ir"},
        "certify": {"shown", "ir", "options", "neurons"},
        "target": {"shown", "ir", "neurons", "certify"},
        "passes": {"shown", "ir", "options", "progress", "neurons", "certify", "target"},
        "mapper": {"shown", "ir", "options", "progress", "image"},
        "mapped": {"shown", "ir", "options", "progress", "image", "target", "passes", "mapper"},
        "build": {"shown", "ir", "options", "progress", "passes", "mapper", "mapped"},
        "twin": {"shown", "ir", "options", "progress", "certify", "mapper", "mapped", "build"},
        "what_if": {"shown", "ir", "options", "progress", "passes", "mapper", "mapped", "build", "twin"},
        "advice": {"shown", "ir", "options", "target", "passes", "mapper", "mapped", "build"},
    },
    "sim": {
        "data": set(),
        "executable": set(),
        "reference": {"data"},
        "reading": {"data", "reference"},
        "engine": {"data", "reference"},
        "cores": {"data", "reference", "engine"},
        "lava": {"data", "reference", "engine", "cores"},
        "verify": {"data", "executable", "reference", "reading", "engine", "cores", "lava"},
        "engines": {"data", "executable", "reference", "engine", "cores", "lava", "verify"},
        "activity": {"data", "engine", "verify"},
        "neurobench": {"reference", "verify"},
        "events": {"verify"},
        "calibration": {"data", "reference"},
    },
    "frontends": {
        "files": set(),
        "assumptions": set(),
        "latent_weights": set(),
        "neuron_equations": set(),
        "loihi_neuron": set(),
        "outputs": set(),
        "spike_logic": set(),
        "item_maps": set(),
        "builder": {"neuron_equations", "outputs", "spike_logic"},
        "netyaml": {"files", "latent_weights", "neuron_equations", "loihi_neuron", "outputs", "builder"},
        "delays": {"builder"},
        "nir": {"files", "assumptions", "builder", "delays"},
        "lavadl": {"files", "assumptions", "loihi_neuron", "builder", "delays"},
        "modules": {"neuron_equations", "outputs", "builder", "spike_logic", "item_maps"},
        "record": {"modules"},
        "inspect": {"files", "nir", "lavadl"},
        "sources": {"files", "netyaml", "nir", "lavadl", "modules"},
        "load_options": {"sources"},
        "load": {"load_options", "files", "sources", "netyaml", "nir", "lavadl", "modules"},
    },
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Every absolute module name imported anywhere in a file, imports for type checking left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            # `from folder import name` may name a file of the folder.
            if (ROOT.parent / module.replace(".", "/")).is_dir():
                yield from (f"{module}.{alias.name}" for alias in node.names)


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def faults_of_parts(path: Path) -> Iterator[str]:
    """A line for each import of a part or room that this file must not know, and for each relative import."""
    where, here = path.relative_to(ROOT), part(path)
    for name in imported(path):
        if name.startswith("."):
            yield f"{where}: imports are absolute; found {name}"
        if not name.startswith("tern2lava."):
            continue
        there, *inside = name.split(".")[1:]
        if there not in {here} | COMMON | ALLOWED[here]:
            yield f"{where}: {here} must not import {name}"
        if there == here and here in ROOMS and inside and len(where.parts) > 1 and where.name != "__init__.py":
            own, other = where.parts[1].removesuffix(".py"), inside[0]
            if other not in {own} | ROOMS[here][own]:
                yield f"{where}: {here}/{own} must not import {name}"


def test_imports_run_one_way() -> None:
    faults = [fault for path in modules() for fault in faults_of_parts(path)]
    assert not faults, "\n" + "\n".join(faults)


def test_heavy_packages_are_imported_where_they_are_needed_only() -> None:
    faults = []
    for path in modules():
        where = path.relative_to(ROOT).as_posix()
        for name in imported(path):
            places = CONFINED.get(name.split(".")[0])
            if places is not None and not where.startswith(places):
                faults.append(f"{where} must not import {name}")
    assert not faults, "\n" + "\n".join(faults)


def test_every_part_and_room_has_its_rule() -> None:
    assert {part(path) for path in modules()} == set(ALLOWED)
    for name, rules in ROOMS.items():
        there = {path.name.removesuffix(".py") for path in (ROOT / name).iterdir() if not path.name.startswith("__")}
        assert there == set(rules), name


@pytest.mark.parametrize("rules", [ALLOWED, *ROOMS.values()], ids=["parts", *ROOMS])
def test_the_rules_themselves_run_one_way(rules: dict[str, set[str]]) -> None:
    assert set().union(*rules.values()) <= set(rules)
    try:
        TopologicalSorter(rules).prepare()
    except CycleError as error:
        pytest.fail(f"rules in a circle: {error.args[1]}")


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


def test_a_report_is_made_of_what_was_compiled_and_compiles_nothing() -> None:
    runs = {"build", "map_program", "lower", "map_twins", "try_targets", "verify", "run_shard", "encode_core"}
    for path in (ROOT / "report").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("tern2lava.report"):
                assert not runs & {alias.name for alias in node.names}, f"{path.name}: {ast.unparse(node)}"
