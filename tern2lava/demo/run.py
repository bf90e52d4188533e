"""The demonstration: both committed networks compiled, mapped, verified in Lava and reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType

from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.counts import count
from tern2lava.extras import require
from tern2lava.report.headline import assumed_line, headline
from tern2lava.report.model import Report
from tern2lava.report.sheet import Heading, Paragraph
from tern2lava.report.short import short_certificate, short_cores, short_memory, short_roundings
from tern2lava.report.verdict_tables import verdict_lines
from tern2lava.sim.verify.verify import Progress
from tern2lava.train.data import digits
from tern2lava.train.encode import encode
from tern2lava.writing import write_file

NETS = ("mlp", "conv")


@dataclass(frozen=True, kw_only=True)
class NetResult:
    """One network: its report, and accuracies on the whole test set (trained model as recorded, compiled program)."""

    name: str
    report: Report
    test_samples: int
    trained_accuracy: float
    compiled_accuracy: float


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demonstration found, and where it lies. full: whether it was verified with the effort normal."""

    folder: Path
    nets: tuple[NetResult, ...]
    full: bool = False

    @property
    def met(self) -> bool:
        """Whether every verdict that is required is met, for both networks."""
        return all(net.report.verification is not None and net.report.verification.met for net in self.nets)

    def to_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "met": self.met,
            "full": self.full,
            "nets": {
                net.name: {
                    "test_samples": net.test_samples,
                    "trained_accuracy": net.trained_accuracy,
                    "compiled_accuracy": net.compiled_accuracy,
                    "report": net.report.model_dump(mode="json"),
                }
                for net in self.nets
            },
        }

    def render(self) -> RenderableType:
        """Cores, memory, certificate and worst roundings of each network; then the verdicts of all."""
        parts: list[RenderableType] = []
        for net in self.nets:
            parts += [
                Heading(headline(net.report)), *short_cores(net.report), *short_memory(net.report),
                *short_certificate(net.report), *short_roundings(net.report),
            ]  # fmt: skip
        parts.append(Heading("Verdicts"))
        for net in self.nets:
            proof = net.report.verification
            assert proof is not None
            parts += [
                Paragraph(
                    f"{net.name}: accuracy on all {count(net.test_samples, 'test sample')}: compiled "
                    f"{100 * net.compiled_accuracy:.2f} %, as trained {100 * net.trained_accuracy:.2f} %",
                    style="bold",
                ),
                verdict_lines(proof),
            ]
        assumed = assumed_line(self.nets[0].report)
        parts += [Paragraph(assumed)] if assumed else []
        if not self.full:
            parts.append(
                Paragraph("This was the quick proof; with a process for each core and more samples: demo --full")
            )
        parts.append(Paragraph(f"To look at in a browser: {self.folder / self.nets[-1].name}.html", style="bold"))
        parts.append(
            Paragraph(
                f"Bundles, spikes and report.json are in {self.folder}. Every table and approximation: "
                f"tern2lava report {self.folder / self.nets[0].name} --full"
            )
        )
        return Group(*parts)


def run_demo(
    folder: Path, target: str, samples: int, progress: Progress | None = None, *, full: bool = False
) -> DemoResult:
    """Compile and verify both networks for `target`, leaving everything in `folder`, a page of each too.

    full: verify with the effort normal; else with quick, whose verdict says what did not run (docs/effort.md). Raises
    MissingPackageError where Lava is not installed.
    """
    require("lava")
    data = resources.files("tern2lava.demo")
    metrics = json.loads((data / "metrics.json").read_text(encoding="utf-8"))
    results = []
    for name in NETS:

        def tell(what: str, done: int, total: int, net: str = name) -> None:
            if progress is not None:
                progress(f"{net}: {what}", done, total)

        arrays = test_spikes(metrics[name])
        spikes = folder / f"{name}-test.npz"
        write_file(spikes, _writer(arrays))
        with resources.as_file(data) as files:
            api.compile(
                files / f"{name}.pt", target, net=files / f"{name}.yaml", out=folder / name,
                recorded=files / f"{name}-run.npz", progress=tell,
            )  # fmt: skip
        bundle = read_bundle(folder / name)
        compiled = api.simulate(bundle, arrays, progress=tell)
        report = api.verify(bundle, arrays, samples=samples, progress=tell, effort="normal" if full else "quick")
        api.report(folder / name, compare_bits=8, html=folder / f"{name}.html", data=arrays)
        assert compiled.accuracy is not None
        results.append(
            NetResult(
                name=name,
                report=report,
                test_samples=len(compiled.predictions),
                trained_accuracy=metrics[name]["test_accuracy"],
                compiled_accuracy=compiled.accuracy,
            )
        )
    result = DemoResult(folder=folder, nets=tuple(results), full=full)
    text = json.dumps(result.to_dict(), indent=1) + "\n"
    write_file(folder / "report.json", lambda path: path.write_text(text, encoding="utf-8"))
    return result


def test_spikes(recorded: dict[str, Any]) -> dict[str, Any]:
    """The whole test set of the digits, encoded as the network was trained: `spikes` and `labels`."""
    dataset, options = digits(seed=recorded["split_seed"]), recorded["options"]
    spikes = encode(dataset.test_x, options["steps"], method=options["encoding"], top=dataset.top, seed=options["seed"])
    return {"spikes": spikes, "labels": dataset.test_y}


def _writer(arrays: dict[str, Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    return write
