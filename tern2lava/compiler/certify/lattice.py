"""Where the potentials of a population can lie: the lattice that sums, gains, biases, resets and decays reach.

A decay factor on the chip is p / 2^a (p odd, a at most decay_bits). Inputs, biases, resets and the first potential are
multiples of some g last bits, so that after n steps every real potential is a multiple of g 2^(-A (n - 1)) last bits,
A being the larger a of the two decays. While that is a whole number no decay has anything to round, and a threshold's
code is right if it lies between the last potential that must not fire and the first that must.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.ir.graph import Arithmetic, Compare, Decays, Graph, Neuron, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, Bools, Ints, Reals
from tern2lava.compiler.neurons.mechanism import kinds_of

# Fractions of a lattice point beyond these bits are taken for what they are: chance, no potential that is meant.
DEEPEST = 20


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """The lattice of a population's potentials, in last bits of its membrane.

    exact: decays, gains, biases, resets and first potentials are integers of the target without rounding. grain: the
    largest power of two that divides all that is added to a potential; 0 where nothing is, or not in whole last bits.
    halvings: bits that a step adds to a potential (A above).
    """

    exact: bool
    grain: int
    halvings: int

    def steps(self) -> float:
        """Steps within which no decay makes a whole number of another (math.inf: for ever)."""
        if not self.exact:
            return 0
        if self.halvings == 0 or self.grain == 0:
            return math.inf
        return 1 + (self.grain.bit_length() - 1) // self.halvings

    def spacing(self, steps: int) -> float:
        """Distance between neighbouring potentials within `steps` steps, in last bits (a whole number of them); 0 where
        a decay is rounded or moves potentials, or nothing is known of what is added."""
        if not self.exact or self.grain == 0 or steps > self.steps():
            return 0.0
        return math.ldexp(float(self.grain), -self.halvings * (steps - 1))


Gains = list[tuple[Projection, Reals]]


def real_gains(ternary: Graph, integer: Graph, population: Population, unit: float) -> Gains:
    """Every projection of `integer` that feeds `population`, with the last bits that its scale in `ternary` is, `unit`
    of them to one real unit; partial sums that relays bring stand for the projection that was split."""
    found: dict[str, tuple[Projection, Reals]] = {}
    for name in population.inputs:
        coded = integer.projection(name)
        real = ternary.projection(coded.part_of or name)
        found[coded.part_of or name] = (coded, real.scale * unit)
    return list(found.values())


def lattice(neuron: Neuron, population: Population, gains: Gains, arithmetic: Arithmetic) -> Lattice:
    """The lattice of `population`, lowered from `neuron` of the TERNARY graph; gains: of every projection that feeds
    it, as an integer projection and as the real number of last bits that its scale is."""
    unit = membrane_unit(neuron, population)
    whole = 1 << arithmetic.decay_bits
    halvings = max(_halvings(coded, whole) for coded in (population.decay_u, population.decay_v))
    # The first potential has decayed once where it first counts.
    moved = [neuron.bias * unit, neuron.bias_u * unit, np.ldexp(neuron.v_init * unit, -halvings)]
    if population.reset is Reset.SUBTRACT:
        # A threshold beyond the largest code is never met, so that nothing is subtracted.
        silent = neuron.threshold * unit > arithmetic.threshold_max
        moved.append(np.where(silent, 0.0, neuron.reset_amount * unit))
    # A gain that was rounded makes real sums lie elsewhere.
    moved += [np.where(p.gain == real, p.gain, np.nan) for p, real in gains]
    top = arithmetic.state_max
    integral = neuron.quantum is None and all(mechanism.keeps_whole(population) for mechanism in kinds_of(population))
    integral = integral and all(np.all((x == np.rint(x)) & (np.abs(x) <= top)) for x in moved)
    decays = ((population.decay_u, neuron.alpha_u), (population.decay_v, neuron.alpha_v))
    parts = [np.unique(np.abs(x).astype(np.int64)) for x in moved] if integral else []
    values = [int(value) for some in parts for value in some if value]
    return Lattice(
        exact=integral and all(np.all(coded == (1.0 - alpha) * whole) for coded, alpha in decays),
        grain=min((value & -value for value in values), default=0),
        halvings=halvings,
    )


def _halvings(decay: Ints, whole: int) -> int:
    """The largest a of the factors (whole - decay) / whole = p / 2^a, p odd; 0 for factors 0 and 1."""
    kept = [whole - int(value) for value in np.unique(decay)]
    return max(whole.bit_length() - 1 - ((k & -k).bit_length() - 1) if 0 < k < whole else 0 for k in kept)


def fires_from(threshold: Reals, compare: Compare, spacing: float) -> Reals:
    """The first multiple of `spacing` (last bits) that meets `threshold` (last bits)."""
    scaled = np.asarray(threshold, np.float64) / spacing
    first = np.floor(scaled) + 1 if compare is Compare.GT else np.ceil(scaled)
    return np.asarray(first * spacing)


def tie_possible(threshold: Reals, found: Lattice, steps: int) -> Bools:
    """Where a potential can equal the threshold (last bits) within `steps` steps.

    Where decays are rounded, the only potentials known are sums that nothing has decayed yet: multiples of the grain.
    """
    if not found.grain:
        return np.zeros(np.shape(threshold), bool)
    depth = min(found.halvings * (steps - 1), DEEPEST) if found.exact else 0
    scaled = np.asarray(threshold, np.float64) * math.ldexp(1.0, depth) / found.grain
    return np.asarray(scaled == np.rint(scaled))


def drift(
    decay: Ints, offset: Array, steps: int, arithmetic: Arithmetic, made_whole: Decays = Decays.TRUNCATE
) -> tuple[Reals, Reals]:
    """Least and largest of what a bias of `offset` last bits adds, within `steps` steps, to potentials that are whole
    numbers of them without it.

    Each step e' = alpha e + offset, moved to a whole number by less than 1 where decays cut and by at most 1/2 where
    they go to the nearest; 0 at first and after a reset to zero.
    """
    alpha = 1.0 - np.asarray(decay, np.float64) / (1 << arithmetic.decay_bits)
    offset = np.asarray(offset, np.float64)
    low: Array = np.zeros(np.broadcast_shapes(alpha.shape, offset.shape))
    high: Array = low
    # What meets the threshold first has the bias of one step in it already.
    least: Array = low + offset
    most: Array = high + offset

    def highest(value: Array) -> Array:
        if made_whole is Decays.NEAREST:
            return np.asarray(np.floor(value + 0.5))
        return np.asarray(np.ceil(value + 1) - 1)

    for _ in range(min(steps, 1 << 10)):
        low = np.minimum(np.where(low == 0, 0, -highest(-alpha * low)), 0) + offset
        high = np.maximum(np.where(high == 0, 0, highest(alpha * high)), 0) + offset
        least, most = np.minimum(least, low), np.maximum(most, high)
    # What nothing decays grows for ever.
    grown = offset * steps
    least = np.where(alpha == 1, np.minimum(grown, 0), least)
    most = np.where(alpha == 1, np.maximum(grown, 0), most)
    return np.where(offset == 0, 0, least), np.where(offset == 0, 0, most)


def decided(
    neuron: Neuron, population: Population, offset: Array, found: Lattice, steps: int, arithmetic: Arithmetic
) -> Bools:
    """Which neurons of `population` spike as `neuron` does in every step up to `steps`, for every input.

    So it is where no decay has anything to round within the steps and each code lies between the last potential that
    must not fire and the first that must, whatever a bias of `offset` last bits beyond the real one adds to them. Holds
    by induction: spikes that were alike leave both on the same point of the lattice.
    """
    unit = membrane_unit(neuron, population)
    if neuron.integrates:
        # No spike is to be decided: what is left is that nothing is rounded.
        return np.full(np.broadcast_shapes(population.decay_v.shape, population.bias.shape), bool(found.spacing(steps)))
    arrays = [population.threshold, neuron.threshold, population.decay_v, offset]
    if population.reset is Reset.SUBTRACT or population.rearm:
        arrays += [population.reset_amount, neuron.reset_amount]
    if population.threshold_low is not None:
        arrays.append(population.threshold_low)
    shape = np.broadcast_shapes(*(np.shape(array) for array in arrays))
    spacing = found.spacing(steps)
    if not spacing:
        return np.zeros(shape, bool)
    low, high = drift(population.decay_v, offset, steps, arithmetic, population.decays)
    first = fires_from(neuron.threshold * unit, neuron.compare, spacing)
    result = (first + low > population.threshold) & (first - spacing + high <= population.threshold)
    if population.reset is Reset.SUBTRACT or population.rearm:
        result = result & (population.reset_amount == neuron.reset_amount * unit)
    if population.threshold_low is not None and neuron.threshold_low is not None:
        low_code = population.threshold_low
        last = -fires_from(-neuron.threshold_low * unit, neuron.compare, spacing)
        result = result & (last + high < low_code) & (last + spacing + low >= low_code)
    return np.asarray(np.broadcast_to(result, shape))
