"""The files of Python that `export --to lava` writes: what runs a mapped network with numpy and Lava alone.

They are put together from this package's own modules, so that what leaves is what `verify` runs.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType

from tern2lava.sim.lava import assemble, compat, run, stand_alone

# These import Lava when they are imported; their source is read.
_PROCS = Path(assemble.__file__).parent / "procs"
_PROCESSES = ("neuron", "synapse", "spikes", "neuro_core")
_NAMES = (
    "NeuroCore", "Readout", "RoutePort", "SpikeDelay", "SpikeSelect", "SpikeSource", "TernaryNeuron", "TernarySynapse",
)  # fmt: skip
_LEFT_OUT = {
    "require_lava",
    "DEFAULT_TIMEOUT",
    "CorePart",
    "MappedUse",
    "ProcessUse",
    "LavaRun",
    "samples_and_steps",
}


def process_source(version: str) -> str:
    """The text of the file of Lava processes: Lava executes it, and all files beside it, when it looks for models."""
    imports: list[str] = []
    bodies = []
    for name in _PROCESSES:
        bodies.append(_body((_PROCS / f"{name}.py").read_text(encoding="utf-8"), imports))
    return _joined(f"Lava processes of a network, written by tern2lava {version}.", imports, bodies)


def network_source(version: str) -> str:
    """The text of the file that builds and runs the network in its own folder."""
    imports: list[str] = []
    mends, *bodies = (_body(_text(module), imports) for module in (compat, run, assemble, stand_alone))
    names = ", ".join(_NAMES)
    bodies = [mends, f"mend_lava()\nfrom parts.processes import {names}", *bodies]
    return _joined(f"A network of neuro-cores in Intel's Lava, written by tern2lava {version}.", imports, bodies)


RUN = '''"""Runs the network in this folder, with numpy and lava-nc alone: python run.py spikes.npz"""

from pathlib import Path

from network import main

if __name__ == "__main__":
    main(Path(__file__).parent)
'''


def _joined(head: str, imports: list[str], bodies: list[str]) -> str:
    lines = sorted(dict.fromkeys(imports), key=lambda line: (line.startswith("from"), line))
    parts = [f'"""{head}"""', "from __future__ import annotations", "\n".join(lines)]
    return "\n\n\n".join([*parts, *(body.strip() for body in bodies)]) + "\n"


def _text(module: ModuleType) -> str:
    return inspect.getsource(module)


def _body(source: str, imports: list[str]) -> str:
    """The source without docstring, imports and what is left out; its imports are added to the list."""
    tree, lines = ast.parse(source), source.splitlines()
    dropped: set[int] = set()

    def drop(node: ast.stmt) -> None:
        assert node.end_lineno is not None
        dropped.update(range(node.lineno, node.end_lineno + 1))

    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            drop(node)
            name = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
            if not name.startswith(("tern2lava", "__future__")):
                # One name each, so that two files that import the same name it once.
                imports += [ast.unparse(_with_name(node, alias)) for alias in node.names]
        elif isinstance(node, ast.Expr) or _names(node) & _LEFT_OUT:
            drop(node)
            for decorator in getattr(node, "decorator_list", []):
                dropped.update(range(decorator.lineno, decorator.end_lineno + 1))
    for each in ast.walk(tree):
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("tern2lava"):
            drop(each)
    kept = [line for number, line in enumerate(lines, 1) if number not in dropped and not _is_marker(line)]
    return "\n".join(kept)


def _with_name(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import(names=[alias])
    return ast.ImportFrom(module=node.module, names=[alias], level=node.level)


def _names(node: ast.stmt) -> set[str]:
    """What a statement of a module defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_marker(line: str) -> bool:
    return line.startswith(("# mypy:", "# ruff:"))
