"""Direct: forward and backward run through ternary weights, and a full-precision copy of them is updated.

    forward   y = f(x; T(W)),      backward   g = dL/dT(W),      update   W <- W - eta g

T is a quantiser of ternarize.py; its gradient reaches W unchanged (straight through, Bengio et al., arXiv 1308.3432).
Our reading of the direct algorithm that the authors' public card of "Ternary quantization of spiking neural networks"
(Wu et al., doi 10.1007/s11704-025-51519-1) names: "forward and backward use ternary weights, gradients update a
full-precision copy". What is ours: the ramp, over which (1 - b) W + b T(W) goes from W to T(W), and the frozen codes of
the last epochs, in which only scales, batch norm and biases are trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from tern2lava.train.algorithms.algorithm import Algorithm
from tern2lava.train.schedule import Schedule
from tern2lava.train.ternarize import ternarize

if TYPE_CHECKING:
    from tern2lava.train.config import Experiment


def _prepare(model: nn.Sequential, experiment: Experiment) -> None:
    keys = experiment.ternary
    ternarize(model, keys.method, per=keys.per, layers=keys.layers, sparsity=keys.sparsity)


def _schedule(experiment: Experiment) -> Schedule:
    epochs, keys = experiment.training.epochs, experiment.ternary
    return Schedule(epochs, ramp=keys.ramp * epochs, frozen=keys.frozen or 0)


DIRECT = Algorithm(
    name="direct",
    what="forward and backward through ternary weights, a full-precision copy of which is updated",
    prepare=_prepare,
    schedule=_schedule,
    unused=("indirect",),
)
