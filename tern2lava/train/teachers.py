"""The full-precision network that an experiment starts from, or learns from by distillation."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from tern2lava.train.config import Experiment
from tern2lava.train.run import Run, load_weights, scale_input


def needs_teacher(experiment: Experiment) -> bool:
    """Whether one teacher of all training samples is needed: to start from its weights, or to learn from it."""
    return experiment.starts_from_teacher or experiment.distillation is not None


def trained_teacher(run: Run) -> nn.Sequential:
    """The teacher, trained on all training samples or read from its checkpoint."""
    keys = run.experiment.teacher
    model = run.build(keys.layers)
    if keys.checkpoint is not None:
        load_weights(model, Path(keys.checkpoint))
        if run.top > 1:
            model.load_state_dict(scale_input(model, model.state_dict(), run.top))
    else:
        run.train("teacher", model, run.experiment.options(epochs=keys.epochs))
    return model.eval().requires_grad_(False)
