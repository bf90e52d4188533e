"""Every number of the trained network that its integers do not hold exactly, and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from tern2lava.compiler.certify.lattice import decided, lattice, real_gains
from tern2lava.compiler.certify.offset import bias_offset
from tern2lava.compiler.certify.ranges import growth, on_shape
from tern2lava.compiler.certify.source_integers import membrane_unit, quantum_unit
from tern2lava.compiler.ir.graph import Arithmetic, Compare, Decays, Graph, Neuron, Population, Reset
from tern2lava.compiler.ir.shapes import Array, Bools, Ints, Reals, size
from tern2lava.compiler.neurons.mechanism import kinds_of
from tern2lava.counts import count


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """One quantity of one population that is rounded in some of its neurons.

    inexact of `neurons` are. worst, median: relative error over the neurons whose real value is not 0, None where all
    are 0 (see Compared). absolute: the largest difference, of any neuron. neuron: index of the worst one, whose `real`
    value became `became`. shift: for biases, the largest shift of a potential over its threshold (bias_shift). real,
    became and absolute are in the source's units. Of potentials (POTENTIAL), which decays move to whole last bits
    in every step (nearest: to the nearest, not cut), worst, median and absolute are what that may add up to (cut_off);
    they have no real and became. measured: what potentials are measured against, one weight without a threshold.
    """

    population: str
    quantity: str
    neurons: int
    inexact: int
    worst: float | None
    median: float | None
    absolute: float
    neuron: tuple[int, ...]
    real: float | None
    became: float | None
    shift: float | None = None
    nearest: bool = False
    measured: str = ""

    @property
    def line(self) -> str:
        """One line for the notes."""
        by = f"{self.absolute:.3g}" if self.worst is None else percent(self.worst)
        text = f"{self.population}: {self.quantity} rounded in {self.inexact:,} of {count(self.neurons, 'neuron')}"
        if self.real is None:
            each = "half a last bit" if self.nearest else "a last bit"
            measured = self.measured or "the threshold (or one weight)"
            text += f", {each} in each step, which adds up to {by} of {measured} at most"
        else:
            text += f" by up to {by} ({list(self.neuron)}: {self.real:.6g} became {self.became:.6g})"
        if self.median is not None:
            text += f", median {percent(self.median)}"
        if self.shift is not None:
            text += f"; shifts a potential by up to {percent(self.shift)} of {self.measured or 'its threshold'}"
        return text


POTENTIAL = "potential"


def percent(share: float) -> str:
    """A share as text in per cent, three digits."""
    return f"{float(f'{100 * share:.3g}'):,.12g} %"


@dataclass(frozen=True, eq=False, kw_only=True)
class Compared:
    """A quantity's real values beside what they became, arrays that broadcast to the population's shape.

    real and became in units of the membrane's last bit (decays: as factors). moved: how far it is off, 0 where nothing
    decides differently. base: what it is measured against, 0 where there is nothing: the value's magnitude, of a decay
    the factor or the leak 1 - factor, whichever is smaller. source: what a unit is in the source's; origin: its 0.
    """

    quantity: str
    real: Reals
    became: Array
    moved: Reals
    base: Reals
    source: Reals
    origin: Reals

    @property
    def relative(self) -> Reals:
        """moved / base, 0 where there is no base."""
        moved, base = np.broadcast_arrays(self.moved, self.base)
        return np.asarray(np.divide(moved, base, out=np.zeros(moved.shape), where=base > 0))


def list_roundings(ternary: Graph, integer: Graph, steps: int) -> tuple[tuple[Rounding, ...], int]:
    """The quantities of `integer` (of to_integer) that differ from `ternary` (after fold_scale), worst first, and the
    number of those that do not. steps: of a sample, over which the shift by biases is summed."""
    found: list[Rounding] = []
    exact = 0
    assert integer.arithmetic is not None
    for population in integer.of_kind(Population):
        neuron = ternary.neuron(population.name)
        shift = float(np.max(bias_shift(neuron, population, integer.arithmetic, steps)))
        measured = "one weight" if neuron.integrates else ""
        for compared in compare(ternary, integer, population, steps):
            rounding = _summed_up(population, compared, shift if "bias" in compared.quantity else None)
            if rounding is None:
                exact += 1
            else:
                found.append(replace(rounding, measured=measured))
        cut = cut_off(ternary, integer, population, steps)
        if np.any(cut > 0):
            found.append(replace(_cut(neuron, population, cut), measured=measured))
        else:
            exact += 1
    return tuple(sorted(found, key=lambda r: (r.worst is None, -(r.worst or 0.0), -r.absolute))), exact


def compare(ternary: Graph, integer: Graph, population: Population, steps: int) -> Iterator[Compared]:
    """Every quantity of one population, real beside integer; what a neuron cannot reach (beyond_reach) counts as kept.

    moved is |became - real|, but of a threshold the distance from it to where the integers decide (boundary_moved),
    and nothing where every spike is proven to be kept within `steps` steps. A bias that was added for the threshold's
    sake (bias_offset) counts as a part of the threshold, with what it adds up to.
    """
    assert integer.arithmetic is not None
    neuron, arithmetic = ternary.neuron(population.name), integer.arithmetic
    unit, whole = membrane_unit(neuron, population), float(1 << arithmetic.decay_bits)
    lsb, zero = np.asarray(population.lsb, np.float64), np.zeros(())
    top = arithmetic.threshold_max
    for name in population.inputs:
        coded, real = integer.projection(name), ternary.projection(name)
        gain = on_shape(coded.gain, coded, population.shape)
        scale = on_shape(np.asarray(real.scale * unit), coded, population.shape)
        yield _difference(f"weights of {name}", scale, gain, lsb)
    step = potential_step(integer, population, whole)
    offset = bias_offset(neuron, population, arithmetic)
    settled: Reals = population.threshold - offset * growth(population.decay_v, arithmetic, steps)
    found = lattice(neuron, population, real_gains(ternary, integer, population, unit), arithmetic)
    kept = decided(neuron, population, offset, found, steps, arithmetic)
    if not neuron.integrates:
        moved = np.where(kept, 0.0, boundary_moved(neuron.threshold * unit, settled, neuron.compare, step, top))
        yield _difference("threshold", neuron.threshold * unit, settled, lsb, population.origin, moved)
    if neuron.threshold_low is not None and population.threshold_low is not None:
        low, code = neuron.threshold_low * unit, population.threshold_low
        moved = boundary_moved(-low, -code, neuron.compare, step, top)
        yield _difference("lower threshold", low, code, lsb, population.origin, np.where(kept, 0.0, moved))
    if population.reset is Reset.SUBTRACT:
        amount, code = neuron.reset_amount * unit, population.reset_amount
        silent = never_spikes(neuron, population, arithmetic)
        yield _difference("reset amount", amount, code, lsb, zero, np.where(silent, 0.0, np.abs(code - amount)))
    yield _difference("bias", neuron.bias * unit, population.bias - offset, lsb)
    yield _difference("bias of the current", neuron.bias_u * unit, population.bias_u, lsb)
    yield _difference("initial potential", neuron.v_init * unit, population.v_init, lsb, population.origin)
    yield _decay("decay of the potential", neuron.alpha_v, population.decay_v, whole)
    yield _decay("decay of the current", neuron.alpha_u, population.decay_u, whole)
    for mechanism in kinds_of(population):
        for quantity, alpha, decay in mechanism.decays(neuron, population):
            yield _decay(quantity, alpha, decay, whole)
        for quantity, value, code in mechanism.rounded(neuron, population, unit):
            yield _difference(quantity, value, code, lsb)


def boundary_moved(threshold: Reals, code: Array, compare: Compare, step: int, top: int) -> Reals:
    """The distance from a real threshold of the farthest integer potential that decides otherwise, in last bits; 0
    where none does, 1 where only the potential equal to the threshold does.

    Integer potentials are multiples of `step`, and s = v > code: none lies between the code and code + step, so that a
    threshold there is executed as it is (>: from the code on and below code + step; >=: above the code and up to that).
    So is one beyond the largest code `top` that became it: to_integer does that only where no potential gets there.
    """
    above, below = code - threshold, threshold - code - step
    tie = above == 0 if compare is Compare.GE else below == 0
    moved = np.maximum(np.maximum(above, below), np.where(tie, 1.0, 0.0))
    return np.asarray(np.where((threshold > top) & (code == top), 0.0, moved))


def potential_step(integer: Graph, population: Population, whole: float) -> int:
    """The largest integer of which potentials and adaptation are multiples in every step: the greatest common divisor
    of all that moves them, 1 where a decay makes whole numbers of others."""
    decays: list[Ints] = [population.decay_u, population.decay_v]
    moving = [population.bias, population.bias_u, population.v_init]
    for mechanism in kinds_of(population):
        decays += mechanism.own_decays(population)
        moving += mechanism.moving(population)
    for decay in decays:
        if np.any((decay != 0) & (decay != whole)):
            return 1
    if population.reset is Reset.SUBTRACT:
        moving.append(population.reset_amount)
    moving += [p.gain for p in integer.projections(population.inputs)]
    return max(1, reduce(np.gcd, (int(np.gcd.reduce(np.ravel(value))) for value in moving)))


def never_spikes(neuron: Neuron, population: Population, arithmetic: Arithmetic) -> Bools:
    """Neurons whose thresholds became the largest code, since they never get there (to_integer)."""
    unit, top = membrane_unit(neuron, population), arithmetic.threshold_max
    silent = (neuron.threshold * unit > top) & (population.threshold == top)
    if neuron.threshold_low is not None:
        silent = silent & (neuron.threshold_low * unit < -top)
    return np.asarray(silent)


def bias_shift(neuron: Neuron, population: Population, arithmetic: Arithmetic, steps: int) -> Reals:
    """The largest shift of a potential by rounded biases, over the threshold (over one weight where that is 0).

    growth(f_v, n) (|bias - bias_real| + growth(f_u, n) |bias_u - bias_u_real|), n steps without a reset.
    """
    unit = membrane_unit(neuron, population)
    off_u = np.abs(population.bias_u - neuron.bias_u * unit) * growth(population.decay_u, arithmetic, steps)
    bias = population.bias - bias_offset(neuron, population, arithmetic)
    off = (np.abs(bias - neuron.bias * unit) + off_u) * growth(population.decay_v, arithmetic, steps)
    return np.asarray(off / _measure(neuron, unit))


def cut_off(ternary: Graph, integer: Graph, population: Population, steps: int) -> Reals:
    """What decays move may add up to where the threshold is met, over it (over one weight where that is 0).

    g(f_v) (t_v + g(f_u) t_u + g(f_a) t_a) + g(f_a) t_a last bits, g the growth over the steps of a sample, t 1 where a
    decay truncates, 1/2 where it goes to the nearest whole number and 0 where it makes none. Nothing where the source
    computes in the same integers, or where potentials stay whole numbers within the steps (lattice).
    """
    neuron, arithmetic = ternary.neuron(population.name), integer.arithmetic
    assert arithmetic is not None
    unit = membrane_unit(neuron, population)
    gains = real_gains(ternary, integer, population, unit)
    cuts = population.decays is Decays.TRUNCATE
    if (quantum_unit(neuron) == unit and cuts) or lattice(neuron, population, gains, arithmetic).spacing(steps):
        return np.zeros(())

    def summed(decay: Ints, fed: Reals) -> Reals:
        partly = (decay > 0) & (decay < 1 << arithmetic.decay_bits)
        return (population.decays.off * partly + fed) * growth(decay, arithmetic, steps)

    zero = np.zeros(())
    own = [decay for mechanism in kinds_of(population) for decay in mechanism.own_decays(population)]
    adaptation: Reals = sum((summed(decay, zero) for decay in own), zero)
    total = summed(population.decay_v, summed(population.decay_u, zero) + adaptation) + adaptation
    return np.asarray(total / _measure(neuron, unit))


def _measure(neuron: Neuron, unit: float) -> Reals:
    """Last bits of what shifts of a potential are measured against: the threshold, one weight where there is none or it
    is 0."""
    return np.asarray(np.where(neuron.level > 0, neuron.level, 1.0) * unit)


def _cut(neuron: Neuron, population: Population, cut: Reals) -> Rounding:
    """The Rounding of potentials that decays move to whole last bits."""
    worst = np.unravel_index(int(np.argmax(cut)), cut.shape)
    index, neurons = tuple(int(i) for i in worst), size(population.shape)
    scale = _measure(neuron, 1.0) * neuron.unit
    return Rounding(
        population=population.name, quantity=POTENTIAL, neurons=neurons,
        inexact=int(np.count_nonzero(cut > 0)) * neurons // max(cut.size, 1), worst=float(cut.max()),
        median=float(np.median(cut)), absolute=float(np.max(cut * scale)),
        neuron=(0,) * (len(population.shape) - len(index)) + index, real=None, became=None,
        nearest=population.decays is Decays.NEAREST,
    )  # fmt: skip


def _difference(
    quantity: str, real: Reals, became: Array, lsb: Reals, origin: Reals | None = None, moved: Reals | None = None
) -> Compared:
    return Compared(
        quantity=quantity, real=np.asarray(real), became=np.asarray(became), source=lsb,
        moved=np.abs(became - real) if moved is None else moved, base=np.abs(real),
        origin=np.zeros(()) if origin is None else np.asarray(origin),
    )  # fmt: skip


def _decay(quantity: str, alpha: Reals, decay: Ints, whole: float) -> Compared:
    became = 1.0 - np.asarray(decay) / whole
    return Compared(
        quantity=quantity, real=alpha, became=became, moved=np.abs(became - alpha),
        base=np.minimum(alpha, 1.0 - alpha), source=np.ones(()), origin=np.zeros(()),
    )  # fmt: skip


def _summed_up(population: Population, compared: Compared, shift: float | None) -> Rounding | None:
    """The Rounding of a quantity, None where nothing of it moved."""
    if not np.any(compared.moved > 0):
        return None
    parts = (compared.real, compared.became, compared.moved, compared.base, compared.source, compared.origin)
    real, became, moved, base, source, origin = np.broadcast_arrays(*parts)
    relative, absolute = np.broadcast_to(compared.relative, real.shape), moved * source
    worst = np.unravel_index(int(np.argmax(relative if np.any(relative > 0) else absolute)), real.shape)
    neurons = size(population.shape)
    index = tuple(int(i) for i in worst)
    return Rounding(
        population=population.name, quantity=compared.quantity, neurons=neurons,
        inexact=int(np.count_nonzero(moved > 0)) * neurons // max(real.size, 1),
        worst=float(relative.max()) if np.any(base > 0) else None,
        median=float(np.median(relative[base > 0])) if np.any(base > 0) else None,
        absolute=float(absolute.max()),
        neuron=(0,) * (len(population.shape) - len(index)) + index,
        real=float(real[worst] * source[worst] + origin[worst]),
        became=float(became[worst] * source[worst] + origin[worst]), shift=shift,
    )  # fmt: skip
