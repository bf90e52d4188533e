"""LSQ with three levels: a learned step s, t = clamp(round(w / s), -1, 1), so delta = s / 2 and alpha = s.

Esser et al., arXiv 1902.08153, eqs. 1 to 5, with Q_N = Q_P = 1; g = dL/d(s t), N the weights that share s:

    dL/ds = 1 / sqrt(N Q_P) * sum of g (t - w / s where |w / s| < 1, else sign(w)),      dL/dw = g where |w / s| < 1

s starts at 2 mean|w| / sqrt(Q_P). Unlike the other quantisers it stops the gradient of weights beyond s, as the paper
does. It has no sparsity: the step is the threshold.
"""

from __future__ import annotations

from torch import Tensor

from tern2lava.train.quantisers.quantiser import LEAST, Quantiser, Ternary
from tern2lava.train.quantisers.rows import rows, straight_through


class Lsq(Ternary):
    """LSQ's step, learned, which is threshold and scale at once."""

    learns_scale = True
    step: Tensor

    def __init__(self, weight: Tensor, per: str, sparsity: float | None = None, *, fixed: bool = False) -> None:
        super().__init__(weight, per, None, fixed=fixed)
        self.hold("step", (2 * rows(weight.detach(), per).abs().mean(1, keepdim=True)).clamp(min=LEAST))

    def own_delta(self, magnitude: Tensor) -> Tensor:
        return self.step.detach().clamp(min=LEAST) / 2

    def scale(self, magnitude: Tensor, delta: Tensor) -> Tensor:
        return self.step.clamp(min=LEAST)

    def soft(self, weight: Tensor, t: Tensor, alpha: Tensor) -> Tensor:
        w = rows(weight, self.per)
        damped = straight_through(alpha.detach(), alpha / w.shape[1] ** 0.5)
        return (straight_through(t, (w / damped).clamp(-1, 1)) * damped).reshape(weight.shape)

    def freeze(self) -> None:
        """Leaves nothing to learn: a step that moves would move codes."""
        self.step.requires_grad_(False)


LSQ = Quantiser(
    name="lsq", make=Lsq, zero="s / 2", scale="s, the step, learned", source="Esser et al., arXiv 1902.08153",
    takes_sparsity=False,
)  # fmt: skip
