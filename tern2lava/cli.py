"""The command line: arguments in, tables or JSON out; the work is done by tern2lava.api."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from typer.core import TyperGroup

from tern2lava.errors import StoppedError

if TYPE_CHECKING:
    from rich.console import Console

    from tern2lava.sim.verify import LavaMode, Progress


class Commands(TyperGroup):
    """The commands; an interruption passes on to __main__, where typer would end it without a word."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise StoppedError(str(error)) from None


app = typer.Typer(
    name="tern2lava",
    cls=Commands,
    help="Compile trained ternary spiking networks for Loihi-style chips: exact integers, core maps, verified in Lava.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Rich help would import a Markdown renderer and a highlighter: twice the start-up time of every command.
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
    epilog="Exit codes: 0 ok, 1 verification differs, 2 bad input or usage, 3 unsupported, 4 does not fit the target, "
    "70 an error of tern2lava itself.",
)

Source = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="Checkpoint (torch .pt, npz, safetensors), NIR (.nir) or lava-dl (.net) file."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]
Debug = Annotated[bool, typer.Option("--debug", help="On an error, show the whole traceback.")]
BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder written by `tern2lava compile`.")]
Data = Annotated[
    Path,
    typer.Option("--data", help="npz file: `spikes` (samples, steps, *input shape), optional `labels` (samples,)."),
]
Target = Annotated[
    str, typer.Option("--target", "-t", help="Hardware profile: a name (see `profiles`) or a YAML file.")
]


def _console() -> Console:
    from rich.console import Console

    # Tables must not be folded to 80 columns where the output goes to a file or a pipe.
    return Console() if sys.stdout.isatty() else Console(width=160)


def _said(dt: float | None, assume: str) -> dict[str, Any]:
    """Load options for what the user said of a NIR or lava-dl file."""
    return {key: value for key, value in (("dt", dt), ("assume", assume)) if value not in (None, "")}


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress | None]:
    """A progress bar on stderr (none when quiet or when stderr is no terminal)."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(TextColumn):
        """Work done per second in this stage."""

        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.3g}/s")

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(""), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)
        now = ""

        def advance(stage: str, done: int, total: int) -> None:
            nonlocal now
            if stage != now:
                # Rate and remaining time are those of a stage, the stages' speeds being so different.
                now = stage
                bars.reset(task)
            bars.update(task, description=stage, completed=done, total=total)

        yield advance


@app.command(epilog="Example: tern2lava inspect net.pt")
def inspect(
    file: Source,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """What a checkpoint holds: tensors, shapes, which are ternary (scale, zeros), which are not and how far from it."""
    from tern2lava.frontends.inspect import inspect_file

    found = inspect_file(file)
    if as_json:
        _print_json(found.to_dict())
        return
    from tern2lava.report.inspection import render_inspection

    _console().print(render_inspection(found))


@app.command(
    epilog="Example: tern2lava compile net.pt --net net.yaml --target loihi2 -o build/\n\n"
    "Another: tern2lava compile net.pt --net net.yaml --print-ir to_integer"
)
def compile(
    file: Source,
    net: Annotated[Path | None, typer.Option("--net", help="net.yaml: how the checkpoint's layers are wired.")] = None,
    dt: Annotated[float | None, typer.Option("--dt", help="Time step in seconds, where a NIR file tells none.")] = None,
    assume: Annotated[
        str, typer.Option(metavar="KEY=VALUE,...", help="What a NIR or lava-dl file cannot say: reset=subtract,fire=>=")
    ] = "",
    target: Target = "loihi2",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the bundle; replaced if it is one.")
    ] = None,
    ternarize: Annotated[
        str,
        typer.Option(help="Weights that are not ternary: `refuse`, `twn` (ternarise now), `int8` (round to 8 bits)."),
    ] = "refuse",
    steps: Annotated[int, typer.Option(min=0, help="Steps the certificate holds for; 0: those of the network.")] = 0,
    max_neurons: Annotated[int, typer.Option(min=0, help="Most neurons on a core; 0: as many as fit.")] = 0,
    print_ir: Annotated[str, typer.Option(metavar="STAGE", help="Print the graph after this pass (`all`: each).")] = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Lower a checkpoint to certified integers, map it onto cores, and write one bundle folder."""
    from tern2lava import api
    from tern2lava.bundle import tool_version
    from tern2lava.compiler.lower import STAGES
    from tern2lava.compiler.options import Options
    from tern2lava.compiler.partition import MapOptions
    from tern2lava.compiler.text import print_graph
    from tern2lava.errors import InputError
    from tern2lava.report.build import make_report
    from tern2lava.report.terminal import print_report

    if ternarize not in ("refuse", "twn", "int8"):
        raise InputError("--ternarize", f"found '{ternarize}'; choose refuse, twn or int8")
    if print_ir and print_ir not in (*STAGES, "all"):
        raise InputError("--print-ir", f"no stage '{print_ir}'; choose all, {', '.join(STAGES)}")
    if out is None and not print_ir:
        raise InputError("--out", "say where the bundle goes, for example -o build/ (or only look: --print-ir all)")
    options = Options(ternarize=cast('Literal["refuse", "twn", "int8"]', ternarize), steps=steps)
    map_options = MapOptions(max_neurons_per_core=max_neurons or None)
    compiled = api.compile(
        file, target, net=net, out=out, options=options, map_options=map_options, **_said(dt, assume)
    )
    if print_ir:
        texts = {s: print_graph(compiled.lowered.stages[s]) for s in STAGES if print_ir in (s, "all")}
        if as_json:
            _print_json(texts)
        else:
            print("".join(f"--- {stage}\n{text}" for stage, text in texts.items()), end="")
        return
    report = make_report(compiled, tool_version())
    if as_json:
        print(report.model_dump_json(indent=1))
        return
    print_report(report, _console())
    print(f"Bundle written to {out}")


@app.command(epilog="Example: tern2lava simulate build/ --data test.npz -o out.npz")
def simulate(
    bundle: BundleFolder,
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="npz for predictions, scores and spikes.")] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="`fast`: compiled kernels; `reference`: the integer program, step by step; `images`: core by core "
            "from the packed core images; `ray`: `fast` in Ray tasks. All give the same spikes and states."
        ),
    ] = "fast",
    states: Annotated[bool, typer.Option("--states", help="Write the membrane potentials and currents too.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a bundle on spikes and write its spikes, scores and predictions."""
    import numpy as np

    from tern2lava import api
    from tern2lava.bundle import write_aside
    from tern2lava.errors import InputError

    engines: dict[str, api.Engine] = {"fast": "fast", "reference": "reference", "images": "images", "ray": "ray"}
    if engine not in engines:
        raise InputError("--engine", f"found '{engine}'; choose {', '.join(engines)}")
    with _progress(as_json) as progress:
        result = api.simulate(
            bundle, data, engine=engines[engine], states=states, keep=out is not None, progress=progress
        )
    if out is not None:
        arrays: dict[str, Any] = {"predictions": result.predictions, "scores": result.scores}
        arrays |= {f"spikes.{name}": value for name, value in result.trace.spikes.items()}
        if states:
            arrays |= {f"v.{name}": value for name, value in result.trace.v.items()}
            arrays |= {f"u.{name}": value for name, value in result.trace.u.items()}

        def write(path: Path) -> None:
            with path.open("wb") as stream:
                np.savez_compressed(stream, **arrays)

        write_aside(out, write)
    spikes = result.spikes
    summary = {
        "samples": len(result.predictions), "accuracy": result.accuracy, "spikes": spikes,
        "out": None if out is None else str(out), "engine": engine, "left_to_reference": dict(result.fallbacks),
    }  # fmt: skip
    if as_json:
        _print_json(summary)
        return
    print(f"{summary['samples']:,} samples; spikes: " + ", ".join(f"{name} {n:,}" for name, n in spikes.items()))
    if result.accuracy is not None:
        print(f"accuracy {100 * result.accuracy:.2f} %")
    for name, reason in result.fallbacks:
        print(f"{name} was left to the integer reference: {reason}")
    if out is not None:
        print(f"written to {out}")


@app.command(epilog="Example: tern2lava verify build/ --data test.npz --samples 100")
def verify(
    bundle: BundleFolder,
    data: Data,
    backend: Annotated[
        str, typer.Option(help="`lava`: all executions (I, E, M, L1, L2, L3); `reference`: without Lava (I, E, M).")
    ] = "lava",
    lava_mode: Annotated[
        str,
        typer.Option(
            help="`fused`: core images in our Lava process (L2); `inprocess`: Lava's own process models in sequence "
            "(L3); `stock`: Lava's runtime (L1); `all`: these three; `mixed`: L2 on all samples, L3 and L1 on some."
        ),
    ] = "mixed",
    engine: Annotated[
        str, typer.Option(help="`local`: this machine; `ray`: shards of samples as Ray tasks (RAY_ADDRESS).")
    ] = "local",
    samples: Annotated[
        int, typer.Option(min=0, help="Samples for all executions; 0: all. The fast engine (E) runs all.")
    ] = 0,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one Lava run may take.")] = 600.0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Prove on data that core images and Lava spike, in every neuron and step, as the integer program does."""
    from tern2lava import api
    from tern2lava.errors import InputError
    from tern2lava.report.terminal import verification_table

    if backend not in ("lava", "reference"):
        raise InputError("--backend", f"found '{backend}'; choose lava or reference")
    if engine not in ("local", "ray"):
        raise InputError("--engine", f"found '{engine}'; choose local or ray")
    modes: dict[str, LavaMode] = {
        "mixed": "mixed", "stock": "stock", "fused": "fused", "inprocess": "inprocess", "all": "all",
    }  # fmt: skip
    if lava_mode not in modes:
        raise InputError("--lava-mode", f"found '{lava_mode}'; choose {', '.join(modes)}")
    with _progress(as_json) as progress:
        report = api.verify(
            bundle, data, backend="lava" if backend == "lava" else "reference", lava_mode=modes[lava_mode],
            engine="ray" if engine == "ray" else "local", samples=samples or None, timeout=timeout, progress=progress,
        )  # fmt: skip
    found = report.verification
    assert found is not None
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        _console().print(verification_table(found))
    if not found.equal:
        raise typer.Exit(1)


@app.command(epilog="Example: tern2lava report build/\n\nAnother: tern2lava report build/ --compare-bits 8")
def report(
    bundle: BundleFolder,
    compare_bits: Annotated[
        int, typer.Option(help="8: map the same network with 8-bit weights too, side by side; 0: do not.")
    ] = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The report of a bundle: proof, certificates, cores, memory, and every approximation made."""
    from tern2lava import api
    from tern2lava.report.terminal import print_report

    found = api.report(bundle, compare_bits=compare_bits or None)
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        print_report(found, _console())


@app.command(
    epilog="Example: tern2lava export build/ --to nir -o net.nir\n\n"
    "Another: tern2lava export build/ --to image -o images/"
)
def export(
    source: Annotated[
        Path, typer.Argument(metavar="BUNDLE_OR_FILE", help="Bundle folder, or any file that `compile` takes.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="`nir`: a NIR file (docs/nir.md). Of a bundle, `image`: its core images (docs/image-format.md); "
            "`weights`: its codes, entropy-coded.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file (nir) or new folder to write.")],
    net: Annotated[Path | None, typer.Option("--net", help="net.yaml, for a checkpoint.")] = None,
    dt: Annotated[float | None, typer.Option("--dt", help="Time step in seconds, read or (1e-4) written.")] = None,
    assume: Annotated[str, typer.Option(metavar="KEY=VALUE,...", help="As for `compile`.")] = "",
    stage: Annotated[
        str, typer.Option(help="Of a bundle: `imported`, as its source said, or `real`, with ternary weights.")
    ] = "imported",
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Write what only metadata can say (resets, >=); other readers lose it.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a network in another format, read back with the same spikes."""
    from tern2lava.bundle import read_bundle, tool_version, write_aside
    from tern2lava.errors import InputError
    from tern2lava.export.nir import DEFAULT_DT, write_nir
    from tern2lava.frontends.load import load

    if to not in ("nir", "image", "weights"):
        raise InputError("--to", f"found '{to}'; choose nir, image or weights")
    if stage not in ("imported", "real"):
        raise InputError("--stage", f"found '{stage}'; choose imported or real")
    if to != "nir":
        from tern2lava.export.images import export_images, export_weights

        opened = read_bundle(source)
        program, target = opened.executable.program, opened.report.target
        if to == "image":
            files = export_images(opened.executable, out, target=target, version=tool_version())
        else:
            files = export_weights(program, out, version=tool_version())
        if as_json:
            _print_json({"out": str(out), "files": files})
        else:
            print(f"{len(files):,} files written to {out}")
        return
    if source.is_dir():
        executable = read_bundle(source).executable
        graph = executable.imported if stage == "imported" else executable.real
    else:
        if stage == "real":
            raise InputError("--stage", "real is of a bundle; compile the file first")
        graph = load(source, net, **_said(dt, assume))
    notes: list[str] = []
    write_aside(out, lambda path: notes.extend(write_nir(graph, path, dt=dt or DEFAULT_DT, lossy=lossy)))
    if as_json:
        _print_json({"out": str(out), "notes": notes})
        return
    for note in notes:
        print(f"- {note}")
    print(f"written to {out}")


@app.command(epilog="Example: tern2lava profiles loihi2")
def profiles(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Show every number of this profile and its source.")] = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The hardware profiles, or every number of one with its unit, kind and source."""
    from tern2lava.hw_profiles import load_profile, profile_names
    from tern2lava.report.tables import profile_table, profiles_table

    if name:
        profile = load_profile(name)
        if as_json:
            _print_json(profile.model_dump(mode="json"))
        else:
            _console().print(profile_table(profile))
        return
    known = [load_profile(each) for each in profile_names()]
    if as_json:
        _print_json([profile.model_dump(mode="json") for profile in known])
    else:
        _console().print(profiles_table(known))


@app.command(epilog="Example: tern2lava rules")
def rules(as_json: Json = False, debug: Debug = False) -> None:
    """What each target can execute, and what to do about what it cannot (generated from the rules themselves)."""
    from tern2lava.compiler.rules import support_table
    from tern2lava.hw_profiles import load_profile, profile_names
    from tern2lava.report.tables import rules_table

    known = [load_profile(each) for each in profile_names()]
    rows = support_table(known)
    if as_json:
        _print_json(rows)
    else:
        _console().print(rules_table(rows, [profile.name for profile in known]))


@app.command(epilog="Example: tern2lava train --config examples/train_digits.yaml -o run/")
def train(
    config: Annotated[Path, typer.Option("--config", "-c", help="The experiment (see docs/training.md).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoint, net.yaml and metrics.json.")],
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Folder of the data set's idx or npz files (digits need none).")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a ternary spiking network; a run that was interrupted goes on from its last epoch."""
    from tern2lava.train.config import read_experiment
    from tern2lava.train.experiment import run_experiment

    experiment = read_experiment(config)
    with _progress(as_json) as progress:
        result = run_experiment(experiment, out, data_dir=data_dir, progress=progress)
    if as_json:
        _print_json(result)
        return
    from tern2lava.train.table import render_training

    _console().print(render_training(result))


@app.command(epilog="Example: tern2lava demo -o demo/")
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder that keeps bundles, spikes and report.json.")] = Path(
        "tern2lava-demo"
    ),
    target: Target = "loihi2",
    samples: Annotated[int, typer.Option(min=1, help="Test samples to verify in Lava.")] = 100,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Two ternary networks trained on 8x8 digits: compile, map, verify in Lava, report."""
    from tern2lava.demo.run import run_demo

    with _progress(as_json) as progress:
        result = run_demo(out, target, samples, progress=progress)
    if as_json:
        _print_json(result.to_dict())
    else:
        _console().print(result.render())
    if not result.verified:
        raise typer.Exit(1)
