"""The ways of summing and stepping, compiled or loaded when a network needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import from_dtype

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.progress import Progress
from tern2lava.sim.engine import columns, neuron, sums
from tern2lava.sim.engine.calls import add_signature, run_signature, step_signature
from tern2lava.sim.engine.group import run_group
from tern2lava.sim.engine.kernels import COMPILING, address, telling

WAYS: dict[int, tuple[Any, Callable[[Any], Any]]] = {
    columns.DENSE: (sums.add_dense, add_signature),
    columns.CONV: (sums.add_conv, add_signature),
    columns.DENSE_LEVELS: (sums.add_dense_levels, add_signature),
    columns.CONV_LEVELS: (sums.add_conv_levels, add_signature),
    columns.ALIKE: (neuron.step_alike, step_signature),
    columns.EACH: (neuron.step_each, step_signature),
    columns.FURTHER: (neuron.step_further, step_signature),
}


def load_ways(needed: set[tuple[Any, int]], progress: Progress | None = None) -> dict[tuple[Any, int], int]:
    """The address of every (type of states, way) of `needed`, and group.run_group made ready for these types.

    progress is told while something is compiled; what an earlier process compiled is only loaded.
    """
    kinds = sorted({kind for kind, _ in needed}, key=str)
    total, done = len(needed) + len(kinds), 0

    def tell() -> None:
        if progress is not None:
            progress(COMPILING, done, total)

    found: dict[tuple[Any, int], int] = {}
    with telling(tell):
        for kind in kinds:
            address(run_group, run_signature(from_dtype(np.dtype(kind))))
            done += 1
        for kind, way in sorted(needed, key=str):
            function, signature_of = WAYS[way]
            found[kind, way] = address(function, signature_of(from_dtype(np.dtype(kind))))
            done += 1
    return found


def addresses_of(ways: tuple[int, ...], kind: Any, found: dict[tuple[Any, int], int]) -> Ints:
    """The column of addresses of a group that needs `ways`, 0 where it needs none."""
    result = np.zeros(columns.WAYS, np.int64)
    for way in ways:
        result[way] = found[kind, way]
    return result
