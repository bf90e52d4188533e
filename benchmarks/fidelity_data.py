"""Samples of the second table: events that move, and digits; drawn from seeds, one for each part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tern2lava.train.data import digits as pictures

Array = Any
# The parts: which samples make a network, calibrate its integers, are counted.
MAKE, CALIBRATE, COUNT = "make", "calibrate", "count"
PARTS = (MAKE, CALIBRATE, COUNT)
Samples = Callable[[str], tuple[Array, Array]]
CLASSES, BUMPS = 10, 3
# Samples that make a network, and that calibrate it.
MAKING, CALIBRATING = 200, 32


def events(shape: tuple[int, ...], steps: int, counted: int) -> Samples:
    """Samples (count, steps, *shape) uint8 and labels by part: every class is three bumps that appear, move over the
    channels (or over the image, each in one polarity) and fade, jittered from sample to sample, in Poisson noise."""

    def part(name: str) -> tuple[Array, Array]:
        count = {MAKE: MAKING, CALIBRATE: CALIBRATING, COUNT: counted}[name]
        rng = np.random.default_rng([int(np.prod(shape)), steps, PARTS.index(name)])
        of_class = np.random.default_rng([int(np.prod(shape)), steps, 99])
        axes = 1 if len(shape) == 1 else 2
        begin = of_class.uniform(0.15, 0.85, (CLASSES, BUMPS, axes))
        speed = of_class.uniform(-0.4, 0.4, (CLASSES, BUMPS, axes))
        onset = of_class.uniform(0.1, 0.9, (CLASSES, BUMPS))
        polarity = of_class.integers(0, 2, (CLASSES, BUMPS))
        labels = np.arange(count) % CLASSES
        at = _coordinates(shape)
        time = np.linspace(0, 1, steps)
        x = np.zeros((count, steps, int(np.prod(shape))), np.uint8)
        for sample, label in enumerate(labels):
            rate = np.full((steps, len(at)), 0.004)
            for bump in range(BUMPS):
                shift = rng.normal(0, 0.02, axes)
                height = rng.uniform(0.3, 0.5)
                center = begin[label, bump] + shift + np.outer(time - 0.5, speed[label, bump])
                near = ((at[None, :, :axes] - center[:, None]) ** 2).sum(axis=-1) / (0.06 if axes == 1 else 0.12) ** 2
                when = np.exp(-(((time - onset[label, bump]) / 0.3) ** 2))
                seen = 1.0 if axes == 1 else at[:, 2] == polarity[label, bump]
                rate += height * when[:, None] * np.exp(-near) * seen
            x[sample] = rng.random(rate.shape) < rate
        return x.reshape(count, steps, *shape), labels

    return part


def _coordinates(shape: tuple[int, ...]) -> Array:
    """(inputs, 1), or (inputs, 3) with the polarity last, of inputs in C order."""
    if len(shape) == 1:
        return np.linspace(0, 1, shape[0]).reshape(-1, 1)
    polarity, y, x = np.meshgrid(np.arange(shape[0]), *(np.linspace(0, 1, n) for n in shape[1:]), indexing="ij")
    return np.stack([y.ravel(), x.ravel(), polarity.ravel()], axis=1)


def digits(steps: int, counted: int, how: str) -> Samples:
    """Digits of 16 x 16 (scikit-learn's, doubled), (count, steps, 1, 16, 16) uint8, and labels, other pictures for each
    part. how: "static", the pixels above half in every step; "rate", spikes at random, at most in half of the steps."""

    def part(name: str) -> tuple[Array, Array]:
        data = pictures()
        x = np.concatenate([data.train_x, data.test_x])
        labels = np.concatenate([data.train_y, data.test_y])
        order = np.random.default_rng(16).permutation(len(x))
        begin = {MAKE: 0, CALIBRATE: MAKING, COUNT: MAKING + CALIBRATING}[name]
        chosen = order[begin:][: {MAKE: MAKING, CALIBRATE: CALIBRATING, COUNT: counted}[name]]
        values = np.kron(x[chosen].astype(np.int64), np.ones((1, 1, 2, 2), np.int64))[:, None]
        if how == "static":
            spikes = np.repeat(values > 8, steps, axis=1)
        else:
            rng = np.random.default_rng([steps, PARTS.index(name)])
            spikes = rng.random((len(values), steps, *values.shape[2:])) * 32 < values
        return spikes.astype(np.uint8), labels[chosen]

    return part
