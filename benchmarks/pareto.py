"""Accuracy against what a network takes: one network trained with several shares of zeros, each compiled for several
targets. What no other of a target beats in accuracy and cost at once is marked.

    uv run python benchmarks/pareto.py                       # digits; some minutes; rewrites results/pareto.md
    uv run python benchmarks/pareto.py --case fashion        # Fashion-MNIST, whole; some 40 minutes
    uv run python benchmarks/pareto.py --quick --check       # few epochs, under a minute; writes nothing

--check ends with exit code 1 and names what falls short: a target that answers nothing, integers more than 0.2 points
from the float model, zeros that are not what was asked for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import load_profile
from tern2lava.train import checkpoint
from tern2lava.train.chip.answers import answers
from tern2lava.train.compiled import compiled_metrics
from tern2lava.train.config import Experiment, IntegerKeys
from tern2lava.train.data import load_dataset
from tern2lava.train.experiment import run_experiment
from tern2lava.train.graphs import imported
from tern2lava.train.run import Run
from tern2lava.writing import write_file

RESULTS = Path(__file__).resolve().parent / "results" / "pareto.md"
COMMAND = "uv run python benchmarks/pareto.py"
TARGETS = ("loihi2", "generic-ternary", "loihi1")
ZEROS = (0.3, 0.6, 0.8, 0.9)
GAP = 0.2
COSTS = ("cores", "bytes", "synops")
CASES: dict[str, dict[str, Any]] = {
    "digits": {
        "data": {"name": "digits"},
        "network": {
            "layers": "16c3-p2-32c3-10", "beta": 0.875, "readout": "membrane_sum", "reset": "zero",
            "reset_delay": False,
        },
        "training": {"steps": 8, "encoding": "rate", "epochs": 20, "batch": 32, "learning_rate": 0.01},
        "algorithm": "direct",
    },
    "fashion": {
        "data": {"name": "fashion-mnist"},
        "network": {
            "layers": "16c5s2-32c3-p2-64c3-p2-10", "beta": 0.875, "readout": "membrane_sum", "reset": "zero",
            "reset_delay": False,
        },
        "training": {
            "steps": 4, "encoding": "direct", "epochs": 8, "batch": 64, "learning_rate": 0.004, "logit_gain": 5.0,
        },
        "algorithm": "direct",
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Point:
    """A network on a target: the zeros that were asked for and are there; accuracies of the float model and of the
    integers on all test samples; cores, bytes of synaptic memory, synaptic operations a sample. refused: why not."""

    target: str
    asked: float
    zeros: float
    floating: float
    accuracy: float | None = None
    cores: int = 0
    bytes: int = 0
    synops: float = 0.0
    refused: str = ""

    def beats(self, other: Point, cost: str) -> bool:
        """Whether it is at least as good in accuracy and in a cost, and better in one of them."""
        assert self.accuracy is not None
        assert other.accuracy is not None
        pair = (self.accuracy, -getattr(self, cost)), (other.accuracy, -getattr(other, cost))
        return all(a >= b for a, b in zip(*pair, strict=True)) and pair[0] != pair[1]


def points(case: dict[str, Any], zeros: Sequence[float], folder: Path, quick: bool) -> Iterator[Point]:
    """Every share of zeros trained once and compiled for all targets."""
    for share in zeros:
        training = case["training"] | ({"epochs": 4} if quick else {})
        experiment = Experiment.model_validate(case | {"training": training, "ternary": {"sparsity": share}})
        out = folder / f"zeros-{share:g}"
        found = run_experiment(experiment, out)
        dataset = load_dataset(experiment.data.name)
        run = Run(experiment=experiment, dataset=dataset, out=out)
        plain = run.build()
        plain.load_state_dict(checkpoint.load(out / "net.pt"))
        graph = imported(plain.eval(), run)
        shared = {"asked": share, "zeros": found["storage"]["zeros"], "floating": found["model"]["accuracy"]}
        for target in TARGETS:
            try:
                took = answers(graph, load_profile(target))
            except (CapacityError, UnsupportedError) as error:
                yield Point(target=target, refused=str(error).splitlines()[0], **shared)
                continue
            integer = compiled_metrics(graph, dataset, experiment.options(), IntegerKeys(target=target, mapped=1))
            metrics = integer["integer"]
            yield Point(
                target=target, accuracy=metrics["accuracy"], cores=took["cores"], bytes=took["bytes"],
                synops=metrics["synops_per_sample"], **shared,
            )  # fmt: skip


def markdown(found: Sequence[Point], name: str) -> str:
    """The page of results."""
    lines = [
        "# Accuracy against cores, bytes and synaptic operations", "",
        f"Written by `{COMMAND} --case {name}`: `{CASES[name]['network']['layers']}` on {CASES[name]['data']['name']}, "
        f"{CASES[name]['training']['epochs']} epochs, seed 0, a training for each share of zeros. Accuracy is that of "
        "the compiled integers on all test samples; bytes are synaptic memory with copies, headers and padding. "
        "**Bold**: no other share of zeros is better in accuracy or in this cost without being worse in the other.", "",
        "| target | zeros % | accuracy % | float model % | cores | bytes | synaptic operations |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for point in sorted(found, key=lambda p: (TARGETS.index(p.target), p.asked)):
        if point.accuracy is None:
            why = point.refused.partition(";")[0]
            lines.append(f"| {point.target} | {100 * point.zeros:.1f} | refused: {why} | | | | |")
            continue
        cells = []
        for cost in COSTS:
            others = [p for p in found if p.target == point.target and p.accuracy is not None]
            text = f"{getattr(point, cost):,.0f}"
            cells.append(text if any(other.beats(point, cost) for other in others) else f"**{text}**")
        lines.append(
            f"| {point.target} | {100 * point.zeros:.1f} | {100 * point.accuracy:.2f} | {100 * point.floating:.2f} | "
            + " | ".join(cells) + " |"
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def check(found: Sequence[Point]) -> list[str]:
    """One line for each thing that falls short."""
    short = []
    for target in TARGETS:
        if not any(p.accuracy is not None for p in found if p.target == target):
            short.append(f"{target}: takes none of the networks")
    for point in found:
        where = f"{point.target}, {point.asked:.0%} zeros"
        if abs(point.zeros - point.asked) > 0.02:
            short.append(f"{where}: {point.zeros:.1%} are zero")
        if point.accuracy is not None and (gap := 100 * abs(point.accuracy - point.floating)) > GAP:
            short.append(f"{where}: integers {gap:.2f} points from the float model")
    return short


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(CASES), default="digits", help="data set and network")
    parser.add_argument("--keep", type=Path, default=Path("build/pareto"), help="folder that keeps trained networks")
    parser.add_argument("-o", "--out", type=Path, help="results page (default: benchmarks/results/pareto.md)")
    parser.add_argument("--quick", action="store_true", help="few epochs and shares of zeros; writes nothing")
    parser.add_argument("--check", action="store_true", help="exit code 1 if something falls short")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    zeros = ZEROS[1::2] if arguments.quick else ZEROS
    with tempfile.TemporaryDirectory() as aside:
        keep = Path(aside) if arguments.quick else arguments.keep / arguments.case
        found = list(points(CASES[arguments.case], zeros, keep, arguments.quick))
    text = markdown(found, arguments.case)
    print(text)
    if not arguments.quick:
        write_file(arguments.out or RESULTS, lambda path: path.write_text(text, encoding="utf-8"))
    short = check(found)
    for line in short:
        print(line, file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
