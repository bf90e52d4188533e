"""NeuroBench's numbers of a bundle."""

from __future__ import annotations

from tern2lava.cli.app import AnySteps, BundleFolder, Data, Debug, EffortName, Json, Pad, app, console, print_json
from tern2lava.cli.progress import progress_bar


@app.command(epilog="Example: tern2lava bench build/ --data test.npz\n\nOnly JSON: add --json")
def bench(
    bundle: BundleFolder,
    data: Data,
    effort: EffortName = "normal",
    any_steps: AnySteps = False,
    pad: Pad = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """NeuroBench's numbers of a bundle run on spikes, as tables and as its result JSON: sparsity of connections and
    activations, synaptic operations, accuracy; and what it cannot see: the weights as they are encoded."""
    from tern2lava import api
    from tern2lava.effort import effort_of
    from tern2lava.report.bench import bench_table

    with progress_bar(as_json) as progress:
        found = api.bench(
            bundle, data, any_steps=any_steps, pad=pad, effort=effort_of(effort, "--effort"), progress=progress
        )
    if not as_json:
        console().print(bench_table(found.result), end="")
    print_json(found.result)
