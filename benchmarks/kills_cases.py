"""The five commands that benchmarks/kills.py ends: what each is given, and how what lies there afterwards is read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.bundle import read_bundle
from tern2lava.train import checkpoint
from tern2lava.writing import is_leftover

NET = """input: {shape: [8], levels: [0, 1]}
steps: 6
readout: spike_count
layers:
  - dense: {weight: a}
  - neuron: {kind: leaky, beta: 0.875, threshold: 1.0, reset: zero, reset_delay: false, fire: gt}
  - dense: {weight: b}
  - neuron: {kind: leaky, beta: 0.875, threshold: 1.0, reset: zero, reset_delay: false, fire: gt}
"""
TRAIN = """data: {name: digits, train: 48, test: 16}
network: {layers: 8-10, beta: 0.875}
training: {steps: 2, encoding: rate, epochs: 3, learning_rate: 0.01}
algorithm: direct
seed: 0
"""
Content = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command. words: its arguments. out: what it writes, "" for nothing. before(folder): what is made there first.
    look(folder): what its `out` says, read as its readers do, without seconds; raises where it is damaged.
    partial: whether what a killed run leaves may lie between the old and the new, for the next to go on from."""

    name: str
    words: tuple[str, ...]
    out: str
    before: Callable[[Path], object]
    look: Callable[[Path], Content]
    partial: bool = False


def make_inputs(folder: Path) -> None:
    """The network, spikes and experiment that the commands read."""
    draw = np.random.default_rng(0)
    np.savez(folder / "net.npz", a=draw.integers(-1, 2, (12, 8)) * 0.5, b=draw.integers(-1, 2, (4, 12)) * 0.25)
    (folder / "net.yaml").write_text(NET)
    (folder / "train.yaml").write_text(TRAIN)
    spikes = (draw.random((6, 6, 8)) < 0.5).astype(np.uint8)
    np.savez(folder / "data.npz", spikes=spikes, labels=np.arange(6) % 4)


def bundle(folder: Path) -> Content:
    """What a bundle says: every file's digest but those of the report, and the report without seconds."""
    if not folder.exists():
        return {}
    found = read_bundle(folder)
    report = found.report.model_dump(mode="json")
    files = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "report.json" and not is_leftover(path.name)
    }
    return {"files": files, "report": without_seconds(report)}


def without_seconds(value: Any) -> Any:
    """A document without the times that a run took."""
    if isinstance(value, dict):
        return {key: without_seconds(each) for key, each in value.items() if "seconds" not in key}
    return [without_seconds(each) for each in value] if isinstance(value, list) else value


def arrays(path: Path) -> Content:
    """The arrays of an npz file, as lists."""
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name].tolist() for name in stored.files}


def training(folder: Path) -> Content:
    """What a folder of `train` holds, every file read; the weights are compared once it is finished."""
    if not folder.exists():
        return {}
    found: Content = {}
    for path in sorted(folder.iterdir()):
        if is_leftover(path.name):
            continue
        if path.suffix == ".pt":
            state = checkpoint.load(path)
            found[path.name] = (
                {name: tensor.tolist() for name, tensor in state.items()} if path.name == "net.pt" else True
            )
        elif path.suffix == ".jsonl":
            found[path.name] = [json.loads(line) for line in path.read_text().splitlines()]
        elif path.suffix == ".json":
            found[path.name] = without_seconds(json.loads(path.read_text()))
        else:
            found[path.name] = path.read_text()
    return found


CASES = (
    Case(
        name="compile",
        words=("compile", "net.npz", "--net", "net.yaml", "-t", "loihi2", "-o", "build"),
        out="build", before=lambda folder: copy(folder, "old-build", "build"), look=bundle,
    ),
    Case(
        name="verify", words=("verify", "build", "--data", "data.npz", "--backend", "reference"),
        out="build", before=lambda folder: copy(folder, "new-build", "build"), look=bundle,
    ),
    Case(
        name="simulate", words=("simulate", "build", "--data", "data.npz", "-o", "out.npz"),
        out="out.npz", before=lambda folder: copy(folder, "old-out.npz", "out.npz"), look=arrays,
    ),
    Case(
        name="train", words=("train", "-c", "train.yaml", "-o", "run"),
        out="run", before=lambda folder: shutil.rmtree(folder / "run", ignore_errors=True), look=training, partial=True,
    ),
    Case(
        name="report", words=("report", "build"),
        out="", before=lambda folder: copy(folder, "new-build", "build"), look=bundle,
    ),
)  # fmt: skip


def copy(folder: Path, source: str, target: str) -> None:
    """Put a copy of what was made once where the command finds it."""
    if (folder / target).is_dir():
        shutil.rmtree(folder / target)
    if (folder / source).is_dir():
        shutil.copytree(folder / source, folder / target)
    else:
        shutil.copyfile(folder / source, folder / target)
