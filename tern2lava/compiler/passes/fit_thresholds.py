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

# Potentials nearest to a threshold that say where its code belongs. Chosen: on recurrent layers with 8 to 128 samples,
# 16 to 256 leave equally few spikes changed on others.
NEAREST = 64
# Potentials equal to a threshold but for the rounding of float64.
TIE = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """A population with its thresholds moved.

    nominal, changed: neuron-timesteps of the samples that spike otherwise than the reference, fed and reset by it, as
    it was and with its thresholds moved. expected: how many can be expected to, from the errors of potentials near
    thresholds, as if these lay anywhere there, and from potentials equal to thresholds; it tells more than a count of
    few. moved: how many thresholds were moved.
    """

    population: Population
    nominal: int
    changed: int
    expected: float
    moved: int


def fit_thresholds(
    neuron: Neuron, population: Population, run: RealRun, met: Ints, unit: float, arithmetic: Arithmetic,
    shape: Shape,
) -> Fitted:  # fmt: skip
    """`population` with each threshold (and lower threshold) moved by the median error of the integer potentials `met`
    near it, where most errors have its sign and no more spikes of `run` change. shape: how thresholds may differ
    between neurons (broadcasts to the population's)."""
    codes = np.broadcast_to(population.threshold, shape)
    upper = _fit(
        codes, neuron.threshold * unit, run.met * unit, met, run.spikes > 0, ~run.rested, population.shape, arithmetic
    )
    fitted = replace(population, threshold=upper.codes)
    sides = [upper]
    if population.threshold_low is not None and neuron.threshold_low is not None:
        lower = _fit(
            -np.broadcast_to(population.threshold_low, shape), -neuron.threshold_low * unit, -run.met * unit, -met,
            run.spikes < 0, ~run.rested, population.shape, arithmetic,
        )  # fmt: skip
        fitted = replace(fitted, threshold_low=-lower.codes)
        sides.append(lower)
    return Fitted(
        population=fitted if any(side.moved for side in sides) else population,
        nominal=sum(side.nominal for side in sides),
        changed=sum(side.changed for side in sides),
        expected=sum(side.expected for side in sides),
        moved=sum(side.moved for side in sides),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Side:
    codes: Ints
    nominal: int
    changed: int
    expected: float
    moved: int


def _fit(
    codes: Ints, threshold: Reals, real: Reals, met: Ints, spikes: Bools, free: Bools, shape: Shape,
    arithmetic: Arithmetic,
) -> _Side:  # fmt: skip
    """Codes (as `codes` is shaped) for strict thresholds: a spike where `met` lies above. All potentials in last bits,
    (samples, steps, neurons)."""
    groups, step = _Groups.of(codes, shape), 1 << arithmetic.threshold_shift
    level = np.broadcast_to(broadcast(threshold, shape).reshape(-1), real.shape)
    away = np.abs(real - level)
    tie = free & (away <= TIE * np.maximum(np.abs(level), 1.0))
    away = groups.rows(np.where(free & ~tie, away, np.inf))
    order = groups.nearest(away)
    near = np.take_along_axis(away, order, axis=1)
    where, means, fires, meant = (
        np.take_along_axis(groups.rows(x), order, axis=1) for x in (met, real, spikes, level)
    )  # fmt: skip
    usable = np.isfinite(near)
    off = np.where(usable, where - means, 0.0)
    middle = order.shape[1] // 2
    ranked = np.sort(off, axis=1)
    quarter = order.shape[1] // 4
    typical = np.where(usable.all(axis=1), ranked[:, middle], 0.0)
    systematic = (ranked[:, quarter] > 0) | (ranked[:, -1 - quarter] < 0)
    nominal = codes.reshape(-1)
    # A threshold beyond the largest code stays that.
    free_to_move = systematic & usable.all(axis=1) & (nominal < arithmetic.threshold_max)
    moved = np.rint((meant[:, 0] + typical) / step) * step
    moved = np.clip(np.where(free_to_move, moved, nominal), np.minimum(nominal, 0), arithmetic.threshold_max)

    def wrong(tried: Array) -> Bools:
        return np.asarray(((where > tried[:, None]) != fires) & usable)

    def lost(tried: Array) -> Ints:
        spread = groups.spread(tried)
        return np.asarray((groups.rows(((met > spread) != spikes) & tie)).sum(axis=1))

    better = wrong(moved).sum(axis=1) + lost(moved) <= wrong(nominal).sum(axis=1) + lost(nominal)
    found = np.where(better, moved, nominal).astype(np.int64)
    # A last bit or less of what an error is left: strict codes decide alike up to the next potential.
    left = np.abs(off - (found - meant[:, 0])[:, None])
    reach = np.where(usable, near, 0.0).max(axis=1)
    # As many potentials as lie within `reach` on either side, over twice that, times the mean error: those it carries
    # over the threshold.
    expected = np.divide(np.where(usable, left, 0.0).sum(axis=1), 2 * reach, out=np.zeros(len(reach)), where=reach > 0)
    return _Side(
        codes=found.reshape(codes.shape),
        nominal=_changed(codes, met, spikes, free, shape),
        changed=_changed(found.reshape(codes.shape), met, spikes, free, shape),
        expected=float(expected.sum()) + _changed(found.reshape(codes.shape), met, spikes, tie, shape),
        moved=int(np.count_nonzero(found != nominal)),
    )


def _changed(codes: Ints, met: Ints, spikes: Bools, free: Bools, shape: Shape) -> int:
    return int(np.count_nonzero(((met > broadcast(codes, shape).reshape(-1)) != spikes) & free))


@dataclass(frozen=True)
class _Groups:
    """The neurons of a population by the threshold that they share: `kept` axes have one each, the others share."""

    shape: Shape
    kept: tuple[bool, ...]

    @staticmethod
    def of(codes: Array, shape: Shape) -> _Groups:
        own = (1,) * (len(shape) - codes.ndim) + codes.shape
        return _Groups(shape, tuple(n > 1 for n in own))

    def rows(self, values: Array) -> Array:
        """(samples, steps, neurons) as (thresholds, all that share one)."""
        full = values.reshape(*values.shape[:2], *self.shape)
        axes = [2 + i for i, kept in enumerate(self.kept) if kept]
        others = [i for i in range(full.ndim) if i not in axes]
        groups = int(np.prod([full.shape[i] for i in axes], dtype=np.int64)) if axes else 1
        return np.transpose(full, axes + others).reshape(groups, -1)

    def spread(self, values: Array) -> Array:
        """One value for each threshold, (thresholds,), as one for each neuron, (neurons,)."""
        own = tuple(n if kept else 1 for n, kept in zip(self.shape, self.kept, strict=True))
        return np.broadcast_to(values.reshape(own), self.shape).reshape(-1)

    def nearest(self, away: Reals) -> Ints:
        """Indices of the NEAREST smallest of each row, in their order."""
        count = min(NEAREST, away.shape[1])
        first = np.argpartition(away, count - 1, axis=1)[:, :count] if count < away.shape[1] else None
        if first is None:
            return np.argsort(away, axis=1, kind="stable")
        return np.sort(first, axis=1)
