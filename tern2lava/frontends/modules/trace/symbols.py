"""What stands for a tensor while a module's forward is followed: symbols, states and what is meant by them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.errors import UnsupportedError

# Time of a Symbol, beside 0, 1, ...: the whole sequence.
ALL = -1

# Time of a Symbol: a value that is the same in every step.
STATIC = -2


@dataclass(frozen=True)
class Symbol:
    """Expression `key` at step `time`. axes: "step" (batch, ...), "time" (time, batch, ...), "batch" (batch, time,
    ...) or "merged" (time * batch, ...)."""

    key: int
    time: int
    axes: str = "step"


@dataclass(frozen=True)
class State:
    """The membrane potential or current of the neurons `key` after their step `time`."""

    key: int
    time: int


@dataclass(frozen=True)
class Foreign:
    """A tensor that depends on the input in a way no Graph says; `what` names how."""

    what: str


Meaning = Symbol | State | Foreign


@dataclass(frozen=True, eq=False, kw_only=True)
class Expression:
    """kind: input, neuron, layer (with `module`), add, affine, flatten, linear, conv, avgpool, maxpool or constant (a
    sum with numbers that differ between steps). args: (key, steps it looks back) of what it reads. data: numbers and
    settings of functions. shape: of one sample at one step."""

    kind: str
    label: str
    args: tuple[tuple[int, int], ...] = ()
    module: Any = None
    data: tuple[Any, ...] = ()
    shape: Shape = ()


@dataclass
class Calls:
    """The calls of one neuron layer: what each read (None: numbers that do not depend on the input), and its spikes."""

    read: list[Symbol | None] = field(default_factory=list)
    spikes: list[Array] = field(default_factory=list)


class AxesError(UnsupportedError):
    """A layer that reads single steps given a sequence, or the other way round."""
