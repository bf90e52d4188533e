"""Compiling a network for a target, and comparing targets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava import arguments
from tern2lava.api.compiled import CompiledNetwork
from tern2lava.api.data import SpikesLike, digest, file_digest, given_spikes
from tern2lava.api.origins import libraries_of, origin_of_data, origins
from tern2lava.arguments import public
from tern2lava.bundle import check_outside
from tern2lava.compiler.build import Compiled, Origin, build
from tern2lava.compiler.certify.calibration import Calibration
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.mapper.placement.slots import check_placement
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.compiler.passes.pipeline import Calibrate
from tern2lava.compiler.progress import Progress, silent
from tern2lava.effort import Effort, effort_of
from tern2lava.errors import CapacityError
from tern2lava.frontends.load import load, load_with_run
from tern2lava.hw_profiles import Profile, load_profile, profile_names
from tern2lava.sim.data.given import named_arrays
from tern2lava.sim.reading.kept_run import run_to_keep

if TYPE_CHECKING:
    import torch

    from tern2lava.report.what_if import Targets


@public
def compile(
    source: str | Path | Graph | torch.nn.Module,
    target: str | Path | Profile = "loihi2",
    *,
    net: str | Path | None = None,
    out: str | Path | None = None,
    options: Options | None = None,
    map_options: MapOptions | None = None,
    data: SpikesLike | None = None,
    calibrate: SpikesLike | None = None,
    any_steps: bool = False,
    pad: bool = False,
    recorded: str | Path | Mapping[str, Any] | None = None,
    effort: Effort | str | None = None,
    progress: Progress | None = None,
    **load_options: Any,
) -> CompiledNetwork:
    """`source` compiled for `target` (a profile's name, YAML file, or Profile), which `verify`, `simulate`, `report`
    and `export` take as it is; also written as a bundle to the folder `out` if given.

    source, net, load_options: as for `load`. options, map_options: Options of the passes, MapOptions of the mapping.
    data: spikes, as for `verify`, on which the traffic between cores is measured (any_steps, pad: see there); without
    them map_options.rate is assumed. calibrate: spikes on which integers are chosen that change the fewest of the
    network's own (docs/calibration.md); with options.ranges "calibrated" accumulators are made wide enough for what
    they show, not for every input. effort: "quick", "normal", "thorough" or an Effort: how much is tried, in place of
    options.effort (docs/effort.md). progress(stage, done, total) is told what is done, total being 0 where it cannot be
    known.
    Of a live module a few samples of its own run are recorded now, for `verify` to hold the float model against; of
    other networks those of `recorded` (what `record` returned or wrote), if given.
    Raises InputError, ProfileError, UnsupportedError (exit code 3) or CapacityError (4), each saying where, what was
    found and what to do; whatever ends it, `out` is a whole bundle or as it was before.
    """
    place = None if out is None else arguments.path(out, "out", "name the folder that is to be the bundle")
    if place is not None:
        check_outside(place)
    profile = checked_profile(target, "target")
    options = with_effort(options, map_options, effort)
    check_placement((map_options or MapOptions()).placement)
    any_steps, pad = arguments.flag(any_steps, "any_steps"), arguments.flag(pad, "pad")
    arguments.callback(progress, "progress", "it is told (stage, done, total)")
    tell = progress or silent
    tell("network", 0, 0)
    loaded = load_with_run(source, net, effort=options.effort, **load_options)
    graph = loaded if isinstance(loaded, Graph) else loaded.graph
    measure, measured_on = _measure(data, graph, options, any_steps, pad)
    runs = calibration_runs(calibrate, graph, options, any_steps, pad)
    kept = None if recorded is None else run_to_keep(_recorded(recorded, graph), graph, options.effort)
    if kept is None and not isinstance(loaded, Graph):
        from tern2lava.frontends.record.keep import keep_run

        tell("the module's own run", 0, 0)
        kept, notes = keep_run(source, loaded, options.effort)  # type: ignore[arg-type]
        graph = graph.with_nodes(graph.nodes, notes=notes)
    try:
        compiled = build(graph, profile, options, map_options, measure, tell, runs)
    except CapacityError as error:
        tell("what would fit", 0, 0)
        raise advised_error(error, graph, profile, options, map_options or MapOptions()) from None
    made_of = (*origins(source, target, net, recorded), *measured_on)
    compiled = replace(compiled, described=_described(source, net), made_of=made_of, libraries=libraries_of(source))
    if isinstance(source, (str, os.PathLike)) and Path(source).is_file():
        compiled = replace(compiled, source_bytes=Path(source).stat().st_size)
    result = CompiledNetwork(**{f.name: getattr(compiled, f.name) for f in fields(Compiled)}, recorded=kept or {})
    if place is not None:
        tell("bundle", 0, 0)
        result.save(place)
    return result


@public
def what_if(
    source: str | Path | Graph | torch.nn.Module,
    targets: Sequence[str | Path | Profile],
    *,
    net: str | Path | None = None,
    options: Options | None = None,
    map_options: MapOptions | None = None,
    data: SpikesLike | None = None,
    calibrate: SpikesLike | None = None,
    any_steps: bool = False,
    pad: bool = False,
    effort: Effort | str | None = None,
    progress: Progress | None = None,
    **load_options: Any,
) -> Targets:
    """`source` mapped onto each of `targets` as `compile` would: a list with a row for each, with cores, memory and
    traffic, or with the reason why it does not fit.

    data, calibrate, any_steps, pad, effort and progress as for `compile`. A notebook shows the rows as a table,
    to_frame() gives them to pandas. Raises InputError and ProfileError.
    """
    from tern2lava.compiler.what_if import try_targets
    from tern2lava.report.what_if import Targets, what_if_row

    if isinstance(targets, (str, bytes, Mapping)) or not hasattr(targets, "__iter__"):
        raise arguments.refused("targets", "a list of targets", targets, "write ['loihi1', 'loihi2']")
    try:
        listed = list(targets)
    except Exception:  # what an __iter__ of a foreign class raises: of numpy's scalars, of tensors
        raise arguments.refused("targets", "a list of targets", targets, "write ['loihi1', 'loihi2']") from None
    profiles = [checked_profile(target, f"targets: {at}") for at, target in enumerate(listed)]
    if not profiles:
        raise arguments.refused("targets", "one target at least", targets, "write ['loihi1', 'loihi2']")
    options = with_effort(options, map_options, effort)
    check_placement((map_options or MapOptions()).placement)
    any_steps, pad = arguments.flag(any_steps, "any_steps"), arguments.flag(pad, "pad")
    arguments.callback(progress, "progress", "it is told (stage, done, total)")
    tell = progress or silent
    tell("network", 0, 0)
    graph = load(source, net, effort=options.effort, **load_options)
    measure, _ = _measure(data, graph, options, any_steps, pad)
    runs = calibration_runs(calibrate, graph, options, any_steps, pad)
    tried = try_targets(graph, profiles, options, map_options, measure, tell, runs)
    return Targets((what_if_row(each) for each in tried), graph.source or "graph")


def advised_error(
    error: CapacityError, graph: Graph, profile: Profile, options: Options, map_options: MapOptions
) -> CapacityError:
    """`error` with what would make the network fit."""
    from tern2lava.compiler.advice import advised

    return advised(error, graph, profile, options, map_options)


def checked_profile(target: object, where: str) -> Profile:
    """The profile that is meant."""
    if isinstance(target, Profile):
        return target
    hint = f"name one ({', '.join(profile_names())}), a YAML file, or give a Profile"
    return load_profile(arguments.path(target, where, hint))


def with_effort(options: Options | None, map_options: object, effort: object) -> Options:
    """The options, with `effort` where it is given."""
    chosen = None if effort is None else effort_of(effort)
    if options is not None and not isinstance(options, Options):
        raise arguments.refused("options", "tern2lava.Options", options, "write tern2lava.Options(ternarize='twn')")
    if map_options is not None and not isinstance(map_options, MapOptions):
        hint = "write tern2lava.MapOptions(objective='traffic')"
        raise arguments.refused("map_options", "tern2lava.MapOptions", map_options, hint)
    wanted = options or Options()
    return wanted if chosen is None else replace(wanted, effort=chosen)


def _recorded(recorded: object, graph: Graph) -> Path | dict[str, Any]:
    hint = "give what tern2lava.record returned, or the npz file that it wrote"
    if isinstance(recorded, (str, os.PathLike)):
        given = given_spikes(recorded, graph, "recorded")
        return given.path if given.path is not None else dict(given.arrays or {})
    if not isinstance(recorded, Mapping):
        raise arguments.refused("recorded", "a recorded run", recorded, hint)
    return named_arrays(recorded, lambda name: True, "recorded")


def _described(source: object, net: str | Path | None) -> str:
    """What says how the neurons of `source` compute, in words that follow "the float model"."""
    if isinstance(source, Graph):
        return "as the graph describes it"
    if isinstance(source, (str, os.PathLike)):
        return f"as {Path(source).name} was read" if net is None else f"as {Path(net).name} describes it"
    return "as the module was read"


def _measure(
    data: object, graph: Graph, options: Options, any_steps: bool, pad: bool
) -> tuple[Callable[[Graph], dict[str, Reals]] | None, tuple[Origin, ...]]:
    """What measures spikes per neuron and step of a program on `data`, which are held against `graph` before that; and
    what is said of them."""
    if data is None:
        return None, ()
    effort, steps = options.effort, options.steps or graph.steps
    given = given_spikes(data, graph)
    spikes = given.spike_data(graph, steps, any_steps=any_steps, pad=pad, effort=effort)

    def measure(program: Graph) -> dict[str, Reals]:
        from tern2lava.sim.activity import measured_rates

        return measured_rates(program, spikes, effort)

    return measure, (origin_of_data(given, spikes),)


def calibration_runs(samples: object, graph: Graph, options: Options, any_steps: bool, pad: bool) -> Calibrate | None:
    """What runs the calibration `samples`, which are held against `graph` before that."""
    if samples is None:
        if options.ranges == "calibrated":
            raise arguments.refused(
                "calibrate", 'calibration samples for ranges "calibrated"', samples, 'give them, or choose "steps"'
            )
        return None
    effort, steps = options.effort, options.steps or graph.steps
    given = given_spikes(samples, graph, "calibrate")
    spikes = given.spike_data(graph, steps, any_steps=any_steps, pad=pad, effort=effort)
    file, sha256 = ("", digest(spikes)) if given.file is None else (given.file.name, file_digest(given.file))

    def calibrate(real: Graph, progress: Progress) -> Calibration:
        from tern2lava.sim.calibration import SampleRuns

        return SampleRuns(real, spikes, effort, file=file, sha256=sha256, progress=progress)

    return calibrate
