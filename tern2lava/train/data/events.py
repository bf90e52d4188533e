"""Event lists of a camera, (x, y, polarity, t) in an npz file, counted in bins of time: samples that are spikes.

Of a part, `train` or `test`, the file has the arrays PART.x, PART.y, PART.p and PART.t of all events, those of a sample
together and in the order of time, t in whole microseconds; PART.start, the place of each sample's first event and then
the number of events; PART.label; and `width` and `height` of the sensor. The events are read in pieces, twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Bytes, Ints, frozen
from tern2lava.errors import InputError
from tern2lava.files.npz import Npz, open_npz
from tern2lava.files.opening import GIB
from tern2lava.train.data.arrays import MAX_SAMPLES, NPZ, check_label_values, whole
from tern2lava.train.data.dataset import Dataset

PARTS = ("train", "test")
FIELDS = ("x", "y", "p", "t")
EACH = 1 << 18
"""Events that are worked on at once."""
LATEST = 1 << 50
"""Microseconds, some 35 years: a bin's number is formed in 64 bits."""
SIDE = 1 << 14
LARGEST = 4 * GIB
"""Bytes that all samples may take once they are counted."""


@dataclass(frozen=True, kw_only=True)
class Binning:
    """How events become steps. steps: how many; microseconds: the length of one, or None: each sample's own time from
    its first to its last event in equal parts. downsample: pixels that are joined along each side; counts: the largest
    number of events that a pixel of a step holds, more are left out."""

    steps: int
    microseconds: int | None = None
    downsample: int = 1
    counts: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class _Part:
    """A part's samples in the file: where each begins, its label, its first and its last time."""

    name: str
    start: Ints
    labels: Ints
    first: Ints
    last: Ints


def holds_events(path: Path) -> bool:
    """Whether an npz file is one of event lists."""
    with open_npz(path, NPZ) as npz:
        return "train.t" in npz or "test.t" in npz


def event_lists(path: Path, binning: Binning) -> Dataset:
    """The samples (steps, 2, height, width) of an npz of event lists: events of polarity 0 (or -1), then of 1.

    An event at time t after its sample's first one counts in step floor(t / microseconds), and not at all from the last
    step's end on; without `microseconds` in step floor(t * steps / (the last event's t + 1)). So one on an edge is the
    later step's, events of one time are in one step, and a sample that is shorter ends in empty steps. InputError for
    what is no such file, or where the samples would take more than LARGEST bytes.
    """
    with open_npz(path, NPZ) as npz:
        wanted = ["width", "height", *(f"{part}.{key}" for part in PARTS for key in (*FIELDS, "start", "label"))]
        missing = [key for key in wanted if key not in npz]
        if missing:
            raise InputError(path, f"requires {', '.join(wanted)}; found no {', '.join(missing)}; save all of them")
        width, height = (_side(npz, key, path) for key in ("width", "height"))
        parts = [_part(npz, name, path) for name in PARTS]
        shape = (binning.steps, 2, *(-(-side // binning.downsample) for side in (height, width)))
        size = sum(len(part.labels) for part in parts) * math.prod(shape)
        if size > LARGEST:
            raise InputError(
                path, f"requires samples of at most {LARGEST:,} bytes together; found {size:,} ({shape} each); raise "
                "data.events.downsample, or lower the steps",
            )  # fmt: skip
        (train_x, train_y), (test_x, test_y) = (
            (_counted(npz, part, shape, (width, height), binning, path), part.labels) for part in parts
        )
    return Dataset(
        name=path.stem, train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y, top=binning.counts,
        classes=int(max(train_y.max(), test_y.max())) + 1, time=True,
    )  # fmt: skip


def _side(npz: Npz, key: str, path: Path) -> int:
    found = whole(npz, key, path)
    if not 1 <= found <= SIDE:
        raise InputError(f"{path}: {key}", f"requires 1 to {SIDE:,} pixels; found {found}; give the sensor's")
    return found


def _part(npz: Npz, name: str, path: Path) -> _Part:
    """A part's samples, its lists looked at and its times read."""
    start, labels = (f"{name}.{key}" for key in ("start", "label"))
    for key in (start, labels, *(f"{name}.{field}" for field in FIELDS)):
        header = npz[key]
        kinds = "iub" if key.endswith(".p") else "iu"
        if header.dtype.kind not in kinds or len(header.shape) != 1:
            raise InputError(
                f"{path}: {key}", f"requires whole numbers of one axis; found {header.dtype} of {header.shape}; "
                "convert the array (times: to whole microseconds)",
            )  # fmt: skip
        npz.bound(key)
    events, samples = npz[f"{name}.t"].count, npz[labels].count
    if {npz[f"{name}.{field}"].count for field in FIELDS} != {events}:
        raise InputError(f"{path}: {name}.t", "requires as many x, y, p and t; found others; save all of each event")
    if not 0 < samples <= MAX_SAMPLES or npz[start].count != samples + 1:
        raise InputError(
            f"{path}: {start}", f"requires a place for each of 1 to {MAX_SAMPLES:,} samples, and the end; found "
            f"{npz[start].count:,} for {samples:,} labels; save np.cumsum([0, *lengths])",
        )  # fmt: skip
    places, classes = frozen(npz.read(start), np.int64), frozen(npz.read(labels), np.int64)
    check_label_values(f"{path}: {labels}", classes)
    if places[0] != 0 or places[-1] != events or (places[1:] < places[:-1]).any():
        raise InputError(
            f"{path}: {start}", f"requires places that ascend from 0 to the {events:,} events; found others; save "
            "np.cumsum([0, *lengths])",
        )  # fmt: skip
    first, last = _times(npz, f"{name}.t", places, path)
    return _Part(name=name, start=places, labels=classes, first=first, last=last)


def _times(npz: Npz, key: str, start: Ints, path: Path) -> tuple[Ints, Ints]:
    """The first and the last time of each sample (0 of one without events). Raises InputError where times descend."""
    first, last = (np.zeros(len(start) - 1, np.int64) for _ in range(2))
    begin, before = 0, np.zeros(0, np.int64)
    for piece in npz.pieces(key, EACH):
        if piece.min() < 0 or piece.max() > LATEST:
            raise InputError(
                f"{path}: {key}", f"requires microseconds from 0 to 2^50; found {piece.min()} to {piece.max()}; count "
                "from the recording's begin",
            )  # fmt: skip
        times = np.concatenate([before, piece.astype(np.int64)])
        at = begin - len(before)
        sinks = np.flatnonzero(times[1:] < times[:-1]) + at + 1
        wrong = sinks[~np.isin(sinks, start)]
        if len(wrong):
            raise InputError(
                f"{path}: {key}", f"requires times that do not sink within a sample; found one that does at event "
                f"{int(wrong[0]):,}; sort each sample's events by time",
            )  # fmt: skip
        for result, places in ((first, start[:-1]), (last, start[1:] - 1)):
            here = np.flatnonzero((places >= begin) & (places < begin + len(piece)) & (start[:-1] < start[1:]))
            result[here] = piece[places[here] - begin]
        begin, before = begin + len(piece), times[-1:]
    return first, last


def _pieces(npz: Npz, name: str) -> Iterator[tuple[int, list[Array]]]:
    """(the number of events before, x, y, p and t of some), until all have been."""
    begin = 0
    for fields in zip(*(npz.pieces(f"{name}.{field}", EACH) for field in FIELDS), strict=True):
        yield begin, list(fields)
        begin += len(fields[0])


def _counted(
    npz: Npz, part: _Part, shape: tuple[int, ...], sensor: tuple[int, int], binning: Binning, path: Path
) -> Bytes:
    """Events counted (samples, *shape), at most binning.counts in a pixel of a step."""
    result = np.zeros((len(part.labels), *shape), np.uint8)
    flat = result.reshape(-1)
    steps, _, height, width = shape
    for begin, (x, y, p, t) in _pieces(npz, part.name):
        for key, values, side in (("x", x, sensor[0]), ("y", y, sensor[1])):
            if values.min() < 0 or values.max() >= side:
                raise InputError(
                    f"{path}: {part.name}.{key}", f"requires pixels from 0 to {side - 1}; found {values.min()} to "
                    f"{values.max()}; mend width, height or the events",
                )  # fmt: skip
        if p.dtype.kind != "b" and (p.min() < -1 or p.max() > 1 or (p.min() < 0 and not p.all())):
            raise InputError(
                f"{path}: {part.name}.p", f"requires polarities of 0 and 1, or -1 and 1; found {p.min()} to {p.max()}; "
                "convert the array",
            )  # fmt: skip
        sample = np.searchsorted(part.start, np.arange(begin, begin + len(t)), side="right") - 1
        passed = t.astype(np.int64) - part.first[sample]
        if binning.microseconds is None:
            step = passed * steps // (part.last[sample] - part.first[sample] + 1)
        else:
            step = passed // binning.microseconds
        row, column = (values.astype(np.int64) // binning.downsample for values in (y, x))
        place = (((sample * steps + step) * 2 + (p > 0)) * height + row) * width + column
        places, counts = np.unique(place[step < steps], return_counts=True)
        flat[places] = np.minimum(flat[places] + counts, binning.counts)
    result.setflags(write=False)
    return result
