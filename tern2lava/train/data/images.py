"""MNIST and Fashion-MNIST, from their idx files or from one npz file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tern2lava.compiler.ir.shapes import frozen
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.train.data.arrays import npz_arrays
from tern2lava.train.data.dataset import Dataset
from tern2lava.train.data.idxfile import find, names, read_idx

SHAPE = (1, 28, 28)
CLASSES = 10


def images(name: str, folder: Path) -> Dataset:
    """The images (1, 28, 28) of ten classes in `folder`, values 0 to 255: from its four idx files, or from NAME.npz
    where there are none of them."""
    packed = folder / f"{name}.npz"
    if packed.exists() and not any((folder / file).exists() for file in names("train-images-idx3-ubyte")):
        return npz_images(name, packed)
    return idx_images(name, folder)


def idx_images(name: str, folder: Path) -> Dataset:
    """The images of the four idx files in `folder`."""
    parts = []
    for part in ("train", "t10k"):
        path = find(folder, f"{part}-images-idx3-ubyte")
        samples, labels = read_idx(path, 3), read_idx(find(folder, f"{part}-labels-idx1-ubyte"), 1)
        if len(samples) != len(labels) or labels.max() >= CLASSES:
            raise InputError(
                path,
                f"requires one label for each image, below the classes; found {count(len(samples), 'image')} and "
                f"{count(len(labels), 'label')} up to {labels.max()}; get the files again",
            )
        parts += [frozen(samples[:, None]), frozen(labels, np.int64)]
    train_x, train_y, test_x, test_y = parts
    return Dataset(name=name, train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y, top=255, classes=CLASSES)


def npz_images(name: str, path: Path) -> Dataset:
    """The images of an npz file, whose samples may lack the axis of their one channel."""
    data = npz_arrays(path)
    if data.shape not in (SHAPE, SHAPE[1:]) or data.classes > CLASSES:
        raise InputError(
            path, f"requires images of 28 x 28 in {CLASSES} classes; found samples of {data.shape} in "
            f"{count(data.classes, 'class')}; give another file by its name, data.name: {path.name}",
        )  # fmt: skip
    train_x, test_x = (x.reshape(-1, *SHAPE) for x in (data.train_x, data.test_x))
    return replace(data, name=name, train_x=train_x, test_x=test_x, top=255, classes=CLASSES)
