"""The integers that are chosen without samples: the finest whose accumulators hold every input, or others whose bound
on errors is much smaller."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.certify.source_integers import quantum_unit
from tern2lava.compiler.ir.graph import Decays, Neuron
from tern2lava.compiler.passes.candidate import Candidate, largest_scale, loses_nothing
from tern2lava.compiler.passes.search import (
    Search,
    errors,
    placed_in,
    proven,
    rests_on_threshold,
    units_of_octave,
)
from tern2lava.compiler.target.stock_neuron import decays_allowed
from tern2lava.errors import UnsupportedError

# Share of the bound on errors below which integers are preferred where no samples judge them. Chosen: a bound that is
# not much smaller says nothing of spikes.
LESS = 0.75


def by_proof(search: Search) -> Candidate:
    neuron = search.neuron
    chosen = _finest(search)
    if quantum_unit(neuron) is None:
        chosen = placed_in(search, chosen)
        if _may_round(search, chosen) and not proven(search, chosen):
            found = search.candidate(chosen.unit, decays=Decays.NEAREST)
            other = None if found is None or found.fits < chosen.fits else placed_in(search, found)
            if other is not None and _errs_less(search, other, chosen):
                chosen = other
    if search.options.ranges == "proven" and not chosen.fits:
        raise UnsupportedError(
            neuron.name, "integers that no input can make overflow, in any number of steps",
            "accumulators that some input drives beyond their width", "ask for --range steps or calibrated",
        )  # fmt: skip
    return chosen


def _finest(search: Search) -> Candidate:
    """The candidate of the finest power of two (the coarsest at which nothing is lost) whose accumulators cannot
    overflow; where it rounds a gain, of the unit of its octave that rounds gains least."""
    graph, neuron, arithmetic = search.graph, search.neuron, search.arithmetic
    unit = quantum_unit(neuron)
    best = None if unit is None else search.candidate(unit)
    if best is not None:
        return best
    for e in range(arithmetic.gain_shift, arithmetic.gain_max_shift + 1):
        found = search.candidate(float(1 << e))
        if found is None or (best is not None and not found.fits):
            break
        best = found
        if not found.fits or loses_nothing(graph, neuron, arithmetic, float(1 << e)):
            break
    if best is None:
        raise UnsupportedError(
            neuron.name,
            f"thresholds of {arithmetic.threshold_bits} bits and biases of {arithmetic.bias_bits} bits (the target's)",
            f"a threshold of {float(np.max(neuron.level)):.6g} and a bias of "
            f"{float(np.max(np.abs(neuron.bias))):.6g} synapses, scales up to {largest_scale(graph, neuron):.6g}",
            "scale the layer's weights up, or its thresholds and biases down, and summed layers to like sizes",
        )
    for unit in units_of_octave(search, best.unit)[:1]:
        found = search.candidate(unit)
        if found is None or not (found.fits or not best.fits):
            continue
        if _bias_error(neuron, found) <= _bias_error(neuron, best) and _errs_less(search, found, best):
            best = found
    return best


def _bias_error(neuron: Neuron, chosen: Candidate) -> float:
    """The largest error of a bias, in units of the synapses' scale."""
    population = chosen.population
    off = (population.bias / chosen.unit - neuron.bias, population.bias_u / chosen.unit - neuron.bias_u)
    return max(float(np.max(np.abs(each), initial=0.0)) for each in off)


def _errs_less(search: Search, found: Candidate, than: Candidate) -> bool:
    """Whether the bound on errors of `found`, in the mean over neurons, is below LESS times that of another."""
    return bool(np.mean(errors(search, found)) < LESS * np.mean(errors(search, than)))


def _may_round(search: Search, chosen: Candidate) -> bool:
    """Whether decays to nearest are the target's, and err less than truncation: 1/2 instead of 1 last bit a step."""
    population, whole = chosen.population, 1 << search.arithmetic.decay_bits
    decays = (population.decay_u, population.decay_v, population.decay_a)
    if not any(np.any((decay > 0) & (decay < whole)) for decay in decays):
        return False
    if Decays.NEAREST not in decays_allowed(search.profile, population):
        return False
    return not rests_on_threshold(search, chosen)
