"""The two-dimensional convolution that Lava's Conv asks of scipy, in a compiled loop.

lava/proc/conv/utils.py of lava-nc 0.10 calls scipy.signal.convolve2d(image, kernel, mode="valid") for every pair of
channels in every step: nine tenths of the time of a convolutional network. Lava's file and model run as they are; the
name `signal` in it is bound to an object whose `convolve2d` gives the same float64 values (exact: all are integers).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import njit

from tern2lava.compiler.ir.shapes import Array


class CompiledSignal:
    """Stands for the module scipy.signal, of which Lava's convolution uses one function."""

    @staticmethod
    def convolve2d(image: Array, kernel: Array, mode: str) -> Array:
        """scipy.signal.convolve2d of integer-valued `image` and a `kernel` no larger than it, mode "valid"; float64."""
        if mode != "valid" or kernel.shape[0] > image.shape[0] or kernel.shape[1] > image.shape[1]:
            raise NotImplementedError(f"convolve2d with mode {mode}, shapes {image.shape} and {kernel.shape}")
        height, width = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
        result = np.zeros((height, width))
        _add_valid(image.astype(np.float64, order="C"), kernel.astype(np.float64, order="C"), result)
        return result


@contextmanager
def compiled_convolution() -> Iterator[None]:
    """Within it Lava's convolution uses CompiledSignal."""
    from lava.proc.conv import utils

    usual: Any = utils.signal
    utils.signal = CompiledSignal
    try:
        yield
    finally:
        utils.signal = usual


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_valid(image: Array, kernel: Array, result: Array) -> None:
    """Add the true convolution (kernel flipped) at all places where the kernel lies within the image."""
    rows, columns = kernel.shape
    height, width = result.shape
    for a in range(rows):
        for b in range(columns):
            weight = kernel[rows - 1 - a, columns - 1 - b]
            if weight == 0.0:
                continue
            for y in range(height):
                source, target = image[y + a, b : b + width], result[y]
                for x in range(width):
                    target[x] += weight * source[x]
