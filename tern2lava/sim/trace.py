"""What a run leaves behind: spikes and states of every population over the steps of its own window."""

from __future__ import annotations

from dataclasses import dataclass, field

from tern2lava.compiler.ir import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """Activity of a run. Each array is (batch, steps, neurons); step k of a population is chip step start + k + 1.

    spikes: uint8. v and u: int64 states after the step, recorded when asked for (else empty dictionaries).
    """

    spikes: dict[str, Array]
    v: dict[str, Array] = field(default_factory=dict)
    u: dict[str, Array] = field(default_factory=dict)
