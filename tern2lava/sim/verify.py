"""The proof on data: every execution held against the integer reference, and that against the float model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tern2lava.compiler.ir import Graph, Population, size
from tern2lava.sim import integer, mapped
from tern2lava.sim.band import Band, measure_band
from tern2lava.sim.compare import Comparison, compare
from tern2lava.sim.float import run_float
from tern2lava.sim.readout import needs_states, predictions, scores
from tern2lava.sim.spikes import SpikeData
from tern2lava.sim.trace import Trace

Backend = Literal["lava", "reference"]
Progress = Callable[[str, int, int], None]
# Values of one kind (spikes, v or u) held at a time; samples are run in pieces of at most this many.
PIECE = 1 << 24


@dataclass(frozen=True, eq=False, kw_only=True)
class Executable:
    """What can be run: the graph as imported, its real dynamics (TERNARY), the INTEGER program, and core images."""

    imported: Graph
    real: Graph
    program: Graph
    images: tuple[bytes, ...]
    host_image: bytes


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Result of verify. comparison: over `samples` of them; processes: (node, process, reason) of Lava's L1; bands:
    distance from the thresholds; spikes and float_differences per population; accuracies where labels were given.

    engine_samples: how many the fast engine ran, these and all others; accuracy_engine: on all of them.
    engine_fallbacks: (population, reason) of what it left to the integer reference."""

    comparison: Comparison
    samples: int
    steps: int
    processes: tuple[tuple[str, str, str], ...]
    bands: tuple[Band, ...]
    spikes: dict[str, int]
    float_differences: dict[str, int]
    accuracy_integer: float | None
    accuracy_float: float | None
    engine_samples: int
    accuracy_engine: float | None
    engine_fallbacks: tuple[tuple[str, str], ...]


@dataclass
class _Tally:
    compared: int = 0
    correct_integer: int = 0
    correct_float: int = 0
    correct_engine: int = 0
    spikes: dict[str, int] = field(default_factory=dict)
    differences: dict[str, int] = field(default_factory=dict)
    bands: dict[str, list[Band]] = field(default_factory=dict)


def verify(
    executable: Executable, data: SpikeData, *, backend: Backend = "lava", samples: int | None = None,
    progress: Progress | None = None, timeout: float = 600.0,
) -> Proof:  # fmt: skip
    """Run the first `samples` (None: all) in I (integer reference), E (fast engine), M (core images) and, with backend
    lava, L1 and L2, and compare all; then the rest in E alone.

    Stops at the first piece of samples that differs. `progress(stage, done, total)` counts samples. Raises
    VerificationError where Lava dies or exceeds `timeout` seconds, MissingPackageError where it is absent.
    """
    from tern2lava.sim.engine.program import prepare
    from tern2lava.sim.engine.run import run as run_engine

    program = executable.program
    engine = prepare(program)
    names = ("I", "E", "M", "L1", "L2") if backend == "lava" else ("I", "E", "M")
    compared = data if samples is None else data.first(samples)
    tally = _Tally()
    processes: tuple[tuple[str, str, str], ...] = ()
    piece = piece_size(program, data.steps)
    comparison = Comparison(chain=names, equal=True, compared_values=0)
    done = 0
    for begin in range(0, compared.samples, piece):
        part = compared.slice(begin, begin + piece)

        def tell(stage: str, part: SpikeData = part, begin: int = begin) -> None:
            if progress is not None:
                progress(stage, begin, compared.samples)

        tell("integer reference")
        traces = {"I": integer.run(program, part.inputs)}
        tell("fast engine")
        traces["E"] = run_engine(engine, part.inputs).trace
        tell("core images")
        traces["M"] = mapped.run(executable.images, executable.host_image, part.inputs)
        if backend == "lava":
            from tern2lava.sim.lava_cores import run_cores
            from tern2lava.sim.lava_stock import run_stock

            tell("Lava processes per layer")
            stock = run_stock(program, part.inputs, timeout=timeout)
            traces["L1"] = stock.trace
            processes = tuple((use.name, use.process, use.reason) for use in stock.processes_used)
            tell("Lava neuro-cores")
            traces["L2"] = run_cores(executable.images, executable.host_image, part.inputs, timeout=timeout).trace
        tell("float model")
        _account(executable, part, traces["I"], tally)
        found = compare(traces, program)
        tally.compared += found.compared_values
        done += part.samples
        comparison = Comparison(
            chain=names, equal=found.equal, compared_values=tally.compared, link=found.link, difference=found.difference
        )
        if not found.equal:
            break
        tally.correct_engine += _correct(program, traces["E"], part)
    run_alone = 0
    if comparison.equal:
        for begin in range(done, data.samples, piece):
            if progress is not None:
                progress("fast engine alone", begin, data.samples)
            part = data.slice(begin, begin + piece)
            trace = run_engine(engine, part.inputs, states=needs_states(program)).trace
            tally.correct_engine += _correct(program, trace, part)
            run_alone += part.samples
    if progress is not None:
        progress("done", done, compared.samples)
    labelled = data.labels is not None
    return Proof(
        comparison=comparison,
        samples=done,
        steps=data.steps,
        processes=processes,
        bands=tuple(_merged(bands) for bands in tally.bands.values()),
        spikes=tally.spikes,
        float_differences=tally.differences,
        accuracy_integer=tally.correct_integer / done if labelled else None,
        accuracy_float=tally.correct_float / done if labelled else None,
        engine_samples=done + run_alone,
        accuracy_engine=tally.correct_engine / (done + run_alone) if labelled and comparison.equal else None,
        engine_fallbacks=tuple((use.population, use.reason) for use in engine.uses if use.engine == "reference"),
    )


def piece_size(program: Graph, steps: int) -> int:
    """Samples that can be run at a time with traces of at most PIECE values of each kind."""
    neurons = sum(size(p.shape) for p in program.of_kind(Population))
    return max(1, PIECE // max(1, neurons * steps))


def _correct(program: Graph, trace: Trace, part: SpikeData) -> int:
    """How many samples of `part` are classified as labelled; 0 without labels."""
    if part.labels is None:
        return 0
    return int(np.count_nonzero(predictions(scores(program, trace)) == part.labels))


def _account(executable: Executable, part: SpikeData, reference: Trace, tally: _Tally) -> None:
    real = run_float(executable.imported, part.inputs)
    for name, spikes in reference.spikes.items():
        tally.spikes[name] = tally.spikes.get(name, 0) + int(np.count_nonzero(spikes))
        differ = int(np.count_nonzero(spikes != real.spikes[name]))
        tally.differences[name] = tally.differences.get(name, 0) + differ
    for band in measure_band(executable.real, executable.program, part.inputs):
        tally.bands.setdefault(band.population, []).append(band)
    if part.labels is not None:
        compiled = predictions(scores(executable.program, reference))
        original = predictions(scores(executable.imported, real))
        tally.correct_integer += int(np.count_nonzero(compiled == part.labels))
        tally.correct_float += int(np.count_nonzero(original == part.labels))


def _merged(bands: list[Band]) -> Band:
    return Band(
        population=bands[0].population,
        neuron_steps=sum(band.neuron_steps for band in bands),
        near=sum(band.near for band in bands),
        closest=min(band.closest for band in bands),
    )
