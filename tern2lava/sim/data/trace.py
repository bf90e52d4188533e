"""What a run leaves behind: spikes and states of every population over the steps of its own window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Ints, Spikes
from tern2lava.compiler.shown import Shown


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace(Shown):
    """Activity of a run. Each array is (batch, steps, neurons); step k of a population is its
    hardware timestep start + 1 + k * slowdown of its program.

    v and u: states after the step, recorded when asked for (else empty dictionaries): int64, or float64 of a run in
    real numbers, which records v alone.
    """

    spikes: dict[str, Spikes]
    v: dict[str, Array] = field(default_factory=dict)
    u: dict[str, Ints] = field(default_factory=dict)


def joined(traces: Sequence[Trace]) -> Trace:
    """The trace of all samples of `traces`, one after the other; an empty one where there are none."""
    if len(traces) < 2:
        return traces[0] if traces else Trace(spikes={})

    def join(kind: str) -> dict[str, Array]:
        parts = [getattr(trace, kind) for trace in traces]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return Trace(spikes=join("spikes"), v=join("v"), u=join("u"))
