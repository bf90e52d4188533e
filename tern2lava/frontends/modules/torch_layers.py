"""The layers of torch, and SpikingJelly's and our wrappers of them, each added to a GraphBuilder by its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tern2lava.compiler.ir.graph import Dense, Identity
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.item_maps import along_axes
from tern2lava.frontends.modules import linear_layers
from tern2lava.frontends.modules.arrays import as_array as as_array

if TYPE_CHECKING:
    import torch

Reader = Callable[[GraphBuilder, str, str, str, Any], None]
"""Adds a layer: (builder, its name, the node it reads, where for errors, the module)."""

WRAPPED = ("Linear", "Conv1d", "Conv2d", *linear_layers.WRAPPED)
"""Layers that SpikingJelly 2.0 (activation_based/layer/stateless_wrapper.py) subclasses with a step_mode alone."""


_SELF_SAID = frozenset((
    "__module__", "__doc__", "__qualname__", "__init__", "__annotations__", "__firstlineno__", "__static_attributes__",
    "__parameters__", "__orig_bases__", "__constants__", "__repr__", "__jit_unused_properties__", "extra_repr",
    "reset_parameters", "supported_backends",
))  # fmt: skip
"""What a subclass may say anew without computing anything else: its numbers are read from the module itself."""


def class_path(module: torch.nn.Module) -> str:
    """Dotted path of a module's class; of the class that it computes as, where a subclass changes nothing that counts
    (torch's parametrize puts such a one in front)."""
    kind: type[object] = type(module)
    base = kind.__base__
    if hasattr(module, "parametrizations") and base is not None and kind.__name__ == f"Parametrized{base.__name__}":
        kind = base
    own = f"{kind.__module__}.{kind.__qualname__}"
    while not _is_known(kind):
        base = kind.__base__
        if len(kind.__bases__) != 1 or base is None or base.__module__ == "torch.nn.modules.module":
            return own
        if any(name not in _SELF_SAID and hasattr(base, name) for name in vars(kind)):
            return own
        kind = base
    return f"{kind.__module__}.{kind.__qualname__}"


def class_name(module: torch.nn.Module) -> str:
    """The last part of class_path."""
    return class_path(module).rsplit(".", 1)[1]


def _is_known(kind: type[object]) -> bool:
    """Whether a class is one of torch or of a framework, and not of a user."""
    return kind.__module__.partition(".")[0] in ("torch", "snntorch", "spikingjelly", "norse", "tern2lava")


def weight_and_bias(layer: Any, where: str) -> tuple[Reals, Reals | None]:
    """Weight and bias (or None) of a layer."""
    bias = None if layer.bias is None else as_array(f"{where}.bias", layer.bias)
    return as_array(f"{where}.weight", layer.weight), bias


def _linear(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    """A matrix on the last axis, once for each place on the others."""
    weight, bias = weight_and_bias(layer, where)
    if len(builder.shape[source]) == 1:
        builder.add(Dense(name=name, inputs=(source,), weight=weight, bias=bias), where)
        return
    shape = linear_layers.item_shape(builder, source)
    if shape[-1] != weight.shape[1]:
        raise InputError(
            where,
            f"requires a last axis of {weight.shape[1]}, which torch maps alone; found shape {shape}; put a Flatten "
            "before it",
        )
    given = along_axes(shape, {len(shape) - 1: weight})
    last = name if bias is None else f"{name}.product"
    linear_layers.add_map(builder, last, source, where, given)
    if bias is not None:
        linear_layers.add_offset(builder, name, last, where, np.broadcast_to(bias, given.shape))


def _conv(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    if layer.padding_mode != "zeros":
        raise UnsupportedError(
            where,
            "padding with zeros",
            f"padding_mode {layer.padding_mode}",
            "pad by a layer in front; zeros change the network",
        )
    weight, bias = weight_and_bias(layer, where)
    padding = layer.padding if isinstance(layer.padding, str) else pair(layer.padding, 0)
    builder.conv(
        name,
        source,
        where,
        weight=weight,
        bias=bias,
        stride=pair(layer.stride, 1),
        padding=(0, 0) if padding == "valid" else padding,
        dilation=pair(layer.dilation, 1),
        groups=layer.groups,
    )


def _batchnorm(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    if layer.running_mean is None:
        raise UnsupportedError(
            where,
            "stored statistics",
            "track_running_stats=False",
            "a batch's own statistics are no constants; stored ones change the network",
        )
    builder.batchnorm(
        name,
        source,
        where,
        weight=None if layer.weight is None else as_array(f"{where}.weight", layer.weight),
        bias=None if layer.bias is None else as_array(f"{where}.bias", layer.bias),
        mean=as_array(f"{where}.running_mean", layer.running_mean),
        var=as_array(f"{where}.running_var", layer.running_var),
        eps=float(layer.eps),
    )


def _identity(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    builder.add(Identity(name=name, inputs=(source,)), where)


def pair(value: Any, first: int) -> tuple[int, int]:
    """(y, x) of a torch size: one number for both, two, or the one of a one-dimensional layer (`first` for y)."""
    values = (value, value) if isinstance(value, int) else tuple(value)
    return cast("tuple[int, int]", values if len(values) == 2 else (first, values[0]))


DROPOUTS = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
_OWN: dict[str, Reader] = {
    "linear.Linear": _linear,
    "linear.Identity": _identity,
    "conv.Conv1d": _conv,
    "conv.Conv2d": _conv,
    "batchnorm.BatchNorm1d": _batchnorm,
    "batchnorm.BatchNorm2d": _batchnorm,
    **linear_layers.LINEAR,
    **{f"dropout.{name}": _identity for name in DROPOUTS},
}
_SPIKINGJELLY = "spikingjelly.activation_based.layer"
_DROPCONNECT = "tern2lava.train.dropout.DropConnect"
_BY_NAME = {path.rsplit(".", 1)[1]: reader for path, reader in _OWN.items()}
READERS: dict[str, Reader] = {
    **{f"torch.nn.modules.{path}": reader for path, reader in _OWN.items()},
    **{f"{_SPIKINGJELLY}.stateless_wrapper.{name}": _BY_NAME[name] for name in WRAPPED},
    **{f"{_SPIKINGJELLY}.{path}": reader for path, reader in linear_layers.SPIKINGJELLY.items()},
    **{f"{_SPIKINGJELLY}.bn.BatchNorm{n}d": _batchnorm for n in (1, 2)},
    **{f"{_SPIKINGJELLY}.dropout.{name}": _identity for name in ("Dropout", "Dropout2d")},
    **{f"{_DROPCONNECT}{name}": _BY_NAME[name] for name in ("Linear", "Conv2d")},
}
"""The reader of each layer class, by its dotted path."""

TRAINED = frozenset(path for path in READERS if any(word in path for word in ("BatchNorm", "Drop")))
"""Layers that compute something else in training."""

_NUMBERED = ("Linear", "Conv", "BatchNorm", "DropConnect")
WEIGHTED = frozenset(path for path in READERS if path.rsplit(".", 1)[1].startswith(_NUMBERED))
"""Layers that have numbers of their own."""

IN_TRAINING = "dropout and batch normalisation are read as in evaluation (the module is in training mode)"
ANY_AXES = frozenset(path for path in READERS if path.rsplit(".", 1)[1] in ("Linear", "Identity", "Dropout"))
"""Layers that compute the same on (time, batch, ...) as on (batch, ...)."""
