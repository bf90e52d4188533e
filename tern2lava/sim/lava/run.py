"""What a run in Lava gives back, whichever way the program was put into Lava processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tern2lava.compiler.ir.shapes import Spikes
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.sim.data.trace import Trace

DEFAULT_TIMEOUT = 600.0


@dataclass(frozen=True, kw_only=True)
class ProcessUse:
    """One part of the program in Lava: the class of the process that executes it, and why that one."""

    name: str
    process: str
    reason: str

    @property
    def stock(self) -> bool:
        """Whether the process is Lava's own."""
        return self.process.startswith("stock ")


@dataclass(frozen=True, kw_only=True)
class CorePart:
    """A part of some cores: a population there, or what leads from one to another; the class of the Lava process that
    executes it, and why that one."""

    cores: tuple[int, ...]
    part: str
    process: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class MappedUse:
    """A Lava network with a process for each core. parts: what executed what; processes: of the operating system, and
    in each the cores that it runs, empty where each part of a core has one of its own; ports: of all cores;
    connections: routes, and readouts of groups that lead to no core."""

    parts: tuple[CorePart, ...]
    processes: int
    shared: tuple[tuple[int, ...], ...]
    ports: int
    connections: int


@dataclass(frozen=True, eq=False, kw_only=True)
class LavaRun:
    """What a run in Lava gave: the trace, which process executed what and why, and the Lava steps it took. mapped: of a
    network of cores."""

    trace: Trace
    processes_used: tuple[ProcessUse, ...]
    lava_steps: int
    mapped: MappedUse | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """When a population executes what: step k of sample b in Lava step b * period + start + 1 + k * slowdown."""

    samples: int
    steps: int
    period: int
    start: int
    slowdown: int = 1

    def place(self, time_step: int) -> tuple[int, int] | None:
        """Sample and step (from 0) of a Lava step (from 1); None outside every window and between two steps."""
        sample, behind = divmod(time_step - self.start - 1, self.period)
        k, late = divmod(behind, self.slowdown)
        return (sample, k) if late == 0 and 0 <= sample < self.samples and k < self.steps else None


def samples_and_steps(inputs: Mapping[str, Spikes]) -> tuple[int, int]:
    """Number of samples and of time steps of `inputs`, values (batch, steps, *shape). Raises InputError for none."""
    batch, steps = next(iter(inputs.values())).shape[:2]
    if not batch or not steps:
        raise InputError(
            "input",
            f"requires one sample and one step at least; found {count(batch, 'sample')} of "
            f"{count(steps, 'step')}; give data with some",
        )
    return int(batch), int(steps)
