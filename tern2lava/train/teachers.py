"""The full-precision networks that an experiment learns from: one teacher, or one for each fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tern2lava.compiler.ir.shapes import Array, Ints, Reals
from tern2lava.train.config import Experiment
from tern2lava.train.data import Dataset
from tern2lava.train.evaluate import BATCH
from tern2lava.train.metrics import accuracy, ece, nll, softmax
from tern2lava.train.run import Run, load_weights, scale_input
from tern2lava.train.soft_labels import SoftLabels, folds_of, soft_labels
from tern2lava.train.trainer import TrainingOptions, input_of, logits_of
from tern2lava.train.unroll import unroll


def needs_teacher(experiment: Experiment) -> bool:
    """Whether one teacher of all training samples is needed: to start from its weights, or to learn from it."""
    return experiment.starts_from_teacher or (experiment.distillation is not None and experiment.teacher.folds is None)


def trained_teacher(run: Run) -> nn.Sequential:
    """The teacher, trained on all training samples or read from its checkpoint."""
    keys = run.experiment.teacher
    model = run.build(keys.layers)
    if keys.checkpoint is not None:
        load_weights(model, Path(keys.checkpoint))
        if run.top > 1:
            model.load_state_dict(scale_input(model, model.state_dict(), run.top))
    else:
        run.train("teacher", model, run.experiment.options(teacher=True))
    return model.eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class CrossFitted:
    """What the teachers of all folds gave: the Objective, and their judgement on the samples that they did not see."""

    objective: SoftLabels
    judged: dict[str, Any]


def cross_fitted(run: Run, folds: int, share: float) -> CrossFitted:
    """The soft labels of `folds` teachers, each trained without the fold that it labels."""
    dataset, options = run.dataset, run.experiment.options(teacher=True)
    fold = folds_of(dataset.train_y, folds, run.experiment.seed)
    logits: Array = np.zeros((len(fold), dataset.classes), np.float32)
    for index in range(folds):
        model = run.build(run.experiment.teacher.layers)
        rest = fold != index
        less = replace(dataset, train_x=dataset.train_x[rest], train_y=dataset.train_y[rest])
        replace(run, dataset=less).train(f"teacher-{index + 1}", model, options)
        logits[~rest] = logits_on(model, dataset, np.flatnonzero(~rest), options)
    labels = dataset.train_y
    objective, temperature = soft_labels(logits, labels, share)
    raw, scaled = softmax(logits), softmax(logits / temperature)
    judged = {
        "folds": folds, "samples": len(labels), "accuracy": accuracy(raw, labels), "nll": nll(raw, labels),
        "ece": ece(raw, labels), "temperature": temperature, "nll_scaled": nll(scaled, labels),
        "ece_scaled": ece(scaled, labels),
    }  # fmt: skip
    return CrossFitted(objective, judged)


def logits_on(model: nn.Sequential, dataset: Dataset, members: Ints, options: TrainingOptions) -> Reals:
    """A model's logits (samples, classes) on some training samples."""
    found = []
    model.eval()
    device = next(model.parameters()).device
    for begin in range(0, len(members), BATCH):
        batch = dataset.train_x[members[begin : begin + BATCH]]
        x, steps = input_of(batch, dataset, options, options.seed + begin)
        with torch.no_grad():
            found.append(logits_of(unroll(model, x.to(device), steps), options.logit_gain).cpu().numpy())
    result: Reals = np.concatenate(found)
    return result
