"""The names of torch functions, and what some of them do."""

from __future__ import annotations

from typing import Any

WRITES = frozenset(("__setitem__", "copy_"))
"""Functions that write into a tensor which may not depend on the input."""

_IN_PLACE = frozenset((
    "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__", "__iand__", "__ior__",
    "__ixor__", "__setitem__",
))  # fmt: skip


def in_place(name: str) -> bool:
    """Whether a function of that name writes its result into its first argument."""
    return name in _IN_PLACE or (name.endswith("_") and not name.endswith("__"))


CASTS = frozenset(("float", "double", "half", "bfloat16", "to", "type", "type_as"))
"""Functions that change the type of numbers."""


def name_of(function: Any) -> str:
    """The name of a torch function; that of the attribute for one that reads an attribute."""
    name = str(getattr(function, "__name__", function))
    return str(getattr(function.__self__, "__name__", name)) if name == "__get__" else name
