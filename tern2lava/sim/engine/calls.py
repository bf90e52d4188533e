"""What the ways of summing and stepping are given, and their calls through addresses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from tern2lava.compiler.ir.shapes import Bytes, Codes, Ints, Words
from tern2lava.sim.engine.kernels import indirect

#: States, sums, gains and parameters of a group: all int32, or all int64 where a sum could leave 32 bits.
States = NDArray[np.signedinteger[Any]]
#: Sums that are known to fit 16 bits, and values that the kernels read in place of spikes.
Shorts = NDArray[np.int16]


class Pools(NamedTuple):
    """Arrays of all projections of a group, into which their rows of the table point: codes int8, planes uint64, the
    window of every neuron of a pooled source (int64, -1 for none), gains in the type of the states."""

    codes: Codes
    planes: Words
    windows_of: Ints
    gains: States


class Scratch(NamedTuple):
    """Where sums are computed; nothing in it outlasts a call."""

    packed: Words
    counts: Ints
    found: Ints
    seen: Shorts
    bits: Bytes
    short: Shorts
    lanes: Ints
    windows: Words
    image_bits: Words
    counters: Words
    tally: NDArray[np.int8]


def _array(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C")


INTEGERS, BYTES, WORDS = _array(types.int64), _array(types.uint8), _array(types.uint64)
SCRATCH = types.NamedTuple(  # type: ignore[attr-defined]
    (_array(types.uint64, 2), INTEGERS, INTEGERS, _array(types.int16, 2), BYTES, _array(types.int16), INTEGERS, WORDS,
     _array(types.uint64, 2), WORDS, _array(types.int8)),
    Scratch,
)  # fmt: skip


def pools_type(kind: Any) -> Any:
    """numba's type of Pools with gains of type `kind`."""
    members = (_array(types.int8), WORDS, INTEGERS, _array(kind))
    return types.NamedTuple(members, Pools)  # type: ignore[attr-defined]


def add_signature(kind: Any) -> Any:
    """Of a way of summing: (row of the projection, source (steps, places), first step, steps, pools, scratch, sums)."""
    rows = _array(types.uint8, 2)
    return types.void(INTEGERS, rows, types.int64, types.int64, pools_type(kind), SCRATCH, _array(kind))


def step_signature(kind: Any) -> Any:
    """Of a way of stepping: (row of the population, parameters, summed input, u, v, further states, spikes, decay bits,
    state bits)."""
    state = _array(kind)
    return types.void(INTEGERS, state, state, state, state, _array(kind, 2), BYTES, types.int64, types.int64)


def run_signature(kind: Any) -> Any:
    """Of group.run_group."""
    table, values, trace, state = _array(types.int64, 2), _array(types.uint8, 3), _array(types.int64, 3), _array(kind)
    whole = types.int64
    return types.void(
        table, table, INTEGERS, INTEGERS, pools_type(kind), state, SCRATCH, state, state, state, _array(kind, 2),
        values, values, trace, trace, whole, whole,
    )  # fmt: skip


@intrinsic  # type: ignore[untyped-decorator]
def call_add(
    typing: Any, address: Any, row: Any, source: Any, k: Any, rows: Any, pools: Any, scratch: Any, a: Any
) -> Any:
    """Call a way of summing."""
    return indirect(add_signature(a.dtype))


@intrinsic  # type: ignore[untyped-decorator]
def call_step(
    typing: Any, address: Any, row: Any, parameters: Any, a: Any, u: Any, v: Any, further: Any, spikes: Any,
    decay_bits: Any, state_bits: Any,
) -> Any:  # fmt: skip
    """Call a way of stepping."""
    return indirect(step_signature(a.dtype))
