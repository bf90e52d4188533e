"""Recorded traces of a network held against another run of it, population by population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.sim.reading.compare import Reading


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One population. expected, found: its spikes in the run compared with and in the traces (None: not recorded);
    differing: neuron-steps whose spikes differ; first: (sample, step, neuron) of the first. potential: the largest
    distance of recorded potentials (None: not compared). rounding, misread: of differing spikes and potentials, each
    step judged by itself, those that rounding explains and those that it does not (None: no such judgement)."""

    population: str
    neurons: int
    expected: int | None
    found: int | None
    differing: int
    first: tuple[int, int, int] | None
    potential: float | None
    rounding: int | None = None
    misread: int | None = None


@dataclass(frozen=True, kw_only=True)
class Conformance:
    """Traces held against `against`, in words; samples, steps: of the traces; ignored: recorded nodes that are no
    populations, or that the run compared with lacks. tolerance: distance of potentials that is allowed, where they
    are judged by it."""

    against: str
    samples: int
    steps: int
    populations: tuple[Agreement, ...]
    ignored: tuple[str, ...]
    tolerance: float | None
    reading: Reading | None = None

    @property
    def equal(self) -> bool:
        """Whether every recorded spike is that of the run compared with."""
        return not any(row.differing for row in self.populations)

    @property
    def conforms(self) -> bool:
        """Whether nothing differs but by rounding, where that is judged, and no potential by more than `tolerance`."""
        if self.reading is not None and self.tolerance is None:
            return self.reading.ok
        spikes = not self.beyond if self.reading is not None else self.equal
        return spikes and not self.far

    @property
    def beyond(self) -> int:
        """Spikes that differ by more than rounding."""
        rows = () if self.reading is None else self.reading.populations
        return sum(row.misread + row.rule_misread + (row.met_against if row.fires_otherwise else 0) for row in rows)

    @property
    def far(self) -> tuple[str, ...]:
        """The populations whose potentials are further apart than `tolerance`."""
        if self.tolerance is None:
            return ()
        return tuple(row.population for row in self.populations if (row.potential or 0.0) > self.tolerance)


def agreements(
    spikes: Mapping[str, Array], potentials: Mapping[str, Array], expected: Mapping[str, Array],
    expected_potentials: Mapping[str, Array], reading: Reading | None,
) -> tuple[Agreement, ...]:  # fmt: skip
    """A row for each population that was recorded and that the other run has; arrays (samples, steps, neurons)."""
    judged = {} if reading is None else {row.population: row for row in reading.populations}
    rows = []
    for name in dict.fromkeys((*spikes, *potentials)):
        mine, theirs = spikes.get(name), expected.get(name)
        first, differing = None, 0
        if mine is not None and theirs is not None:
            _check_shapes(name, mine, theirs)
            wrong = np.argwhere(np.asarray(mine, np.int64) != np.asarray(theirs, np.int64))
            differing = len(wrong)
            first = None if not differing else (int(wrong[0, 0]), int(wrong[0, 1]), int(wrong[0, 2]))
        distance = None
        if name in potentials and name in expected_potentials:
            _check_shapes(name, potentials[name], expected_potentials[name])
            apart = np.abs(potentials[name].astype(np.float64) - expected_potentials[name])
            distance = float(np.where(np.isnan(apart), np.inf, apart).max(initial=0.0))
        elif mine is None or theirs is None:
            continue
        one = judged.get(name)
        rows.append(
            Agreement(
                population=name, neurons=int((potentials[name] if mine is None else mine).shape[2]),
                expected=None if theirs is None else int(np.count_nonzero(theirs)),
                found=None if mine is None else int(np.count_nonzero(mine)),
                differing=differing, first=first, potential=distance,
                rounding=None if one is None else one.float_ties, misread=None if one is None else one.misreadings,
            )
        )  # fmt: skip
    return tuple(rows)


def _check_shapes(name: str, mine: Array, theirs: Array) -> None:
    if mine.shape != theirs.shape:
        raise InputError(
            name, f"requires traces of one shape (samples, steps, neurons); found {mine.shape} and {theirs.shape}; "
            "record the same samples and steps",
        )  # fmt: skip
