"""The Free Spoken Digit Dataset as spikes: a step is a frame of 16 ms, an input a band of frequency.

Jackson et al., "Jakobovski/free-spoken-digit-dataset" (github.com, CC BY-SA 4.0): 3,000 recordings of the digits by six
speakers, 8 kHz; takes 0 to 4 of each digit and speaker are its official test samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.shapes import Array, Bytes, Ints, frozen
from tern2lava.errors import InputError
from tern2lava.files.npz import Npz, open_npz
from tern2lava.files.opening import GIB, Kind
from tern2lava.train.data.dataset import Dataset, random_words
from tern2lava.train.data.filterbank import OCTAVE, WINDOW, band_levels

FILE = "fsdd.npz"
KIND = Kind("the recordings as npz", GIB, missing="make it from the recordings (docs/training-data.md)")
RATE = 8000
HOP = 128
BANDS = 40
RANGE = 15 * OCTAVE
"""What lies more than 15 factors of two (45 dB) below the loudest band of a recording is silence."""
TEST_TAKES = 5
CLASSES = 10
PART = 64
"""Recordings that are worked on at once."""
LARGEST = 4 * GIB


@dataclass(frozen=True, eq=False, kw_only=True)
class Recordings:
    """Sound of 16 bits, all in a row, with the place where each recording begins (and the last ends); digit, speaker
    and take of each."""

    samples: NDArray[np.int16]
    start: Ints
    digit: Ints
    speaker: Ints
    take: Ints


def levels(bands: Ints) -> Bytes:
    """Graded spikes of 0 to 15: how far each band (recordings, steps, bands) lies above RANGE below the loudest of its
    recording, in fifteenths of it, rounded."""
    floor = bands.max((1, 2), keepdims=True) - RANGE
    found: Bytes = np.clip(((bands - floor) * 15 + RANGE // 2) // RANGE, 0, 15).astype(np.uint8)
    return found


def thresholds(bands: Ints) -> Bytes:
    """Spikes of three inputs for each band, (recordings, steps, 3 * bands), those of one threshold together: whether
    its level reaches 3, 7 and 11."""
    found = levels(bands)
    return np.concatenate([found >= least for least in (3, 7, 11)], axis=2).astype(np.uint8)


CODES: dict[str, tuple[Callable[[Ints], Bytes], int]] = {"levels": (levels, 15), "thresholds": (thresholds, 1)}
"""By name: what makes spikes of bands, and the largest value they take."""


def frames(samples: NDArray[np.int16], start: Ints, steps: int) -> NDArray[np.int16]:
    """`steps` frames (recordings, steps, WINDOW) of each recording, HOP samples apart. They cover its middle; one that
    is shorter has silence on both sides."""
    length = (steps - 1) * HOP + WINDOW
    rows = np.zeros((len(start) - 1, length), np.int16)
    for row, begin, end in zip(rows, start[:-1], start[1:], strict=True):
        spare = length - (int(end) - int(begin))
        inside = samples[begin + max(0, -spare // 2) : end][:length]
        row[max(0, spare // 2) :][: len(inside)] = inside
    windows: NDArray[np.int16] = np.lib.stride_tricks.sliding_window_view(rows, WINDOW, axis=1)[:, ::HOP]
    return windows


def spoken_digits(folder: Path, steps: int = 40, *, code: str = "levels", speaker: int | None = None) -> Dataset:
    """The recordings of fsdd.npz in `folder` as spikes of `steps` frames, train and test in an order drawn once.

    code: `levels` (graded spikes) or `thresholds` (spikes). speaker: test on all recordings of this one and train on
    the others'; None: test on the official takes. InputError where the file is none of these recordings.
    """
    path = folder / FILE
    found = read_recordings(path)
    test = found.take < TEST_TAKES if speaker is None else found.speaker == speaker
    if test.all() or not test.any():
        known = ", ".join(str(each) for each in np.unique(found.speaker).tolist())
        asked = (
            f"takes from {TEST_TAKES} on and below" if speaker is None else f"one of the speakers {known}, and others"
        )
        raise InputError(
            f"{path}" if speaker is None else "data.speaker",
            f"requires {asked}; found {'none' if speaker is None else speaker}; choose another split",
        )
    coder, top = CODES[code]
    shape = coder(np.zeros((1, 1, BANDS), np.int64)).shape[2:]
    if (size := len(found.digit) * steps * shape[0]) > LARGEST:
        raise InputError(
            "training.steps",
            f"requires samples of at most {LARGEST:,} bytes together; found {size:,}; give fewer steps",
        )
    x = np.empty((len(found.digit), steps, *shape), np.uint8)
    for begin in range(0, len(x), PART):
        part = frames(found.samples, found.start[begin : begin + PART + 1], steps)
        bands = band_levels(part.reshape(-1, WINDOW), BANDS, RATE)
        x[begin : begin + PART] = coder(bands.reshape(len(part), steps, BANDS))
    order = np.argsort(random_words(0, len(x)), kind="stable")
    train, tested = order[~test[order]], order[test[order]]
    return Dataset(
        name="spoken-digits", train_x=frozen(x[train]), train_y=found.digit[train], test_x=frozen(x[tested]),
        test_y=found.digit[tested], top=top, classes=CLASSES, time=True,
    )  # fmt: skip


def read_recordings(path: Path) -> Recordings:
    """What fsdd.npz holds, looked at before it is read. Raises InputError."""
    with open_npz(path, KIND) as npz:
        wanted = ("samples", "start", "digit", "speaker", "take", "rate")
        missing = [key for key in wanted if key not in npz]
        if missing:
            raise InputError(
                path,
                f"requires {', '.join(wanted)}; found no {', '.join(missing)}; make it as docs/training-data.md says",
            )
        samples, number = npz["samples"], npz["digit"].count
        if samples.dtype != np.int16 or len(samples.shape) != 1 or not samples.count or not number:
            raise InputError(
                f"{path}: samples", f"requires int16 of one axis; found {samples.dtype} of {samples.shape}; make it as "
                "docs/training-data.md says",
            )  # fmt: skip
        rate = _counts(npz, "rate", 1, path)
        start, digit, speaker, take = (
            _counts(npz, key, number + (key == "start"), path) for key in ("start", "digit", "speaker", "take")
        )
        sound: Array = npz.read("samples")
    if rate.item() != RATE or digit.min() < 0 or digit.max() >= CLASSES:
        raise InputError(
            path, f"requires digits from 0 to 9 at a rate of {RATE}; found {digit.min()} to {digit.max()} at "
            f"{rate.item()}; make it as docs/training-data.md says",
        )  # fmt: skip
    if start[0] < 0 or start[-1] > len(sound) or (start[1:] <= start[:-1]).any():
        raise InputError(
            f"{path}: start", f"requires places that ascend within the {len(sound):,} samples; found others; make it "
            "as docs/training-data.md says",
        )  # fmt: skip
    return Recordings(samples=sound, start=start, digit=digit, speaker=speaker, take=take)


def _counts(npz: Npz, key: str, number: int, path: Path) -> Ints:
    header = npz[key]
    if header.dtype.kind not in "iu" or header.count != number or len(header.shape) > 1:
        raise InputError(
            f"{path}: {key}", f"requires {number:,} whole numbers; found {header.dtype} of {header.shape}; make it as "
            "docs/training-data.md says",
        )  # fmt: skip
    return frozen(npz.read(key).reshape(-1), np.int64)
