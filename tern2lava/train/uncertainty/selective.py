"""What a network gets wrong where it may leave out the predictions that it is least sure of (El-Yaniv and Wiener, JMLR
11, 2010)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Ints, Reals

POINTS = 100


@dataclass(frozen=True, eq=False, kw_only=True)
class RiskCoverage:
    """risk[k]: the share of errors among the k + 1 surest predictions, of n: at coverage (k + 1) / n."""

    risk: Reals

    @property
    def area(self) -> float:
        """Mean risk over all coverages, AURC (Geifman et al., arXiv 1805.08206, section 3)."""
        return float(self.risk.mean())

    def points(self, most: int = POINTS) -> list[tuple[float, float]]:
        """(coverage, risk) at `most` evenly spaced coverages, up to 1, for a plot."""
        chosen = np.unique(np.linspace(1, len(self.risk), min(most, len(self.risk))).round().astype(int))
        return [(float(k / len(self.risk)), float(self.risk[k - 1])) for k in chosen]


def risk_coverage(probabilities: Reals, labels: Ints) -> RiskCoverage:
    """The RiskCoverage of predictions accepted by their largest probability.

    Predictions of equal probability are in no order: within them errors count as spread evenly, which is the mean over
    all their orders.
    """
    confidence = probabilities.max(axis=1)
    wrong = (probabilities.argmax(axis=1) != labels).astype(np.float64)
    _, group, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    share = np.bincount(group, weights=wrong) / size
    errors = np.repeat(share, size).cumsum()
    return RiskCoverage(risk=errors / np.arange(1, len(labels) + 1))
