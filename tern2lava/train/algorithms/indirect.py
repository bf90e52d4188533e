"""Indirect: phases of full-precision training alternate with projections of the weights to ternary ones.

P(W) is the nearest ternary tensor (projection.nearest). After each phase of `indirect.phase` epochs:

plain   W <- P(W): what is trained next starts from the ternary weights.
admm    the training of W minimises the augmented Lagrangian
            L(W) + rho/2 ||W - G + U||^2,      then      G <- P(W + U),      U <- U + W - G,
        so that W is drawn to the ternary G and not cut to it, U being the scaled dual (Boyd et al., Foundations and
        Trends in Machine Learning 3(1), 2011, sections 3.1.1 and 9.1; Leng et al., arXiv 1707.09870, who train low-bit
        networks so). rho is multiplied by `indirect.growth` after each phase and U divided by it (Boyd, 3.4.1).

At the end of the alternation W is P(W), or G, for good: in the last `ternary.frozen` epochs codes stand still, and
scales, batch norm and biases are trained through them.

Our reading of the indirect algorithm that the authors' public card of "Ternary quantization of spiking neural networks"
(Wu et al., doi 10.1007/s11704-025-51519-1) names: "alternate full-precision training with weight quantisation". Their
schedule is not public: phases, rho and the frozen epochs are ours. The first phase begins at the weights that the
network starts from, with U = 0 and, of admm, G = P(W).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tern2lava.train.algorithms.algorithm import Algorithm
from tern2lava.train.algorithms.projection import project_layers, projections
from tern2lava.train.schedule import Schedule
from tern2lava.train.ternarize import set_blend

if TYPE_CHECKING:
    from tern2lava.train.config import Experiment

FROZEN = 1
"""Epochs with frozen codes where `ternary.frozen` says nothing."""


class Alternation(Schedule):
    """The schedule of an indirect training. phase: epochs between two projections. rho: 0 for the plain one."""

    def __init__(self, epochs: int, *, frozen: int, phase: int, rho: float = 0.0, growth: float = 1.0) -> None:
        super().__init__(epochs, frozen=frozen)
        self.phase, self.rho, self.growth = phase, rho, growth

    @property
    def ternary(self) -> int:
        """Those with frozen codes."""
        return self.frozen

    def before_batch(self, model: nn.Module, progress: float) -> None:
        """Full precision as long as codes may change, ternary afterwards."""
        set_blend(model, 0.0 if progress < self.moving else 1.0)

    def weight_of(self, epoch: int) -> float:
        """rho in an epoch, counted from 0."""
        return self.rho * self.growth ** (epoch // self.phase)

    def terms(self, model: nn.Module, epoch: int) -> dict[str, Tensor]:
        """rho/2 ||W - G + U||^2 over all weights, while they move."""
        if not self.rho or epoch >= self.moving:
            return {}
        squares = [((weight - p.projected(weight) + p.dual) ** 2).sum() for p, weight in projections(model)]
        return {"admm": 0.5 * self.weight_of(epoch) * torch.stack(squares).sum()}

    def end_epoch(self, model: nn.Module, done: int) -> None:
        """Projects at the end of each phase, and when codes freeze."""
        if done > self.moving or (done % self.phase and done != self.moving):
            return
        for projection, weight in projections(model):
            with torch.no_grad():
                if not self.rho:
                    projection.project(weight)
                    weight.copy_(projection.projected(weight))
                    continue
                projection.project(weight + projection.dual)
                projection.dual += weight - projection.projected(weight)
                projection.dual *= self.weight_of(done - 1) / self.weight_of(done)


def _prepare(model: nn.Sequential, experiment: Experiment) -> None:
    keys = experiment.ternary
    project_layers(model, per=keys.per, layers=keys.layers, sparsity=keys.sparsity)


def _schedule(experiment: Experiment) -> Schedule:
    keys, frozen = experiment.indirect, experiment.ternary.frozen
    admm = keys.projection == "admm"
    return Alternation(
        experiment.training.epochs, frozen=FROZEN if frozen is None else frozen, phase=keys.phase,
        rho=keys.rho if admm else 0.0, growth=keys.growth if admm else 1.0,
    )  # fmt: skip


INDIRECT = Algorithm(
    name="indirect",
    what="full-precision phases alternate with projections to ternary weights, plain or by ADMM",
    prepare=_prepare,
    schedule=_schedule,
    unused=("ternary.method", "ternary.ramp"),
)
