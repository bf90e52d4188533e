"""Cross-fitted soft labels: teachers that label only what they were not trained on.

A teacher is surer of the samples that it was trained on than it has a right to be, and hands that on. Here the training
samples are divided into K folds, each teacher is trained without one, and labels that one: cross-fitting (Dao et al.,
arXiv 2104.09732). One temperature for all out-of-fold logits z, that of least NLL (Guo et al., arXiv 1706.04599), makes
    q = softmax(z / tau),      y = (1 - share) onehot(label) + share q,
and the network is trained on the cross entropy with y, which takes the place of that with the labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.train.data import random_words
from tern2lava.train.metrics import nll, softmax
from tern2lava.train.trainer import Step

TEMPERATURES = (0.05, 20.0)
"""Between which a temperature is sought. Chosen; networks of these sizes have 0.5 to 3."""


def folds_of(labels: Ints, folds: int, seed: int) -> Ints:
    """The fold, 0 to folds - 1, of each sample: of every class as many in each, but for one more or less."""
    keys = random_words(seed, len(labels))
    order = np.lexsort((keys, labels))
    result: Ints = np.empty(len(labels), np.int64)
    result[order] = np.arange(len(labels)) % folds
    return result


def fitted_temperature(logits: Reals, labels: Ints) -> float:
    """tau of least NLL of softmax(logits / tau), within TEMPERATURES. In 1 / tau the NLL is convex."""
    low, high = TEMPERATURES
    found = minimize_scalar(
        lambda inverse: nll(softmax(logits * inverse), labels), bounds=(1 / high, 1 / low), method="bounded",
        options={"xatol": 1e-4},
    )  # fmt: skip
    return float(1 / found.x)


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """An Objective, in the place of cross_entropy: the cross entropy with y (module docstring). q: of all training
    samples (samples, classes)."""

    q: Tensor
    share: float

    def __call__(self, step: Step) -> dict[str, Tensor]:
        assert step.members is not None
        q = self.q[step.members].to(step.logits)
        hard = nn.functional.one_hot(step.labels, q.shape[1]).to(q)
        return {"task": nn.functional.cross_entropy(step.logits, (1.0 - self.share) * hard + self.share * q)}


def soft_labels(logits: Reals, labels: Ints, share: float) -> tuple[SoftLabels, float]:
    """(the Objective for out-of-fold logits (samples, classes), the temperature that was fitted)."""
    temperature = fitted_temperature(logits, labels)
    return SoftLabels(torch.from_numpy(softmax(logits / temperature)).float(), share), temperature
