"""The nearest ternary weights, and layers that hold them beside their full-precision ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from tern2lava.train.quantisers.quantiser import Ternary
from tern2lava.train.quantisers.rows import rows
from tern2lava.train.ternarize import Sparsity, followed_by_norm, parametrizations, parametrized, sparsity_of, ternaries


def nearest(w: Tensor, sparsity: float | None) -> tuple[Tensor, Tensor]:
    """(t (groups, weights) in {-1, 0, +1}, alpha (groups, 1) > 0) of least ||w - alpha t||^2 for each row of w.

    With the k largest magnitudes kept, the best alpha is their mean, and what is left of the error is
    ||w||^2 - (sum of the k)^2 / k: so the best k is where (sum of the k largest)^2 / k is largest (the smallest of
    equals). A `sparsity` fixes k instead. A row of zeros gets t = 0.
    """
    magnitude = w.detach().abs()
    ordered = magnitude.double().sort(dim=1, descending=True, stable=True)
    sums = ordered.values.cumsum(1)
    count = torch.arange(1, w.shape[1] + 1, device=w.device, dtype=sums.dtype)
    if sparsity is None:
        kept = (sums**2 / count).argmax(1, keepdim=True) + 1
    else:
        kept = torch.full((len(w), 1), max(1, w.shape[1] - round(sparsity * w.shape[1])), device=w.device)
    mask = torch.zeros_like(magnitude, dtype=torch.bool)
    mask.scatter_(1, ordered.indices, count.expand_as(sums) <= kept)
    mask &= magnitude > 0
    total = (magnitude.double() * mask).sum(1, keepdim=True)
    alpha = (total / mask.sum(1, keepdim=True).clamp(min=1)).to(w.dtype)
    return torch.where(mask, torch.sign(w.detach()), 0.0), alpha.clamp(min=1e-8)


class Projected(Ternary):
    """A weight of full precision (blend 0) or ternary (blend 1), whose codes change in `project` alone.

    Buffers `codes` (in {-1, 0, +1}, int8) and `dual` (U of ADMM) have the weight's shape; log_alpha has a gradient
    where the layer is ternary and its scale not fixed (in front of a batch norm, quantiser.Ternary).
    """

    learns_scale = True
    codes: Tensor
    dual: Tensor
    log_alpha: Tensor

    def __init__(self, weight: Tensor, per: str, sparsity: float | None, *, fixed: bool = False) -> None:
        super().__init__(weight, per, sparsity, fixed=fixed)
        self.blend = 0.0
        groups = len(rows(weight, per))
        self.hold("log_alpha", weight.new_zeros(groups, 1))
        self.register_buffer("codes", torch.zeros_like(weight, dtype=torch.int8))
        self.register_buffer("dual", torch.zeros_like(weight))
        self.project(weight)

    def project(self, weight: Tensor) -> None:
        """Takes the nearest codes and scales of `weight`."""
        t, alpha = nearest(rows(weight, self.per), self.sparsity)
        with torch.no_grad():
            self.codes.copy_(t.reshape(weight.shape))
            self.log_alpha.copy_(alpha.log())

    def projected(self, weight: Tensor) -> Tensor:
        """alpha * codes without gradient, in the shape of `weight`."""
        return self.ternary(weight).detach()

    def codes_and_scale(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(codes (groups, weights), alpha (groups, 1)); the weight itself does not matter."""
        return rows(self.codes, self.per).to(weight.dtype), self.log_alpha.exp()

    def ternary(self, weight: Tensor) -> Tensor:
        """alpha * codes, with the gradient of alpha."""
        t, alpha = self.codes_and_scale(weight)
        return (t * alpha).reshape(weight.shape)

    def forward(self, weight: Tensor) -> Tensor:
        return self.ternary(weight) if self.blend >= 1.0 else weight


def project_layers(
    model: nn.Module, *, per: str, layers: Iterable[str] | None = None, sparsity: Sparsity = None
) -> nn.Module:
    """`model` itself, its layers (all, or those named) now with Projected weights. Raises InputError as ternarize."""
    of, fixed = sparsity_of(model, sparsity), set(followed_by_norm(model))
    return parametrized(model, layers, lambda name, weight: Projected(weight, per, of(name), fixed=name in fixed))


def projections(model: nn.Module) -> Iterator[tuple[Projected, Tensor]]:
    """(the projection, the full-precision weight) of each layer with Projected weights."""
    for _, module, ternary in ternaries(model):
        if isinstance(ternary, Projected):
            yield ternary, parametrizations(module).original
