"""Ternary weights while training: parametrisations with straight-through gradients, and the plain weights they leave.

A layer keeps its full-precision weight; its `weight` is alpha * t with t in {-1, 0, +1}, recomputed at every access,
so that any optimiser and any surrogate-gradient trainer works unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tern2lava.errors import InputError

METHODS = ("twn", "absmean", "learned")
SCOPES = ("tensor", "channel")
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
TWN_FACTOR = 0.7


class StraightThrough(torch.autograd.Function):
    """Forward: `hard`, bit for bit. Backward: the gradient goes to `soft` (Bengio et al., arXiv 1308.3432)."""

    @staticmethod
    def forward(ctx: Any, hard: Tensor, soft: Tensor) -> Tensor:
        return hard.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        return None, gradients[0]


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """`hard` with the gradient of `soft`."""
    result: Tensor = StraightThrough.apply(hard, soft)
    return result


def rows(weight: Tensor, per: str) -> Tensor:
    """View (groups, weights): one group for the tensor, or one per output channel."""
    return weight.reshape(1, -1) if per == "tensor" else weight.reshape(weight.shape[0], -1)


def threshold_for_sparsity(magnitude: Tensor, sparsity: float) -> Tensor:
    """(groups, 1): the magnitude at or below which a fraction `sparsity` (rounded to whole weights) of a group lies."""
    zeros = round(sparsity * magnitude.shape[1])
    if zeros == 0:
        return magnitude.new_zeros((magnitude.shape[0], 1))
    return magnitude.kthvalue(zeros, dim=1, keepdim=True).values


def mean_above(magnitude: Tensor, delta: Tensor) -> Tensor:
    """(groups, 1): mean of the magnitudes above delta, the scale of least squared error for that support; 0 if none."""
    kept = magnitude > delta
    return (magnitude * kept).sum(1, keepdim=True) / kept.sum(1, keepdim=True).clamp(min=1)


def signs_above(w: Tensor, delta: Tensor) -> Tensor:
    """Codes in {-1, 0, +1} without gradient: the sign of w where |w| > delta (never -0.0)."""
    w, delta = w.detach(), delta.detach()
    return (w > delta).to(w.dtype) - (w < -delta).to(w.dtype)


class Ternary(nn.Module):
    """weight -> alpha * t per tensor or output channel, t = sign(w) where |w| > delta else 0.

    twn      delta = 0.7 * mean|w|, alpha = mean of |w| above delta (Li et al., arXiv 1605.04711, eqs. 5 and 6)
    absmean  alpha = mean|w|, t = clamp(round(w / alpha), -1, 1), so delta = alpha / 2 (Ma et al., arXiv 2402.17764)
    learned  alpha and delta are parameters, started at TWN's (symmetric, unlike TTQ, arXiv 1612.01064); to delta, t
             has the gradient of clamp(w / (2 delta), -1, 1), the line whose value at +-delta is +-1/2 (our choice)
    A `sparsity` replaces delta by the quantile of |w| that leaves this fraction at zero; absmean then takes alpha as
    TWN does, as its own would be too small for the few weights kept.
    The gradient reaches the full-precision weight unchanged, wherever the weight stands: one that was masked beyond
    2 delta, as in LSQ (arXiv 1902.08153), would leave weights stuck there.

    `blend` in [0, 1] is the ternary part of what the layer computes with: (1 - blend) * w + blend * alpha * t.
    """

    def __init__(self, weight: Tensor, method: str, per: str, sparsity: float | None) -> None:
        super().__init__()
        self.method, self.per, self.sparsity = method, per, sparsity
        self.blend = 1.0
        if method == "learned":
            magnitude = rows(weight.detach(), per).abs()
            delta = self._delta(magnitude)
            self.log_alpha = nn.Parameter(mean_above(magnitude, delta).clamp(min=1e-8).log())
            if sparsity is None:
                self.log_delta = nn.Parameter(delta.clamp(min=1e-8).log())

    def _delta(self, magnitude: Tensor) -> Tensor:
        if self.sparsity is not None:
            return threshold_for_sparsity(magnitude, self.sparsity)
        if self.method == "absmean":
            return magnitude.mean(1, keepdim=True) / 2
        return TWN_FACTOR * magnitude.mean(1, keepdim=True)

    def freeze(self) -> None:
        """Leaves the scale as all that is learned: codes no longer change where the weight does not."""
        if hasattr(self, "log_delta"):
            self.log_delta.requires_grad_(False)

    def codes_and_scale(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(t (groups, weights) in {-1, 0, +1}, alpha (groups, 1)), with the gradients of what is learned."""
        w = rows(weight, self.per)
        magnitude = w.detach().abs()
        if self.method == "learned":
            delta = self._delta(magnitude) if self.sparsity is not None else self.log_delta.exp()
            soft = (w.detach() / (2 * delta).clamp(min=1e-8)).clamp(-1, 1)
            return straight_through(signs_above(w, delta), soft), self.log_alpha.exp()
        delta = self._delta(magnitude)
        scale = 2 * delta if self.method == "absmean" and self.sparsity is None else mean_above(magnitude, delta)
        return signs_above(w, delta), scale

    def ternary(self, weight: Tensor) -> Tensor:
        """alpha * t in the shape of `weight`, every element bit-identical to -alpha, 0 or +alpha of its group."""
        t, alpha = self.codes_and_scale(weight)
        hard = (t * alpha).reshape(weight.shape)
        return straight_through(hard.detach(), weight + hard if self.method == "learned" else weight)

    def forward(self, weight: Tensor) -> Tensor:
        if self.blend >= 1.0:
            return self.ternary(weight)
        return (1.0 - self.blend) * weight + self.blend * self.ternary(weight)


def layers_with_weights(model: nn.Module, names: Iterable[str] | None = None) -> dict[str, nn.Module]:
    """The Linear and convolution layers of `model` by name: all of them, or those named (InputError if not there)."""
    found: dict[str, nn.Module] = {name: module for name, module in model.named_modules() if isinstance(module, LAYERS)}
    if names is None:
        return found
    wanted = list(names)
    for name in wanted:
        if name not in found:
            raise InputError(
                f"layer {name!r}",
                f"requires the name of a Linear or convolution; found another; choose from {', '.join(found)}",
            )
    return {name: found[name] for name in wanted}


def ternarize(
    model: nn.Module,
    method: str = "twn",
    *,
    per: str = "tensor",
    layers: Iterable[str] | None = None,
    sparsity: float | None = None,
) -> nn.Module:
    """`model` itself, its layers (all, or those named) now with ternary weights; see Ternary for the methods.

    Works on any torch module: Linear, Conv1d and Conv2d inside snnTorch, SpikingJelly (whose layers subclass torch's)
    or Norse networks. Biases stay as they are. Make the optimiser after this call. Raises InputError.
    """
    if method not in METHODS:
        raise InputError("method", f"requires one of {', '.join(METHODS)}; found {method!r}; choose one of them")
    if per not in SCOPES:
        raise InputError("per", f"requires one of {', '.join(SCOPES)}; found {per!r}; choose one of them")
    if sparsity is not None and not 0.0 <= sparsity < 1.0:
        raise InputError(
            "sparsity",
            f"requires a fraction of zero weights, at least 0 and below 1; found {sparsity}; give for example 0.6",
        )
    return parametrized(model, layers, lambda weight: Ternary(weight, method, per, sparsity))


def parametrized(model: nn.Module, layers: Iterable[str] | None, make: Callable[[Tensor], Ternary]) -> nn.Module:
    """`model` itself, each of its layers (all, or those named) now with what `make` makes of its weight. Raises
    InputError."""
    chosen = layers_with_weights(model, layers)
    if not chosen:
        raise InputError(
            "model", "requires a Linear, Conv1d or Conv2d layer to ternarise; found none; give a model with one"
        )
    for name, module in chosen.items():
        if parametrize.is_parametrized(module, "weight"):
            raise InputError(
                f"layer {name!r}",
                "requires a plain weight; found one that is parametrised already; ternarise a model once",
            )
    for module in chosen.values():
        weight = module.weight
        assert isinstance(weight, Tensor)
        parametrize.register_parametrization(module, "weight", make(weight))
    return model


def parametrizations(module: Any) -> Any:
    """The torch ParametrizationList of a parametrised weight."""
    return module.parametrizations.weight


def ternaries(model: nn.Module) -> Iterator[tuple[str, nn.Module, Ternary]]:
    """(name, layer, its Ternary) for every ternarised layer."""
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            last = parametrizations(module)[-1]
            if isinstance(last, Ternary):
                yield name, module, last


def set_blend(model: nn.Module, blend: float) -> None:
    """Sets the ternary part of every ternarised layer (1: fully ternary)."""
    for _, _, ternary in ternaries(model):
        ternary.blend = blend


def freeze(model: nn.Module) -> None:
    """Lets the codes of every ternarised layer stand still: only scales (where learned), and all that is no weight of
    these layers, still get gradients."""
    for _, module, ternary in ternaries(model):
        parametrizations(module).original.requires_grad_(False)
        ternary.freeze()


def finalize(model: nn.Module) -> dict[str, Tensor]:
    """A plain state_dict (detached copies on the CPU) whose ternarised weights are exactly alpha * {-1, 0, +1}.

    Loads into the same architecture without parametrisations. The model is not changed.
    """
    weights = {}
    for name, module, ternary in ternaries(model):
        original = parametrizations(module).original
        with torch.no_grad():
            weights[name] = ternary.ternary(original)
    result: dict[str, Tensor] = {}
    for key, value in model.state_dict().items():
        owner, found, rest = key.partition("parametrizations.weight.")
        if not found or owner.rstrip(".") not in weights:
            result[key] = value.detach().cpu().clone()
        elif rest == "original":
            result[f"{owner}weight"] = weights[owner.rstrip(".")].detach().cpu().clone()
    return result
