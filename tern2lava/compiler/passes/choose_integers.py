"""The search for the integers of one population: unit, gains, decays, thresholds and rounding together.

Without samples a candidate is judged by proofs: no accumulator may overflow, potentials that meet their threshold
exactly keep their spikes (certify/ties.py), and the bound on errors is least. With calibration samples it is judged by
the spikes that change on them while the layer is fed the reference's: fewest win, then the smaller error.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.certify.calibration import Calibration
from tern2lava.compiler.certify.source_integers import quantum_unit
from tern2lava.compiler.passes.by_proof import by_proof
from tern2lava.compiler.passes.by_samples import by_samples
from tern2lava.compiler.passes.candidate import Candidate
from tern2lava.compiler.passes.search import (
    Choice,
    Search,
    codes_of,
    errors,
    proven,
)


def choose(search: Search, calibration: Calibration | None) -> tuple[Candidate, Choice]:
    """The integers of one population, and what is to be said of the choice."""
    without = by_proof(search)
    plain = Choice(
        population=search.neuron.name, unit=without.unit, decays=without.population.decays,
        thresholds=0 if search.neuron.integrates else sum(codes.size for codes in codes_of(without.population)),
    )  # fmt: skip
    if search.neuron.integrates:
        # Samples are for spikes; of a potential the proof's bound is the least that is known.
        return without, plain
    if calibration is None or proven(search, without) or _keeps_source_integers(search, without):
        return without, plain
    return by_samples(search, calibration, without)


def _keeps_source_integers(search: Search, chosen: Candidate) -> bool:
    """Whether the neurons compute in the integers of their source, none of them rounded."""
    return quantum_unit(search.neuron) == chosen.unit and chosen.fits and not np.any(errors(search, chosen))
