"""Where threshold codes lie: between the last potential that must not fire and the first that must.

A bound on how far integer and real potentials part is no bound on spikes: a net of round numbers meets its thresholds
exactly, again and again, and a code rounded to the wrong side loses every such spike. So each threshold gets, in this
order: a code with no potential on its wrong side, which a lattice (lattice.py) proves for the steps of a sample; such a
code with a bias of one last bit, which lifts potentials off a coarser lattice of codes; else the code, offset and reset
amount under which exact runs of the neuron (probe.py) change the fewest spikes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.lattice import Gains, Lattice, decided, fires_from, lattice, tie_possible
from tern2lava.compiler.certify.probe import run_integer
from tern2lava.compiler.certify.ranges import growth
from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.certify.tie_search import COARSEST, exact_run, integers_of, kinds_of, search
from tern2lava.compiler.ir.graph import Arithmetic, Compare, Neuron, Population
from tern2lava.compiler.ir.shapes import Array, Ints, Reals, broadcast
from tern2lava.compiler.neurons.mechanism import kinds_of as mechanisms_of
from tern2lava.counts import count
from tern2lava.effort import Effort


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """A population with its thresholds placed, and for how many neurons exact runs chose (0: a proof did for all whose
    potentials can meet their threshold)."""

    population: Population
    chosen: int = 0


@dataclass(frozen=True, kw_only=True)
class Ties:
    """What becomes of potentials of one population that equal their threshold.

    known: whether the lattice of its potentials is, so that no other ones can. possible: neurons of which a potential
    can within the steps; kept: of these, neurons that are proven to spike as the
    real dynamics for every input; lost: neurons whose very first potential, if it equals the threshold, spikes
    otherwise. ran: neurons that exact runs stand for, where not all are kept; met, differ: in these runs, potentials
    that equalled the threshold, and those of them whose spike is another in integers.
    """

    known: bool
    possible: int
    kept: int
    lost: int
    ran: int = 0
    met: int = 0
    differ: int = 0

    @property
    def text(self) -> str:
        """A few words for a table."""
        if not self.possible:
            return "none can be" if self.known else "not known"
        if self.kept == self.possible:
            return "all kept"
        if self.lost:
            return f"lost in {count(self.lost, 'neuron')}"
        if self.ran:
            return f"{self.met - self.differ:,} of {self.met:,} kept in exact runs"
        return "first ones kept"


def place(
    neuron: Neuron, population: Population, gains: Gains, arithmetic: Arithmetic, steps: int, effort: Effort, *,
    offsets: bool,
) -> Placed:  # fmt: skip
    """`population` (lowered from `neuron` of the TERNARY graph, thresholds yet anywhere) with thresholds placed for
    `steps` steps. gains: see lattice.lattice. offsets: whether a bias and a reset amount may be moved by last bits to
    pay for a code that is missing; they never are where potentials are read."""
    unit = membrane_unit(neuron, population)
    found = lattice(neuron, population, gains, arithmetic)
    step = 1 << arithmetic.threshold_shift
    real = neuron.threshold * unit
    simple = _simple(neuron)
    code: Array = _exact_side(neuron, real, found, steps, step)
    spacing = found.spacing(steps)
    if spacing:
        first = fires_from(real, neuron.compare, spacing)
        below = np.floor((first - 1) / step) * step
        code = np.where((code < first - spacing) | (code >= first), np.maximum(below, 0), code)
    placed = replace(population, threshold=code, threshold_low=_lower(neuron, unit, found, steps, arithmetic))
    proven = decided(neuron, placed, np.zeros(()), found, steps, arithmetic)
    if spacing and offsets and simple and neuron.compare is Compare.GE:
        lifted: Array = np.where(proven, code, np.floor(real / step) * step)
        offset = np.where(proven, 0, 1)
        other = replace(population, threshold=lifted, bias=population.bias + offset)
        works = decided(neuron, other, offset, found, steps, arithmetic) & ~proven
        if works.any():
            code, proven = np.where(works, lifted, code), proven | works
            placed = replace(population, threshold=code, bias=np.where(works, population.bias + 1, population.bias))
    # Beyond the largest code no potential gets (to_integer).
    unproven = ~proven & tie_possible(real, found, steps) & (real <= arithmetic.threshold_max)
    if not unproven.any() or not simple or not gains:
        return Placed(population=placed)
    if not found.exact:
        # Only potentials that nothing has decayed yet are known to meet the threshold; a last bit lifts them over it.
        adds_up = growth(population.decay_v, arithmetic, steps)
        lift = unproven & (code < np.floor(real / step) * step)
        lift = lift & (adds_up < step) & (COARSEST * adds_up <= found.grain)
        if not offsets or not lift.any():
            return Placed(population=placed)
        code = np.where(lift, code + step, code)
        bias = np.where(lift, population.bias + 1, population.bias)
        return Placed(population=replace(population, threshold=code, bias=bias))
    placed, chosen = search(neuron, placed, gains, arithmetic, steps, found.halvings, unproven, effort, offsets=offsets)
    return Placed(population=placed, chosen=chosen)


def examine(
    neuron: Neuron, population: Population, gains: Gains, arithmetic: Arithmetic, steps: int, offset: Ints,
    effort: Effort,
) -> tuple[Ties, bool]:  # fmt: skip
    """What becomes of ties in `population` as it is, and whether all its neurons are proven to spike as `neuron` within
    `steps` steps. offset: last bits of its bias that are there for the thresholds' sake."""
    found = lattice(neuron, population, gains, arithmetic)
    proven = decided(neuron, population, offset, found, steps, arithmetic)
    if neuron.integrates:
        return Ties(known=found.exact and found.grain > 0, possible=0, kept=0, lost=0), bool(proven.all())
    real = neuron.threshold * membrane_unit(neuron, population)
    possible = tie_possible(real, found, steps) & (real <= arithmetic.threshold_max)
    fires = real + offset > population.threshold
    first = np.mod(real, max(found.grain, 1)) == 0
    lost = possible & first & ~proven & (fires != (neuron.compare is Compare.GE))
    unproven = possible & ~proven
    counts = [
        int(np.count_nonzero(broadcast(np.asarray(mask), population.shape)))
        for mask in (possible & np.ones(proven.shape, bool), possible & proven, lost)
    ]
    ties = Ties(known=found.exact and found.grain > 0, possible=counts[0], kept=counts[1], lost=counts[2])
    if unproven.any() and found.exact and _simple(neuron) and gains:
        ran, met, differ = 0, 0, 0
        for kind in kinds_of(neuron, population, gains, unproven)[: effort.examined_kinds]:
            inputs, _, exact = exact_run(kind, gains, steps, effort.examined_kinds, effort)
            choice = [(kind.coded["threshold"], kind.coded["bias"], kind.coded["reset_amount"])]
            spikes, _ = run_integer(kind.single, integers_of(kind, choice, arithmetic), inputs)
            ran += kind.neurons
            met += int(exact.ties.sum())
            differ += int((exact.ties & (spikes[0] != exact.spikes)).sum())
        ties = replace(ties, ran=ran, met=met, differ=differ)
    return ties, bool(proven.all())


def _simple(neuron: Neuron) -> bool:
    """Whether the neuron is one that certify.probe can run."""
    return neuron.quantum is None and all(mechanism.runs_exactly() for mechanism in mechanisms_of(neuron))


def _exact_side(neuron: Neuron, real: Reals, found: Lattice, steps: int, step: int) -> Reals:
    """Codes (last bits) on the side of the threshold on which no potential that equals it changes its spike; the
    nearest code where codes are coarse and no potential can equal it."""
    side = np.floor(real / step) if neuron.compare is Compare.GT else np.ceil(real / step) - 1
    if step == 1:
        return np.asarray(side)
    tie = tie_possible(real, found, steps)
    return np.asarray(np.where(tie, side, np.rint(real / step)) * step)


def _lower(neuron: Neuron, unit: float, found: Lattice, steps: int, arithmetic: Arithmetic) -> Ints | None:
    """Codes of the lower thresholds: those of the upper ones mirrored; beyond the largest code they become it."""
    if neuron.threshold_low is None:
        return None
    step, real = 1 << arithmetic.threshold_shift, neuron.threshold_low * unit
    side = np.ceil(real / step) if neuron.compare is Compare.GT else np.floor(real / step) + 1
    code = np.asarray(np.where(tie_possible(real, found, steps) | (step == 1), side, np.rint(real / step)) * step)
    spacing = found.spacing(steps)
    if spacing:
        last = -fires_from(-real, neuron.compare, spacing)
        above = (np.floor(last / step) + 1) * step
        code = np.where((code <= last) | (code > last + spacing), np.minimum(above, 0), code)
    return np.asarray(np.maximum(code, -arithmetic.threshold_max).astype(np.int64))


def tie_note(name: str, placed: Placed, arithmetic: Arithmetic) -> tuple[str, ...]:
    """One line on neurons for which no code is proven to keep every spike; none where there are no such."""
    if not placed.chosen:
        return ()
    step = 1 << arithmetic.threshold_shift
    codes = f"multiples of {step} last bits" if step > 1 else "whole last bits"
    return (
        f"{name}: {placed.chosen:,} thresholds have no code (of {codes}) between the last potential that must not fire "
        "and the first that must; exact runs chose the code, bias and reset amount that change the fewest spikes",
    )
