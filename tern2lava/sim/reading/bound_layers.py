"""What layers without state compute of given values, with a bound on how far a framework's own sums can be off.

Values are those of real.py in float64. Beside each goes its error, the distance at most of the same value in the
framework's precision (sim/reading/precision.py): 0 where that is exact in every order of summation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import ChannelAffine, Conv2d, Dense, Node, Pool2d, PoolKind, SparseLinear
from tern2lava.compiler.ir.linear import conv2d, windows2d
from tern2lava.compiler.ir.shapes import Array, Bools, ConvGeometry, Reals, Shape, Spikes, broadcast
from tern2lava.compiler.ir.sparse import sparse_matrix
from tern2lava.sim.reading.precision import Precision, is_power_of_two, last_bit
from tern2lava.sim.reference.real import pool2d, stateless

_NORMALISED = 8.0
"""Rounded operations that a batch normalisation takes at most: four for gain, two for offset, two for the result."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Bounded:
    """Values (batch, *shape) and the error of each. All are sums of at most `terms` multiples of `grid` whose absolute
    values sum up to `reach`; grid inf where there is nothing, 0 where nothing is known."""

    value: Reals
    error: Reals
    reach: Reals
    grid: Reals
    terms: Array

    def reshaped(self, shape: Shape) -> Bounded:
        """The same in another shape of a sample."""
        full = (self.value.shape[0], *shape)
        if full == self.value.shape:
            return self
        parts = (self.value, self.error, self.reach, self.grid, self.terms)
        value, error, reach, grid, terms = (np.broadcast_to(p, self.value.shape).reshape(full) for p in parts)
        return Bounded(value=value, error=error, reach=reach, grid=grid, terms=terms)


def whole_numbers(values: Spikes | Reals) -> Bounded:
    """Spikes and small integers, which every precision holds."""
    value = np.asarray(values, np.float64)
    one = np.ones((1,) * value.ndim)
    return Bounded(value=value, error=np.zeros(value.shape), reach=np.abs(value), grid=one, terms=one)


def nothing(shape: Shape) -> Bounded:
    """Zeros (batch, *shape), as a delay gives out at first."""
    zeros = np.zeros(shape)
    one = np.ones((1,) * len(shape))
    return Bounded(value=zeros, error=zeros, reach=zeros, grid=np.inf * one, terms=0.0 * one)


def total(parts: list[Bounded], precision: Precision) -> Bounded:
    """The sum of several values, whichever of their terms are added first."""
    first, *rest = parts
    if not rest:
        return first
    rest = [part.reshaped(first.value.shape[1:]) for part in rest]
    value = sum((part.value for part in rest), first.value)
    error = sum((part.error for part in rest), first.error)
    reach = sum((part.reach for part in rest), first.reach)
    grid = first.grid
    for part in rest:
        grid = np.minimum(grid, part.grid)
    terms = sum((part.terms for part in rest), first.terms)
    rounding = precision.of_sum(terms, reach + error)
    exact = (error == 0) & precision.whole(reach, grid)
    return Bounded(value=value, error=np.where(exact, 0.0, error + rounding), reach=reach, grid=grid, terms=terms)


class Layer:
    """A node without state, what its weights say about sums kept from step to step."""

    def __init__(self, node: Node, out_shape: Shape, precision: Precision) -> None:
        self.node, self.out_shape, self.precision = node, out_shape, precision

    def apply(self, x: Bounded) -> Bounded:
        """What the node makes of x (batch, *shape)."""
        node = self.node
        if isinstance(node, Dense | Conv2d):
            return self._weighted(x)
        if isinstance(node, Pool2d):
            return self._pooled(node, x)
        if isinstance(node, SparseLinear):
            return self._sparse(node, x)
        if isinstance(node, ChannelAffine):
            return self._scaled(node, x)
        return x.reshaped(self.out_shape)

    # Weights

    @cached_property
    def weights(self) -> _Weights:
        assert isinstance(self.node, Dense | Conv2d)
        return _Weights.of(self.node, self.precision)

    def _weighted(self, x: Bounded) -> Bounded:
        """y = W x + b: e_y = |W| e_x + |W - fl W| |x| + |b - fl b| + gamma_n (|W| |x| + |b|), the last unless every
        partial sum is exact; n counts the terms that are not 0."""
        w, precision = self.weights, self.precision
        batch = x.value.shape[0]
        columns = (1, -1, *([1] * (len(self.out_shape) - 1)))
        value = stateless(self.node, x.value, self.out_shape)
        magnitude = np.abs(x.value)
        summed = self._map(w.absolute, magnitude)
        reach = summed + w.bias.reshape(columns)
        seen = np.where(x.value != 0, x.grid, np.inf).reshape(batch, -1).min(axis=1)
        grid = w.grid.reshape(columns) * seen.reshape(-1, *([1] * len(self.out_shape)))
        grid = np.minimum(grid, w.bias_grid.reshape(columns))
        carried = self._map(w.absolute, x.error) if x.error.any() else np.zeros((1,) * value.ndim)
        carried = carried + w.bias_lost.reshape(columns)
        if w.lost is not None:
            carried = carried + self._map(w.lost, magnitude)
        exact = precision.whole(reach, grid)
        spikes = magnitude.max(initial=0.0) <= 1.0 and not (magnitude % 1.0).any()
        if spikes:
            exact |= w.exact_multiples(np.rint(summed / w.least.reshape(columns)), columns)
        exact &= carried == 0
        count = w.terms.reshape(columns)
        if spikes:
            count = np.minimum(count, np.ceil(summed / w.least.reshape(columns)) + (w.bias != 0).reshape(columns))
        error = carried + np.where(exact, 0.0, precision.of_sum(count, reach + carried))
        return Bounded(value=value, error=error, reach=reach, grid=grid, terms=count)

    def _map(self, weight: Reals, x: Reals) -> Reals:
        """The layer with another weight and no bias."""
        node = self.node
        if isinstance(node, Dense):
            return np.asarray(x.reshape(x.shape[0], -1) @ weight.T)
        assert isinstance(node, Conv2d)
        geometry = ConvGeometry(
            in_shape=(x.shape[1], x.shape[2], x.shape[3]),
            out_shape=(self.out_shape[0], self.out_shape[1], self.out_shape[2]),
            stride=node.stride, padding=node.padding, dilation=node.dilation, groups=node.groups,
        )  # fmt: skip
        return conv2d(np.broadcast_to(x, x.shape), weight, geometry)

    # The rest

    def _pooled(self, node: Pool2d, x: Bounded) -> Bounded:
        """Sums over windows, or those divided by their area, which is exact for a power of two."""
        area = node.kernel[0] * node.kernel[1]
        share = 1.0 / area if node.kind is PoolKind.AVG else 1.0
        value, error = pool2d(node, x.value), pool2d(node, x.error)
        reach = pool2d(node, np.abs(x.value))
        (sy, sx), (top, bottom, left, right) = node.stride, node.padding
        sides = ((0, 0), (0, 0), (top, bottom), (left, right))
        grid = np.pad(np.broadcast_to(x.grid, x.value.shape), sides, constant_values=np.inf)
        grid = windows2d(grid, node.kernel)[:, :, ::sy, ::sx].min(axis=(-2, -1)) * share
        exact = (error == 0) & self.precision.whole(reach, grid)
        if not is_power_of_two(np.asarray(share)):
            exact &= reach == 0
            grid = np.zeros_like(grid)
        rounding = self.precision.of_sum(np.asarray(area + 2.0), reach + error)
        return Bounded(
            value=value, error=np.where(exact, 0.0, error + rounding), reach=reach, grid=grid,
            terms=np.full((1,) * value.ndim, area + 2.0),
        )  # fmt: skip

    def _sparse(self, node: SparseLinear, x: Bounded) -> Bounded:
        """y = A x as _weighted bounds it, a mean being a sum and a division more; what is only moved is not rounded."""
        precision, batch = self.precision, x.value.shape[0]
        matrix = sparse_matrix(node, x.value[0].size)
        absolute, lost, last = abs(matrix), matrix.copy(), matrix.copy()
        lost.data, last.data = precision.lost(matrix.data), 1.0 / last_bit(matrix.data)

        def mapped(m: Any, values: Reals) -> Reals:
            return np.asarray((m @ values.reshape(batch, -1).T).T)

        flat = x.reshaped((x.value[0].size,))
        reach = mapped(absolute, np.abs(flat.value))
        carried = mapped(absolute, np.broadcast_to(flat.error, flat.value.shape)) + mapped(lost, np.abs(flat.value))
        seen = np.where(flat.value != 0, flat.grid, np.inf).min(axis=1, initial=np.inf)
        finest = np.asarray(last.max(axis=1).todense()).reshape(-1)
        grid = seen[:, None] / np.where(finest > 0, finest, 1.0)
        entries = np.diff(matrix.indptr)
        rows = np.repeat(np.arange(len(entries)), entries)
        shifts = np.bincount(rows, is_power_of_two(matrix.data), len(entries)) == entries
        exact = (carried == 0) & precision.whole(reach, grid) | (entries <= 1)
        terms = (entries + 2.0)[None]
        rounding = np.where(exact & shifts, 0.0, precision.of_sum(terms, reach + carried))
        value, error = mapped(matrix, flat.value), carried + rounding
        return Bounded(value=value, error=error, reach=reach, grid=grid, terms=terms).reshaped(self.out_shape)

    def _scaled(self, node: ChannelAffine, x: Bounded) -> Bounded:
        """gain x + offset. A normalisation's offset hides mean * gain; the mean is taken to lie within the values that
        the channel takes here, which the bound states."""
        precision = self.precision
        gain, offset = (broadcast(part, x.value.shape[1:])[None] for part in (node.gain, node.offset))
        product = gain * x.value
        value = product + offset
        carried = np.abs(gain) * x.error
        exact = (carried == 0) & (precision.lost(gain) == 0) & (precision.lost(offset) == 0)
        exact &= precision.exact_product(gain, x.value) & precision.exact_sum(product, offset)
        axes = (0, *range(2, x.value.ndim))
        span = np.abs(gain) * np.abs(x.value).max(axis=axes, keepdims=True, initial=0.0)
        hidden = np.where(offset == 0, np.abs(product), span)
        rounding = _NORMALISED * precision.unit * (np.abs(product) + hidden + np.abs(offset) + carried)
        grid = np.minimum(last_bit(gain) * x.grid, last_bit(offset))
        grid = np.where(x.value == 0, last_bit(offset), grid)
        return Bounded(
            value=value, error=np.where(exact, 0.0, carried + rounding), reach=np.abs(product) + np.abs(offset),
            grid=np.broadcast_to(grid, value.shape), terms=np.full((1,) * value.ndim, 2.0),
        )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class _Weights:
    """What bounds a layer's sums, each array one number for each row (output neuron or channel).

    absolute: |W|; lost: |W - fl W| (None: nothing); grid, bias_grid: powers of two that weights and bias are multiples
    of; least: the least magnitude that is not 0; single: that magnitude where the row has no other and no bias, else 0;
    terms: weights that are not 0, and the bias."""

    absolute: Reals
    lost: Reals | None
    bias: Reals
    bias_lost: Reals
    grid: Reals
    bias_grid: Reals
    least: Reals
    single: Reals
    terms: Array
    bits: int

    @staticmethod
    def of(node: Dense | Conv2d, precision: Precision) -> _Weights:
        absolute = np.abs(node.weight.astype(np.float64))
        rows = absolute.reshape(absolute.shape[0], -1)
        bias = np.zeros(len(rows)) if node.bias is None else np.abs(node.bias.astype(np.float64))
        lost = precision.lost(absolute)
        least = np.where(rows == 0, np.inf, rows).min(axis=1, initial=np.inf)
        alone = (least == rows.max(axis=1, initial=0.0)) & (bias == 0)
        return _Weights(
            absolute=absolute, lost=lost if lost.any() else None, bias=bias, bias_lost=precision.lost(bias),
            grid=last_bit(rows).min(axis=1, initial=np.inf), bias_grid=last_bit(bias), least=least,
            single=np.where(alone, least, 0.0), terms=np.count_nonzero(rows, axis=1) + (bias != 0.0),
            bits=precision.bits,
        )  # fmt: skip

    def exact_multiples(self, count: Reals, columns: Shape) -> Bools:
        """Where `count` spikes through weights of one magnitude give exact partial sums: all its odd multiples up to
        count times have no more bits than there are (one or two spikes always do)."""
        single = np.where(self.single == 0, 1.0, self.single)
        odd = (single / last_bit(single)).reshape(columns)
        largest = np.maximum(count - (count % 2 == 0), 1.0)
        return np.asarray((self.single != 0).reshape(columns) & (odd * largest <= 2.0**self.bits))
