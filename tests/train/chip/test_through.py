from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tern2lava.compiler.ir.graph import Graph
from tern2lava.sim.data.readout import scores
from tern2lava.sim.reference import integer
from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.chip.target import through_integers
from tern2lava.train.chip.through import ThroughIntegers
from tern2lava.train.config import Experiment
from tern2lava.train.data import digits, limit
from tern2lava.train.encode import encode
from tern2lava.train.run import Run
from tern2lava.train.trainer import Step, Trainer, cross_entropy

pytest.importorskip("snntorch")
SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train": 24, "test": 10},
    "training": {"steps": 4, "epochs": 2, "learning_rate": 0.02, "batch": 12},
    "algorithm": "direct",
    "ternary": {"ramp": 0},
    "target": {"profile": "loihi2", "epochs": 1},
}
NETWORK = {"layers": "3c3-p2-10", "beta": 0.77, "threshold": 0.3}


def run_of(tmp_path: Path, readout: str, encoding: str) -> Run:
    keys = {"network": NETWORK | {"readout": readout}, "training": SMALL["training"] | {"encoding": encoding}}
    return Run(experiment=Experiment.model_validate(SMALL | keys), dataset=limit(digits(), 24, 10), out=tmp_path)


def trainer_of(run: Run, seen: list[tuple[Step, Graph]]) -> Trainer:
    """A trainer whose steps are kept, each with the program of its last epochs."""
    experiment = run.experiment
    algorithm, model = ALGORITHMS.get("direct"), run.build()
    algorithm.prepare(model, experiment)
    assert algorithm.schedule is not None
    schedule = through_integers(run, algorithm.schedule(experiment))
    assert isinstance(schedule, ThroughIntegers)
    programs: list[Graph] = []
    to_program = schedule.to_program

    def lowered(module: Any) -> Graph:
        programs.append(to_program(module))
        return programs[-1]

    schedule.to_program = lowered

    def watch(step: Step) -> dict[str, torch.Tensor]:
        if programs:
            seen.append((step, programs[-1]))
        return cross_entropy(step)

    return Trainer(model, run.dataset, experiment.options(), watch, schedule)


@pytest.mark.parametrize(("readout", "encoding"), [("spike_count", "rate"), ("membrane_sum", "direct")])
def test_the_last_epochs_compute_the_loss_of_what_the_integer_reference_does(
    tmp_path: Path, readout: str, encoding: str
) -> None:
    run, seen = run_of(tmp_path, readout, encoding), list[tuple[Step, Graph]]()
    trainer = trainer_of(run, seen)
    trainer.run_epoch()
    assert seen == []
    start = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.run_epoch()
    assert len(seen) == 2
    for step, program in seen:
        assert step.members is not None
        x = encode(run.dataset.train_x[step.members.numpy()], 4, method=encoding, top=16)
        trace = integer.run(program, {"input": x})
        expected = 10.0 / 4 * scores(program, trace)
        np.testing.assert_allclose(step.logits.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
        for name, spikes in step.activity.spikes.items():
            ours = spikes.detach().numpy().swapaxes(0, 1).reshape(12, 4, -1)
            np.testing.assert_array_equal(ours, trace.spikes[name])
        assert np.ptp(expected) > 0
    now = trainer.model.state_dict()
    moved = {name for name, value in now.items() if not torch.equal(value, start[name])}
    assert "conv1.parametrizations.weight.original" in moved
    assert "bn1.weight" in moved
    assert "bn1.running_mean" not in moved


def test_an_interrupted_training_ends_in_the_same_weights(tmp_path: Path) -> None:
    run = run_of(tmp_path, "spike_count", "rate")
    whole, first, second = (trainer_of(run, []) for _ in range(3))
    for _ in range(2):
        whole.run_epoch()
    first.run_epoch()
    second.load_state(first.state())
    second.run_epoch()
    for (name, a), b in zip(whole.model.state_dict().items(), second.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
