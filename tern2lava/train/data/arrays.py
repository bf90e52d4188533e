"""Any data set in an npz file, looked at before it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Shape, frozen
from tern2lava.errors import InputError
from tern2lava.files.npz import Npz, open_npz
from tern2lava.files.opening import GIB, Kind
from tern2lava.train.data.dataset import Dataset

MAX_CLASSES = 1000
MAX_SAMPLES = 1 << 24
NPZ = Kind("an npz file", 16 * GIB, larger="give fewer samples", missing="check the name and --data-dir")
KEYS = ("train_x", "train_y", "test_x", "test_y")
KERAS = ("x_train", "y_train", "x_test", "y_test")
"""The names that Keras's mnist.npz has."""


def npz_arrays(path: Path, time: bool | None = None) -> Dataset:
    """Any data set in an npz file: train_x, test_x (samples, *shape) uint8, train_y, test_y integer labels from 0.

    time: whether the samples are spikes (bool or uint8) or graded spikes (uint8) of several steps, (samples, steps,
    *shape), which no shape tells; None: as the file's own `time` says (0 or 1), or no. The arrays may have the names of
    Keras's mnist.npz instead. An optional integer `top` says the largest value a sample may hold (else the largest of
    train_x is taken).
    """
    with open_npz(path, NPZ) as npz:
        keys, time = _keys(npz, path), _time(npz, path, time)
        # What they are is looked at before any of them is read.
        for x, y in (keys[:2], keys[2:]):
            samples, labels = npz[x], npz[y]
            _check_samples(f"{path}: {x}", samples.dtype, samples.shape, npz[keys[0]].shape, time)
            _check_labels(f"{path}: {y}", labels.dtype, labels.shape, samples.shape[:1])
        arrays = {key: npz.read(key) for key in keys}
        top = whole(npz, "top", path) if "top" in npz else int(arrays[keys[0]].max(initial=1))
    for x, y in (keys[:2], keys[2:]):
        check_label_values(f"{path}: {y}", arrays[y])
        if arrays[x].max() > top:
            raise InputError(
                f"{path}: {x}", f"requires values up to top, {top}; found {arrays[x].max()}; scale them or raise top"
            )
    train_x, train_y, test_x, test_y = (arrays[key] for key in keys)
    return Dataset(
        name=path.stem, train_x=frozen(train_x, np.uint8), train_y=frozen(train_y, np.int64),
        test_x=frozen(test_x, np.uint8), test_y=frozen(test_y, np.int64), top=max(1, top),
        classes=int(max(train_y.max(), test_y.max())) + 1, time=time,
    )  # fmt: skip


def _keys(npz: Npz, path: Path) -> tuple[str, ...]:
    keys = KERAS if all(key in npz for key in KERAS) else KEYS
    missing = [key for key in keys if key not in npz]
    if missing:
        raise InputError(path, f"requires {', '.join(keys)}; found no {', '.join(missing)}; save all of them")
    return keys


def _time(npz: Npz, path: Path, asked: bool | None) -> bool:
    """Whether the second axis is time, as data.time or the file itself says."""
    if "time" not in npz:
        return bool(asked)
    found = whole(npz, "time", path)
    if found not in (0, 1) or asked not in (None, bool(found)):
        raise InputError(
            f"{path}: time", f"requires 1 or 0, as data.time says where it is given ({asked}); found {found}; mend the "
            "one that is wrong",
        )  # fmt: skip
    return bool(found)


def _check_samples(where: str, dtype: np.dtype[Any], shape: Shape, like: Shape, time: bool) -> None:
    kinds, axes, words = ((np.uint8, np.bool_), 3, "(samples, steps, *shape)") if time else (
        (np.uint8,), 2, "(samples, *shape)")  # fmt: skip
    if dtype not in kinds or len(shape) < axes or shape[1:] != like[1:] or 0 in shape:
        raise InputError(where, f"requires uint8 of {words}; found {dtype} of {shape}; convert the array")


def _check_labels(where: str, dtype: np.dtype[Any], shape: Shape, samples: Shape) -> None:
    if samples[0] > MAX_SAMPLES:
        raise InputError(where, f"requires at most {MAX_SAMPLES:,} samples; found {samples[0]:,}; give fewer samples")
    if dtype.kind not in "iu" or shape != samples:
        raise InputError(
            where, f"requires one label from 0 for each sample; found {dtype} of {shape}; give one for each"
        )


def check_label_values(where: str, labels: Array) -> None:
    """Raise InputError for labels that do not count classes from 0."""
    if labels.min() < 0 or labels.max() >= MAX_CLASSES:
        raise InputError(
            where,
            f"requires labels from 0 to {MAX_CLASSES - 1}; found {labels.min()} to {labels.max()}; number the classes "
            "from 0",
        )


def whole(npz: Npz, key: str, path: Path) -> int:
    """The one whole number of an array. Raises InputError for anything else."""
    value = npz.read(key, 8)
    if value.size != 1 or value.dtype.kind not in "biu":
        raise InputError(
            f"{path}: {key}", f"requires one whole number; found {value.dtype} of {value.shape}; give a number"
        )
    return int(value.reshape(()).item())
