"""The net.yaml of a trained nn.Sequential, so that its checkpoint can be compiled without its code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from torch import nn

from tern2lava.compiler.ir.shapes import Shape
from tern2lava.errors import UnsupportedError
from tern2lava.train.neurons.runner import runner_of


def describe_layer(name: str, module: Any) -> dict[str, dict[str, Any]]:
    """One entry of the `layers` of a net.yaml; UnsupportedError for a module that has none."""
    runner = runner_of(name, module)
    if runner is not None:
        return {"neuron": runner.entry(name, module)}
    if isinstance(module, nn.Linear):
        return {"dense": {"tensors": name}}
    if isinstance(module, nn.Conv2d) and not isinstance(module.padding, str) and module.padding_mode == "zeros":
        geometry = {
            "stride": list(module.stride),
            "padding": list(module.padding),
            "dilation": list(module.dilation),
            "groups": module.groups,
        }
        plain = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
        return {"conv2d": {"tensors": name} | {key: v for key, v in geometry.items() if v != plain[key]}}
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return {"batchnorm": {"tensors": name, "eps": module.eps}}
    if isinstance(module, nn.AvgPool2d) and module.padding == 0 and not module.ceil_mode:
        return {"avgpool": {"kernel": module.kernel_size, "stride": module.stride}}
    if isinstance(module, nn.MaxPool2d) and (module.padding, module.dilation, module.ceil_mode) == (0, 1, False):
        return {"maxpool": {"kernel": module.kernel_size, "stride": module.stride}}
    if isinstance(module, nn.Flatten):
        return {"flatten": {}}
    if isinstance(module, nn.Dropout):
        return {"dropout": {}}
    found = type(module).__name__
    raise UnsupportedError(name, "a layer that net.yaml can say", found, "describe the network in a net.yaml by hand")


def describe(
    model: nn.Sequential, shape: Shape, steps: int, *, levels: Sequence[int] = (0, 1), readout: str = "spike_count"
) -> str:
    """The text of a net.yaml for the plain (not ternarised, or finalised) `model` fed samples of `shape`."""
    head = {"input": {"shape": list(shape), "levels": list(levels)}, "steps": steps, "readout": readout}
    text = yaml.safe_dump(head, sort_keys=False, default_flow_style=None)
    lines = []
    for name, module in model.named_children():
        ((kind, keys),) = describe_layer(name, module).items()
        flow = yaml.safe_dump(keys, sort_keys=False, default_flow_style=True, width=1000).strip()
        lines.append(f"  - {kind}: {flow}" if keys else f"  - {kind}")
    return text + "layers:\n" + "\n".join(lines) + "\n"
