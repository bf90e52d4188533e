"""One leaky layer in rational arithmetic: the oracle of benchmarks/fidelity.py, written apart from the product."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Case:
    """v' = (1 - 1 / tau) v + alpha * codes @ x; a spike where v' > threshold (`>`) or v' >= threshold (`>=`); then
    v' = 0 (zero) or v' - threshold (subtract)."""

    alpha: Fraction
    tau: int
    threshold: Fraction
    compare: str
    reset: str
    static: bool
    steps: int


def draw(case: Case, seed: int) -> tuple[Any, Any]:
    """Codes (outputs, inputs) and spikes (samples, steps, inputs): static input is one picture held for all steps."""
    rng = np.random.default_rng(seed)
    codes = np.where(rng.random((40, 50)) < 0.5, 0, rng.choice([-1, 1], (40, 50)))
    x = rng.random((24, 1 if case.static else case.steps, 50)) < 0.25
    return codes, np.repeat(x, case.steps, axis=1) if case.static else x


def spikes(case: Case, codes: Any, x: Any) -> Any:
    """The layer's spikes (samples, steps, outputs), exact.

    Potentials are whole numbers of 1 / (d tau^t) weights, where the threshold is n / d weights; so nothing is rounded.
    """
    level = case.threshold / case.alpha
    n, d = level.numerator, level.denominator
    sums = np.einsum("oi,sti->sto", codes, x.astype(np.int64)).astype(object) * d
    v, unit = np.zeros((len(x), len(codes)), object), 1
    fired = np.zeros(sums.shape, np.uint8)
    for t in range(case.steps):
        unit *= case.tau
        v = (case.tau - 1) * v + sums[:, t] * unit
        meets = (v >= n * unit) if case.compare == ">=" else (v > n * unit)
        fired[:, t] = meets = meets.astype(bool)
        v = np.where(meets, v - n * unit if case.reset == "subtract" else 0, v)
    return fired
