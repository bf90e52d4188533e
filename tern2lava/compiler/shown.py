"""How objects show themselves: one short line, whatever they hold; never the numbers of an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

import numpy as np

WIDTH = 200
"""Characters of a repr at most."""
_TEXT = 40


class Shown:
    """A base of dataclasses that show `_shown()` in place of every field.

    A dataclass makes a repr of its own unless its class body has one: so each subclass is given this one first.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return shortened(f"{type(self).__name__}({self._shown()})")

    def _shown(self) -> str:
        """What stands between the parentheses: by default every field, arrays as their type and shape."""
        return ", ".join(f"{f.name}={brief(getattr(self, f.name))}" for f in fields(self))  # type: ignore[arg-type]


def shortened(text: str) -> str:
    """`text`, cut to WIDTH characters, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 4]} ..."


def brief(value: Any) -> str:
    """A value in few characters: arrays, collections and bytes as what and how many they are."""
    if isinstance(value, np.ndarray):
        if value.ndim == 0 and value.dtype.kind in "biuf":
            return str(value.item())
        return f"{value.dtype} {'x'.join(map(str, value.shape))}"
    if isinstance(value, Enum):
        return str(value.value if isinstance(value.value, str) else value.name)
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, str):
        return repr(value if len(value) <= _TEXT else f"{value[: _TEXT - 3]}...")
    if isinstance(value, Mapping):
        names = [str(name) for name in value]
        return f"{{{', '.join(names[:4])}{', ...' if len(names) > 4 else ''}}}"
    if isinstance(value, (tuple, list)):
        if len(value) <= 4 and all(isinstance(item, (int, float, str)) for item in value):
            return f"({', '.join(map(brief, value))})"
        return f"[{len(value):,}]"
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    return repr(value) if isinstance(value, Shown) else f"<{type(value).__name__}>"
