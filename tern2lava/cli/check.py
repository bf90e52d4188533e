"""What compiling a file would refuse."""

from __future__ import annotations

from pathlib import Path

import typer

from tern2lava.cli.app import (
    AnySteps,
    Debug,
    EffortName,
    Json,
    Pad,
    Source,
    Target,
    Weights,
    app,
    console,
    print_json,
    said,
    with_plugins,
)
from tern2lava.cli.compile import (
    AllowRounding,
    Assume,
    CalibrateData,
    Dt,
    Net,
    Ranges,
    Steps,
    Ternarize,
    check_ranges,
    pass_options,
)
from tern2lava.cli.mapping import (
    MaxNeurons,
    ObjectiveName,
    Pins,
    PlacementName,
    Rate,
    Seed,
    SpareCores,
    map_options,
)
from tern2lava.cli.progress import progress_bar
from tern2lava.frontends.sources import SOURCES


@app.command(
    cls=with_plugins(SOURCES),
    epilog="Example: tern2lava check net.pt --net net.yaml --target loihi2\n\nAnother: tern2lava check net.nir --json",
)
def check(
    file: Source,
    net: Net = None,
    weights: Weights = "",
    dt: Dt = None,
    assume: Assume = "",
    target: Target = "loihi2",
    ternarize: Ternarize = "refuse",
    steps: Steps = 0,
    allow_rounding: AllowRounding = "5%",
    calibrate: CalibrateData = None,
    ranges: Ranges = "steps",
    any_steps: AnySteps = False,
    pad: Pad = False,
    max_neurons: MaxNeurons = 0,
    pin: Pins = None,
    spare_cores: SpareCores = 0,
    placement: PlacementName = "auto",
    seed: Seed = 0,
    objective: ObjectiveName = "cores",
    rate: Rate = 0.1,
    effort: EffortName = "normal",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say all that `compile` would refuse, node by node, and write nothing. The exit code is that of `compile`: 0 where
    it compiles, else 2, 3 or 4 as the first refusal is bad input, unsupported or does not fit."""
    from tern2lava import api
    from tern2lava.report.check import render_check

    check_ranges(ranges, calibrate)
    options = pass_options(ternarize, steps, allow_rounding, effort, ranges)
    chosen = map_options(max_neurons, pin, spare_cores, placement, seed, objective, rate)
    with progress_bar(as_json) as progress:
        found = api.check(
            Path(file),
            target,
            net=net,
            options=options,
            map_options=chosen,
            calibrate=calibrate,
            any_steps=any_steps,
            pad=pad,
            progress=progress,
            **said(dt, assume, weights),
        )
    if as_json:
        print_json(found.to_dict())
    else:
        lines = [finding.line for finding in found.findings]
        console().print(render_check(found.source, found.target, lines, found.unseen), end="")
    if found.exit_code:
        raise typer.Exit(found.exit_code)
