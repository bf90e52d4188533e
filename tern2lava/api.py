"""The five functions: load, compile, simulate, verify, report. The command line is a rendering of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tern2lava.bundle import Bundle, read_bundle, save_report, write_bundle
from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.ir import Array, Graph, Output, Readout
from tern2lava.compiler.options import Options
from tern2lava.compiler.partition import MapOptions
from tern2lava.errors import InputError
from tern2lava.frontends.load import load
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.report.model import Report
from tern2lava.report.verification import add_verification
from tern2lava.sim import integer, mapped
from tern2lava.sim.readout import accuracy, predictions, scores
from tern2lava.sim.spikes import SpikeData, load_spikes, make_spikes
from tern2lava.sim.trace import Trace
from tern2lava.sim.verify import Backend, Progress
from tern2lava.sim.verify import verify as prove

if TYPE_CHECKING:
    import torch

__all__ = ["Simulation", "compile", "load", "report", "simulate", "verify"]

Engine = Literal["reference", "images"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Simulation:
    """A run: trace, class scores (samples, outputs) in the source's units, predictions (samples,), accuracy where the
    data have labels."""

    trace: Trace
    scores: Array
    predictions: Array
    accuracy: float | None


def compile(
    source: str | Path | Graph | torch.nn.Module,
    target: str | Path | Profile = "loihi2",
    *,
    net: str | Path | None = None,
    out: str | Path | None = None,
    options: Options | None = None,
    map_options: MapOptions | None = None,
    **load_options: Any,
) -> Compiled:
    """`source` compiled for `target` (a profile's name, YAML file, or Profile); written as a bundle to `out` if given.

    `source`: whatever `load` takes; `load_options` go to it. Raises InputError, ProfileError, UnsupportedError or
    CapacityError, each saying where, what was found and what to do.
    """
    profile = target if isinstance(target, Profile) else load_profile(target)
    compiled = build(load(source, net, **load_options), profile, options, map_options)
    if out is not None:
        write_bundle(compiled, Path(out))
    return compiled


def simulate(
    bundle: str | Path | Bundle,
    data: str | Path | SpikeData | dict[str, Array],
    *,
    engine: Engine = "reference",
    states: bool = False,
) -> Simulation:
    """A run of a bundle on spikes: by the integer reference, or recomputed from its core images (engine "images")."""
    opened = _opened(bundle)
    program = opened.executable.program
    spikes = _spikes(data, program)
    needed = states or any(output.readout is not Readout.SPIKE_COUNT for output in program.of_kind(Output))
    if engine == "images":
        trace = mapped.run(opened.executable.images, opened.executable.host_image, spikes.inputs, states=needed)
    else:
        trace = integer.run(program, spikes.inputs, states=needed)
    found = scores(program, trace)
    known = None if spikes.labels is None else accuracy(found, spikes.labels)
    return Simulation(trace=trace, scores=found, predictions=predictions(found), accuracy=known)


def verify(
    bundle: str | Path | Bundle,
    data: str | Path | SpikeData | dict[str, Array],
    *,
    backend: Backend = "lava",
    samples: int | None = None,
    timeout: float = 600.0,
    progress: Progress | None = None,
) -> Report:
    """The bundle's report with the proof on `data` (its first `samples`); also written into the bundle's report.json.

    The report's verification says whether all executions agree; no error is raised for a difference.
    """
    opened = _opened(bundle)
    spikes = _spikes(data, opened.executable.program)
    if samples is not None and samples < 1:
        raise InputError("samples", f"found {samples}; verify at least one")
    if samples is not None:
        spikes = spikes.first(samples)
    proof = prove(opened.executable, spikes, backend=backend, timeout=timeout, progress=progress)
    result = add_verification(opened.report, proof)
    save_report(opened.folder, result)
    return result


def report(bundle: str | Path | Bundle) -> Report:
    """The report of a bundle, with the last verification where there was one."""
    return _opened(bundle).report


def _opened(bundle: str | Path | Bundle) -> Bundle:
    return bundle if isinstance(bundle, Bundle) else read_bundle(Path(bundle))


def _spikes(data: str | Path | SpikeData | dict[str, Array], program: Graph) -> SpikeData:
    if isinstance(data, SpikeData):
        return data
    return make_spikes(data, program) if isinstance(data, dict) else load_spikes(Path(data), program)
