"""Layers of torch that move, average or spread their input, each added to a GraphBuilder as one linear map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import ChannelAffine, Delay, Flatten, Identity, PoolKind
from tern2lava.compiler.ir.shapes import Reals, Shape, size
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.item_maps import (
    ItemMap,
    adaptive,
    along_axes,
    grouped_means,
    items,
    means,
    moved,
    transposed_convolution,
    window_sizes,
    windows,
)
from tern2lava.frontends.modules.arrays import as_array
from tern2lava.frontends.spike_logic import require_spikes

Reader = Callable[[GraphBuilder, str, str, str, Any], None]

MOST_ENTRIES = 1 << 24
"""Entries of a map that is written out, for which a network is surely not meant to have more."""


def item_shape(builder: GraphBuilder, source: str) -> Shape:
    """The shape of a node as a layer of torch sees it, without batch."""
    shape = builder.shape[source]
    return (shape[0], shape[2]) if builder.one_dimensional and len(shape) == 3 else shape


def add_map(builder: GraphBuilder, name: str, source: str, where: str, given: ItemMap) -> None:
    """Add a map as a node."""
    if given.rows.size > MOST_ENTRIES:
        raise UnsupportedError(
            where, f"maps of at most {MOST_ENTRIES:,} entries", f"{given.rows.size:,}",
            "make the image or the number of channels smaller (which changes the network)",
        )  # fmt: skip
    builder.sparse(name, source, where, given.shape, given.rows, given.columns, given.values)


def add_offset(builder: GraphBuilder, name: str, source: str, where: str, offset: Reals) -> None:
    """Add a number to each item: to the flattened items, which get their shape back."""
    builder.add(Flatten(name=f"{name}.flat", inputs=(source,)), where)
    added = ChannelAffine(name=f"{name}.each", inputs=(f"{name}.flat",), gain=np.ones(()), offset=offset.reshape(-1))
    builder.add(added, where)
    add_map(builder, name, f"{name}.each", where, moved(items(offset.shape)))


def per_axis(value: Any, axes: int) -> tuple[int, ...]:
    """A size of torch for each of the last `axes` axes: one number for all, or one each."""
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    return values * axes if len(values) == 1 else values


def average_pooling(
    builder: GraphBuilder, name: str, source: str, where: str, *, axes: int, kernel: Any, stride: Any, padding: Any,
    ceil: bool = False, padded: bool = True, divisor: int | None = None,
) -> None:  # fmt: skip
    """torch's average pooling over the last `axes` axes, with all of its arguments; divisor 1 gives sums."""
    shape = item_shape(builder, source)
    sizes, pads = per_axis(kernel, axes), per_axis(padding, axes)
    steps = sizes if stride is None else per_axis(stride, axes)
    whole = not any((n + 2 * p - k) % s for n, k, s, p in zip(shape[-axes:], sizes, steps, pads, strict=True))
    plain = (not ceil or whole) and (padded or not any(pads)) and divisor in (None, 1)
    if plain and len(builder.shape[source]) == 3:
        flat = axes == 1
        kind = PoolKind.SUM if divisor == 1 else PoolKind.AVG
        window = ((1, *sizes), (1, *steps), (0, *pads)) if flat else (sizes, steps, pads)
        pairs = [(int(pair[0]), int(pair[1])) for pair in window]
        builder.pool(name, source, where, kind=kind, kernel=pairs[0], stride=pairs[1], padding=pairs[2])
        return
    along: dict[int, Reals] = {}
    for a, (k, s, p) in enumerate(zip(sizes, steps, pads, strict=True), len(shape) - axes):
        seen = windows(where, shape[a], k, s, p, ceil=ceil)
        counts = window_sizes(shape[a], k, s, p, len(seen), padded=padded)
        along[a] = seen if divisor is not None else seen / counts[:, None]
    result = along_axes(shape, along)
    if divisor is not None:
        result = ItemMap(shape=result.shape, rows=result.rows, columns=result.columns, values=result.values / divisor)
    add_map(builder, name, source, where, result)


def maximum_pooling(
    builder: GraphBuilder, name: str, source: str, where: str, *, axes: int, kernel: Any, stride: Any, padding: Any,
    dilation: Any = 1, ceil: bool = False,
) -> None:  # fmt: skip
    """torch's maximum pooling of spikes over the last `axes` axes, with all of its arguments."""
    shape = item_shape(builder, source)
    sizes, pads, holes = (per_axis(value, axes) for value in (kernel, padding, dilation))
    steps = sizes if stride is None else per_axis(stride, axes)
    whole = not any((n + 2 * p - k) % s for n, k, s, p in zip(shape[-axes:], sizes, steps, pads, strict=True))
    if (not ceil or whole) and not any(hole > 1 for hole in holes) and len(builder.shape[source]) == 3:
        window = ((1, *sizes), (1, *steps), (0, *pads)) if axes == 1 else (sizes, steps, pads)
        pairs = [(int(pair[0]), int(pair[1])) for pair in window]
        builder.maxpool(name, source, where, kernel=pairs[0], stride=pairs[1], padding=pairs[2])
        return
    builder.require_spikes(name, source, where)
    along = {
        a: windows(where, shape[a], sizes[n], steps[n], pads[n], holes[n], ceil=ceil)
        for n, a in enumerate(range(len(shape) - axes, len(shape)))
    }
    add_map(builder, f"{name}.sum", source, where, along_axes(shape, along))
    builder.largest_of(name, f"{name}.sum", where)


def adaptive_averages(builder: GraphBuilder, name: str, source: str, where: str, *, axes: int, to: Any) -> None:
    """torch's adaptive average pooling over the last `axes` axes; None in `to` keeps an axis."""
    shape = item_shape(builder, source)
    counts = per_axis(to, axes)
    along = {
        a: means(adaptive(shape[a], count if count is not None else shape[a]))
        for a, count in enumerate(counts, len(shape) - axes)
    }
    add_map(builder, name, source, where, along_axes(shape, along))


def adaptive_maxima(builder: GraphBuilder, name: str, source: str, where: str, *, axes: int, to: Any) -> None:
    """torch's adaptive maximum pooling of spikes over the last `axes` axes, to the size `to` (None: as it is)."""
    shape = item_shape(builder, source)
    builder.require_spikes(name, source, where)
    along = {
        a: adaptive(shape[a], shape[a] if size is None else size)
        for a, size in enumerate(per_axis(to, axes), len(shape) - axes)
    }
    add_map(builder, f"{name}.sum", source, where, along_axes(shape, along))
    builder.largest_of(name, f"{name}.sum", where)


def interpolated(builder: GraphBuilder, name: str, source: str, where: str, settings: dict[str, Any]) -> None:
    """torch.nn.functional.interpolate, with all of its arguments: each of its modes treats one axis after the other."""
    import torch

    shape = item_shape(builder, source)
    axes = len(shape) - 1
    mode = settings["mode"]
    alone = {"bilinear": "linear", "trilinear": "linear", "bicubic": "bicubic"}.get(mode, mode)
    to, scale = settings.get("size"), settings.get("scale_factor")
    along: dict[int, Reals] = {}
    for n, a in enumerate(range(1, len(shape))):
        own = dict(settings, mode=alone)
        own["size"] = None if to is None else per_axis(to, axes)[n]
        own["scale_factor"] = None if scale is None else (scale[n] if isinstance(scale, Sequence) else scale)
        units = torch.eye(shape[a], dtype=torch.float64)[:, None]
        if alone == "bicubic":
            own["size"] = None if to is None else (own["size"], 1)
            own["scale_factor"] = None if scale is None else (own["scale_factor"], 1.0)
            units = units[..., None]
        result = torch.nn.functional.interpolate(units, **own)
        along[a] = result.reshape(shape[a], -1).numpy().T
    add_map(builder, name, source, where, along_axes(shape, along))


def _avgpool(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    average_pooling(
        builder, name, source, where, axes=1 if type(layer).__name__.endswith("1d") else 2, kernel=layer.kernel_size,
        stride=layer.stride, padding=layer.padding, ceil=layer.ceil_mode, padded=layer.count_include_pad,
        divisor=getattr(layer, "divisor_override", None),
    )  # fmt: skip


def _lppool(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    """Sums over windows: the norm of order 1 of what is not negative."""
    if layer.norm_type != 1:
        raise UnsupportedError(
            where, "linear layers between neurons", f"LPPool of norm_type {layer.norm_type}, a root of sums of powers",
            "norm_type 1 sums spikes (which changes the network)",
        )  # fmt: skip
    require_spikes(builder, source, where, "the norm of order 1")
    axes = 1 if type(layer).__name__.endswith("1d") else 2
    average_pooling(
        builder, name, source, where, axes=axes, kernel=layer.kernel_size, stride=layer.stride, padding=0,
        ceil=layer.ceil_mode, divisor=1,
    )  # fmt: skip


def _adaptive(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    axes = 1 if type(layer).__name__.endswith("1d") else 2
    adaptive_averages(builder, name, source, where, axes=axes, to=layer.output_size)


def _upsample(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    settings = {key: getattr(layer, key, None) for key in ("size", "scale_factor", "mode", "align_corners")}
    settings["recompute_scale_factor"] = getattr(layer, "recompute_scale_factor", None)
    interpolated(builder, name, source, where, settings)


def _transposed(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    weight = as_array(f"{where}.weight", layer.weight)
    flat = weight.ndim == 3
    held = builder.shape[source]
    if flat and len(held) == 2:
        held = (held[0], 1, held[1])
    sizes = [layer.stride, layer.padding, layer.output_padding, layer.dilation]
    if flat:
        weight = weight[:, :, None, :]
        sizes = [(first, *per_axis(value, 1)) for first, value in zip((1, 0, 0, 1), sizes, strict=True)]
    stride, padding, output_padding, dilation = (per_axis(value, 2) for value in sizes)
    given = transposed_convolution(where, held, weight, stride, padding, output_padding, dilation, layer.groups)
    if flat and not builder.one_dimensional:
        given = ItemMap(
            shape=(given.shape[0], given.shape[2]), rows=given.rows, columns=given.columns, values=given.values
        )
    if layer.bias is None:
        add_map(builder, name, source, where, given)
        return
    bias = as_array(f"{where}.bias", layer.bias)
    add_map(builder, f"{name}.map", source, where, given)
    builder.add(ChannelAffine(name=name, inputs=(f"{name}.map",), gain=np.ones(()), offset=bias), where)


def _moving(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    """A layer that only moves elements, or puts zeros beside them: run on the elements' own numbers."""
    import torch

    shape = item_shape(builder, source)
    codes = torch.from_numpy(items(shape)).repeat(2, *(1 for _ in shape))
    own: Any = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("torch.nn.modules."))
    try:
        with torch.no_grad():
            result = own.forward(layer, codes).numpy()
    except (RuntimeError, IndexError, ValueError) as error:
        why = " ".join(str(error).split())[:160]
        raise UnsupportedError(where, "a layer that fits its input", f"{shape}: {why}", "mend the shape") from None
    found = result[0]
    if len(result) != 2 or not np.array_equal(found, result[1]):
        raise UnsupportedError(where, "samples that stay apart", "a layer that mixes them", "keep the batch's axis")
    if (found != np.rint(found)).any() or found.min() < 0 or found.max() > size(shape):
        raise UnsupportedError(
            where, "padding with zeros", "padding with another number", "train with zeros (which changes the network)"
        )
    if found.ndim == 1 and np.array_equal(found, np.arange(1, size(shape) + 1)):
        builder.add(Flatten(name=name, inputs=(source,)), where)
    elif np.array_equal(found, items(shape)):
        builder.add(Identity(name=name, inputs=(source,)), where)
    else:
        add_map(builder, name, source, where, moved(found))


def _maxpool(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    if layer.return_indices:
        raise UnsupportedError(
            where, "one tensor from a layer", "return_indices", "read the maxima alone (return_indices=False)"
        )
    maximum_pooling(
        builder, name, source, where, axes=1 if type(layer).__name__.endswith("1d") else 2, kernel=layer.kernel_size,
        stride=layer.stride, padding=layer.padding, dilation=layer.dilation, ceil=layer.ceil_mode,
    )  # fmt: skip


def _adaptive_maxima(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    axes = 1 if type(layer).__name__.endswith("1d") else 2
    adaptive_maxima(builder, name, source, where, axes=axes, to=layer.output_size)


def _vote(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    """SpikingJelly's VotingLayer: means of voting_size neurons in a row, along the last axis."""
    shape = item_shape(builder, source)
    count = (shape[-1] // layer.voting_size) * layer.voting_size
    means_of = np.zeros((count // layer.voting_size, shape[-1]))
    means_of[:, :count] = grouped_means(count, layer.voting_size, where)
    add_map(builder, name, source, where, along_axes(shape, {len(shape) - 1: means_of}))


def _delay(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    builder.add(Delay(name=name, inputs=(source,), steps=int(layer.delay_steps)), where)


def _by_current_input(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    raise UnsupportedError(
        where, "normalisation with stored statistics",
        f"{type(layer).__name__}, which normalises each step by its own mean and variance",
        "batch normalisation stores its statistics (which changes the network)",
    )  # fmt: skip


def _masked_unpooling(builder: GraphBuilder, name: str, source: str, where: str, layer: Any) -> None:
    raise UnsupportedError(
        where, "layers whose weights do not depend on the input", f"{type(layer).__name__}, which puts spikes where "
        "others were largest", "Upsample has fixed places (which changes the network)",
    )  # fmt: skip


_PADS = ("ZeroPad1d", "ZeroPad2d", "ConstantPad1d", "ConstantPad2d", "ReflectionPad1d", "ReflectionPad2d",
    "ReplicationPad1d", "ReplicationPad2d", "CircularPad1d", "CircularPad2d")  # fmt: skip
LINEAR: dict[str, Reader] = {
    **{f"pooling.AvgPool{n}d": _avgpool for n in (1, 2)},
    **{f"pooling.LPPool{n}d": _lppool for n in (1, 2)},
    **{f"pooling.AdaptiveAvgPool{n}d": _adaptive for n in (1, 2)},
    **{f"pooling.MaxPool{n}d": _maxpool for n in (1, 2)},
    **{f"pooling.AdaptiveMaxPool{n}d": _adaptive_maxima for n in (1, 2)},
    **{f"pooling.MaxUnpool{n}d": _masked_unpooling for n in (1, 2)},
    **{f"conv.ConvTranspose{n}d": _transposed for n in (1, 2)},
    **{f"upsampling.{name}": _upsample for name in ("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d")},
    **{f"padding.{name}": _moving for name in _PADS},
    **{f"pixelshuffle.{name}": _moving for name in ("PixelShuffle", "PixelUnshuffle")},
    **{f"fold.{name}": _moving for name in ("Unfold",)},
    **{f"flatten.{name}": _moving for name in ("Flatten", "Unflatten")},
    "channelshuffle.ChannelShuffle": _moving,
    **{f"normalization.{name}": _by_current_input for name in ("GroupNorm", "LayerNorm", "RMSNorm")},
}
"""By the class' path within torch.nn.modules."""

WRAPPED = (
    *(f"{name}{n}d" for n in (1, 2)
      for name in ("AvgPool", "MaxPool", "AdaptiveAvgPool", "MaxUnpool", "ConvTranspose")),
    "Upsample", "Flatten", "GroupNorm",
)  # fmt: skip
"""Those that SpikingJelly 2.0 (activation_based/layer/stateless_wrapper.py) subclasses with a step_mode alone."""

SPIKINGJELLY: dict[str, Reader] = {"misc.VotingLayer": _vote, "misc.Delay": _delay}
"""By the class' path within spikingjelly.activation_based.layer."""
