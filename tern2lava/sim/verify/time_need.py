"""How long a verification is about to take, said before it begins where that is long."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial

from tern2lava.counts import count
from tern2lava.effort import Effort
from tern2lava.errors import LongRunWarning
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.reading.real_decides import run_float_model
from tern2lava.sim.verify.executions import EXECUTIONS, Setup
from tern2lava.sim.verify.shard import places, shard_size
from tern2lava.sim.verify.threshold_margin import run_band

FLOAT_MODEL = "the float model"
PROBED = 32
"""Steps that are run to tell the time of the rest: at most these, and at most a SHARE of all steps."""
SHARE = 16
SHORT_STEPS, SHORT_VALUES = 1000, 1 << 26
"""Steps of all shards together, and neuron-timesteps of all samples, below which a run takes seconds: nothing is run to
tell that."""


def foretell(setup: Setup, data: SpikeData, amounts: tuple[tuple[str, int], ...], effort: Effort) -> None:
    """Warn (LongRunWarning) where the executions in `amounts` (name, samples) are expected to take effort.said_seconds
    or more together: with the seconds of each and what to do. Nothing is refused."""
    found = expected(setup, data, amounts, effort)
    if sum(found.values()) < effort.said_seconds:
        return
    samples = max(amount for _, amount in amounts)
    each = ", ".join(f"{name} {in_minutes(seconds)}" for name, seconds in found.items() if seconds >= 1)
    what = f"{count(samples, 'sample')} of {count(data.steps, 'step')}"
    late = [name for name, seconds in found.items() if _meets(name) and seconds > setup.timeout]
    hints = [f"more than the {setup.timeout:g} s of --timeout for {' and '.join(late)}"] if late else []
    less = ["--samples compares fewer"] if samples > 1 else ["samples of fewer steps take less"]
    less += ["--lava-mode fused leaves L1, L3 and LM out"] if any(_meets(name) for name in found) else []
    warnings.warn(
        f"verify: about {in_minutes(sum(found.values()))} expected for {what}: {each}; {'; '.join([*hints, *less])}",
        LongRunWarning, stacklevel=2,
    )  # fmt: skip


def expected(setup: Setup, data: SpikeData, amounts: tuple[tuple[str, int], ...], effort: Effort) -> dict[str, float]:
    """Seconds that executions are expected to take: those outside Lava, and the float model, as a run of the first
    steps of the first shard says; those that meet in every step of Lava's runtime as effort.lava_step_us says. L2 and
    L3 are not counted. Empty where all is short."""
    program, compared = setup.executable.program, max(amount for _, amount in amounts)
    size = min(shard_size(program, data.steps, effort), compared)
    shards = -(-compared // size)
    if shards * data.steps < SHORT_STEPS and compared * data.steps * places(program) < SHORT_VALUES:
        return {}
    steps = max(1, min(PROBED, data.steps // SHARE))
    part = SpikeData(inputs={name: values[:, :steps] for name, values in data.first(size).values().items()})
    times = data.steps / steps * compared / size
    found = {}
    for name, amount in amounts:
        entry = EXECUTIONS.get(name)
        if entry.meets:
            found[name] = amount * data.steps * program.slowdown * effort.lava_step_us / 1e6
        elif not entry.lava:
            found[name] = times * _seconds(partial(entry.run, setup, part, lambda done, total: None))

    def float_model() -> None:
        _, folded = run_band(setup.executable.real, program, part.values())
        run_float_model(setup.executable.imported, setup.executable.real, folded, part.values())

    return found | {FLOAT_MODEL: times * _seconds(float_model)}


def _seconds(run: Callable[[], object]) -> float:
    """Seconds of a run; of the second one where the first is short: that may have loaded what the next ones find."""
    for _ in range(2):
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        if seconds > 1:
            break
    return seconds


def in_minutes(seconds: float) -> str:
    """Seconds as text: "40 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _meets(name: str) -> bool:
    return name != FLOAT_MODEL and EXECUTIONS.get(name).meets
