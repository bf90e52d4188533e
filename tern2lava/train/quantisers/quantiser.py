"""How a full-precision weight becomes alpha * {-1, 0, +1}: one entry of QUANTISERS for each way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from tern2lava.registry import Registry
from tern2lava.train.quantisers.rows import rows, signs_above, straight_through, threshold_for_sparsity

SCOPES = ("tensor", "channel")
LEAST = 1e-8
"""The least scale and threshold of a group, so that one of zeros stays finite."""


class Ternary(nn.Module):
    """A parametrisation: weight -> alpha * t per tensor or output channel, t = sign(w) where |w| > delta else 0.

    A quantiser says delta and alpha; a `sparsity` replaces delta by the quantile of |w| that leaves this fraction at
    zero. The gradient reaches the full-precision weight unchanged, wherever the weight stands, unless the quantiser
    says otherwise.

    fixed: a learned scale stays where it starts. That is for a layer in front of a batch norm, which divides the scale
    out again: what gradient is left of it is rounding noise and the batch norm's eps. The scale starts at the mean of
    the weights kept, so that blending in changes the layer's output as little as one scale can.

    `blend` in [0, 1] is the ternary part of what the layer computes with: (1 - blend) * w + blend * alpha * t.
    """

    learns_scale = False
    """Whether alpha is a parameter, of its own learning rate and never of weight decay, which `fixed` keeps fixed."""

    def __init__(self, weight: Tensor, per: str, sparsity: float | None = None, *, fixed: bool = False) -> None:
        super().__init__()
        self.per, self.sparsity, self.fixed = per, sparsity, fixed
        self.blend = 1.0

    def own_delta(self, magnitude: Tensor) -> Tensor:
        """(groups, 1): the threshold for magnitudes (groups, weights) where no sparsity is asked for."""
        raise NotImplementedError

    def scale(self, magnitude: Tensor, delta: Tensor) -> Tensor:
        """(groups, 1): alpha for magnitudes (groups, weights) and the threshold, with the gradient of what is
        learned."""
        raise NotImplementedError

    def delta(self, magnitude: Tensor) -> Tensor:
        """(groups, 1): the threshold, by the sparsity or the quantiser's own."""
        if self.sparsity is not None:
            return threshold_for_sparsity(magnitude, self.sparsity)
        return self.own_delta(magnitude)

    def codes_and_scale(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(t (groups, weights) in {-1, 0, +1}, alpha (groups, 1)), with the gradients of what is learned."""
        w = rows(weight, self.per)
        magnitude = w.detach().abs()
        delta = self.delta(magnitude)
        return signs_above(w, delta), self.scale(magnitude, delta)

    def soft(self, weight: Tensor, t: Tensor, alpha: Tensor) -> Tensor:
        """What alpha * t has the gradient of, in the shape of `weight`: the weight, and what t and alpha have."""
        learned = t * alpha
        return weight + learned.reshape(weight.shape) if learned.requires_grad else weight

    def ternary(self, weight: Tensor) -> Tensor:
        """alpha * t in the shape of `weight`, every element bit-identical to -alpha, 0 or +alpha of its group."""
        t, alpha = self.codes_and_scale(weight)
        hard = (t * alpha).detach().reshape(weight.shape)
        return straight_through(hard, self.soft(weight, t, alpha))

    def freeze(self) -> None:
        """Leaves the scale as all that is learned: codes no longer change where the weight does not."""

    def hold(self, name: str, value: Tensor) -> None:
        """Holds a learned scale under its name: a parameter, or a buffer where it is fixed."""
        if self.fixed:
            self.register_buffer(name, value)
        else:
            setattr(self, name, nn.Parameter(value))

    def forward(self, weight: Tensor) -> Tensor:
        if self.blend >= 1.0:
            return self.ternary(weight)
        return (1.0 - self.blend) * weight + self.blend * self.ternary(weight)


@dataclass(frozen=True, kw_only=True)
class Quantiser:
    """One way of ternarisation. make(weight, per, sparsity, fixed=...): its parametrisation of a layer's weight. zero,
    scale, source: its row of docs/training.md. takes_sparsity: whether a fraction of zeros may be asked of it."""

    name: str
    make: Callable[..., Ternary]
    zero: str
    scale: str
    source: str
    takes_sparsity: bool = True


QUANTISERS: Registry[Quantiser] = Registry("quantiser")
