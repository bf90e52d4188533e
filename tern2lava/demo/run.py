"""The demonstration: networks of the zoo compiled, mapped, verified in Lava and reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
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
from tern2lava.writing import write_file
from tern2lava.zoo import DIGITS, ZooNet, chosen
from tern2lava.zoo.samples import samples_of


@dataclass(frozen=True, kw_only=True)
class NetResult:
    """One network: its report, and accuracies on the same test samples (trained model as recorded, compiled program).
    whole: the number of test samples that there are."""

    name: str
    report: Report
    test_samples: int
    whole: int
    trained_accuracy: float
    compiled_accuracy: float

    def accuracies(self) -> str:
        """The line of the accuracies."""
        on = f"all {count(self.whole, 'test sample')}"
        if self.test_samples < self.whole:
            on = f"{self.test_samples:,} of {count(self.whole, 'test sample')}"
        compiled, trained = f"{100 * self.compiled_accuracy:.2f} %", f"{100 * self.trained_accuracy:.2f} %"
        return f"{self.name}: accuracy on {on}: compiled {compiled}, as trained {trained}"


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demonstration found, and where it lies. full: whether it was verified with the effort normal."""

    folder: Path
    nets: tuple[NetResult, ...]
    full: bool = False

    @property
    def met(self) -> bool:
        """Whether every verdict that is required is met, for each network."""
        return all(net.report.verification is not None and net.report.verification.met for net in self.nets)

    def to_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "met": self.met,
            "full": self.full,
            "nets": {
                net.name: {
                    "test_samples": net.test_samples,
                    "whole": net.whole,
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
            parts += [Paragraph(net.accuracies(), style="bold"), verdict_lines(proof)]
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
    folder: Path,
    target: str,
    samples: int,
    progress: Progress | None = None,
    *,
    net: str = DIGITS,
    data_dir: Path | None = None,
    full: bool = False,
) -> DemoResult:
    """Compile and verify the networks that `net` names (a network of the zoo, or a group of them) for `target`, leaving
    everything in `folder`, a page of each too.

    data_dir: the files of their data; without it, the samples that ship with them are run. full: verify with the effort
    normal; else with quick, whose verdict says what did not run (docs/effort.md). Raises InputError,
    MissingPackageError where Lava is not installed.
    """
    nets = chosen(net)
    require("lava")
    results = tuple(_shown(each, folder, target, samples, progress, data_dir, full) for each in nets)
    result = DemoResult(folder=folder, nets=results, full=full)
    text = json.dumps(result.to_dict(), indent=1) + "\n"
    write_file(folder / "report.json", lambda path: path.write_text(text, encoding="utf-8"))
    return result


def _shown(
    net: ZooNet, folder: Path, target: str, samples: int, progress: Progress | None, data_dir: Path | None, full: bool
) -> NetResult:
    """What the demonstration finds of one network."""

    def tell(what: str, done: int, total: int) -> None:
        if progress is not None:
            progress(f"{net.name}: {what}", done, total)

    tested = samples_of(net, data_dir)
    write_file(folder / f"{net.name}-test.npz", _writer(tested.arrays))
    with net.files() as files:
        api.compile(files.weights, target, net=files.net, out=folder / net.name, recorded=files.run, progress=tell)
    bundle = read_bundle(folder / net.name)
    compiled = api.simulate(bundle, tested.arrays, progress=tell)
    report = api.verify(bundle, tested.arrays, samples=samples, progress=tell, effort="normal" if full else "quick")
    api.report(folder / net.name, compare_bits=8, html=folder / f"{net.name}.html", data=tested.arrays)
    assert compiled.accuracy is not None
    return NetResult(
        name=net.name,
        report=report,
        test_samples=len(tested.labels),
        whole=tested.whole,
        trained_accuracy=tested.accuracy,
        compiled_accuracy=compiled.accuracy,
    )


def _writer(arrays: dict[str, Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    return write
