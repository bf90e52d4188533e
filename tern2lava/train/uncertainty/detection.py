"""How well a network's confidence tells samples of its own data set from samples of another (Hendrycks and Gimpel,
arXiv 1610.02136)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.errors import InputError
from tern2lava.train.metrics import entropy

RECALL = 0.95


def largest(probabilities: Reals) -> Reals:
    """The largest probability of each sample."""
    result: Reals = probabilities.max(axis=1)
    return result


def certainty(probabilities: Reals) -> Reals:
    """Minus the predictive entropy of each sample, in nats."""
    return -entropy(probabilities)


SCORES: dict[str, Callable[[Reals], Reals]] = {"max_probability": largest, "entropy": certainty}
"""What a sample is judged by, by name: the larger, the more it is taken for one of the network's own."""


def auroc(inside: Reals, outside: Reals) -> float:
    """The probability that a sample of `inside` scores above one of `outside`, ties counting half: the area under the
    ROC curve, U / (n m) (Mann and Whitney 1947). InputError where either has no sample."""
    _require_both(inside, outside)
    ranks = rankdata(np.concatenate([inside, outside]))[: len(inside)]
    above = ranks.sum() - len(inside) * (len(inside) + 1) / 2
    return float(above / (len(inside) * len(outside)))


def aupr(positive: Reals, negative: Reals) -> float:
    """Average precision, the area under the steps of the precision-recall curve, where large scores say positive.

    sum over thresholds (distinct scores, falling) of (recall - recall before) * precision, not interpolated (Davis and
    Goadrich, ICML 2006). InputError where either has no sample.
    """
    _require_both(positive, negative)
    found, at = _accepted(positive, negative)
    precision = found / (found + at)
    return float((np.diff(found, prepend=0) * precision).sum() / len(positive))


def fpr_at_recall(inside: Reals, outside: Reals, recall: float = RECALL) -> float:
    """The share of `outside` that is accepted where the threshold accepts at least `recall` of `inside` (the highest
    such). InputError where either has no sample."""
    _require_both(inside, outside)
    found, at = _accepted(inside, outside)
    first = int(np.argmax(found >= recall * len(inside)))
    return float(at[first] / len(outside))


def detection(inside: Reals, outside: Reals) -> dict[str, float]:
    """auroc, aupr_in (its own samples as positives), aupr_out (the others) and fpr95, for scores of its own samples and
    of the others."""
    return {
        "auroc": auroc(inside, outside), "aupr_in": aupr(inside, outside), "aupr_out": aupr(-outside, -inside),
        "fpr95": fpr_at_recall(inside, outside),
    }  # fmt: skip


def _accepted(inside: Reals, outside: Reals) -> tuple[Array, Array]:
    """How many of each score at least the threshold, for each distinct score from the largest down."""
    scores = np.concatenate([inside, outside])
    thresholds = np.unique(scores)[::-1]
    counts = (len(part) - np.searchsorted(np.sort(part), thresholds, side="left") for part in (inside, outside))
    found, at = counts
    return found, at


def _require_both(inside: Reals, outside: Reals) -> None:
    if not (len(inside) and len(outside)):
        raise InputError(
            "scores", f"requires samples of both data sets; found {len(inside)} and {len(outside)}; give some of each"
        )
