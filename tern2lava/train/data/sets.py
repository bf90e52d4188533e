"""The registry of data sets that have a name, and npz files, which are named by their path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tern2lava.errors import InputError
from tern2lava.registry import Registry
from tern2lava.train.data.arrays import npz_arrays
from tern2lava.train.data.dataset import Dataset
from tern2lava.train.data.digits import digits
from tern2lava.train.data.images import images

# Where Debian's package dataset-fashion-mnist puts its files.
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SUFFIX = ".npz"


@dataclass(frozen=True, kw_only=True)
class NamedSet:
    """A data set by its name. what: what it is and which files it is read from, in words. load: the Dataset from a
    folder; without files: is given None. folder: where its files are looked for without --data-dir."""

    name: str
    what: str
    load: Callable[[Path], Dataset]
    folder: Path | None = None
    needs_files: bool = True


SETS: Registry[NamedSet] = Registry("data set")

SETS.add(
    NamedSet(
        name="digits", what="1,797 images of 8 x 8, bundled with scikit-learn", load=lambda folder: digits(),
        needs_files=False,
    )
)  # fmt: skip
SETS.add(
    NamedSet(
        name="fashion-mnist", what="70,000 images of 28 x 28: idx files (Debian's) or fashion-mnist.npz",
        load=lambda folder: images("fashion-mnist", folder), folder=FASHION_FOLDER,
    )
)  # fmt: skip
SETS.add(
    NamedSet(
        name="mnist", what="70,000 images of 28 x 28: idx files or mnist.npz",
        load=lambda folder: images("mnist", folder),
    )
)  # fmt: skip


def load_dataset(name: str, folder: Path | None = None) -> Dataset:
    """The data set `name`, its files in `folder`, or an npz file by its path. InputError for what is none."""
    if name.endswith(SUFFIX):
        return npz_arrays((folder or Path()) / name)
    entry = SETS.get(name, f"data set {name!r}")
    folder = folder or entry.folder
    if folder is None and entry.needs_files:
        raise InputError(name, "requires the folder of its files; found none; add --data-dir")
    return entry.load(folder or Path())
