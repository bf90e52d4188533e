"""TTQ, symmetric: delta = 0.05 max|w|, and a learned alpha (Zhu et al., arXiv 1612.01064, eqs. 6 to 8).

    dL/dalpha = sum of g t,        dL/dw = alpha g where t != 0, else g,        g = dL/d(alpha t)

Theirs has two scales, one for +1 and one for -1; a compiler that folds scales into thresholds needs one, so here both
are alpha. It starts at the mean of the weights kept.
"""

from __future__ import annotations

from torch import Tensor

from tern2lava.train.quantisers.quantiser import LEAST, Quantiser, Ternary
from tern2lava.train.quantisers.rows import mean_above, rows

FACTOR = 0.05


class Ttq(Ternary):
    """TTQ's threshold, computed from the weights, and its one scale, learned."""

    learns_scale = True
    alpha: Tensor

    def __init__(self, weight: Tensor, per: str, sparsity: float | None = None, *, fixed: bool = False) -> None:
        super().__init__(weight, per, sparsity, fixed=fixed)
        magnitude = rows(weight.detach(), per).abs()
        self.hold("alpha", mean_above(magnitude, self.delta(magnitude)).clamp(min=LEAST))

    def own_delta(self, magnitude: Tensor) -> Tensor:
        return FACTOR * magnitude.amax(1, keepdim=True)

    def scale(self, magnitude: Tensor, delta: Tensor) -> Tensor:
        return self.alpha.clamp(min=LEAST)

    def soft(self, weight: Tensor, t: Tensor, alpha: Tensor) -> Tensor:
        kept = t.detach().abs()
        factor = kept * alpha.detach() + (1 - kept)
        return factor.reshape(weight.shape) * weight + (t * alpha).reshape(weight.shape)


TTQ = Quantiser(
    name="ttq", make=Ttq, zero="0.05 max\\|w\\|", scale="learned, one where theirs has two",
    source="Zhu et al., arXiv 1612.01064, symmetric",
)  # fmt: skip
