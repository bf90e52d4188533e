"""The network that an experiment trains by its algorithm."""

from __future__ import annotations

from torch import nn

from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.batch_norm import reestimate
from tern2lava.train.chip.target import through_integers
from tern2lava.train.distill import Distillation
from tern2lava.train.regularizer import SoftLabels
from tern2lava.train.run import Run
from tern2lava.train.task import Task
from tern2lava.train.teacher_outputs import ask_once
from tern2lava.train.trainer import Objective, together


def trained_student(run: Run, teacher: nn.Sequential | None = None, labels: SoftLabels | None = None) -> nn.Sequential:
    """The network trained by the experiment's algorithm, ternarised where that makes it ternary: from the teacher's
    weights, with its guidance, on soft labels, where the experiment asks for it."""
    experiment = run.experiment
    algorithm, model = ALGORITHMS.get(experiment.algorithm), run.build()
    if experiment.starts_from_teacher:
        assert teacher is not None
        model.load_state_dict(teacher.state_dict())
    algorithm.prepare(model, experiment)
    if algorithm.schedule is not None:
        objective = together(*objectives(run, teacher, labels))
        run.train(
            "student", model, experiment.options(), objective, through_integers(run, algorithm.schedule(experiment))
        )
    if experiment.training.reestimate is not None:
        reestimate(model, run.inputs(experiment.training.reestimate))
    return model.eval()


def objectives(run: Run, teacher: nn.Sequential | None, labels: SoftLabels | None) -> list[Objective]:
    """What the network is trained for."""
    experiment, options = run.experiment, run.experiment.options()
    task = experiment.training
    found: list[Objective] = [Task(gain=options.logit_gain, smoothing=task.label_smoothing, every_step=task.every_step)]
    if labels is not None:
        found.append(labels)
    if experiment.distillation is not None:
        assert teacher is not None
        keys, other = experiment.distillation, experiment.teacher.layers not in (None, experiment.network.layers)
        match = keys.match or ("none" if other else "rate")
        ask = ask_once(teacher, run.dataset, options, match)
        found.append(
            Distillation(
                teacher=teacher, ask=ask, gain=options.logit_gain, temperature=keys.temperature, weight=keys.weight,
                match=match, match_weight=keys.match_weight,
            )
        )  # fmt: skip
    return found
