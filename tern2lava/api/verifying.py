"""Proving a compiled network on data."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

from tern2lava import arguments, extras
from tern2lava.api.data import SpikesLike, given_spikes
from tern2lava.api.opened import BundleLike, keep, opened, steps_of
from tern2lava.arguments import public
from tern2lava.bundle import Bundle, profile_of, recorded_run, translation_of
from tern2lava.compiler.progress import Progress
from tern2lava.effort import LAVA_PROCESSES, NORMAL, Effort, effort_of
from tern2lava.errors import InputError
from tern2lava.registry import one_of
from tern2lava.report.model import Report
from tern2lava.report.requirements import parse_requirements
from tern2lava.report.verification import add_verification
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.reading.compare import Reading
from tern2lava.sim.reading.oracle import Oracle
from tern2lava.sim.reading.verify import read_all
from tern2lava.sim.reference.watch import Limits
from tern2lava.sim.verify.shard import LavaMode
from tern2lava.sim.verify.verify import Backend
from tern2lava.sim.verify.verify import verify as run_verify

STIMULI = ("cover",)
"""The stimuli that can be asked for."""
LONGEST = 1e6
"""Seconds that a run of Lava may be given at most, eleven days."""


@public
def verify(
    bundle: BundleLike,
    data: SpikesLike | None = None,
    *,
    stimulus: str | None = None,
    any_steps: bool = False,
    pad: bool = False,
    backend: Backend = "lava",
    lava_mode: LavaMode = "mixed",
    lava_processes: int = LAVA_PROCESSES,
    engine: Literal["local", "ray"] = "local",
    samples: int | None = None,
    timeout: float = 600.0,
    require: str | None = None,
    effort: Effort | str = NORMAL,
    progress: Progress | None = None,
) -> Report:
    """The report of a compiled network with the verification on `data`; also kept by the network, and in the bundle's
    report.json.

    bundle: what `compile` returned, or the bundle's folder. data: spikes (samples, steps, *input shape) as an array,
    list or tensor, (spikes, labels), a mapping of arrays, or an npz file (docs/data.md).

    stimulus: "cover" also runs generated spikes, the cover stimulus (docs/coverage.md), or nothing else where data is
    None: then nothing is said, and nothing may be required, of arithmetic and ranges. It is part of the verdict on
    execution; report.verification.cover says what it covered, report.verification.coverage what the data did.

    The first keys of report.verification are five verdicts (report.verification.verdicts): execution (images, Lava and
    engine against the integers), arithmetic (integers against the float model), reading (float model against the
    framework's own run), ranges (whether every accumulator stayed within the range that its certificate states),
    images (whether the core images are the integers for every input, see `prove`).
    require: which must hold for report.verification.met, as "execution,arithmetic=0.1%,reading,ranges,images" (see
    report.requirements); None: execution, images, arithmetic with at most 1 % of the spikes missing or extra,
    and reading where the data carry such a run (as `record` makes it, docs/oracle.md) or the bundle keeps one. No error
    is raised for a verdict that is not met.

    The fast engine runs all samples; on the first `samples` (None: all) the executions are compared: those without Lava
    (backend "reference"), or also Lava's as `lava_mode` says: "mapped", "fused", "inprocess", "stock" (each alone),
    "all", or "mixed", which runs the fused one on all of them, the others on as many as `effort` says ("quick",
    "normal", "thorough" or an Effort: docs/effort.md). lava_processes: of the operating system, about as many as the
    network with a Lava process for each core ("mapped") takes at most; neighbouring cores then share one. engine "ray":
    shards of samples run as Ray tasks. timeout: seconds that one Lava run may take. Data of another number of steps
    than the network was compiled for are refused unless `any_steps`; `pad` adds steps of zeros to samples that have
    fewer (docs/data.md). progress(stage, done, total) counts samples. Raises InputError, BackendError where Lava or Ray
    did not finish, MissingPackageError where one is not installed.
    """
    if stimulus is not None and not (isinstance(stimulus, str) and stimulus in STIMULI):
        raise arguments.refused("stimulus", one_of(STIMULI), stimulus, "write stimulus='cover', or leave it out")
    if data is None and stimulus is None:
        raise InputError(
            "data: spikes",
            "requires an array, list or tensor; found None; give some, or stimulus='cover' for generated ones",
        )
    arguments.choice(backend, "backend", get_args(Backend))
    arguments.choice(lava_mode, "lava_mode", get_args(LavaMode))
    lava_processes = arguments.whole(lava_processes, "lava_processes", 1, "give a number, as 32")
    arguments.choice(engine, "engine", ("local", "ray"))
    any_steps, pad = arguments.flag(any_steps, "any_steps"), arguments.flag(pad, "pad")
    if samples is not None:
        samples = arguments.whole(samples, "samples", 1, "verify at least one, or all with None")
    rule = f"seconds above 0, at most {LONGEST:,.0f}"
    timeout = arguments.number(timeout, "timeout", rule, lambda value: 0 < value <= LONGEST, "give seconds, as 600")
    if require is not None:
        arguments.text(require, "require", 'write verdicts, as "execution,arithmetic=0.1%"')
    required, wanted = parse_requirements(require), effort_of(effort)
    if engine == "ray":
        extras.require("ray")
    elif backend == "lava":
        extras.require("lava")
    arguments.callback(progress, "progress", "it is told (stage, done, total)")
    found = opened(bundle)
    given = spikes = None
    if data is not None:
        given = given_spikes(data, found.executable.program)
        program, steps = found.executable.program, steps_of(found)
        spikes = given.spike_data(program, steps, any_steps=any_steps, pad=pad, effort=wanted)
    elif require is not None and (required.arithmetic is not None or required.ranges):
        word = "ranges" if required.arithmetic is None else "arithmetic"
        raise InputError("require", f"requires data for {word}; found none; give some, or leave the word out")
    # Before the executions: a recorded run that cannot be used is no reason to wait for them.
    oracle = None if given is None or spikes is None else given.oracle(found.executable.imported, spikes, wanted)
    limits = {row.population: Limits(u=row.u_limit, v=row.v_limit) for row in found.report.certificate}
    executable = replace(found.executable, cores_per_chip=profile_of(found).system.cores_per_chip)
    proof = run_verify(
        executable, spikes, backend=backend, lava_mode=lava_mode, samples=samples, ray=engine == "ray",
        timeout=timeout, progress=progress, effort=wanted, limits=limits, stimulus=stimulus is not None,
        processes=lava_processes,
    )  # fmt: skip
    proof = replace(proof, reading=_reading(found, spikes, oracle, samples, progress, wanted))
    result = add_verification(found.report, proof, required, _ternarize(found), translation_of(found))
    keep(bundle, found, result)
    return result


def _reading(
    bundle: Bundle, spikes: SpikeData | None, oracle: Oracle | None, samples: int | None, progress: Progress | None,
    effort: Effort,
) -> Reading | None:  # fmt: skip
    """The float model against the framework's own run: the data's, else the one that the bundle keeps, else None."""
    imported, steps = bundle.executable.imported, steps_of(bundle)
    if oracle is not None and spikes is not None:
        return read_all(imported, spikes, oracle, steps=steps, samples=samples, progress=progress, effort=effort)
    kept = recorded_run(bundle)
    if kept is None:
        return None
    return read_all(imported, *kept, steps=kept[0].steps, progress=progress, effort=effort)


def _ternarize(bundle: Bundle) -> str | None:
    """How weights that were not ternary were changed ("twn", "int8"); None where that was not asked for."""
    asked = bundle.manifest.get("options", {}).get("ternarize", "refuse")
    return None if asked == "refuse" else str(asked)
