"""TWN (Li et al., arXiv 1605.04711, eqs. 5 and 6): delta = 0.7 mean|w|, alpha = mean of |w| above delta."""

from __future__ import annotations

from torch import Tensor

from tern2lava.train.quantisers.quantiser import Quantiser, Ternary
from tern2lava.train.quantisers.rows import mean_above

FACTOR = 0.7


def twn_delta(magnitude: Tensor) -> Tensor:
    """(groups, 1): 0.7 mean|w|."""
    return FACTOR * magnitude.mean(1, keepdim=True)


class Twn(Ternary):
    """TWN's threshold and scale, both computed from the weights."""

    def own_delta(self, magnitude: Tensor) -> Tensor:
        return twn_delta(magnitude)

    def scale(self, magnitude: Tensor, delta: Tensor) -> Tensor:
        return mean_above(magnitude, delta)


TWN = Quantiser(
    name="twn", make=Twn, zero="0.7 mean\\|w\\|", scale="mean of the \\|w\\| kept", source="Li et al., arXiv 1605.04711"
)
