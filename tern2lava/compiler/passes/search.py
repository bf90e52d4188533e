"""Where and for what integers of one population are looked for, and what candidates are asked: what the target has,
what is proven of them, and where their thresholds lie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.calibration import Observed
from tern2lava.compiler.certify.certificate import error_bound
from tern2lava.compiler.certify.lattice import decided, lattice
from tern2lava.compiler.certify.offset import bias_offset, coded_bias
from tern2lava.compiler.certify.ranges import FOREVER
from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.certify.ties import place, tie_note
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Neuron, Output, Population, Readout, Reset
from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.candidate import Candidate, candidate, gain_error, holds
from tern2lava.compiler.target.rules import channel_gain
from tern2lava.hw_profiles import Profile

# Parts of an octave in which units are looked for where powers of two round a gain. Chosen.
PARTS = 16
# Decay factors p / 2^a with a up to this are round numbers, whose potentials meet thresholds again and again, and whose
# resting points may be thresholds: cut towards zero they stay below them as exact potentials do. Chosen.
ROUND_DECAY = 4


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen for a population, for the report.

    unit: last bits of one unit of its synapses' scale. decays: how they become whole. thresholds, moved: how many there
    are, lower ones too, and how many were moved to pay for other roundings. Of calibration samples, None without them
    or where it is proven that no spike changes: how many were looked at, spikes of the reference in them, how many
    change with these integers, and how many with those chosen without samples. observed: the ranges that the unit was
    chosen for, None where it was for those of every input. finer: the finest unit whose accumulators hold what was
    observed, where that is finer than `unit` and samples let expect that spikes change; None elsewhere. before_moves:
    the population with its thresholds where they were, None where none was moved. furthest: the largest such move, in
    synapses.
    """

    population: str
    unit: float
    decays: Decays
    thresholds: int
    moved: int = 0
    samples: int | None = None
    spikes: int | None = None
    changed: int | None = None
    changed_before: int | None = None
    observed: Observed | None = None
    finer: float | None = None
    before_moves: Population | None = None
    real: Graph | None = None
    furthest: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Search:
    """Where and for what integers are looked for. steps: of a sample. start: latency of the population."""

    graph: Graph
    neuron: Neuron
    arithmetic: Arithmetic
    options: Options
    profile: Profile | None
    steps: int
    start: int

    @property
    def range_steps(self) -> int:
        """Steps in which accumulators are not to overflow."""
        return FOREVER if self.options.ranges == "proven" else self.steps

    def candidate(self, unit: float, **other: object) -> Candidate | None:
        return candidate(self.graph, self.neuron, self.arithmetic, unit, self.start, self.range_steps, **other)  # type: ignore[arg-type]


def errors(search: Search, chosen: Candidate) -> Reals:
    """The bound on the errors of a candidate (certificate.error_bound)."""
    members = {node.name: node for node in search.graph.nodes} | {p.name: p for p in chosen.projections}
    integer = replace(search.graph.with_nodes(members.values()), arithmetic=search.arithmetic)
    return error_bound(search.graph, integer, chosen.population, search.steps)


def units_of_octave(search: Search, unit: float) -> list[float]:
    """Units from `unit` up to twice as large that round gains to less than half the error, best first; none where
    gains are exact."""
    error = gain_error(search.graph, search.neuron, search.arithmetic, unit)
    if error == 0 or not any_gain(search):
        return []
    most = 1 << search.arithmetic.gain_max_shift
    others = [other for part in range(1, PARTS) if (other := unit * (1 + part / PARTS)) <= most]
    ranked = sorted((gain_error(search.graph, search.neuron, search.arithmetic, other), other) for other in others)
    return [other for found, other in ranked if found < error / 2]


def has_gains(search: Search, chosen: Candidate) -> bool:
    """Whether the target has the gains of a candidate (target/rules.py)."""
    if search.profile is None:
        return True
    _, missing = channel_gain(search.profile)
    return all(missing(projection) is None for projection in chosen.projections)


def code_bits(search: Search) -> int | None:
    """The widest product of code and gain that the target's synapses hold; None where it has gains beside them."""
    if search.profile is None or any_gain(search):
        return None
    return max(search.profile.synapse.weight_bits.value)


def any_gain(search: Search) -> bool:
    """Whether the target has gains that are no power of two."""
    return search.profile is None or search.profile.synapse.channel_gain.value


def rests_on_threshold(search: Search, chosen: Candidate) -> bool:
    """Whether potentials may come ever nearer to a threshold and not reach it, as the drive of half a threshold does
    where a step halves them: to nearest they would. So it is where decays are round numbers, or where the drive that
    leads to a threshold can be a sum of synapses."""
    if search.neuron.integrates:
        return False
    population, unit = chosen.population, membrane_unit(search.neuron, chosen.population)
    gains = [(p, search.graph.projection(p.name).scale * unit) for p in chosen.projections]
    found = lattice(search.neuron, population, gains, search.arithmetic)
    if not found.grain:
        return False
    if found.exact and found.halvings <= ROUND_DECAY:
        return True
    kept = (1.0 - search.neuron.alpha_v) * (1.0 - search.neuron.alpha_u)
    drive = (search.neuron.threshold * kept * unit - search.neuron.bias * unit) / found.grain
    return bool(np.any((drive != 0) & (np.abs(drive - np.rint(drive)) < 1e-9 * np.abs(drive))))


def proven(search: Search, chosen: Candidate) -> bool:
    """Whether every neuron is proven to spike (an integrator: to hold the potential) as in real numbers for every
    input."""
    neuron, population, arithmetic = search.neuron, chosen.population, search.arithmetic
    unit = membrane_unit(neuron, population)
    if not chosen.fits:
        return False
    gains = [(p, search.graph.projection(p.name).scale * unit) for p in chosen.projections]
    found = lattice(neuron, population, gains, arithmetic)
    offset = bias_offset(neuron, population, arithmetic)
    return bool(np.all(decided(neuron, population, offset, found, search.steps, arithmetic)))


def placed_in(search: Search, chosen: Candidate) -> Candidate:
    """`chosen` with its thresholds placed (ties.place); without offsets where a bias with one has no code, or where
    a potential with one could overflow and without could not. An integrator has none to place."""
    if search.neuron.integrates:
        return chosen
    graph, neuron, arithmetic, steps = search.graph, search.neuron, search.arithmetic, search.steps
    population = chosen.population
    unit = membrane_unit(neuron, population)
    gains = [(p, graph.projection(p.name).scale * unit) for p in chosen.projections]
    for allowed in (True, False) if _offsets_allowed(search) else (False,):
        placed = place(neuron, population, gains, arithmetic, steps, search.options.effort, offsets=allowed)
        moved = placed.population
        bias = coded_bias(moved.bias.astype(np.float64), arithmetic)
        held = holds(graph, moved, chosen.projections, arithmetic, search.range_steps)
        if bias is not None and np.all(bias == moved.bias) and (held or not chosen.fits):
            break
    top = arithmetic.threshold_max
    moved = replace(moved, threshold=np.minimum(moved.threshold, top).astype(np.int64))
    return replace(chosen, population=moved, notes=(*chosen.notes, *tie_note(neuron.name, placed, arithmetic)))


def _offsets_allowed(search: Search) -> bool:
    """Whether biases and reset amounts may be moved to pay for a missing code: not where potentials are read, nor where
    the target has no bias for each neuron, or lets no neuron with one rest until its input arrives."""
    neuron, profile = search.neuron, search.profile
    outputs = search.graph.of_kind(Output)
    read = any(neuron.name in o.inputs and o.readout is not Readout.SPIKE_COUNT for o in outputs)
    if read or profile is None:
        return not read
    return (
        profile.neuron.per_neuron_bias.value
        and profile.neuron.late_start.value == "population"
        and (neuron.reset is not Reset.SUBTRACT or profile.neuron.subtracts.value == "any")
    )


def codes_of(population: Population) -> tuple[Ints, ...]:
    """The codes of thresholds, and of lower ones where there are any."""
    low = population.threshold_low
    return (population.threshold,) if low is None else (population.threshold, low)
