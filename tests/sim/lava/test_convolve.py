"""The compiled convolution gives what scipy gives, and refuses what Lava never asks for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from tern2lava.sim.lava.convolve import CompiledSignal


@pytest.mark.parametrize("seed", range(12))
def test_valid_convolutions_equal_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = rng.integers(-3, 4, rng.integers(1, 5, 2)).astype(float)
    image = rng.integers(-2, 3, np.array(kernel.shape) + rng.integers(0, 6, 2))
    # As Lava passes them: a slice of images with the channel last, spikes as booleans.
    stack = np.stack([image, image > 0], axis=-1)
    for given in (image, image > 0, stack[..., 1]):
        expected = signal.convolve2d(given, kernel, mode="valid")
        found = CompiledSignal.convolve2d(given, kernel, mode="valid")
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


def test_other_modes_and_larger_kernels_are_refused() -> None:
    with pytest.raises(NotImplementedError):
        CompiledSignal.convolve2d(np.ones((3, 3)), np.ones((2, 2)), mode="same")
    with pytest.raises(NotImplementedError):
        CompiledSignal.convolve2d(np.ones((2, 3)), np.ones((3, 2)), mode="valid")
