"""CONTRIBUTING's table of what is where names files and functions that are there."""

from __future__ import annotations

import ast
import re

from places import ROOT


def rows() -> list[tuple[str, str]]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Where is")[2]
    found = re.findall(r"^\| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return [row for row in found if row != ("what", "where")]


def test_every_file_and_function_of_the_table_is_there() -> None:
    assert len(rows()) >= 7
    for _, where in rows():
        for file, name in re.findall(r"`([\w/]+\.py)`(?: \(`(\w+)`\))?", where):
            tree = ast.parse((ROOT / "tern2lava" / file).read_text(encoding="utf-8"))
            defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            assert not name or name in defined, f"{file}: {name}"
