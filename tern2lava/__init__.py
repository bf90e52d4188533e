"""Compiler backend for ternary spiking neural networks: load, compile, what_if, record, simulate, verify, report.

The functions are those of tern2lava.api; nothing heavy is imported before one of them is used.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tern2lava.api import compile, load, record, report, simulate, verify, what_if

__all__ = ["compile", "load", "record", "report", "simulate", "verify", "what_if"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from tern2lava import api

        return getattr(api, name)
    raise AttributeError(f"module 'tern2lava' has no attribute {name!r}")


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # Importing the subpackage tern2lava.report would put it in the place of the function of that name.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
