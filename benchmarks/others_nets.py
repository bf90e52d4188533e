"""Nets that other compilers are given too: layers as plain tuples, weights from a seed. Needs numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

Layer = tuple[Any, ...]
# The input's shape, then ("dense", neurons) or ("conv", channels, kernel, stride), without padding.
NETS: dict[str, tuple[Layer, ...]] = {
    "784-512-10": ((784,), ("dense", 512), ("dense", 10)),
    "28x28-16c4s2-32c3s2-10": ((1, 28, 28), ("conv", 16, 4, 2), ("conv", 32, 3, 2), ("dense", 10)),
    "LeNet-5": (
        (1, 32, 32), ("conv", 6, 5, 1), ("conv", 6, 2, 2), ("conv", 16, 5, 1), ("conv", 16, 2, 2), ("dense", 120),
        ("dense", 84), ("dense", 10),
    ),
    "784-1024-1024-10": ((784,), ("dense", 1024), ("dense", 1024), ("dense", 10)),
    "3072-2048-10": ((3072,), ("dense", 2048), ("dense", 10)),
}  # fmt: skip
QUICK = ("784-512-10", "28x28-16c4s2-32c3s2-10")
# {0, 1}, {-1, 0, 1} and -127 to 127.
BITS = (1, 2, 8)
THRESHOLD = 8


def shapes(name: str) -> list[tuple[int, ...]]:
    """The shape behind each layer."""
    shape = NETS[name][0]
    result = []
    for layer in NETS[name][1:]:
        if layer[0] == "dense":
            shape = (layer[1],)
        else:
            _, channels, kernel, stride = layer
            shape = (channels, *((n - kernel) // stride + 1 for n in shape[1:]))
        result.append(shape)
    return result


def weights(name: str, bits: int) -> list[Any]:
    """int8 weights of each layer: (neurons, inputs), or (channels, input channels, kernel, kernel)."""
    rng = np.random.default_rng(len(name) + bits)
    low, high = {1: (0, 1), 2: (-1, 1), 8: (-127, 127)}[bits]
    before = [NETS[name][0], *shapes(name)]
    result = []
    for layer, shape in zip(NETS[name][1:], before, strict=False):
        wide = (layer[1], int(np.prod(shape))) if layer[0] == "dense" else (layer[1], shape[0], layer[2], layer[2])
        result.append(rng.integers(low, high + 1, wide).astype(np.int8))
    return result
