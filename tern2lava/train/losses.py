"""Losses on plain tensors, for any training loop: distillation, the uncertainty terms, a margin about the threshold.

Logits have the classes on their last axis; what goes before it (batch, or steps and batch) is averaged over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from tern2lava.errors import InputError

Layers = Mapping[str, Tensor] | Tensor
Thresholds = Mapping[str, Tensor | float] | Tensor | float


def confidence(log_p: Tensor) -> Tensor:
    """1 - H(p) / log(classes), in [0, 1], of log probabilities (..., classes)."""
    return 1.0 - _entropy(log_p) / torch.log(torch.tensor(float(log_p.shape[-1])))


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


def running_logits(reading: Tensor, gain: float) -> Tensor:
    """Logits after every step, gain * the mean of `reading` so far, of what the classes are read from in each step
    (steps, ..., classes): output spikes or potentials."""
    t = torch.arange(1, len(reading) + 1, dtype=reading.dtype, device=reading.device)
    return gain * reading.cumsum(0) / t.reshape(-1, *([1] * (reading.dim() - 1)))


def time_loss(logits: Tensor) -> Tensor:
    """Mean over samples of KL(p_mean || p_T), for logits after every step (steps, batch, classes).

    p_t = softmax(logits_t), T the last step, p_mean = mean_t p_t taken as a constant. The network is its own teacher:
    the steps of one sample are an ensemble of ever better informed predictions, and the last one must not be surer
    than they are together. A sample on which they disagree keeps its doubt, spread over the classes that the early
    steps considered, where label smoothing would spread it over all classes of all samples alike. Our design.
    """
    log_p = torch.log_softmax(logits, dim=-1)
    mean = log_p.exp().mean(0).detach()
    result: Tensor = (torch.special.xlogy(mean, mean) - mean * log_p[-1]).sum(-1).mean()
    return result


def entropy_floor(doubt: float, classes: int) -> float:
    """Entropy (nats) of 1 - doubt on one class and doubt spread evenly over the others."""
    return -(1 - doubt) * math.log(1 - doubt) - doubt * math.log(doubt / (classes - 1))


def confidence_loss(logits: Tensor, doubt: float = 0.1) -> Tensor:
    """Mean over samples of max(0, H_0 - H(p))^2, H_0 = entropy_floor(doubt), for logits (..., classes).

    A confidence penalty with a floor, after Pereyra et al. (arXiv 1701.06548). Cross entropy alone keeps lowering the
    entropy of samples that are already right; on new samples that is overconfidence. Take for `doubt` about the share
    of errors on held-out samples: a floor above it makes predictions too unsure, and NLL rises.
    """
    entropy = _entropy(torch.log_softmax(logits, dim=-1))
    return ((entropy_floor(doubt, logits.shape[-1]) - entropy).clamp(min=0) ** 2).mean()


def uncertainty(logits: Tensor, *, time: float = 1.0, confidence: float = 2.0, doubt: float = 0.1) -> Tensor:
    """time * time_loss + confidence * confidence_loss of the last step, for logits after every step (steps, batch,
    classes), as running_logits gives them."""
    return time * time_loss(logits) + confidence * confidence_loss(logits[-1], doubt)


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
