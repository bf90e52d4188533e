"""Ours: alpha and delta are both learned, as logarithms, and start at TWN's; symmetric, unlike TTQ.

To delta, t has the gradient of clamp(w / (2 delta), -1, 1), the line whose value at +-delta is +-1/2 (our choice). The
gradient reaches the full-precision weight unchanged: one that was masked beyond 2 delta, as in LSQ, would leave weights
stuck there. With a sparsity only alpha is left to learn.
"""

from __future__ import annotations

from torch import Tensor, nn

from tern2lava.train.quantisers.quantiser import LEAST, Quantiser, Ternary
from tern2lava.train.quantisers.rows import mean_above, rows, signs_above, straight_through
from tern2lava.train.quantisers.twn import twn_delta


class Learned(Ternary):
    """A learned threshold and a learned scale."""

    learns_scale = True
    log_alpha: Tensor

    def __init__(self, weight: Tensor, per: str, sparsity: float | None = None, *, fixed: bool = False) -> None:
        super().__init__(weight, per, sparsity, fixed=fixed)
        magnitude = rows(weight.detach(), per).abs()
        if sparsity is None:
            self.log_delta = nn.Parameter(twn_delta(magnitude).clamp(min=LEAST).log())
            start = twn_delta(magnitude)
        else:
            start = self.delta(magnitude)
        self.hold("log_alpha", mean_above(magnitude, start).clamp(min=LEAST).log())

    def own_delta(self, magnitude: Tensor) -> Tensor:
        return self.log_delta.exp()

    def scale(self, magnitude: Tensor, delta: Tensor) -> Tensor:
        return self.log_alpha.exp()

    def codes_and_scale(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(t, alpha), t with the gradient of delta."""
        w = rows(weight, self.per)
        magnitude = w.detach().abs()
        delta = self.delta(magnitude)
        line = (w.detach() / (2 * delta).clamp(min=LEAST)).clamp(-1, 1)
        return straight_through(signs_above(w, delta), line), self.scale(magnitude, delta)

    def freeze(self) -> None:
        """Leaves the scale as all that is learned."""
        if self.sparsity is None:
            self.log_delta.requires_grad_(False)


LEARNED = Quantiser(
    name="learned", make=Learned, zero="delta, learned", scale="alpha, learned; both start at `twn`'s",
    source="ours; symmetric, as the compiler needs",
)  # fmt: skip
