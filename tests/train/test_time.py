"""Training on samples that have a time axis themselves, to integers that run on the same spikes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Arithmetic, Input
from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.frontends.load import load
from tern2lava.sim.data.readout import running_scores
from tern2lava.sim.reference.integer import run
from tern2lava.train.config import Experiment
from tern2lava.train.data import load_dataset
from tern2lava.train.experiment import run_experiment

pytest.importorskip("snntorch")

STEPS, TOP = 6, 15


def sweeps(count: int, top: int, seed: int) -> tuple[Array, Ints]:
    """Spikes that run up (class 0) or down (class 1) over six inputs: over all steps together both are alike."""
    words = np.random.PCG64(seed).random_raw(count * STEPS * 6).reshape(count, STEPS, 6)
    labels = (np.arange(count) % 2).astype(np.int64)
    x = (words % 8 == 0).astype(np.uint8)
    for sample, label in enumerate(labels):
        for step in range(STEPS):
            x[sample, step, step if label == 0 else 5 - step] = 1
    return x * top, labels


def test_what_is_told_by_time_alone_is_learned_and_its_integers_tell_it_too(tmp_path: Path) -> None:
    (train_x, train_y), (test_x, test_y) = sweeps(160, TOP, 0), sweeps(40, TOP, 1)
    np.savez(tmp_path / "s.npz", train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y, time=1)
    keys: dict[str, Any] = {
        "data": {"name": "s.npz"},
        "network": {"layers": "16-2", "beta": 0.75, "readout": "membrane_sum"},
        "training": {"steps": STEPS, "encoding": "none", "epochs": 8, "learning_rate": 0.05, "batch": 16},
        "algorithm": "direct",
        "integer": {"mapped": 10},
    }
    result = run_experiment(Experiment.model_validate(keys), tmp_path / "run", data_dir=tmp_path)
    assert result["model"]["accuracy"] > 0.75
    assert result["data"] == {"train": 160, "test": 40, "digest": load_dataset("s.npz", tmp_path).digest}
    graph = load(tmp_path / "run" / "net.pt", tmp_path / "run" / "net.yaml")
    assert (graph.steps, graph.of_kind(Input)[0].levels) == (STEPS, (0, TOP))
    program = lower(graph, Arithmetic()).program
    (node,) = program.of_kind(Input)
    scores = running_scores(program, run(program, {node.name: test_x}))[:, -1]
    assert (scores.argmax(1) == test_y).mean() == result["integer"]["accuracy"]
