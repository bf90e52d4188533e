"""Thresholds that pay for what else was rounded: moved so that the fewest spikes change on calibration samples.

While a layer is fed and reset by the reference's spikes, its integer potentials do not depend on its thresholds. What
rounded gains, biases and decays add to them near the threshold is then known, sample by sample, and a code that lies
where these potentials lie decides as the reference does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.calibration import RealRun
from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population
from tern2lava.compiler.ir.shapes import Array, Bools, Ints, Reals, Shape, broadcast

# Potentials nearest to a threshold that say where its code belongs: this many where each neuron has its own, more where
# one stands for many. Chosen.
NEAREST, MOST = 64, 2048
# Shares of these potentials whose errors are tried as moves; of few the median alone, for the others overfit. Chosen.
TRIED = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98)
# A move has to leave less than this share of the spikes that are expected to change, and SAVED fewer. Chosen.
KEPT, SAVED = 0.75, 0.01
# Potentials equal to a threshold but for the rounding of float64.
TIE = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """A population with its thresholds moved. expected: neuron-timesteps that can be expected to spike otherwise than
    the reference, fed and reset by it, from the errors of potentials near thresholds, blurred (_Near.fit), and from
    potentials equal to thresholds: it tells more than a count of few. moved: how many thresholds were."""

    population: Population
    expected: float
    moved: int


class Thresholds:
    """The thresholds of one layer on the samples of `run`; what depends on no integers is found once.

    shape: how thresholds may differ between neurons (broadcasts to the neurons').
    """

    def __init__(self, neuron: Neuron, run: RealRun, shape: Shape) -> None:
        self.neuron, self.run, self.shape = neuron, run, shape
        groups = _Groups(neuron.shape, shape)
        self.upper = _Near(groups, neuron.threshold, run.met, run.spikes > 0, ~run.rested)
        self.lower = None
        if neuron.threshold_low is not None:
            self.lower = _Near(groups, -neuron.threshold_low, -run.met, run.spikes < 0, ~run.rested)

    def fit(self, population: Population, met: Ints, unit: float, arithmetic: Arithmetic) -> Fitted:
        """`population` with each threshold (and lower threshold) moved by an error of the integer potentials `met` near
        it, the one with which the fewest spikes can be expected to change."""
        codes, expected, moved = self.upper.fit(_spread(population.threshold, self.shape), met, unit, arithmetic)
        fitted = replace(population, threshold=codes)
        if self.lower is not None and population.threshold_low is not None:
            low = -_spread(population.threshold_low, self.shape)
            codes, also, further = self.lower.fit(low, -met, unit, arithmetic)
            fitted = replace(fitted, threshold_low=-codes)
            expected, moved = expected + also, moved + further
        return Fitted(population=fitted if moved else population, expected=expected, moved=moved)


def count_changed(population: Population, run: RealRun, met: Ints) -> int:
    """Neuron-timesteps of `run` that spike otherwise in the integers of `population`, whose potentials are `met`."""
    fires = (met > broadcast(population.threshold, population.shape).reshape(-1)).astype(np.int8)
    if population.threshold_low is not None:
        fires -= met < broadcast(population.threshold_low, population.shape).reshape(-1)
    return int(np.count_nonzero((fires != run.spikes) & ~run.rested))


def _spread(codes: Ints, shape: Shape) -> Ints:
    return np.array(np.broadcast_to(codes, shape))


class _Groups:
    """The neurons of a layer by the threshold that they share."""

    def __init__(self, neurons: Shape, shape: Shape) -> None:
        self.neurons = neurons
        own = (1,) * (len(neurons) - len(shape)) + tuple(shape)
        self.count = int(np.prod(own, dtype=np.int64))
        numbers = np.arange(self.count).reshape(own)
        self.of = np.broadcast_to(numbers, neurons).reshape(-1)
        # Neurons in the order of their groups, each of which has equally many.
        self.order = np.argsort(self.of, kind="stable").reshape(self.count, -1)

    def rows(self, values: Array) -> Array:
        """(samples x steps, neurons) as (thresholds, all potentials that are held against one)."""
        return np.moveaxis(values[:, self.order], 1, 0).reshape(self.count, -1)

    def places(self, rows: Ints, columns: int) -> Ints:
        """Indices of rows() as indices of the flat values, which have `columns` neurons."""
        each = self.order.shape[1]
        return np.asarray(rows // each * columns + np.take_along_axis(self.order, rows % each, axis=1))


class _Near:
    """Potentials near the thresholds of one side, arrays (thresholds, potentials near it): places in the flat (samples,
    steps, neurons), real potentials, spikes, which of them count; and the places of those equal to a threshold."""

    def __init__(self, groups: _Groups, threshold: Reals, real: Reals, spikes: Bools, free: Bools) -> None:
        neurons = groups.of.size
        self.groups = groups
        self.level = broadcast(threshold, groups.neurons).reshape(-1)
        flat, free = real.reshape(-1, neurons), free.reshape(-1, neurons)
        away = np.abs(flat - self.level)
        tie = free & (away <= TIE * np.maximum(np.abs(self.level), 1.0))
        rows = groups.rows(np.where(free & ~tie, away, np.inf))
        least = int(np.isfinite(rows).sum(axis=1).min())
        count = min(max(NEAREST, min(MOST // groups.count, least)), rows.shape[1])
        first = np.argpartition(rows, count - 1, axis=1)[:, :count]
        first.sort(axis=1)
        self.near = np.take_along_axis(rows, first, axis=1)
        self.usable = np.isfinite(self.near)
        self.places = groups.places(first, neurons)
        self.real = flat.reshape(-1)[self.places]
        self.fires = spikes.reshape(-1)[self.places]
        self.meant = self.level[groups.order[:, 0]]
        self.ties = np.flatnonzero(tie)
        self.tie_group = groups.of[self.ties % neurons]
        self.tie_fires = spikes.reshape(-1)[self.ties]

    def fit(self, codes: Ints, met: Ints, unit: float, arithmetic: Arithmetic) -> tuple[Ints, float, int]:
        """(codes moved, spikes expected to change, how many codes moved) for strict thresholds `codes`: a spike where
        `met` lies above. Both in last bits, `unit` of them to one real unit."""
        step, usable = 1 << arithmetic.threshold_shift, self.usable
        nominal, flat, level = codes.reshape(-1), met.reshape(-1), self.meant * unit
        ties = flat[self.ties]
        off = np.where(usable, flat[self.places] - self.real * unit, 0.0)
        away = np.where(usable, self.real * unit - level[:, None], np.inf)
        typical = np.median(off, axis=1, keepdims=True)
        blur = np.maximum(np.median(np.abs(off - typical), axis=1, keepdims=True), step / 4)

        def lost(tried: Array) -> Ints:
            wrong = (ties > tried[self.tie_group]) != self.tie_fires
            return np.bincount(self.tie_group[wrong], minlength=self.groups.count)

        def wrong(tried: Array) -> Ints:
            fires = flat[self.places] > tried[:, None]
            return np.asarray(((fires != self.fires) & usable).sum(axis=1) + lost(tried))

        def expected(tried: Array) -> Reals:
            """Spikes that change with codes `tried`: potentials between the threshold and where, less their errors,
            the code decides, each blurred by a typical error, for other samples have others there."""
            edge = (tried - level)[:, None] - off
            low, high = np.minimum(edge, 0.0), np.maximum(edge, 0.0)
            within = np.minimum(high, away + blur) - np.maximum(low, away - blur)
            return np.asarray(np.maximum(within, 0.0).sum(axis=1) / (2 * blur[:, 0]) + lost(tried))

        # A threshold beyond the largest code stays that.
        movable = usable.all(axis=1) & (nominal < arithmetic.threshold_max)
        few = off.shape[1] <= NEAREST
        # Twice the standard error of a median, 1.25 sigma / sqrt(n); a normal distribution's quartiles are 1.35 apart.
        quartiles = np.quantile(off, (0.25, 0.75), axis=1)
        doubt = 2 * 1.25 * (quartiles[1] - quartiles[0]) / 1.35 / np.sqrt(off.shape[1])
        movable = movable & (np.abs(typical[:, 0]) > doubt) if few else movable
        found, least = nominal, expected(nominal)
        # Of many tries one always looks better.
        enough = KEPT * least - SAVED
        for share in (0.5,) if few else TRIED:
            moved = np.rint((level + np.quantile(off, share, axis=1)) / step) * step
            moved = np.clip(moved, np.minimum(nominal, 0), arithmetic.threshold_max).astype(np.int64)
            cost = expected(moved)
            better = movable & (cost < np.minimum(least, enough))
            if few:
                better = movable & (wrong(moved) <= wrong(nominal))
            found, least = np.where(better, moved, found), np.where(better, cost, least)
        # To compare units and roundings: as many potentials as lie within `reach` on either side, over twice that,
        # times the mean error, as if potentials lay anywhere, for what lies just beyond counts as well.
        left = np.where(usable, np.abs(off - (found - level)[:, None]), 0.0).sum(axis=1)
        reach = np.where(usable, self.near, 0.0).max(axis=1) * unit
        spread = np.divide(left, 2 * reach, out=np.zeros(len(reach)), where=reach > 0).sum() + lost(found).sum()
        return found.reshape(codes.shape), float(spread), int((found != nominal).sum())
