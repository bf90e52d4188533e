"""What a run of the core images gives."""

from __future__ import annotations

from dataclasses import dataclass

from tern2lava.compiler.ir.shapes import Ints, Spikes
from tern2lava.sim.cores.routes import Place


@dataclass(frozen=True, eq=False)
class Result:
    """Spikes (samples, steps, neurons) of a group over its own window, and u and v (None: not recorded)."""

    place: Place
    spikes: Spikes
    u: Ints | None
    v: Ints | None
