"""Derivatives from differences of a function's own values, to hold gradients against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEP = 1e-6


def by_differences(value: Callable[[], Tensor], parameter: Tensor) -> Tensor:
    """The derivative of value() by every number of `parameter` (float64), from the two values beside it."""
    flat, result = parameter.detach().view(-1), []
    with torch.no_grad():
        for index in range(len(flat)):
            kept = flat[index].clone()
            flat[index] = kept + STEP
            above = value()
            flat[index] = kept - STEP
            below = value()
            flat[index] = kept
            result.append((above - below) / (2 * STEP))
    return torch.stack(result).view_as(parameter)
