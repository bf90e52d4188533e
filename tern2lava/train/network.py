"""Spiking networks for training: an nn.Sequential of plain torch layers and snnTorch Leaky neurons, from one line."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from tern2lava.compiler.ir.shapes import Shape, conv_out, size
from tern2lava.errors import InputError
from tern2lava.extras import require
from tern2lava.train.surrogate import ArcTangent

CONV = re.compile(r"(?P<out>\d+)c(?P<kernel>\d+)(?:s(?P<stride>\d+))?(?:g(?P<groups>\d+))?")
POOL = re.compile(r"p(?P<kernel>\d+)")
DENSE = re.compile(r"(?P<out>\d+)")


@dataclass(frozen=True, kw_only=True)
class NeuronModel:
    """Parameters of every snnTorch Leaky of a network, and the slope of its arc-tangent surrogate gradient."""

    beta: float = 0.9375
    threshold: float = 1.0
    reset: str = "subtract"
    reset_delay: bool = True
    slope: float = 2.0


READOUTS = ("spike_count", "membrane_sum")


def leaky(neuron: NeuronModel) -> nn.Module:
    """A snnTorch Leaky that keeps its own state (so that the nn.Sequential can be stepped); MissingPackageError."""
    require("train")
    import snntorch

    result: nn.Module = snntorch.Leaky(
        beta=neuron.beta,
        threshold=neuron.threshold,
        reset_mechanism=neuron.reset,
        reset_delay=neuron.reset_delay,
        init_hidden=True,
        spike_grad=ArcTangent(neuron.slope),
    )
    return result


def network(
    layers: str,
    shape: Shape,
    *,
    neuron: NeuronModel | None = None,
    batch_norm: bool = True,
    bias: bool = False,
    readout: str = "spike_count",
) -> nn.Sequential:
    """The network that a line such as "16c3-p2-32c3s2-p2-10" describes, for samples of `shape`.

    16c3: convolution to 16 channels with 3x3 kernels, same padding (s2: stride 2, g4: 4 groups), BatchNorm where
    batch_norm, Leaky. p2: average pooling 2x2. A number: Flatten where needed, Linear, Leaky. bias is for layers
    without BatchNorm. readout membrane_sum: the last Leaky has no reset and its classes are read from its potentials,
    summed over time, which no spike cuts to whole numbers. Raises InputError for a line that cannot be read or does not
    fit the shape.
    """
    neuron = neuron or NeuronModel()
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    index = 0
    for word in layers.split("-"):
        where = f"layer {word!r} of {layers!r}"
        if conv := CONV.fullmatch(word):
            index += 1
            out, kernel, stride, groups = (int(conv[key] or 1) for key in ("out", "kernel", "stride", "groups"))
            if len(shape) != 3 or 0 in (out, stride, groups) or kernel % 2 == 0 or shape[0] % groups or out % groups:
                raise InputError(
                    where,
                    f"requires a layer that fits its input {shape}; found another; take odd kernels, and groups that "
                    "divide the channels",
                )
            pad = kernel // 2
            convolution: dict[str, Any] = {"stride": stride, "padding": pad, "groups": groups}
            parts[f"conv{index}"] = nn.Conv2d(shape[0], out, kernel, bias=bias and not batch_norm, **convolution)
            if batch_norm:
                parts[f"bn{index}"] = nn.BatchNorm2d(out)
            shape = (out, *(conv_out(length, kernel, stride, 2 * pad, 1) for length in shape[1:]))
            parts[f"lif{index}"] = leaky(neuron)
        elif pool := POOL.fullmatch(word):
            kernel = int(pool["kernel"])
            if len(shape) != 3 or kernel < 1 or min(shape[1:]) < kernel:
                raise InputError(
                    where, f"requires a layer that fits its input {shape}; found another; make the pooling smaller"
                )
            parts[f"pool{index}"] = nn.AvgPool2d(kernel)
            shape = (shape[0], *(length // kernel for length in shape[1:]))
        elif dense := DENSE.fullmatch(word):
            index += 1
            if len(shape) > 1:
                parts["flatten"] = nn.Flatten()
            parts[f"fc{index}"] = nn.Linear(size(shape), int(dense["out"]), bias=bias)
            shape = (int(dense["out"]),)
            parts[f"lif{index}"] = leaky(neuron)
        else:
            raise InputError(
                where,
                "requires layers such as 16c3, p2 or 128; found another; write for example 16c3-p2-32c3s2g4-128-10",
            )
    if readout not in READOUTS:
        raise InputError("readout", f"requires one of {', '.join(READOUTS)}; found {readout!r}; choose one of them")
    if readout == "membrane_sum":
        parts[f"lif{index}"] = leaky(replace(neuron, reset="none"))
    return nn.Sequential(parts)
