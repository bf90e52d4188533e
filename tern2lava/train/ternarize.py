"""Ternary weights while training: parametrisations with straight-through gradients, and the plain weights they leave.

A layer keeps its full-precision weight; its `weight` is alpha * t with t in {-1, 0, +1}, recomputed at every access,
so that any optimiser and any surrogate-gradient trainer works unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from tern2lava.errors import InputError
from tern2lava.registry import one_of
from tern2lava.train.quantisers import QUANTISERS
from tern2lava.train.quantisers.quantiser import SCOPES, Ternary

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
Sparsity = float | Mapping[str, float] | None
"""The fraction of zeros: of every layer, by layer (as the quantiser has it where one is not named), or none given."""


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
    sparsity: Sparsity = None,
    before_norm: Iterable[str] | None = None,
) -> nn.Module:
    """`model` itself, its layers (all, or those named) now with ternary weights; the methods are quantisers.QUANTISERS.

    before_norm: the layers whose output goes straight to a batch norm, whose learned scales are kept fixed
    (quantiser.Ternary); without it, those that are followed by one in an nn.Sequential.

    Works on any torch module: Linear, Conv1d and Conv2d inside snnTorch, SpikingJelly (whose layers subclass torch's)
    or Norse networks. Biases stay as they are. Make the optimiser after this call. Raises InputError.
    """
    if method not in QUANTISERS:
        raise InputError(
            "method", f"requires one of {', '.join(QUANTISERS.names())}; found {method!r}; choose one of them"
        )
    quantiser = QUANTISERS.get(method)
    if per not in SCOPES:
        raise InputError("per", f"requires one of {', '.join(SCOPES)}; found {per!r}; choose one of them")
    of = sparsity_of(model, sparsity)
    if sparsity is not None and not quantiser.takes_sparsity:
        others = one_of(tuple(each.name for each in QUANTISERS.registered() if each.takes_sparsity))
        raise InputError(
            "sparsity", f"requires a method with a threshold of its own; found {method}; leave it out, or take {others}"
        )
    fixed = set(followed_by_norm(model) if before_norm is None else layers_with_weights(model, before_norm))
    return parametrized(model, layers, lambda name, weight: quantiser.make(weight, per, of(name), fixed=name in fixed))


def sparsity_of(model: nn.Module, sparsity: Sparsity) -> Callable[[str], float | None]:
    """What says the fraction of zeros of a layer by its name; None: as the quantiser has it. InputError for fractions
    that are none, and names of no layer."""
    by_name = isinstance(sparsity, Mapping)
    given = dict(sparsity) if isinstance(sparsity, Mapping) else {} if sparsity is None else {"": sparsity}
    for fraction in given.values():
        if not 0.0 <= fraction < 1.0:
            raise InputError(
                "sparsity",
                f"requires a fraction of zero weights, at least 0 and below 1; found {fraction}; give for example 0.6",
            )
    if by_name:
        layers_with_weights(model, given)
    return given.get if by_name else lambda name: given.get("")


def followed_by_norm(model: nn.Module) -> list[str]:
    """Names of the layers that are followed by a batch norm in an nn.Sequential, so that nothing else reads them."""
    found = []
    for prefix, module in model.named_modules():
        if isinstance(module, nn.Sequential):
            for (name, layer), (_, after) in pairwise(module.named_children()):
                if isinstance(layer, LAYERS) and isinstance(after, _BatchNorm):
                    found.append(f"{prefix}.{name}" if prefix else name)
    return found


def parametrized(model: nn.Module, layers: Iterable[str] | None, make: Callable[[str, Tensor], Ternary]) -> nn.Module:
    """`model` itself, each of its layers (all, or those named) now with what `make` makes of its name and
    weight. Raises InputError."""
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
    for name, module in chosen.items():
        weight = module.weight
        assert isinstance(weight, Tensor)
        parametrize.register_parametrization(module, "weight", make(name, weight))
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
