"""NeuroBench's numbers of a bundle."""

from __future__ import annotations

from typing import Annotated

import typer

from tern2lava.cli.app import AnySteps, BundleFolder, Data, Debug, EffortName, Json, Pad, app, console, print_json
from tern2lava.cli.progress import progress_bar


@app.command(epilog="Example: tern2lava bench build/ --data test.npz\n\nOnly JSON: add --json")
def bench(
    bundle: BundleFolder,
    data: Data,
    energy: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="Estimate energy by this table of the profile; default: by each."),
    ] = None,
    effort: EffortName = "normal",
    any_steps: AnySteps = False,
    pad: Pad = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """NeuroBench's numbers of a bundle run on spikes, as tables and as its result JSON: sparsity of connections and
    activations, synaptic operations, accuracy; and what it cannot see: the weights as they are encoded, and energy and
    time of a sample, estimated from published numbers of the target."""
    from tern2lava import api
    from tern2lava.effort import effort_of
    from tern2lava.report.bench import bench_table
    from tern2lava.report.energy.text import energy_text, layers_table

    with progress_bar(as_json) as progress:
        found = api.bench(
            bundle, data, energy=energy, any_steps=any_steps, pad=pad, effort=effort_of(effort, "--effort"),
            progress=progress,
        )  # fmt: skip
    if not as_json:
        console().print(bench_table(found.result), end="")
        console().print(energy_text(found.energy), end="")
        for estimate in found.energy.estimates:
            console().print(layers_table(found.energy, estimate), end="")
    print_json(found.result)
