"""A labelled data set of small integers, its splits, and the random words that are the same on every machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.ir.shapes import Bytes, Ints, Shape, Words
from tern2lava.counts import count
from tern2lava.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Samples x (count, *shape) with values 0 to `top`, and labels y (count,) in 0 to classes - 1.

    time: samples are spike trains (or graded spikes) already, (count, steps, *shape).
    """

    name: str
    train_x: Bytes
    train_y: Ints
    test_x: Bytes
    test_y: Ints
    top: int
    classes: int
    time: bool = False

    @property
    def shape(self) -> Shape:
        """Shape of one sample, at one step where it has several."""
        return tuple(self.train_x.shape[2 if self.time else 1 :])

    @property
    def digest(self) -> str:
        """SHA-256 of all samples and labels, their shapes included: data sets of the same digest are the same."""
        found = hashlib.sha256()
        for array in (self.train_x, self.train_y, self.test_x, self.test_y):
            found.update(f"{array.dtype.str}{array.shape}{self.time}".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    @property
    def steps(self) -> int | None:
        """Time steps of a sample; None where it has no time axis."""
        return int(self.train_x.shape[1]) if self.time else None


def random_words(seed: int, count: int) -> Words:
    """`count` random uint64 from PCG64: numpy promises a bit generator's raw stream, unlike a Generator's draws."""
    words: Words = np.random.PCG64(seed).random_raw(count)
    return words


def shares(labels: Ints, number: int) -> dict[int, int]:
    """How many of `number` samples each class gives, by label: number * its samples / all, rounded down, and one more
    where what was cut is largest (of equals, the smaller label), so that they add up."""
    classes, counts = np.unique(labels, return_counts=True)
    whole, rest = np.divmod(number * counts.astype(np.int64), max(1, len(labels)))
    whole[np.argsort(-rest, kind="stable")[: number - int(whole.sum())]] += 1
    return dict(zip(classes.tolist(), whole.tolist(), strict=True))


def stratified_split(labels: Ints, test: float, seed: int) -> tuple[Ints, Ints]:
    """(train indices, test indices), each in ascending order; for test, of every class, round(test * its samples)
    where `test` is a fraction below 1, or `shares(labels, test)` where it is a number of samples."""
    keys = random_words(seed, len(labels))
    number = shares(labels, int(test)) if test >= 1 else None
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = members[np.argsort(keys[members], kind="stable")]
        chosen[order[: round(test * len(members)) if number is None else number[int(label)]]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def limit(dataset: Dataset, train: int | None, test: int | None) -> Dataset:
    """The first `train` and `test` samples of each part (all where None)."""
    return replace(
        dataset, train_x=dataset.train_x[:train], train_y=dataset.train_y[:train], test_x=dataset.test_x[:test],
        test_y=dataset.test_y[:test],
    )  # fmt: skip


def hold_out(dataset: Dataset, held: float, seed: int = 0, *, where: str = "data.hold_out") -> Dataset:
    """The training part alone, a stratified part of it in the place of the test samples: to choose settings without
    looking at these. held: the fraction that is held out (below 1), or the number of samples. InputError (at `where`)
    where none would be left to train on, or none held out."""
    if not 0 < held < len(dataset.train_y) or (held > 1 and held != int(held)):
        raise InputError(
            where, f"requires a fraction below 1, or a whole number of samples below the "
            f"{count(len(dataset.train_y), 'sample')} there are; found {held:g}; lower it",
        )  # fmt: skip
    train, test = stratified_split(dataset.train_y, held, seed)
    if not len(train) or not len(test):
        raise InputError(
            where, f"requires a fraction that leaves samples on both sides; found {held:g}, which holds out "
            f"{len(test)} of {count(len(dataset.train_y), 'sample')}; write a number of samples",
        )  # fmt: skip
    x, y = dataset.train_x, dataset.train_y
    return replace(dataset, train_x=x[train], train_y=y[train], test_x=x[test], test_y=y[test])
