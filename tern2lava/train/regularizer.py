"""The uncertainty regulariser: answers that settle early, potentials that keep off the threshold, honest confidence.

Our design; three terms (equations and reasons: losses.py), each switched off by a weight of zero.

    L = time * time_loss + margin * margin_loss + confidence * confidence_loss

margin_loss leaves out a last layer that is read by its potentials. With fewer neuron-timesteps near the threshold,
fewer lie within the certificate's band of the compiled network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tern2lava.errors import InputError
from tern2lava.train.losses import bell, confidence_loss, running_logits, time_loss
from tern2lava.train.trainer import Step
from tern2lava.train.unroll import Activity


def margin_term(activity: Activity, width: float) -> Tensor:
    """margin_loss of the layers whose spikes matter; `width` is relative to the thresholds (which must not be zero)."""
    return torch.stack([bell(activity.met[n], activity.threshold[n], width) for n in activity.firing]).mean()


@dataclass(frozen=True, kw_only=True)
class UncertaintyRegularizer:
    """An Objective with the terms of this module (add it to cross_entropy); a weight of zero leaves its term out."""

    gain: float
    time: float = 1.0
    margin: float = 2.0
    confidence: float = 2.0
    width: float = 0.1
    doubt: float = 0.1

    def __post_init__(self) -> None:
        for name in ("time", "margin", "confidence"):
            if getattr(self, name) < 0:
                raise InputError(
                    name, f"requires a weight of at least 0; found {getattr(self, name)}; give for example 1"
                )
        if not (self.width > 0 and 0 < self.doubt < 0.5):
            raise InputError(
                "width, doubt",
                f"requires width > 0 and doubt in (0, 0.5); found {self.width} and {self.doubt}; mend them",
            )

    def __call__(self, step: Step) -> dict[str, Tensor]:
        terms = {}
        if self.time:
            terms["time"] = self.time * time_loss(running_logits(step.activity.reading, self.gain))
        if self.margin:
            terms["margin"] = self.margin * margin_term(step.activity, self.width)
        if self.confidence:
            terms["confidence"] = self.confidence * confidence_loss(step.logits, self.doubt)
        return terms
