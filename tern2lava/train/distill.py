"""Ternarisation-aware distillation: a ternary student learns from its full-precision twin while it is being quantised.

Our own reading of the idea's published blocks (confidence-aware KL as in BitDistiller, arXiv 2402.10631; a frozen
full-precision teacher of the student's architecture as in TernaryCLIP, arXiv 2510.21879), moved to spiking networks by
matching firing rates, the quantity a spiking layer hands on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tern2lava.errors import InputError
from tern2lava.train.trainer import Step, logits_of
from tern2lava.train.unroll import Activity, unroll

MATCHES = ("rate", "potential", "none")


def confidence(log_p: Tensor) -> Tensor:
    """1 - H(p) / log(classes) per sample, in [0, 1], from log probabilities (batch, classes)."""
    entropy = -(log_p.exp() * log_p).sum(1)
    return 1.0 - entropy / torch.log(torch.tensor(float(log_p.shape[1])))


def confidence_weighted_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """tau^2 * mean over samples of g KL(S || T) + (1 - g) KL(T || S), for logits (batch, classes).

    S and T are the softmax at temperature tau. g = 1 - H(T)/log(classes), the teacher's confidence in this sample:
    where it is sure, the student is drawn to its mode (backward KL), where it is not, to cover all classes it
    considers (forward KL). tau^2 keeps the gradient's size (Hinton et al., arXiv 1503.02531).
    """
    log_s = nn.functional.log_softmax(student / temperature, dim=1)
    log_t = nn.functional.log_softmax(teacher / temperature, dim=1)
    g = confidence(log_t)
    difference = log_s - log_t
    backward = (log_s.exp() * difference).sum(1)
    forward = -(log_t.exp() * difference).sum(1)
    return temperature**2 * (g * backward + (1.0 - g) * forward).mean()


def match_rates(student: Activity, teacher: Activity) -> Tensor:
    """Mean over hidden layers of the mean squared difference of firing rates (spikes / steps) per neuron and sample."""
    names = list(student.spikes)[:-1]
    parts = [((student.spikes[n].mean(0) - teacher.spikes[n].mean(0)) ** 2).mean() for n in names]
    return torch.stack(parts).mean() if parts else student.output.new_zeros(())


def match_potentials(student: Activity, teacher: Activity) -> Tensor:
    """Mean over hidden layers of the squared difference of mean (v - threshold), relative to the teacher's variance."""
    parts = []
    for name in list(student.met)[:-1]:
        target = teacher.met[name].mean(0)
        parts.append(((student.met[name].mean(0) - target) ** 2).mean() / target.var().clamp(min=1e-6))
    return torch.stack(parts).mean() if parts else student.output.new_zeros(())


@dataclass(frozen=True, eq=False, kw_only=True)
class Distillation:
    """An Objective: the teacher's logits and hidden activity as further targets (add it to cross_entropy).

        L = weight * confidence_weighted_kl(logits) + match_weight * match(hidden layers)
    The teacher sees the same input spikes, in evaluation mode and without gradient.
    """

    teacher: nn.Sequential
    gain: float
    temperature: float = 2.0
    weight: float = 1.0
    match: str = "rate"
    match_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.match not in MATCHES:
            raise InputError("match", f"requires one of {', '.join(MATCHES)}; found {self.match!r}; choose one of them")
        if not self.temperature > 0:
            raise InputError("temperature", f"requires a number above 0; found {self.temperature}; give for example 2")

    def __call__(self, step: Step) -> dict[str, Tensor]:
        self.teacher.eval()
        with torch.no_grad():
            target = unroll(self.teacher, step.x)
        if list(target.spikes) != list(step.activity.spikes):
            raise InputError(
                "teacher", "requires the layers of the student; found others; give a teacher of the same architecture"
            )
        logits = logits_of(target, self.gain)
        terms = {"distil": self.weight * confidence_weighted_kl(step.logits, logits, self.temperature)}
        if self.match == "rate":
            terms["match"] = self.match_weight * match_rates(step.activity, target)
        elif self.match == "potential":
            terms["match"] = self.match_weight * match_potentials(step.activity, target)
        return terms
