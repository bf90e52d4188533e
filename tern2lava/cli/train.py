"""Training, and the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tern2lava.cli import complete
from tern2lava.cli.app import Debug, Json, Target, app, console, print_json
from tern2lava.cli.progress import progress_bar
from tern2lava.errors import InputError

if TYPE_CHECKING:
    from tern2lava.train.seeds import Seeded


@app.command(epilog="Example: tern2lava train --config examples/train_digits.yaml -o run/")
def train(
    config: Annotated[Path, typer.Option("--config", "-c", help="The experiment (see docs/training.md).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoint, net.yaml and metrics.json.")],
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Folder of the data set's files (digits need none).")
    ] = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Also draw losses and what `judge` measured, as PNG and SVG in that folder.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option("--device", help="auto (a GPU if there is one), cpu or cuda; else the experiment's."),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", help="Train with several seeds, as 0,1,2 or 0-4, each in a folder of its own."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="How many seeds to train at a time.")] = 1,
    engine: Annotated[
        str, typer.Option("--engine", help="What trains several seeds: processes, or ray (as RAY_ADDRESS says).")
    ] = "processes",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a ternary spiking network; a run that was interrupted goes on from its last epoch."""
    from tern2lava.extras import require

    require("train")
    if plots:
        require("plots", why="--plots needs it")
    from tern2lava.train.experiment import run_experiment
    from tern2lava.train.experiment_file import read_experiment
    from tern2lava.train.seeds import Seeded

    experiment = read_experiment(config)
    if device is not None:
        from tern2lava.train.device import device_of

        device_of(device)
        experiment = experiment.model_copy(update={"device": device})
    if seeds is not None:
        common = Seeded(experiment=experiment, out=out, data_dir=data_dir)
        _train_seeds(common, seeds, workers, engine, plots=plots, as_json=as_json)
        return
    if workers > 1 or engine != "processes":
        raise InputError("--seeds", "requires several seeds for --workers and --engine; found none; add --seeds 0-4")
    with progress_bar(as_json) as progress:
        result = run_experiment(experiment, out, data_dir=data_dir, progress=progress)
    if plots:
        from tern2lava.train.uncertainty.plots import plot

        plot(out)
    if as_json:
        print_json(result)
        return
    from tern2lava.report.training import render_training

    console().print(render_training(result))


def _train_seeds(common: Seeded, text: str, workers: int, engine: str, *, plots: bool, as_json: bool) -> None:
    from tern2lava.report.training import render_seeds
    from tern2lava.train.seeds import read_seeds, run_seeds

    with progress_bar(as_json) as progress:
        summary = run_seeds(common, read_seeds(text), workers=workers, engine=engine, progress=progress)
    if plots:
        from tern2lava.train.uncertainty.plots import plot

        for seed in summary["seeds"]:
            plot(common.folder(seed))
    if as_json:
        print_json(summary)
    else:
        console().print(render_seeds(summary))


@app.command(
    epilog="Example: tern2lava demo -o demo/\n\nThe whole proof: tern2lava demo --full\n\n"
    "Other networks: tern2lava demo --list, tern2lava demo --net NAME"
)
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder that keeps bundles, spikes and report.json.")] = Path(
        "tern2lava-demo"
    ),
    target: Target = "loihi2",
    samples: Annotated[int, typer.Option(min=1, help="Test samples to verify in Lava.")] = 100,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Verify as `verify` does; else as `verify --effort quick`, and the verdict says so."
        ),
    ] = False,
    net: Annotated[
        str,
        typer.Option(
            "--net", help="A network of the zoo, or a group of them (see --list).", autocompletion=complete.networks
        ),
    ] = "digits",
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Folder of its data: all test samples, not those that ship with it."),
    ] = None,
    lists: Annotated[bool, typer.Option("--list", help="List the networks of the zoo, and run none.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Two ternary networks trained on 8x8 digits, or others: compile, map, verify in Lava, report."""
    if lists:
        from tern2lava.zoo.listing import listed, listing

        if as_json:
            print_json(listed())
        else:
            console().print(listing())
        return
    from tern2lava.demo.run import run_demo

    with progress_bar(as_json) as progress:
        result = run_demo(out, target, samples, progress=progress, net=net, data_dir=data_dir, full=full)
    if as_json:
        print_json(result.to_dict())
    else:
        console().print(result.render())
    if not result.met:
        raise typer.Exit(1)
