"""Networks of net.yaml measured in other units: weights, biases, thresholds and reset values of each layer times a
factor of its own, which changes no spike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import yaml

from sample_nets import Arrays, Sample

POTENTIALS = ("threshold", "threshold_low", "reset_value", "v_init", "v_rest", "jump")
"""The keys of a neuron that are potentials; all others are factors, steps or words."""


def scaled(sample: Sample, factors: Sequence[float], dtype: str = "float32") -> Sample:
    """`sample` with its k-th neuron layer measured in units of 1 / factors[k], tensors stored as `dtype`.

    What a neuron layer is fed with is the last batch normalisation, or weights, of each branch in front of it. A branch
    of spikes alone (`from: [a, b]`, an add) cannot be scaled: the sample is to have weights there.
    """
    net = yaml.safe_load(sample.text)
    arrays = {name: np.asarray(value, dtype) for name, value in sample.arrays().items()}
    times: dict[str, float] = {}
    fed: list[dict[str, Any]] = []
    index = 0
    for entry in net["layers"]:
        layer = {entry: {}} if isinstance(entry, str) else entry
        if "batchnorm" in layer:
            fed = [layer["batchnorm"]]
        elif any(kind in layer for kind in ("dense", "conv2d")):
            fed.append(layer.get("dense") or layer["conv2d"])
        if "neuron" not in layer:
            continue
        factor, neuron = factors[index], layer["neuron"]
        back = neuron.get("recurrent", {})
        fed += [back["dense"]] if "dense" in back else []
        names = [name for keys in fed for name in _tensors(keys, arrays)]
        names += [back["scale"]] if "scale" in back else []
        for key in POTENTIALS:
            value = neuron.get(key)
            if isinstance(value, str):
                names.append(value)
            elif value is not None:
                neuron[key] = float(value) * factor
        times |= dict.fromkeys(names, factor)
        fed, index = [], index + 1
    found = {name: np.asarray(value * np.asarray(times.get(name, 1.0), dtype), dtype) for name, value in arrays.items()}
    return replace(sample, text=yaml.safe_dump(net), arrays=_given(found))


def _tensors(keys: dict[str, Any], arrays: Arrays) -> list[str]:
    prefix = keys.get("tensors")
    named = [keys.get("weight"), keys.get("bias")] if prefix is None else [f"{prefix}.weight", f"{prefix}.bias"]
    return [name for name in named if name in arrays]


def _given(arrays: Arrays) -> Callable[[], Arrays]:
    return lambda: arrays
