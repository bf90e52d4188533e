"""The networks of an experiment: its full-precision teacher and the one that is trained by its algorithm."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.batch_norm import reestimate
from tern2lava.train.distill import Distillation
from tern2lava.train.regularizer import UncertaintyRegularizer
from tern2lava.train.run import Run, load_weights, scale_input
from tern2lava.train.trainer import Objective, cross_entropy, together


def trained_teacher(run: Run) -> nn.Sequential:
    """The trained full-precision twin."""
    model, keys = run.build(), run.experiment.teacher
    if keys.checkpoint is not None:
        load_weights(model, Path(keys.checkpoint))
        if run.top > 1:
            model.load_state_dict(scale_input(model, model.state_dict(), run.top))
    else:
        run.train("teacher", model, run.experiment.options(teacher=True))
    return model.eval().requires_grad_(False)


def trained_student(run: Run, teacher: nn.Sequential | None) -> nn.Sequential:
    """The network trained by the experiment's algorithm, ternarised where that makes it ternary."""
    experiment = run.experiment
    algorithm, model = ALGORITHMS.get(experiment.algorithm), run.build()
    if experiment.starts_from_teacher:
        assert teacher is not None
        model.load_state_dict(teacher.state_dict())
    algorithm.prepare(model, experiment)
    if algorithm.schedule is not None:
        objective = together(*objectives(run, teacher))
        run.train("student", model, experiment.options(), objective, algorithm.schedule(experiment))
    if experiment.training.reestimate is not None:
        reestimate(model, run.inputs(experiment.training.reestimate))
    return model.eval()


def objectives(run: Run, teacher: nn.Sequential | None) -> list[Objective]:
    """What the network is trained for."""
    experiment, gain = run.experiment, run.experiment.training.logit_gain
    found: list[Objective] = [cross_entropy]
    if experiment.distillation is not None:
        assert teacher is not None
        found.append(Distillation(teacher=teacher, gain=gain, **experiment.distillation.model_dump()))
    if experiment.regularizer is not None:
        found.append(UncertaintyRegularizer(gain=gain, **experiment.regularizer.model_dump()))
    return found
