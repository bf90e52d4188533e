"""What stands for a tensor while a module's forward is followed.

A tracked tensor is a Symbol: an expression, which gives numbers of one shape for each sample and step, the steps that
the tensor holds, and what each of its axes counts. After moving functions alone (slices, permutations, torch.cat ...)
it is Moved: element codes, which are read into a Symbol where a layer needs one (layout.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.trace.places import users_line

#: Times of a Symbol beside 0, 1, ...: a value that is the same in every step, one formed over steps, and zeros.
STATIC, TOTAL, ZERO = -2, -3, -4

#: What an axis counts: steps, samples, both (the first named is the outer one), or numbers of a sample at one step.
TIME, BATCH, TIME_BATCH, BATCH_TIME, ITEM = "time", "batch", "time*batch", "batch*time", "item"


@dataclass(frozen=True)
class Symbol:
    """The values of expression `key` at `times`, one for each index of the time axis (one alone where there is none).
    axes: what each axis of the tensor counts; its items are in the order of the expression's shape."""

    key: int
    times: tuple[int, ...]
    axes: tuple[str, ...]

    @property
    def sequence(self) -> bool:
        """Whether the tensor has an axis of steps, alone or together with samples."""
        return any(axis in (TIME, TIME_BATCH, BATCH_TIME) for axis in self.axes)

    @property
    def leading(self) -> tuple[str, ...]:
        """The axes in front of the items; () where an axis of items comes before one of them."""
        items = sum(axis == ITEM for axis in self.axes)
        lead = self.axes[: len(self.axes) - items]
        return lead if ITEM not in lead else ()

    def whole(self, steps: int) -> bool:
        """Whether it holds all steps in order (or the same value in each)."""
        return self.sequence and self.times in (tuple(range(steps)), (STATIC,) * steps)


@dataclass(frozen=True, eq=False)
class Moved:
    """Elements of expressions in other places: `codes` has the shape of the tensor (codes.py), `label` is the last
    function that moved them, `at` the line of the user's forward."""

    codes: Tensor
    label: str
    at: str


@dataclass(frozen=True)
class Foreign:
    """A tensor that depends on the input in a way no Graph says; `what` names how, and where."""

    what: str


@dataclass(frozen=True, eq=False)
class Weighted(Foreign):
    """A sequence with a factor of its own in each step: for sums over time alone."""

    symbol: Symbol
    weights: tuple[float, ...]


Meaning = Symbol | Moved | Foreign


@dataclass(frozen=True, eq=False, kw_only=True)
class Expression:
    """What a Symbol's key stands for: numbers of `shape` for each sample and step.

    kind    args                 data
    input   -
    neuron  -                    spikes of `module`; what it reads is in Recorder.calls
    state   (neuron, 0)          (n,): the n-th state that the neurons give out
    pre     (neuron, 0)          what neurons that the forward writes out compare, less their threshold
    gate    (pre, 0), (neuron, 0)  the product of both
    layer   (x, 0)               `module` applied to x
    sparse  (x, steps back), ..  (rows, columns, values) for each: the sum of their products, values () for ones
    add     (x, steps back), ..  the sum
    affine  (x, 0)               (gain, offset), each () or of `shape`: gain * x + offset
    linear  (x, 0)               (weight (out, in), bias or None)
    conv    (x, 0)               (weight, bias, stride, padding, dilation, groups)
    avgpool (x, 0)               (kernel, stride, padding)
    maxpool (x, 0)               (kernel, stride, padding, dilation, ceil_mode) of spikes of 0 and 1
    adaptivemax  (x, 0)          (size,) of spikes of 0 and 1
    and, or (x, 0), ...          (threshold,): spikes where the sum of spikes of 0 and 1 exceeds it
    steps   (x, 0)               (times, weights): the weighted sum of x over these steps, of time TOTAL

    args are (key, steps it looks back) of what it reads. values: all values it can have, where they are few, else ().
    states: whether membrane potentials or currents are in it. at: the line of the user's forward that made it.
    """

    kind: str
    label: str
    args: tuple[tuple[int, int], ...] = ()
    module: Any = None
    data: tuple[Any, ...] = ()
    shape: Shape = ()
    values: tuple[float, ...] = ()
    states: bool = False
    at: str = ""


@dataclass
class Calls:
    """The calls of one neuron layer: what each read (None: numbers that do not depend on the input, which `constants`
    has by the number of the call), and its spikes."""

    read: list[Symbol | None] = field(default_factory=list)
    spikes: list[Array] = field(default_factory=list)
    constants: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Call:
    """One call of a torch function that has a tracked argument: `before` is what its first argument held, where that
    is untracked and written into."""

    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    before: Tensor | None = None

    @property
    def at(self) -> str:
        """The line of the user's forward, as " (file.py:12)"."""
        return users_line()

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by its position and name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)


class AxesError(UnsupportedError):
    """A layer that reads single steps given a sequence, or the other way round."""


class OneCallError(UnsupportedError):
    """A neuron layer called once alone with a single step, in a run of several."""
