"""Labelled data sets of small integers, with a split that is the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir import Array, Shape, frozen
from tern2lava.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Samples x (count, *shape) uint8 with values 0 to `top`, and labels y (count,) int64 in 0 to classes - 1."""

    name: str
    train_x: Array
    train_y: Array
    test_x: Array
    test_y: Array
    top: int
    classes: int

    @property
    def shape(self) -> Shape:
        """Shape of one sample."""
        return tuple(self.train_x.shape[1:])


def random_words(seed: int, count: int) -> Array:
    """`count` random uint64 from PCG64: numpy promises a bit generator's raw stream, unlike a Generator's draws."""
    words: Array = np.random.PCG64(seed).random_raw(count)
    return words


def stratified_split(labels: Array, test_fraction: float, seed: int) -> tuple[Array, Array]:
    """(train indices, test indices), each in ascending order; of every class, round(test_fraction * count) for test."""
    keys = random_words(seed, len(labels))
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = members[np.argsort(keys[members], kind="stable")]
        chosen[order[: round(test_fraction * len(members))]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def digits(*, test_fraction: float = 0.3, seed: int = 0) -> Dataset:
    """scikit-learn's bundled 8x8 digits: 1,797 samples (1, 8, 8), values 0 to 16, ten classes.

    They are the test part of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998).
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = frozen(bunch.images[:, None], np.uint8)
    y = frozen(bunch.target, np.int64)
    if not 0.0 < test_fraction < 1.0:
        raise InputError("test_fraction", f"{test_fraction} is not between 0 and 1; give for example 0.3")
    train, test = stratified_split(y, test_fraction, seed)
    return Dataset(
        name="digits", train_x=x[train], train_y=y[train], test_x=x[test], test_y=y[test], top=16, classes=10
    )
