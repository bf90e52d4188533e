"""Notebooks whose cells run: the code of each, one after the other, in one folder and one namespace.

What a cell prints and the text of its last expression are its outputs, as Jupyter keeps them. Tables in HTML are for
those who run it, and are not kept.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import io
import json
import os
from pathlib import Path
from typing import Any


def executed(cell: dict[str, Any], names: dict[str, Any], count: int) -> dict[str, Any]:
    """A code cell with the outputs that it makes."""
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value, out = None, io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if out.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": out.getvalue().splitlines(True)})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(True)}
        outputs.append({"data": data, "execution_count": count, "metadata": {}, "output_type": "execute_result"})
    return cell | {"execution_count": count, "outputs": outputs}


def run_notebook(text: str) -> str:
    """A notebook as it is after all cells ran."""
    notebook = json.loads(text)
    names: dict[str, Any] = {}
    count = 0
    for place, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            count += 1
            notebook["cells"][place] = executed(cell, names, count)
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def check_notebook(path: Path) -> None:
    """Run a notebook and compare its outputs with those kept; TERN2LAVA_GOLDEN=write keeps the new ones."""
    text = path.read_text("utf-8")
    after = run_notebook(text)
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        path.write_text(after, "utf-8")
    else:
        difference = "\n".join(difflib.unified_diff(text.splitlines(), after.splitlines(), "kept", "made", n=1))
        assert not difference, difference
