"""Ternarisation-aware distillation: a ternary student learns from its full-precision twin while it is being quantised.

Our own reading of the idea's published blocks (losses.kd_loss by confidence; a frozen full-precision teacher of the
student's architecture as in TernaryCLIP, arXiv 2510.21879), moved to spiking networks by matching firing rates, the
quantity a spiking layer hands on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tern2lava.errors import InputError
from tern2lava.train.losses import kd_loss
from tern2lava.train.teacher_outputs import Ask, ask_anew
from tern2lava.train.trainer import Step
from tern2lava.train.unroll import Activity

MATCHES = ("rate", "potential", "none")


def match_rates(student: Activity, rates: Mapping[str, Tensor]) -> Tensor:
    """Mean over hidden layers of the mean squared difference of firing rates (spikes / steps) per neuron and sample;
    rates: the teacher's."""
    parts = [((student.spikes[name].mean(0) - rate) ** 2).mean() for name, rate in rates.items()]
    return torch.stack(parts).mean() if parts else student.output.new_zeros(())


def match_potentials(student: Activity, potentials: Mapping[str, Tensor]) -> Tensor:
    """Mean over hidden layers of the squared difference of mean (v - threshold), relative to the variance of
    `potentials`, the teacher's."""
    parts = []
    for name, target in potentials.items():
        parts.append(((student.met[name].mean(0) - target) ** 2).mean() / target.var().clamp(min=1e-6))
    return torch.stack(parts).mean() if parts else student.output.new_zeros(())


@dataclass(frozen=True, eq=False, kw_only=True)
class Distillation:
    """An Objective: the teacher's logits and hidden activity as further targets (add it to cross_entropy).

        L = weight * kd_loss(logits, by_confidence=True) + match_weight * match(hidden layers)
    The teacher sees the same input spikes, in evaluation mode and without gradient. ask: what has its answers already
    (teacher_outputs.ask_once); None: it is run in each step. A teacher of other layers goes with match "none" alone.
    """

    teacher: nn.Sequential
    gain: float
    ask: Ask | None = None
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
        answers = (self.ask or ask_anew(self.teacher, self.gain, self.match))(step)
        if self.match != "none" and list(answers.hidden) != list(step.activity.spikes)[:-1]:
            raise InputError(
                "teacher",
                "requires the layers of the student; found others; give a teacher of the same architecture, or match "
                "none",
            )
        kl = kd_loss(step.logits, answers.logits, temperature=self.temperature, by_confidence=True)
        terms = {"distil": self.weight * kl}
        if self.match == "rate":
            terms["match"] = self.match_weight * match_rates(step.activity, answers.hidden)
        elif self.match == "potential":
            terms["match"] = self.match_weight * match_potentials(step.activity, answers.hidden)
        return terms
