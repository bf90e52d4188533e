"""Element codes: a whole number below 2^53 for every element of every expression at every step of every sample.

A moving function is understood by running it on a tensor of codes: those of the result say where each element came
from, whatever the function and its arguments. 0 is a zero that belongs to nothing (padding); UNKNOWN other numbers that
do not depend on the input.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tern2lava.compiler.ir.shapes import Bools, Ints
from tern2lava.frontends.modules.trace.symbols import (
    BATCH,
    BATCH_TIME,
    ITEM,
    STATIC,
    TIME,
    TIME_BATCH,
    TOTAL,
    ZERO,
    Symbol,
)

UNKNOWN = -1
"""The code of a number other than 0 that does not depend on the input."""


@dataclass(frozen=True, eq=False)
class Elements:
    """What codes say, each an array of one shape: valid (is it an element), its expression, time, sample and item."""

    valid: Bools
    key: Ints
    time: Ints
    sample: Ints
    item: Ints


class Codes:
    """The codes of a run of `steps` steps of `batch` samples: start(key) + (step * batch + sample) * items + item."""

    def __init__(self, batch: int, steps: int) -> None:
        self.batch, self.steps = batch, steps
        self._starts: list[int] = []
        self._keys: list[int] = []
        self._sizes: list[int] = []
        self._place: dict[int, int] = {}
        self._end = 1

    def start(self, key: int, items: int) -> int:
        """The first code of expression `key`, which has `items` items."""
        if key not in self._place:
            self._place[key] = len(self._starts)
            self._starts.append(self._end)
            self._keys.append(key)
            self._sizes.append(items)
            self._end += (self.steps + 2) * self.batch * max(items, 1)
        return self._starts[self._place[key]]

    def slot(self, time: int) -> int:
        """The place of a time among an expression's codes."""
        return {STATIC: self.steps, TOTAL: self.steps + 1}.get(time, time)

    def encode(self, symbol: Symbol, shape: Sequence[int], items: int) -> Tensor:
        """The codes of a tensor of `shape` that is `symbol`; zeros where its time is ZERO."""
        start, batch = self.start(symbol.key, items), self.batch
        steps = torch.tensor([self.slot(t) for t in symbol.times], dtype=torch.float64) * (batch * items)
        samples = torch.arange(batch, dtype=torch.float64) * items
        result = torch.full((), float(start), dtype=torch.float64)
        alive = torch.tensor([t != ZERO for t in symbol.times])
        masks = torch.ones((), dtype=torch.bool)
        n = len(symbol.times)
        for axis, kind in enumerate(symbol.axes):
            lengths = [1] * len(symbol.axes)
            lengths[axis] = int(shape[axis])
            if kind == TIME:
                result, masks = result + steps.reshape(lengths), masks & alive.reshape(lengths)
            elif kind == BATCH:
                result = result + samples.reshape(lengths)
            elif kind == TIME_BATCH:
                result = result + (steps[:, None] + samples).reshape(lengths)
                masks = masks & alive[:, None].expand(n, batch).reshape(lengths)
            elif kind == BATCH_TIME:
                result = result + (samples[:, None] + steps).reshape(lengths)
                masks = masks & alive.expand(batch, n).reshape(lengths)
        if not symbol.sequence:
            result = result + steps[0]
            masks = masks & alive[0]
        counted = [int(shape[axis]) for axis, kind in enumerate(symbol.axes) if kind == ITEM]
        placed = [int(shape[axis]) if kind == ITEM else 1 for axis, kind in enumerate(symbol.axes)]
        if counted:
            result = result + torch.arange(items, dtype=torch.float64).reshape(placed)
        return (result * masks).expand(tuple(shape))

    def decode(self, codes: Ints) -> Elements:
        """What each code says (time as in symbols.py)."""
        valid = codes > 0
        if not self._starts:
            return Elements(valid, codes, codes, codes, codes)
        place = np.searchsorted(np.array(self._starts), codes, side="right") - 1
        place = np.where(valid, place, 0)
        rest = np.where(valid, codes - np.array(self._starts)[place], 0)
        items = np.maximum(np.array(self._sizes)[place], 1)
        rest, item = np.divmod(rest, items)
        slot, sample = np.divmod(rest, self.batch)
        time = np.where(slot == self.steps, STATIC, np.where(slot == self.steps + 1, TOTAL, slot))
        return Elements(valid, np.array(self._keys)[place], time, sample, item)

    def key_and_items(self, code: int) -> tuple[int, int, int]:
        """(expression, its items, the first of its codes) of a code above 0."""
        place = bisect_right(self._starts, code) - 1
        return self._keys[place], max(self._sizes[place], 1), self._starts[place]


def constants(values: Tensor) -> Tensor:
    """The codes of a tensor that does not depend on the input."""
    return torch.where(values == 0, 0.0, float(UNKNOWN)).to(torch.float64)
