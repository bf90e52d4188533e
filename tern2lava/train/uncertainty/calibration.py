"""Whether a network is right as often as it is sure: temperature scaling, calibration error, reliability diagrams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.errors import InputError
from tern2lava.train.metrics import ECE_BINS

RANGE = 100.0
"""Temperatures are looked for between 1 / RANGE and RANGE."""


def fit_temperature(logits: Reals, labels: Ints) -> float:
    """The temperature of least NLL on held-out samples, for logits (samples, classes): softmax(logits / temperature).

    Guo et al., arXiv 1706.04599, section 4.2. The samples must be none that the network was trained on, and none that
    it is tested on. NLL is convex in 1 / temperature, so that a bounded search finds the least. InputError for no
    samples.
    """
    if not len(labels):
        raise InputError("held-out samples", "requires one at least; found none; hold more samples out")
    bound = float(np.log(RANGE))
    found = minimize_scalar(
        lambda log_t: _nll(logits / np.exp(log_t), labels), bounds=(-bound, bound), method="bounded",
        options={"xatol": 1e-6},
    )  # fmt: skip
    return float(np.exp(found.x))


def _nll(logits: Reals, labels: Ints) -> float:
    """NLL of logits, convex however large they are: metrics.nll counts a probability that vanishes as the smallest."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean())


def adaptive_ece(probabilities: Reals, labels: Ints, bins: int = ECE_BINS) -> float:
    """Expected calibration error over bins of equally many samples (to one), sorted by the largest probability.

    Nguyen and O'Connor, arXiv 1508.05154: equal widths leave most bins of a sure network nearly empty. Samples of
    equal probability are sorted as they come.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    gap = ((probabilities.argmax(axis=1) == labels) - confidence)[order]
    return float(sum(abs(part.sum()) for part in np.array_split(gap, bins)) / len(labels))


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """A bar of a reliability diagram: predictions whose largest probability lies in (above, to], how many, their mean
    probability and the share that is right (0 where there are none)."""

    above: float
    to: float
    samples: int
    confidence: float
    accuracy: float


def reliability(probabilities: Reals, labels: Ints, bins: int = ECE_BINS) -> list[ReliabilityBin]:
    """A reliability diagram of `bins` equal widths: the bars whose gaps, weighted by their samples, are metrics.ece."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    samples = np.bincount(index, minlength=bins)
    sure, true = (np.bincount(index, weights=w, minlength=bins) / np.maximum(samples, 1) for w in (confidence, right))
    edges = [b / bins for b in range(bins + 1)]
    columns = zip(edges, edges[1:], samples.tolist(), sure.tolist(), true.tolist(), strict=False)
    return [ReliabilityBin(above=a, to=b, samples=n, confidence=c, accuracy=r) for a, b, n, c, r in columns]
