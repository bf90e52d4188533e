"""The one file of Python that `export --to lava` writes: what runs a mapped network, with numpy and Lava alone.

It is put together from this package's own modules, so that what leaves is what `verify` runs.
"""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

from tern2lava.sim.lava import assemble, compat, run, stand_alone

# Modules below import Lava when they are imported; their source is read.
_PROCESSES = ("neuron", "synapse", "spikes", "neuro_core")
_LEFT_OUT = {"require_lava", "DEFAULT_TIMEOUT", "ProcessUse", "LavaRun", "samples_and_steps"}


def network_source(version: str) -> str:
    """The text of the file, which ends in a command line for the network in its own folder."""
    folder = inspect.getsourcefile(assemble)
    assert folder is not None
    sources = [_text(compat), _text(run)]
    for name in _PROCESSES:
        with open(folder.replace("assemble.py", f"procs/{name}.py"), encoding="utf-8") as file:
            sources.append(file.read())
    sources += [_text(assemble), _text(stand_alone)]
    imports: list[str] = []
    of_lava: list[str] = []
    bodies = []
    for source in sources:
        bodies.append(_body(source, imports, of_lava))
    head = f'"""A network of neuro-cores in Intel\'s Lava, written by tern2lava {version}; needs lava-nc alone."""'
    plain = sorted(dict.fromkeys(imports), key=lambda line: (line.startswith("from"), line))
    parts = [head, "from __future__ import annotations", "\n".join(plain), bodies[0].strip(), "mend_lava()"]
    parts += ["\n".join(sorted(dict.fromkeys(of_lava))), *(body.strip() for body in bodies[1:])]
    return "\n\n\n".join(part for part in parts if part) + "\n"


RUN = '''"""Runs the network in this folder: python run.py spikes.npz"""

from pathlib import Path

# Lava executes every file beside a process when it looks for the process's models: this one does nothing then.
if __name__ == "__main__":
    from parts.network import main

    main(Path(__file__).parent)
'''


def _text(module: ModuleType) -> str:
    return inspect.getsource(module)


def _body(source: str, imports: list[str], of_lava: list[str]) -> str:
    """The source without docstring, imports and what is left out; its imports are added to the lists."""
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
                (of_lava if name.startswith("lava") else imports).append(ast.unparse(node))
        elif isinstance(node, ast.Expr) or _names(node) & _LEFT_OUT:
            drop(node)
            for decorator in getattr(node, "decorator_list", []):
                dropped.update(range(decorator.lineno, decorator.end_lineno + 1))
    for each in ast.walk(tree):
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("tern2lava"):
            drop(each)
    kept = [line for number, line in enumerate(lines, 1) if number not in dropped and not _is_marker(line)]
    return "\n".join(kept)


def _names(node: ast.stmt) -> set[str]:
    """What a statement of a module defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_marker(line: str) -> bool:
    return line.startswith(("# mypy:", "# ruff:"))
