"""What is formed over the steps of a recorded run, taken apart: sums and maxima of expressions of single steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from tern2lava.compiler.ir.shapes import Reals, size
from tern2lava.frontends.modules.torch_layers import class_path, weight_and_bias
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import STATIC, TOTAL, ZERO, Expression

LARGEST = 1 << 22
"""Entries of the matrix that an average over windows is read as; larger ones are computed on the chip."""


class NotReadError(Exception):
    """Why a returned tensor is no readout."""


@dataclass(frozen=True, eq=False)
class Entry:
    """Expression `key` of each step, summed with `weights` or (maximal) its maximum over the steps that have one, then
    multiplied by `after`."""

    key: int
    weights: Reals
    maximal: bool = False
    after: Any = None


class OverSteps:
    """Expressions of a recorded run that are formed over its steps, taken apart into sums of those of single steps."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self.steps = recorder, recorder.steps

    def expression(self, key: int) -> Expression:
        """The expression of a key, an average over windows as the sum that it is."""
        found = self.recorder.expressions[key]
        return self.averaged(found) if found.kind == "avgpool" else found

    def averaged(self, e: Expression) -> Expression:
        import torch

        (arg, back) = e.args[0]
        shape = self.recorder.expressions[arg].shape
        if size(shape) * size(e.shape) > LARGEST:
            return e
        units = torch.eye(size(shape), dtype=torch.float64).reshape(-1, *shape)
        pool = torch.nn.functional.avg_pool1d if len(shape) == 2 else torch.nn.functional.avg_pool2d
        matrix = sparse.coo_matrix(pool(units, *e.data).reshape(size(shape), -1).numpy().T)
        data = ((matrix.row, matrix.col, matrix.data),)
        return replace(e, kind="sparse", args=((arg, back),), data=data)

    def items(self, key: int) -> int:
        return size(self.expression(key).shape)

    def pull(self, key: int) -> tuple[list[Entry], Reals]:
        """Entries whose sum, plus the offset, is expression `key`, which is formed over steps."""
        e = self.expression(key)
        match e.kind:
            case "steps":
                times, weights = e.data
                return self.summed(e.args[0][0], times, weights)
            case "max":
                chosen = np.zeros(self.steps)
                chosen[list(e.data)] = 1.0
                return [Entry(e.args[0][0], chosen, True)], np.zeros(self.items(key))
            case "sparse":
                entries: list[Entry] = []
                offset = np.zeros(self.items(key))
                for (arg, _), data in zip(e.args, e.data, strict=True):
                    inner, own = self.pull(arg)
                    matrix = self.matrix(data, size(e.shape), self.items(arg))
                    offset += matrix @ own
                    entries += [self.moved(each, matrix, partial(self.sparse, data=data, like=e)) for each in inner]
                return entries, offset
            case "add":
                parts = [self.pull(arg) for arg, _ in e.args]
                return [each for entries, _ in parts for each in entries], sum((o for _, o in parts), np.zeros(()))
            case "affine":
                entries, offset = self.pull(e.args[0][0])
                gain, added = (np.broadcast_to(value, e.shape).reshape(-1) for value in e.data)
                if e.data[0].ndim == 0 and not any(each.maximal for each in entries):
                    factor = float(e.data[0])
                    changed = [replace(each, weights=each.weights * factor) for each in entries]
                else:
                    diagonal = sparse.diags(gain)
                    changed = [self.moved(each, diagonal, lambda k: self.scaled(k, e.data[0])) for each in entries]
                return changed, gain * offset + added
            case "linear" | "layer" if self.weights_of(e) is not None:
                weight, bias = self.weights_of(e) or (np.zeros((0, 0)), None)
                entries, offset = self.pull(e.args[0][0])
                if weight.shape[1] != offset.size:
                    raise NotReadError(f"a matrix on the last of several axes behind a sum over the steps{e.at}")
                changed = [self.moved(each, weight, lambda k: self.linear(k, e, weight)) for each in entries]
                return changed, weight @ offset + (0.0 if bias is None else bias)
            case "layer" if next(e.module.parameters(), None) is None:
                entries, offset = self.pull(e.args[0][0])
                if not offset.any() and not any(each.maximal for each in entries):
                    return [replace(each, key=self.same_layer(each.key, e)) for each in entries], np.zeros(
                        self.items(key)
                    )
        raise NotReadError(f"{self.named(e)} of what was formed over the steps{e.at}")

    def summed(self, key: int, times: Any, weights: Any) -> tuple[list[Entry], Reals]:
        """The sum of weights[n] times expression `key` at times[n]."""
        total = np.zeros(self.steps)
        entries: list[Entry] = []
        offset = np.zeros(self.items(key))
        for time, weight in zip(times, weights, strict=True):
            if time == TOTAL:
                inner, own = self.pull(key)
                entries += [replace(each, weights=each.weights * weight) for each in inner if not each.maximal]
                if any(each.maximal for each in inner):
                    raise NotReadError(f"a maximum over the steps among sums{self.expression(key).at}")
                offset = offset + weight * own
            elif time == STATIC:
                raise NotReadError(f"numbers that are the same in every step{self.expression(key).at}")
            elif time != ZERO:
                total[time] += weight
        return ([Entry(key, total)] if total.any() else []) + entries, offset

    def moved(self, entry: Entry, matrix: Any, before: Callable[[int], int]) -> Entry:
        """A linear function of an entry: of a maximum behind it, of a sum in front of it."""
        if entry.maximal:
            return replace(entry, after=matrix if entry.after is None else matrix @ entry.after)
        return replace(entry, key=before(entry.key))

    def sparse(self, key: int, data: Any, like: Expression) -> int:
        identity = (like.shape, *(np.asarray(part).tobytes() for part in data))
        made = Expression(kind="sparse", label=like.label, args=((key, 0),), data=(data,), shape=like.shape, at=like.at)
        return self.recorder.express(made, identity)

    def scaled(self, key: int, gain: Reals) -> int:
        if gain.ndim == 0 and gain == 1:
            return key
        old = self.expression(key)
        data = (np.asarray(gain), np.zeros(()))
        made = Expression(kind="affine", label="scale", args=((key, 0),), data=data, shape=old.shape, at=old.at)
        return self.recorder.express(made, (gain.shape, gain.tobytes(), "scaled"))

    def linear(self, key: int, like: Expression, weight: Reals) -> int:
        import torch

        data = (torch.from_numpy(np.array(weight)), None)
        made = Expression(kind="linear", label=like.label, args=((key, 0),), data=data, shape=like.shape, at=like.at)
        return self.recorder.express(made, ("over_time", weight.tobytes()))

    def same_layer(self, key: int, like: Expression) -> int:
        made = replace(like, args=((key, 0),))
        return self.recorder.express(made)

    def weights_of(self, e: Expression) -> tuple[Reals, Reals | None] | None:
        """Weight and bias of a matrix product."""
        if e.kind == "linear":
            weight, bias = e.data[:2]
            return _array(weight), None if bias is None else _array(bias)
        return weight_and_bias(e.module, e.label) if class_path(e.module).endswith(".Linear") else None

    def spread(self, entries: list[Entry]) -> tuple[list[Entry], Reals]:
        """The same sum of entries that are no sums themselves, each key once, and what is added to it: a loop that adds
        to its result in every step is a sum over the steps."""
        found: dict[int, Reals] = {}
        added = np.zeros(self.items(entries[0].key))
        waiting = [(each.key, each.weights) for each in reversed(entries)]
        while waiting:
            key, weights = waiting.pop()
            e = self.expression(key)
            if e.kind == "affine" and e.data[0].ndim == 0:
                added = added + np.broadcast_to(e.data[1], e.shape).reshape(-1) * weights.sum()
                waiting.append((e.args[0][0], weights * float(e.data[0])))
            elif e.kind == "add" or (e.kind == "sparse" and (len(e.args) > 1 or e.args[0][1])):
                for n, (arg, back) in reversed(list(enumerate(e.args))):
                    inner = arg if e.kind == "add" else self.sparse(arg, e.data[n], e)
                    waiting.append((inner, np.concatenate([weights[back:], np.zeros(back)]) if back else weights))
            elif weights.any():
                found[key] = found[key] + weights if key in found else weights
        if not found:
            raise NotReadError("numbers that depend on no step")
        return [Entry(key, weights) for key, weights in found.items()], added

    def matrix(self, data: Any, rows: int, columns: int) -> Any:
        row, column, values = data
        numbers = np.asarray(values, np.float64) if len(values) else np.ones(len(row))
        return sparse.csr_matrix((numbers, (row, column)), shape=(rows, columns))

    def named(self, e: Expression) -> str:
        names = {"neuron": "the spikes of", "state": "the state of"}
        if e.kind in names:
            return f"{names[e.kind]} {e.label}"
        return e.label if e.module is not None else f"torch.{e.label}"


def _array(tensor: Any) -> Reals:
    return np.asarray(tensor.detach().cpu().double().numpy())
