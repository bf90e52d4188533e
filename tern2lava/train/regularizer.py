"""The uncertainty regulariser: answers that settle early, potentials that keep off the threshold, honest confidence.

Our design; three terms, each switched off by a weight of zero.

    L = time * R_time + margin * R_margin + confidence * R_confidence

R_time: with p_t = softmax(gain * class scores so far / t) the prediction after step t, T the last step, and
p_mean = mean_t p_t taken as a constant,
    R_time = mean over samples of KL(p_mean || p_T).
The network is its own teacher: the steps of one sample are an ensemble of ever better informed predictions, and the
last one must not be surer than they are together. A sample on which they disagree keeps its doubt, spread over the
classes that the early steps considered, where label smoothing would spread it over all classes of all samples alike.

R_margin: with m = (v - threshold) / threshold where v meets the threshold,
    R_margin = mean over layers, of the mean over neurons and steps, of exp(-(m / width)^2 / 2).
Where |m| is small, any perturbation (a rounded threshold, a truncated decay, noise) flips the spike. The gradient of
the bell pushes m away from zero on either side and vanishes for neurons that are sure, so it does not press for large
weights as a penalty on -|m| would. Fewer neuron-timesteps then lie within the certificate's band of the compiled
network.

R_confidence = mean over samples of max(0, H_0 - H(p_T))^2, H_0 the entropy of a prediction that gives 1 - doubt to one
class and spreads `doubt` over the others: a confidence penalty with a floor, after Pereyra et al. (arXiv 1701.06548).
Cross entropy alone keeps lowering the entropy of samples that are already right; on new samples that is overconfidence.
Take for `doubt` about the share of errors on held-out samples: a network cannot rightly be surer than it is right. A
floor above that makes predictions too unsure, and NLL rises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tern2lava.errors import InputError
from tern2lava.train.trainer import Step
from tern2lava.train.unroll import Activity


def time_term(activity: Activity, gain: float) -> Tensor:
    """R_time of a batch."""
    reading = activity.reading
    t = torch.arange(1, len(reading) + 1, dtype=reading.dtype, device=reading.device).reshape(-1, 1, 1)
    log_p = torch.log_softmax(gain * reading.cumsum(0) / t, dim=2)
    mean = log_p.exp().mean(0).detach()
    result: Tensor = (torch.special.xlogy(mean, mean) - mean * log_p[-1]).sum(1).mean()
    return result


def margin_term(activity: Activity, width: float) -> Tensor:
    """R_margin of a batch; `width` is relative to the thresholds (which must not be zero)."""
    parts = [
        torch.exp(-0.5 * (activity.met[name] / (activity.threshold[name] * width)) ** 2).mean()
        for name in activity.firing
    ]
    return torch.stack(parts).mean()


def entropy_floor(doubt: float, classes: int) -> float:
    """Entropy (nats) of 1 - doubt on one class and doubt spread evenly over the others."""
    return -(1 - doubt) * math.log(1 - doubt) - doubt * math.log(doubt / (classes - 1))


def confidence_term(logits: Tensor, doubt: float) -> Tensor:
    """R_confidence of a batch of logits (batch, classes)."""
    log_p = torch.log_softmax(logits, dim=1)
    entropy = -(log_p.exp() * log_p).sum(1)
    return ((entropy_floor(doubt, logits.shape[1]) - entropy).clamp(min=0) ** 2).mean()


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
            terms["time"] = self.time * time_term(step.activity, self.gain)
        if self.margin:
            terms["margin"] = self.margin * margin_term(step.activity, self.width)
        if self.confidence:
            terms["confidence"] = self.confidence * confidence_term(step.logits, self.doubt)
        return terms
