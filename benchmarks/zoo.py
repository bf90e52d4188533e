"""Trains networks of the zoo again from their experiment files, and writes the files that ship with tern2lava.

    uv run --group dev python benchmarks/zoo.py                      # the digits: about two minutes
    uv run --group dev python benchmarks/zoo.py NAME                 # a network, or a group (tern2lava demo --list)
    uv run --group dev python benchmarks/zoo.py NAME --data-dir DIR  # the folder of its data
    uv run --group dev python benchmarks/zoo.py NAME --measure       # trains nothing: measures what is there anew
    uv run --group dev python benchmarks/zoo.py NAME --check         # afterwards, exit code 1 where a bar is missed
    uv run --group dev python benchmarks/zoo.py --quick --check      # a quarter of the epochs, writes nothing

Training goes on in build/zoo/NAME/ where it was interrupted. What is written for a network: its checkpoint and
net.yaml, metrics, its own run in snnTorch on a few test samples, its first test samples where their licence allows, and
what becomes of it on three targets, with its integers on the whole test set and a batch in Lava. docs/zoo.md:
TERN2LAVA_GOLDEN=write uv run --group dev pytest tests/zoo/test_page.py
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from zoo_measure import compiled_rows, measure, record, ship

from tern2lava.train.config import Experiment
from tern2lava.train.experiment import chosen as chosen_data
from tern2lava.train.experiment import run_experiment
from tern2lava.train.experiment_file import read_experiment
from tern2lava.train.run import Run
from tern2lava.zoo import DIGITS, ZooNet, chosen

RUNS = Path(__file__).resolve().parents[1] / "build" / "zoo"
INTEGERS = 0.002
"""How far the accuracy of integers may lie from that of the trained network."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a network must reach: its test accuracy, in a quick run too. behind: how far it may lie below full
    precision, its teacher or, where it has none, a twin that is trained as long; None: not compared."""

    accuracy: float
    quick: float
    behind: float | None = None


BARS = {
    "mlp": Bar(accuracy=0.95, quick=0.90),
    "conv": Bar(accuracy=0.97, quick=0.65),
    "fashion-small": Bar(accuracy=0.90, quick=0.80),
    "spoken-digits": Bar(accuracy=0.95, quick=0.80, behind=0.015),
}


def missed(net: ZooNet, metrics: dict[str, Any], rows: list[dict[str, Any]], quick: bool) -> list[str]:
    """A line for each bar that a network misses."""
    bar, found = BARS[net.name], metrics["model"]["accuracy"]
    wanted = bar.quick if quick else bar.accuracy
    lines = [f"{net.name}: test accuracy {found:.4f} is below {wanted}"] if found < wanted else []
    if bar.behind is not None and not quick and (full := metrics["full"]["accuracy"]) - found > bar.behind:
        lines.append(f"{net.name}: {found:.4f} is more than {bar.behind} below full precision's {full:.4f}")
    for row in rows:
        if "refused" in row:
            continue
        if abs(row["integer_accuracy"] - found) > INTEGERS:
            lines.append(f"{net.name}: integers on {row['target']} have {row['integer_accuracy']:.4f}, not {found:.4f}")
        if not row.get("lava", {"equal": True})["equal"]:
            lines.append(f"{net.name}: Lava differs from the integers of {row['target']}")
    if not any("lava" in row for row in rows) and not quick:
        lines.append(f"{net.name}: no batch ran in Lava")
    return lines


def quickened(experiment: Experiment) -> Experiment:
    """The experiment with a quarter of its epochs."""
    training = experiment.training
    fewer = training.model_copy(update={"epochs": max(1, training.epochs // 4)})
    return experiment.model_copy(update={"training": fewer})


def twin(experiment: Experiment) -> Experiment:
    """The experiment in full precision."""
    keys = experiment.model_dump(exclude={"ternary", "indirect", "integer"}, exclude_unset=True)
    return Experiment.model_validate(keys | {"algorithm": "full"})


def told(what: str, done: int, total: int) -> None:
    """Progress on one line of stderr."""
    print(f"\r{what}: {done:,} of {total:,} ", end="", file=sys.stderr)


def train(net: ZooNet, experiment: Experiment, out: Path, data_dir: Path | None) -> dict[str, Any]:
    """The metrics of the network trained in `out`."""
    metrics = run_experiment(experiment, out, data_dir=data_dir, progress=told)
    print(f"\r{net.name}: test accuracy {metrics['model']['accuracy']:.4f} in {metrics['seconds']:.0f} s" + " " * 20)
    return metrics


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def put(net: ZooNet, trained: Path, folder: Path) -> None:
    """The checkpoint and net.yaml of `trained` as files of `net` in `folder`."""
    files = net.files_in(folder)
    shutil.copy(trained / "net.yaml", files.net)
    if net.weights == "pt":
        shutil.copy(trained / "net.pt", files.weights)
        return
    state = torch.load(trained / "net.pt", weights_only=True)
    arrays: dict[str, Any] = {name: value.numpy() for name, value in state.items()}
    np.savez_compressed(files.weights, **arrays)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", nargs="?", default=DIGITS, help="a network of the zoo, or a group of them")
    parser.add_argument("--data-dir", type=Path, help="folder of the data's files")
    parser.add_argument("--measure", action="store_true", help="train nothing, measure what is there anew")
    parser.add_argument("--quick", action="store_true", help="a quarter of the epochs; writes nothing")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a network misses a bar")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # sums keep one order, and small networks gain nothing from more
    short = []
    for net in chosen(arguments.net):
        folder = Path(str(resources.files(net.package)))
        experiment = read_experiment(net.files_in(folder).experiment)
        if arguments.quick:
            with tempfile.TemporaryDirectory() as place:
                short += missed(net, train(net, quickened(experiment), Path(place), arguments.data_dir), [], True)
            continue
        dataset = chosen_data(experiment.data, experiment.training, arguments.data_dir)
        run = Run(experiment=experiment, dataset=dataset, out=RUNS / net.name)
        if arguments.measure:
            trained = net.metrics()
        else:
            trained = train(net, experiment, run.out, arguments.data_dir)
            trained["full"] = trained["teacher"]
            if trained["full"] is None and BARS[net.name].behind is not None:
                trained["full"] = train(net, twin(experiment), RUNS / f"{net.name}-full", arguments.data_dir)["model"]
            put(net, run.out, folder)
        kept = {key: trained[key] for key in ("digest", "config", "data", "full", "seconds")}
        metrics = kept | measure(net, run, folder) | {"samples": ship(net, run, folder)}
        write_json(net.files_in(folder).metrics, metrics)
        record(net, run, folder)
        rows = compiled_rows(net, run)
        write_json(net.files_in(folder).compiled, rows)
        short += missed(net, metrics, rows, False)
    for line in short:
        print(line, file=sys.stderr)
    return 1 if arguments.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
