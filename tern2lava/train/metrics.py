"""How right, how sure and how costly: accuracy, proper scores, calibration, entropies, spikes, synaptic operations.

All functions take numpy arrays, so they judge a float model, its integer program and its run in Lava alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Projection
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import Array, Ints, Reals, frozen

ECE_BINS = 15


def softmax(logits: Reals) -> Reals:
    """Probabilities along the last axis, float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    result: Reals = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def accuracy(probabilities: Reals, labels: Ints) -> float:
    """Share of samples whose largest probability (the first, of equals) is their label's."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def nll(probabilities: Reals, labels: Ints) -> float:
    """Mean of -log p(label), in nats; a probability of zero counts as the smallest positive float64."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, np.finfo(np.float64).tiny)).mean())


def brier(probabilities: Reals, labels: Ints) -> float:
    """Mean over samples of the squared distance between p and the label's one-hot vector, 0 to 2 (Brier 1950)."""
    truth = np.zeros_like(probabilities)
    truth[np.arange(len(labels)), labels] = 1.0
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def ece(probabilities: Reals, labels: Ints, bins: int = ECE_BINS) -> float:
    """Expected calibration error: sum over bins of |B|/N * |accuracy(B) - confidence(B)|.

    Bins are equal widths of the largest probability, (b/bins, (b+1)/bins] (Guo et al., arXiv 1706.04599, eq. 3).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(index, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def entropy(probabilities: Reals) -> Reals:
    """-sum p log p along the last axis, in nats."""
    p = np.maximum(probabilities, np.finfo(np.float64).tiny)
    result: Reals = -(probabilities * np.log(p)).sum(axis=-1)
    return result


def disagreement(members: Reals) -> float:
    """Mean over samples of H(mean of p) - mean of H(p) over members, in nats, for members (members, samples, classes).

    The mutual information between prediction and member: what is uncertain because the members (seeds, time steps)
    differ, and not within each (Depeweg et al., arXiv 1710.07283). 0 where all agree.
    """
    return float((entropy(members.mean(axis=0)) - entropy(members).mean(axis=0)).mean())


def running_probabilities(scores: Array, gain: float) -> Reals:
    """p after every step, (samples, steps, classes): softmax(gain * scores / steps so far), for cumulative scores."""
    so_far = np.arange(1, scores.shape[1] + 1, dtype=np.float64).reshape(1, -1, 1)
    return softmax(gain * scores / so_far)


def prediction_metrics(scores: Array, labels: Ints, gain: float) -> dict[str, float]:
    """Accuracy, NLL, Brier, ECE, mean predictive entropy and disagreement over time steps.

    scores: cumulative output spikes or potentials (samples, steps, classes); the prediction is that of the last step.
    """
    over_time = running_probabilities(scores, gain)
    p = over_time[:, -1]
    return {
        "accuracy": accuracy(p, labels),
        "nll": nll(p, labels),
        "brier": brier(p, labels),
        "ece": ece(p, labels),
        "entropy": float(entropy(p).mean()),
        "disagreement_over_time": disagreement(np.swapaxes(over_time, 0, 1)),
    }


def synaptic_operations(graph: Graph, spikes: Mapping[str, Array]) -> dict[str, float]:
    """Synaptic operations by projection: for every spike the non-zero weights it meets.

    graph: NORMAL, TERNARY or INTEGER. spikes: how often every neuron (and input) spiked in all, (neurons,), by name;
    graded inputs count once where they are not zero.
    """
    result = {}
    for projection in graph.of_kind(Projection):
        present = replace(projection, weight=frozen(projection.weight != 0, np.int8))
        result[projection.name] = float(accumulate(present, spikes[projection.inputs[0]].reshape(1, -1)).sum())
    return result
