"""After training: W = T(W_fp), the full-precision network's weights ternarised once, and nothing trained after it.

T is that of TWN (Li et al., arXiv 1605.04711). Batch norm keeps the statistics of the full-precision network unless
`training.reestimate` is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from tern2lava.train.algorithms.algorithm import Algorithm
from tern2lava.train.ternarize import ternarize

if TYPE_CHECKING:
    from tern2lava.train.config import Experiment


def _prepare(model: nn.Sequential, experiment: Experiment) -> None:
    keys = experiment.ternary
    ternarize(model, "twn", per=keys.per, layers=keys.layers, sparsity=keys.sparsity)


POST = Algorithm(
    name="post",
    what="TWN after a full-precision training, and no training after it",
    prepare=_prepare,
    schedule=None,
    after=True,
    unused=(
        "ternary.method",
        "ternary.ramp",
        "ternary.frozen",
        "indirect",
        "start",
        "distillation",
        "regularizer",
        "training.label_smoothing",
        "training.every_step",
        "target.epochs",
    ),
)
