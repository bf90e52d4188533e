"""How expressions of a recorded run are read over its steps: as sums, maxima, softmaxes or votes.

What is read is a sum over steps t of w_t C x_t + b, x_t an expression of one step (spikes, potentials, or what a layer
with weights makes of spikes), or a maximum over the steps, or a sum of softmaxes or votes of single steps; a softmax or
argmax of the whole keeps the order of the classes and is set aside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from tern2lava.compiler.ir.graph import Readout
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.frontends.modules.trace.ends import MONOTONE
from tern2lava.frontends.modules.trace.over_steps import Entry, NotReadError, OverSteps
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import STATIC, TOTAL, Expression, Foreign, Symbol


@dataclass(frozen=True, eq=False, kw_only=True)
class Read:
    """How a returned tensor is read: expression `key` of each step with weights (steps,), classes and offset as of
    ir.Output. by_layer: it is no spikes or potentials of neurons, but what an integrator is to read. whole: the forward
    gives a tensor for each step, and sums nothing. ends: monotone functions set aside, the outermost first."""

    key: int
    weights: Reals
    readout: Readout
    by_layer: bool = False
    classes: Reals | None = None
    offset: Reals | None = None
    whole: bool = False
    ends: tuple[str, ...] = ()


def how_read(recorder: Recorder, symbol: Symbol | Foreign) -> Read:
    """How a returned tensor is read. Raises NotReadError with what is not followed."""
    if isinstance(symbol, Foreign):
        raise NotReadError(symbol.what)
    return _Reader(recorder).read(symbol)


@dataclass(frozen=True, eq=False)
class _Term:
    """matrix @ the spikes or potentials `key`, summed over steps with `weights`."""

    key: int
    weights: Reals
    matrix: Any


class _Reader(OverSteps):
    def read(self, symbol: Symbol) -> Read:
        """The Read of a tensor of the forward."""
        key, ends, whole = symbol.key, [], symbol.sequence
        if STATIC in symbol.times or (symbol.times != (TOTAL,) and max(symbol.times) < 0):
            raise NotReadError(f"numbers that are the same in every step{self.expression(key).at}")
        while not whole and self.expression(key).kind in MONOTONE:
            ends.append(self.expression(key).kind)
            key = self.expression(key).args[0][0]
        offset = np.zeros(self.items(key))
        if symbol.times == (TOTAL,):
            entries, offset = self.pull(key)
        else:
            weights = np.zeros(self.steps)
            weights[[t for t in symbol.times if t >= 0]] = 1.0
            entries = [Entry(key, weights)]
        found = self.of_entries(entries)
        own = offset if found.offset is None else found.offset + offset
        if found.readout.in_each_step:
            if offset.any():
                raise NotReadError(f"an offset added to votes or softmaxes{self.expression(key).at}")
            own = found.offset if found.offset is not None else offset
        return replace(found, offset=own if own.any() else None, whole=whole, ends=tuple(ends))

    def of_entries(self, entries: list[Entry]) -> Read:
        """The Read of a sum of entries."""
        if not entries:
            raise NotReadError("numbers that depend on no step")
        if any(each.maximal for each in entries):
            if len(entries) > 1:
                raise NotReadError(f"a sum with a maximum over the steps{self.expression(entries[0].key).at}")
            return self.maximal(entries[0])
        entries, added = self.spread(entries)
        kind = self.expression(entries[0].key).kind
        if kind in ("softmax", "votes") and len(entries) == 1:
            if added.any():
                raise NotReadError(f"an offset added to {kind}{self.expression(entries[0].key).at}")
            return self.in_each_step(entries[0], kind)
        if not any(self.expression(each.key).states for each in entries) and self.on_chip(entries):
            return replace(self.by_layer(entries), offset=added)
        terms, offset = self.terms_of(entries)
        spikes = all(self.expression(term.key).kind == "neuron" for term in terms)
        one = self.rank_one(terms)
        if one is None:
            if spikes:
                return replace(self.by_layer(entries), offset=added)
            names = sorted({self.named(self.expression(term.key)) for term in terms})
            raise NotReadError(f"potentials of several layers, or of several steps, in one sum ({', '.join(names)})")
        key = self.expression(one.key).args[0][0] if not spikes else one.key
        readout = Readout.SPIKE_COUNT if spikes else Readout.MEMBRANE_SUM
        classes, factor = _classes(one.matrix)
        weights = one.weights * factor
        if not spikes and np.count_nonzero(weights) == 1 and weights[-1]:
            readout = Readout.MEMBRANE_LAST
        offset = added if offset is None else offset + added
        return Read(key=key, weights=weights, readout=readout, classes=classes, offset=offset)

    def on_chip(self, entries: list[Entry]) -> bool:
        """Whether layers with weights, or others that are no mere sums, stand between the spikes and what is read."""
        stack = [each.key for each in entries]
        while stack:
            e = self.expression(stack.pop())
            if e.kind not in ("neuron", "sparse", "add", "affine"):
                return True
            stack += [] if e.kind == "neuron" else [arg for arg, _ in e.args]
        return False

    def by_layer(self, entries: list[Entry]) -> Read:
        """A linear function of spikes, computed by an integrator of its own."""
        first = entries[0]
        places = np.flatnonzero(first.weights)
        key = first.key
        for other in entries[1:]:
            share = other.weights[places[0]] / first.weights[places[0]]
            if not np.allclose(other.weights, share * first.weights, rtol=1e-12, atol=0.0):
                raise NotReadError(
                    f"layers with other weights over the steps in one sum{self.expression(other.key).at}"
                )
            scaled = self.scaled(other.key, np.asarray(share))
            made = Expression(
                kind="add", label="add", args=((key, 0), (scaled, 0)), shape=self.expression(key).shape,
                at=self.expression(key).at,
            )  # fmt: skip
            key = self.recorder.express(made)
        last = np.count_nonzero(first.weights) == 1 and bool(first.weights[-1]) and self.steps > 1
        readout = Readout.MEMBRANE_LAST if last else Readout.MEMBRANE_SUM
        return Read(key=key, weights=first.weights, readout=readout, by_layer=True)

    def maximal(self, entry: Entry) -> Read:
        """A maximum over the steps."""
        classes, positive = (None, 1.0) if entry.after is None else _classes(entry.after)
        if positive <= 0:
            classes, positive = np.asarray(entry.after.toarray()), 1.0
        e = self.expression(entry.key)
        if not e.states:
            weights = entry.weights * positive
            return Read(key=entry.key, weights=weights, readout=Readout.MEMBRANE_MAX, classes=classes, by_layer=True)
        terms, offset = self.terms_of([replace(entry, maximal=False)])
        one = self.rank_one(terms)
        if one is None or self.expression(one.key).kind != "state" or not _selects(one.matrix):
            raise NotReadError(f"a maximum over the steps of {self.named(e)}{e.at}")
        matrix = one.matrix if entry.after is None else entry.after @ one.matrix
        # One factor in every step: the maximum of a positive multiple is that multiple of the maximum.
        factor = float(one.weights[np.flatnonzero(one.weights)[0]])
        if offset is not None or factor <= 0 or not np.isin(one.weights, (0.0, factor)).all():
            raise NotReadError(f"a maximum over the steps of {self.named(e)}{e.at}")
        key = self.expression(one.key).args[0][0]
        classes, positive = _classes(matrix)
        if positive <= 0:
            classes, positive = np.asarray(matrix.toarray()), 1.0
        weights = one.weights * positive
        return Read(key=key, weights=weights, readout=Readout.MEMBRANE_MAX, classes=classes)

    def in_each_step(self, entry: Entry, kind: str) -> Read:
        """Softmaxes or votes of single steps, summed."""
        readout = Readout.MEMBRANE_SOFTMAX if kind == "softmax" else Readout.MEMBRANE_ARGMAX
        ((inner, back),) = self.expression(entry.key).args
        if kind == "votes":
            ((inner, back),) = self.expression(inner).args
        e = self.expression(inner)
        if back:
            raise NotReadError(f"{kind} of earlier steps{e.at}")
        if not e.states:
            return Read(key=inner, weights=entry.weights, readout=readout, by_layer=True)
        terms, offset = self.terms_of([Entry(inner, np.ones(self.steps))])
        one = self.rank_one(terms)
        if one is None or self.expression(one.key).kind != "state" or not (one.weights == one.weights[0]).all():
            raise NotReadError(f"{kind} of {self.named(e)}{e.at}")
        classes, factor = _classes(one.matrix * float(one.weights[0]))
        if classes is None and factor != 1.0:
            classes = factor * np.eye(one.matrix.shape[0])
        shift = None if offset is None else offset / self.steps
        key = self.expression(one.key).args[0][0]
        return Read(key=key, weights=entry.weights, readout=readout, classes=classes, offset=shift)

    # Linear functions of spikes and potentials of single steps

    def terms_of(self, entries: list[Entry]) -> tuple[list[_Term], Reals | None]:
        terms: list[_Term] = []
        offset: Reals = np.zeros(self.items(entries[0].key))
        for entry in entries:
            found, own = self.terms(entry.key, entry.weights)
            terms += found
            offset = offset + own
        return terms, offset if offset.any() else None

    def terms(self, key: int, weights: Reals) -> tuple[list[_Term], Reals]:
        """Terms whose sum, plus the offset, is the sum of weights[t] times expression `key` of step t."""
        e = self.expression(key)
        count = self.items(key)
        if e.kind in ("neuron", "state"):
            return [_Term(key, weights, sparse.identity(count, format="csr"))], np.zeros(count)
        found: list[_Term] = []
        offset = np.zeros(count)
        if e.kind == "affine":
            gain, added = (np.broadcast_to(value, e.shape).reshape(-1) for value in e.data)
            inner, own = self.terms(e.args[0][0], weights)
            return [replace(t, matrix=sparse.diags(gain) @ t.matrix) for t in inner], gain * own + added * weights.sum()
        if e.kind not in ("sparse", "add"):
            raise NotReadError(f"{self.named(e)} of potentials{e.at}")
        for n, (arg, back) in enumerate(e.args):
            shifted = np.concatenate([weights[back:], np.zeros(back)]) if back else weights
            inner, own = self.terms(arg, shifted)
            if e.kind == "sparse":
                matrix = self.matrix(e.data[n], count, self.items(arg))
                inner, own = [replace(t, matrix=matrix @ t.matrix) for t in inner], matrix @ own
            found += inner
            offset = offset + own
        return found, offset

    def rank_one(self, terms: list[_Term]) -> _Term | None:
        """The one term that a sum of terms is, None where it is of several populations or none has one vector of
        weights."""
        left: list[_Term] = []
        for term in terms:
            for n, other in enumerate(left):
                if other.key == term.key and np.array_equal(other.weights, term.weights):
                    left[n] = replace(other, matrix=other.matrix + term.matrix)
                    break
                if other.key == term.key and not (other.matrix != term.matrix).nnz:
                    left[n] = replace(other, weights=other.weights + term.weights)
                    break
            else:
                left.append(term)
        return left[0] if len(left) == 1 else None


def _classes(matrix: Any) -> tuple[Reals | None, float]:
    """(a matrix as an array, 1), or (None, factor) where it is a multiple of the identity."""
    dense: Reals = np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, np.float64)
    factor = float(dense[0, 0])
    square = dense.shape[0] == dense.shape[1] and factor != 0
    return (None, factor) if square and np.array_equal(dense, factor * np.eye(len(dense))) else (dense, 1.0)


def _selects(matrix: Any) -> bool:
    """Whether every row has one number alone, above 0: then a maximum of the product is the product of the maximum."""
    dense = matrix.toarray()
    return bool(((dense != 0).sum(axis=1) == 1).all() and (dense >= 0).all())
