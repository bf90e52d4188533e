"""Small snnTorch networks with ternary weights, and spikes for them, every number drawn from a seed: what
neurobench_numbers.py measures, and tests/sim/neurobench/ against its recorded figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import snntorch as snn
import torch
from numpy.typing import NDArray
from torch import nn

SAMPLES, STEPS = 6, 5


@dataclass(frozen=True, kw_only=True)
class Net:
    """what: one line; shape: of a sample in a step; levels: of its values; layers: makes them, with their last neurons
    giving spikes and potentials."""

    what: str
    shape: tuple[int, ...]
    layers: Callable[[], list[nn.Module]]
    levels: tuple[int, int] = (0, 1)


def leaky(beta: float = 0.75, **more: Any) -> nn.Module:
    made: nn.Module = snn.Leaky(beta=beta, threshold=0.5, init_hidden=True, **more)
    return made


NETS: dict[str, Net] = {
    "dense": Net(
        what="two linear layers with biases", shape=(20,),
        layers=lambda: [nn.Linear(20, 16), leaky(), nn.Linear(16, 6), leaky(output=True)],
    ),
    "convolutions": Net(
        what="convolutions with padding, stride, groups and dilation", shape=(2, 9, 9),
        layers=lambda: [
            nn.Conv2d(2, 4, 3, padding=1), leaky(), nn.Conv2d(4, 8, 3, stride=2, groups=2, bias=False), leaky(),
            nn.Conv2d(8, 6, 2, dilation=2, bias=False), leaky(), nn.Flatten(), nn.Linear(24, 5), leaky(output=True),
        ],
    ),
    "pooling": Net(
        what="averages of spikes enter a layer: multiplications", shape=(2, 8, 8),
        layers=lambda: [
            nn.Conv2d(2, 4, 3, padding=1), leaky(), nn.AvgPool2d(2), nn.Conv2d(4, 4, 3), leaky(), nn.Flatten(),
            nn.Linear(16, 5), leaky(output=True),
        ],
    ),
    "recurrent": Net(
        what="spikes come back through a linear layer", shape=(12,),
        layers=lambda: [
            nn.Linear(12, 10), snn.RLeaky(beta=0.5, threshold=0.5, linear_features=10, init_hidden=True),
            nn.Linear(10, 4), leaky(output=True),
        ],
    ),
    "graded": Net(
        what="inputs from 0 to 3: multiplications where a step has others than 0 and 1", shape=(14,), levels=(0, 3),
        layers=lambda: [nn.Linear(14, 12), leaky(), nn.Linear(12, 5), leaky(output=True)],
    ),
    "signed": Net(
        what="inputs of -1, 0 and 1", shape=(14,), levels=(-1, 1),
        layers=lambda: [nn.Linear(14, 12), leaky(), nn.Linear(12, 5), leaky(output=True)],
    ),
}  # fmt: skip


def network(name: str) -> nn.Sequential:
    """The network of that name, its weights -1/2, 0 or 1/2, its biases multiples of 1/8."""
    rng = np.random.default_rng(list(name.encode()))
    made = nn.Sequential(*NETS[name].layers())
    with torch.no_grad():
        for key, value in made.named_parameters():
            shape = tuple(value.shape)
            if key.endswith("weight"):
                value.copy_(torch.from_numpy(rng.integers(-1, 2, shape) * 0.5))
            elif key.endswith("bias"):
                value.copy_(torch.from_numpy(rng.integers(-1, 3, shape) * 0.125))
    return made.eval()


def data(name: str) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Values (samples, steps, *shape) for the network of that name, and labels."""
    net = NETS[name]
    rng = np.random.default_rng(list(name[::-1].encode()))
    low, high = net.levels
    values = rng.integers(low, high + 1, (SAMPLES, STEPS, *net.shape)).astype(np.int8)
    if high > 1:
        # One step of a sample in two has zeros and ones alone.
        values[:, ::2] = np.minimum(values[:, ::2], 1)
    return values * (rng.random(values.shape) < 0.7), rng.integers(0, 4, SAMPLES)
