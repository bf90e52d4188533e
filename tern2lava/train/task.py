"""The task's own loss: the cross entropy with labels, smoothed, mixed and of every time step where asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tern2lava.train.trainer import Step


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """An Objective, in the place of cross_entropy.

    smoothing: the share that is spread over all classes alike (label smoothing;
    Szegedy et al., arXiv 1512.00567). every_step: the share w of the mean cross entropy of the steps one by one,
        (1 - w) CE(gain * mean_t o_t, y) + w mean_t CE(gain * o_t, y),
    o_t what the classes are read from in step t (TET; Deng et al., arXiv 2202.11946, eq. 9 without its second term).
    Of a batch that was mixed (Step.mixed) the labels are mixed alike.
    """

    gain: float
    smoothing: float = 0.0
    every_step: float = 0.0

    def __call__(self, step: Step) -> dict[str, Tensor]:
        y = self.targets(step)
        loss = nn.functional.cross_entropy(step.logits, y)
        if self.every_step:
            by_step = self.gain * step.activity.reading
            each = nn.functional.cross_entropy(by_step.flatten(0, 1), y.repeat(len(by_step), 1))
            loss = (1.0 - self.every_step) * loss + self.every_step * each
        return {"task": loss}

    def targets(self, step: Step) -> Tensor:
        """What is learned of each sample, as probabilities (batch, classes)."""
        classes = step.logits.shape[1]
        y = nn.functional.one_hot(step.labels, classes).to(step.logits.dtype)
        if self.smoothing:
            y = (1.0 - self.smoothing) * y + self.smoothing / classes
        if step.mixed is not None:
            ratio, order = step.mixed
            y = torch.lerp(y[order], y, ratio)
        return y
