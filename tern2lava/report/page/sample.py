"""A sample's run as the page draws it: of each population the neurons that tell most, and how both models spike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.sim.verify.side_by_side import PopulationRun, SideBySide

NUMBERS = 60_000
"""Potentials that a page holds, about 6 bytes each."""
MOST_NEURONS = 96
LEAST_NEURONS = 4
MOST_STEPS = 1_000
CODES = "0123456789"


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """A run and where it is from: the file's name or other words, which sample of how many, and its label."""

    run: SideBySide
    source: str
    number: int
    samples: int
    label: int | None = None


def sample_block(sample: Sample) -> dict[str, Any]:
    """Rows of `raster` are neurons, a character a step: 0 no spike, 1 a spike in both, 2 in the float model alone, 3 in
    integers alone, 4 of the other sign, 5 a spike of -1 in both. `float` and `integer`: potentials of these neurons."""
    run = sample.run
    begin, end = _window(run)
    count = NUMBERS // max(1, 2 * (end - begin) * len(run.populations))
    count = max(LEAST_NEURONS, min(MOST_NEURONS, count))
    return {
        "source": sample.source, "number": sample.number, "samples": sample.samples, "label": sample.label,
        "steps": run.steps, "begin": begin, "end": end,
        "predicted": [run.predicted_float, run.predicted_integer],
        "first": None if run.first is None else [run.first.population, run.first.step, run.first.neuron],
        "populations": [_population(found, begin, end, count, _kept(run, found.name)) for found in run.populations],
    }  # fmt: skip


def _window(run: SideBySide) -> tuple[int, int]:
    """The steps that are shown: the first MOST_STEPS, or those around the first difference."""
    if run.steps <= MOST_STEPS:
        return 0, run.steps
    at = 0 if run.first is None else run.first.step - 1
    begin = max(0, min(at - MOST_STEPS // 2, run.steps - MOST_STEPS))
    return begin, begin + MOST_STEPS


def _kept(run: SideBySide, population: str) -> int | None:
    """The neuron that is shown in any case: that of the first difference."""
    return run.first.neuron if run.first is not None and run.first.population == population else None


def _population(run: PopulationRun, begin: int, end: int, count: int, kept: int | None) -> dict[str, Any]:
    shown = chosen(run, begin, end, count, kept)
    span = slice(begin, end)
    one, two = run.float_spikes[span][:, shown], run.integer_spikes[span][:, shown]
    code = np.zeros(one.shape, np.int64)
    code[(one == two) & (one > 0)] = 1
    code[(one != 0) & (two == 0)] = 2
    code[(one == 0) & (two != 0)] = 3
    code[(one != two) & (one != 0) & (two != 0)] = 4
    code[(one == two) & (one < 0)] = 5
    return {
        "name": run.name,
        "neurons": run.differs.shape[1],
        "spikes": [int(np.count_nonzero(run.float_spikes)), int(np.count_nonzero(run.integer_spikes))],
        "differ": int(np.count_nonzero(run.differs)),
        "shown": shown.tolist(),
        "raster": ["".join(CODES[value] for value in row) for row in code.T.tolist()],
        "float": _numbers(run.float_v[span][:, shown].T),
        "integer": _numbers(run.integer_v[span][:, shown].T),
        "threshold": _numbers(run.threshold[shown]),
    }


def chosen(run: PopulationRun, begin: int, end: int, count: int, kept: int | None = None) -> Ints:
    """At most `count` neurons, ascending: those whose spikes differ, the earliest first, then some of those that spike,
    evenly spread, then others."""
    differs = run.differs[begin:end]
    first = np.where(differs.any(axis=0), differs.argmax(axis=0), end)
    parted = np.lexsort((np.arange(first.size), first))[: np.count_nonzero(first < end)]
    if kept is not None:
        parted = np.concatenate([[kept], parted[parted != kept]])
    spiked = np.count_nonzero(run.float_spikes[begin:end], axis=0) > 0
    spiked[parted] = False
    order = [parted[:count]]
    for others in (np.flatnonzero(spiked), np.setdiff1d(np.flatnonzero(~spiked), parted)):
        room = min(count - sum(map(len, order)), others.size)
        order.append(others[np.arange(room) * others.size // max(1, room)])
    found: Ints = np.sort(np.concatenate(order)).astype(np.int64)
    return found


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    """Nested lists of numbers of four digits; null for infinite ones."""
    if values.ndim > 1:
        return [_numbers(row) for row in values]
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values.tolist()]
