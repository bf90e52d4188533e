"""The registry of data sets that have a name, and npz files, which are named by their path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tern2lava.errors import InputError
from tern2lava.registry import Registry
from tern2lava.train.data.arrays import npz_arrays
from tern2lava.train.data.cifar import cifar10
from tern2lava.train.data.dataset import Dataset
from tern2lava.train.data.digits import digits
from tern2lava.train.data.events import Binning, event_lists, holds_events
from tern2lava.train.data.images import images
from tern2lava.train.data.spoken import spoken_digits

# Where Debian's package dataset-fashion-mnist puts its files.
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SUFFIX = ".npz"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a data set. name: its name, or its path in `folder`. steps: how many a sample shall have, where
    the data set makes spikes of them itself. options: keys of an experiment's `data` by name."""

    name: str
    folder: Path
    steps: int | None = None
    options: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class NamedSet:
    """A data set by its name. what: what it is and which files it is read from, in words. load: the Dataset of what is
    asked for. folder: where its files are looked for without --data-dir. options: the keys of an experiment's `data`
    that it takes besides those of all."""

    name: str
    what: str
    load: Callable[[Asked], Dataset]
    folder: Path | None = None
    needs_files: bool = True
    options: frozenset[str] = frozenset()


SETS: Registry[NamedSet] = Registry("data set")

SETS.add(
    NamedSet(
        name="digits", what="1,797 images of 8 x 8, bundled with scikit-learn", load=lambda asked: digits(),
        needs_files=False,
    )
)  # fmt: skip
SETS.add(
    NamedSet(
        name="fashion-mnist", what="70,000 images of 28 x 28: idx files (Debian's) or fashion-mnist.npz",
        load=lambda asked: images(asked.name, asked.folder), folder=FASHION_FOLDER,
    )
)  # fmt: skip
SETS.add(
    NamedSet(
        name="mnist", what="70,000 images of 28 x 28: idx files or mnist.npz",
        load=lambda asked: images(asked.name, asked.folder),
    )
)  # fmt: skip


SETS.add(
    NamedSet(
        name="cifar10-jpeg75", what="60,000 images of 3 x 32 x 32, lossy: cifar10-jpeg75.zip of JPEGs, read by Pillow",
        load=lambda asked: cifar10(asked.folder),
    )
)  # fmt: skip
SETS.add(
    NamedSet(
        name="spoken-digits", what="3,000 recordings as spikes over time: fsdd.npz (docs/training-data.md)",
        load=lambda asked: spoken_digits(asked.folder, asked.steps or 40, **asked.options),
        options=frozenset({"code", "speaker"}),
    )
)  # fmt: skip


def _npz(asked: Asked) -> Dataset:
    """An npz file's arrays, or its event lists where it has such."""
    path, options = asked.folder / asked.name, asked.options
    if not holds_events(path):
        if "events" in options:
            raise InputError(
                "data.events",
                f"requires event lists, an npz with train.t and others; found none in {path}; leave it out",
            )
        return npz_arrays(path, options.get("time"))
    if options.get("time") is False:
        raise InputError("data.time", f"requires true for event lists; found false with {path}; leave it out")
    return event_lists(path, Binning(steps=asked.steps or 16, **options.get("events", {})))


NPZ = NamedSet(
    name=f"NAME{SUFFIX}", what="any arrays or event lists in an npz file",
    load=_npz, needs_files=False,
    options=frozenset({"time", "events"}),
)  # fmt: skip


def load_dataset(name: str, folder: Path | None = None, *, steps: int | None = None, **options: Any) -> Dataset:
    """The data set `name`, its files in `folder`, or an npz file by its path. steps, options: see Asked. InputError for
    what is none, and for an option that it does not take."""
    entry = NPZ if name.endswith(SUFFIX) else SETS.get(name, f"data set {name!r}")
    for key in options:
        if key not in entry.options:
            takers = [each.name for each in (*SETS, NPZ) if key in each.options]
            raise InputError(
                f"data.{key}", f"requires a data set that takes it, {', '.join(takers)}; found {name}; leave it out"
            )
    folder = folder or entry.folder
    if folder is None and entry.needs_files:
        raise InputError(name, "requires the folder of its files; found none; add --data-dir")
    return entry.load(Asked(name=name, folder=folder or Path(), steps=steps, options=options))
