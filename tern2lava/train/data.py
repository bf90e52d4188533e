"""Labelled data sets of small integers, with a split that is the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Bytes, Ints, Shape, Words, frozen
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.files.npz import open_npz
from tern2lava.files.opening import GIB, Kind
from tern2lava.train.idxfile import find, read_idx

# Where Debian's package dataset-fashion-mnist puts its files.
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
MAX_CLASSES = 1000
MAX_SAMPLES = 1 << 24
NPZ = Kind("an npz file", 16 * GIB, larger="give fewer samples")


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Samples x (count, *shape) with values 0 to `top`, and labels y (count,) in 0 to classes - 1."""

    name: str
    train_x: Bytes
    train_y: Ints
    test_x: Bytes
    test_y: Ints
    top: int
    classes: int

    @property
    def shape(self) -> Shape:
        """Shape of one sample."""
        return tuple(self.train_x.shape[1:])


def random_words(seed: int, count: int) -> Words:
    """`count` random uint64 from PCG64: numpy promises a bit generator's raw stream, unlike a Generator's draws."""
    words: Words = np.random.PCG64(seed).random_raw(count)
    return words


def stratified_split(labels: Ints, test_fraction: float, seed: int) -> tuple[Ints, Ints]:
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
        raise InputError(
            "test_fraction", f"requires a share between 0 and 1; found {test_fraction}; give for example 0.3"
        )
    train, test = stratified_split(y, test_fraction, seed)
    return Dataset(
        name="digits", train_x=x[train], train_y=y[train], test_x=x[test], test_y=y[test], top=16, classes=10
    )


def idx_images(name: str, folder: Path) -> Dataset:
    """MNIST or Fashion-MNIST from its four idx files in `folder`: (1, 28, 28), values 0 to 255, ten classes."""
    parts = []
    for part in ("train", "t10k"):
        path = find(folder, f"{part}-images-idx3-ubyte")
        images, labels = read_idx(path, 3), read_idx(find(folder, f"{part}-labels-idx1-ubyte"), 1)
        if len(images) != len(labels) or labels.max() > 9:
            raise InputError(
                path,
                f"requires one label for each image, below the classes; found {count(len(images), 'image')} and "
                f"{count(len(labels), 'label')} up to {labels.max()}; get the files again",
            )
        parts += [frozen(images[:, None]), frozen(labels, np.int64)]
    train_x, train_y, test_x, test_y = parts
    return Dataset(name=name, train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y, top=255, classes=10)


def npz_arrays(path: Path) -> Dataset:
    """Any data set in an npz file: train_x, test_x (samples, *shape) uint8, train_y, test_y integer labels from 0.

    An optional integer `top` says the largest value a sample may hold (else the largest of train_x is taken).
    """
    keys = ("train_x", "train_y", "test_x", "test_y")
    with open_npz(path, NPZ) as npz:
        missing = [key for key in keys if key not in npz]
        if missing:
            raise InputError(path, f"requires {', '.join(keys)}; found no {', '.join(missing)}; save all of them")
        # What they are is looked at before any of them is read.
        for part in ("train", "test"):
            samples, labels = npz[f"{part}_x"], npz[f"{part}_y"]
            _check_samples(f"{path}: {part}_x", samples.dtype, samples.shape, npz["train_x"].shape)
            _check_labels(f"{path}: {part}_y", labels.dtype, labels.shape, samples.shape[:1])
        arrays = {key: npz.read(key) for key in keys}
        top = _top(npz.read("top", 8), path) if "top" in npz else int(arrays["train_x"].max(initial=1))
    for part in ("train", "test"):
        x, y = arrays[f"{part}_x"], arrays[f"{part}_y"]
        if y.min() < 0 or y.max() >= MAX_CLASSES:
            raise InputError(
                f"{path}: {part}_y",
                f"requires labels from 0 to {MAX_CLASSES - 1}; found {y.min()} to {y.max()}; number the classes from 0",
            )
        if x.max() > top:
            raise InputError(
                f"{path}: {part}_x", f"requires values up to top, {top}; found {x.max()}; scale them or raise top"
            )
    classes = int(max(arrays["train_y"].max(), arrays["test_y"].max())) + 1
    train_y, test_y = (frozen(arrays[key], np.int64) for key in ("train_y", "test_y"))
    return Dataset(
        name=path.stem, train_x=frozen(arrays["train_x"]), train_y=train_y, test_x=frozen(arrays["test_x"]),
        test_y=test_y, top=max(1, top), classes=classes,
    )  # fmt: skip


def _check_samples(where: str, dtype: np.dtype[Any], shape: Shape, like: Shape) -> None:
    if dtype != np.uint8 or len(shape) < 2 or shape[1:] != like[1:] or 0 in shape:
        raise InputError(where, f"requires uint8 of (samples, *shape); found {dtype} of {shape}; convert the array")


def _check_labels(where: str, dtype: np.dtype[Any], shape: Shape, samples: Shape) -> None:
    if samples[0] > MAX_SAMPLES:
        raise InputError(where, f"requires at most {MAX_SAMPLES:,} samples; found {samples[0]:,}; give fewer samples")
    if dtype.kind not in "iu" or shape != samples:
        raise InputError(
            where, f"requires one label from 0 for each sample; found {dtype} of {shape}; give one for each"
        )


def _top(value: Array, path: Path) -> int:
    if value.size != 1 or value.dtype.kind not in "iu":
        raise InputError(
            f"{path}: top", f"requires one whole number; found {value.dtype} of {value.shape}; give the largest value"
        )
    return int(value.reshape(()).item())


def load_dataset(name: str, folder: Path | None = None) -> Dataset:
    """The data set `name`: digits (bundled), fashion-mnist or mnist (idx files in `folder`), or the path of an npz."""
    if name == "digits":
        return digits()
    if name == "fashion-mnist":
        return idx_images(name, folder or FASHION_FOLDER)
    if name == "mnist":
        if folder is None:
            raise InputError("mnist", "requires the folder of its idx files; found none; add --data-dir")
        return idx_images(name, folder)
    if name.endswith(".npz"):
        return npz_arrays((folder or Path()) / name)
    raise InputError(
        f"data set {name!r}",
        "requires digits, fashion-mnist, mnist or the path of an npz file; found another name; choose one of them",
    )


def limit(dataset: Dataset, train: int | None, test: int | None) -> Dataset:
    """The first `train` and `test` samples of each part (all where None)."""
    return replace(
        dataset, train_x=dataset.train_x[:train], train_y=dataset.train_y[:train], test_x=dataset.test_x[:test],
        test_y=dataset.test_y[:test],
    )  # fmt: skip


def hold_out(dataset: Dataset, fraction: float, seed: int = 0) -> Dataset:
    """The training part alone, a stratified `fraction` of it in the place of the test samples: to choose settings
    without looking at the test samples."""
    train, test = stratified_split(dataset.train_y, fraction, seed)
    x, y = dataset.train_x, dataset.train_y
    return replace(dataset, train_x=x[train], train_y=y[train], test_x=x[test], test_y=y[test])
