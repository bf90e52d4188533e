"""Types of what the fixtures of the tests draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Graph

# Values (batch, steps, *shape) for each input.
Inputs = dict[str, NDArray[Any]]
# A graph and inputs for it.
Network = tuple[Graph, Inputs]
# Draws one by its seed, with options.
Draw = Callable[..., Network]
