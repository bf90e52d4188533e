"""The reference of the Python functions: every public name with its docstring, in the order of the package's list."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files

import tern2lava

PAGE = "reference/functions.md"
HEAD = """\
# Python functions

The public names of `tern2lava`, as `help()` shows them, made from their docstrings. docs/python.md shows them at work.
"""


def place(name: str) -> int:
    """Where the package's docstring lists a name."""
    lines = (tern2lava.__doc__ or "").splitlines()
    return next((number for number, line in enumerate(lines) if line.startswith(f"{name} ")), len(lines))


def reference() -> str:
    """The whole page, for mkdocstrings to fill."""
    parts = [HEAD]
    for name in sorted(tern2lava.__all__, key=lambda name: (place(name), name)):
        thing = getattr(tern2lava, name)
        parts.append(f"::: {thing.__module__}.{thing.__qualname__}\n    options:\n      heading: tern2lava.{name}\n")
    return "\n".join(parts)


def on_files(files: Files, config: Any) -> Files:
    """The files with the page of functions."""
    files.append(File.generated(config, PAGE, content=reference()))
    return files
