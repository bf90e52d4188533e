"""Losses on plain tensors, for any training loop: distillation, the uncertainty regulariser, a margin about thresholds.

Logits have the classes on their last axis; what goes before it (batch, or steps and batch) is averaged over.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tern2lava.errors import InputError

Layers = Mapping[str, Tensor] | Tensor
Thresholds = Mapping[str, Tensor | float] | Tensor | float


def confidence(log_p: Tensor) -> Tensor:
    """1 - H(p) / log(classes), in [0, 1], of log probabilities (..., classes); 1 where there is one class."""
    return 1.0 - _entropy(log_p) / torch.log(torch.tensor(float(max(2, log_p.shape[-1]))))


def kd_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    temperature: float = 2.0,
    probabilities: bool = False,
    by_confidence: bool = False,
) -> Tensor:
    """tau^2 * mean of KL(T || S), for logits and targets (..., classes): distillation.

    S and T are the softmax at temperature tau; tau^2 keeps the gradient's size (Hinton et al., arXiv 1503.02531).
    targets are the teacher's logits, or, with `probabilities`, soft labels, whose logits are their logarithms
    (temperature=1 takes them as they are). by_confidence: the mean of g KL(S || T) + (1 - g) KL(T || S) instead,
    g = 1 - H(T)/log(classes) the teacher's confidence in a sample: where it is sure, the student is drawn to its mode,
    where it is not, to cover all classes it considers (after BitDistiller, arXiv 2402.10631). Targets get no gradient.
    Raises InputError for shapes that differ, a temperature that is not above 0, or soft labels that are negative.
    """
    if logits.shape != targets.shape:
        raise InputError(
            "targets",
            f"requires the shape of the logits, {tuple(logits.shape)}; found {tuple(targets.shape)}; give a value for "
            "each class of each sample",
        )
    if not temperature > 0:
        raise InputError("temperature", f"requires a number above 0; found {temperature}; give for example 2")
    targets = targets.detach()
    if probabilities:
        if bool((targets < 0).any()):
            raise InputError(
                "targets", f"requires probabilities of at least 0; found {float(targets.min()):.3g}; give logits "
                "without probabilities=True"
            )  # fmt: skip
        targets = targets.clamp(min=torch.finfo(targets.dtype).tiny).log()
    log_s = torch.log_softmax(logits / temperature, dim=-1)
    log_t = torch.log_softmax(targets / temperature, dim=-1)
    difference = log_s - log_t
    forward = -(log_t.exp() * difference).sum(-1)
    if not by_confidence:
        return temperature**2 * forward.mean()
    g = confidence(log_t)
    backward = (log_s.exp() * difference).sum(-1)
    return temperature**2 * (g * backward + (1.0 - g) * forward).mean()


def uncertainty(
    logits: Tensor, labels: Tensor, soft: Tensor, *, weight: float = 1.0, temperature: float = 2.0
) -> Tensor:
    """Cross entropy with labels (batch,), plus `weight` times kd_loss of soft labels at a temperature, for logits and
    soft labels (batch, classes): the uncertainty regulariser.

    The soft labels must come from teachers that were not trained on these samples, and be tempered on them
    (regularizer.py says why and how); those of a teacher that was are distillation. Raises InputError for shapes that
    differ, or soft labels that are no probabilities.
    """
    if not torch.allclose(soft.sum(-1), soft.new_ones(()), atol=1e-3):
        raise InputError(
            "soft", "requires probabilities that sum to 1; found others; give softmax(logits / temperature)"
        )
    softly = kd_loss(logits, soft, temperature=temperature, probabilities=True)
    return torch.nn.functional.cross_entropy(logits, labels) + weight * softly


def bell(met: Tensor, threshold: Tensor | float, width: float) -> Tensor:
    """Mean of exp(-(m / width)^2 / 2), m = met / threshold, for potentials minus their threshold `met`."""
    return torch.exp(-0.5 * (met / (threshold * width)) ** 2).mean()


def margin_loss(potentials: Layers, thresholds: Thresholds, width: float = 0.1) -> Tensor:
    """Mean over layers of the mean of exp(-(m / width)^2 / 2), m = (v - threshold) / threshold: how many potentials v
    are close to their thresholds, which must not be zero.

    potentials: v as it meets the threshold, of one layer or of layers by name (record_potentials gives them);
    thresholds: a number or tensor, or one for each of these names. Where |m| is small, any perturbation (a rounded
    threshold, a truncated decay, noise) flips the spike. The gradient of the bell pushes m away from zero on either
    side and vanishes for neurons that are sure, so it does not press for large weights as a penalty on -|m| would. Our
    design. Raises InputError where there are no potentials, or a layer has no threshold.
    """
    layers = potentials if isinstance(potentials, Mapping) else {"": potentials}
    if not layers:
        raise InputError("potentials", "requires those of one layer at least; found none; run the model first")
    parts = []
    for name, v in layers.items():
        if isinstance(thresholds, Mapping) and name not in thresholds:
            raise InputError("thresholds", f"requires one for each layer; found none for {name!r}; add it")
        threshold = thresholds[name] if isinstance(thresholds, Mapping) else thresholds
        parts.append(bell(v - threshold, threshold, width))
    return torch.stack(parts).mean()


def _entropy(log_p: Tensor) -> Tensor:
    return -(log_p.exp() * log_p).sum(-1)
