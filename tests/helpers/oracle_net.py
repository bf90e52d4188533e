"""One network of snnTorch and SpikingJelly neurons, its checkpoint and net.yaml, and twelve ways to misread it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nodes import part, there

SHAPE, STEPS, CLASSES = (2, 4, 4), 16, 48

NET = """\
input: {shape: [2, 4, 4]}
steps: 16
readout: spike_count
layers:
  - conv2d: {weight: conv.weight, bias: conv.bias, padding: 1}
  - name: hidden
    neuron: {kind: leaky, beta: 0.5, threshold: 1.0, reset: subtract, reset_delay: true, fire: ">"}
  - flatten
  - dense: {weight: fc.weight, bias: fc.bias}
  - name: out
    neuron: {kind: lif, tau: 2.0, decay_input: true, threshold: 0.25, reset: zero, reset_delay: false, fire: ">="}
ignore: ["swapped.*", "fc.bias", "conv.weight"]
"""

MISREADINGS = {
    "reset_delay": ("reset: subtract, reset_delay: true", "reset: subtract, reset_delay: false, rearm: false"),
    "fire": ('fire: ">"', 'fire: ">="'),
    "reset": ("reset: zero", "reset: subtract"),
    "order of decay": ("decay_input: true", "decay_input: false"),
    "threshold": ("threshold: 0.25", "threshold: 0.5"),
    "missing bias": ("weight: fc.weight, bias: fc.bias", "weight: fc.weight"),
    "transposed weight": ("weight: fc.weight,", "transpose: true, weight: fc.weight,"),
    "swapped channels": ("conv.weight,", "swapped.weight,"),
    "beta": ("beta: 0.5", "beta: 0.75"),
    "refractory": ("threshold: 0.25,", "threshold: 0.25, refractory: 1,"),
    "readout": ("readout: spike_count", "readout: membrane_sum"),
    "steps": ("steps: 16", "steps: 12"),
}
"""What is written otherwise, by what is misread: (right, wrong)."""


def module(scale: float = 0.5) -> nn.Module:
    """The network as its frameworks run it: ternary weights times `scale`, biases of 1/8."""
    import snntorch as snn
    from spikingjelly.activation_based import neuron

    rng = np.random.default_rng(4)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), snn.Leaky(beta=0.5, init_hidden=True), nn.Flatten(), nn.Linear(48, CLASSES),
        neuron.LIFNode(tau=2.0, v_threshold=0.25),
    )  # fmt: skip
    with torch.no_grad():
        for layer in (part(net, "0", nn.Conv2d), part(net, "3", nn.Linear)):
            codes = rng.choice([-1, 0, 0, 1], tuple(layer.weight.shape))
            layer.weight.copy_(torch.from_numpy(codes * scale))
            bias = there(layer.bias)
            bias.copy_(torch.from_numpy(rng.choice([-1, 0, 1, 2], len(bias)) / 8))
    return net


def spikes(samples: int = 6, steps: int = STEPS) -> NDArray[Any]:
    """Random input (samples, steps, 2, 4, 4)."""
    return (np.random.default_rng(5).random((samples, steps, *SHAPE)) < 0.4).astype(np.uint8)


def write(folder: Path, net: nn.Module, text: str = NET) -> tuple[Path, Path]:
    """(checkpoint, net.yaml) of a module in `folder`."""
    state = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    named = {"0": "conv", "3": "fc"}
    tensors = {f"{named[key[0]]}{key[1:]}": value for key, value in state.items() if key[0] in named}
    np.savez(folder / "net.npz", **tensors, **{"swapped.weight": tensors["conv.weight"][:, ::-1]})
    (folder / "net.yaml").write_text(text)
    return folder / "net.npz", folder / "net.yaml"


NAMES = {"1": "hidden", "4": "out"}


def count_spikes(returned: list[torch.Tensor]) -> torch.Tensor:
    """Class scores as the network's user reads them: spikes of the last layer over all steps."""
    return torch.stack(returned).sum(0)
