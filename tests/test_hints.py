"""Hints of errors keep the network that was trained, or say that they change it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from places import ROOT

# What changes a trained network, in the words that hints have used for it.
CHANGING = re.compile(
    r"\b(re)?train (with|without|the|them|it|in)\b|\bretrain\b|average pooling in|use average|\buse reset_delay\b"
    r"|\bexport (with|without) (it|them)\b|\buse one of the two\b|\bprune \w|\bor clip\b"
    r"|\bternaris(e|ing) (it|them|the)\b"
    r"|\bleaving \S+ out\b|\bneurons in their place\b"
)
SAYING = re.compile(r"\bchang(es?|ing) the network\b")
TRAINS = ("train", "demo")


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of every string in code, names in braces as {}; no docstrings."""
    plain = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (plain | inside):
            yield node.lineno, node.value


def silent(source: str) -> list[tuple[int, str]]:
    """The strings that advise to change a network, and do not say so."""
    return [
        (line, text) for line, text in texts(ast.parse(source)) if CHANGING.search(text) and not SAYING.search(text)
    ]


def test_no_hint_changes_the_network_without_saying_so() -> None:
    package = ROOT / "tern2lava"
    found = []
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in TRAINS:
            found += [f"{path.relative_to(ROOT)}:{line}: {text}" for line, text in silent(path.read_text("utf-8"))]
    assert not found, "\n" + "\n".join(found)


def test_the_phrases_are_found() -> None:
    advice = ('f(x, "train without dilation")', 'f(x, f"use {a}, or retrain")', 'f("move it, or use average pooling")')
    assert all(silent(text) for text in advice)
    assert not silent('f("leaving it out changes the network")')
    assert not silent('"""How to train with it."""')
