"""absmean of BitNet b1.58 (Ma et al., arXiv 2402.17764): alpha = mean|w|, t = clamp(round(w / alpha), -1, 1).

So delta = alpha / 2. With a sparsity alpha is TWN's, as mean|w| would be too small for the few weights kept.
"""

from __future__ import annotations

from torch import Tensor

from tern2lava.train.quantisers.quantiser import Quantiser, Ternary
from tern2lava.train.quantisers.rows import mean_above


class AbsMean(Ternary):
    """absmean's threshold and scale, both computed from the weights."""

    def own_delta(self, magnitude: Tensor) -> Tensor:
        return magnitude.mean(1, keepdim=True) / 2

    def scale(self, magnitude: Tensor, delta: Tensor) -> Tensor:
        return 2 * delta if self.sparsity is None else mean_above(magnitude, delta)


ABSMEAN = Quantiser(
    name="absmean", make=AbsMean, zero="mean\\|w\\| / 2", scale="mean\\|w\\|", source="Ma et al., arXiv 2402.17764"
)
