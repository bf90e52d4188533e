"""A slice of a projection as synapse lists of Loihi 1: which lists there are, how many words they take, their bytes.

Source neurons share lists where a convolution reaches the same targets relative to the first: lists are stored once for
each source channel and each way in which the kernel's taps fall at borders and strides (a class).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.image.codecs.loihi import (
    MOST_FORMATS,
    decode_lists,
    encode_lists,
    formats,
    lists_bytes,
    stored_words,
)
from tern2lava.compiler.image.codecs.loihi_entries import (
    ENCODINGS,
    KIND,
    MAX_PER_ENTRY,
    Entries,
    delay_bits,
    optimal,
    split,
)
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Codes, D, Ints
from tern2lava.compiler.ir.slices import taps
from tern2lava.errors import InputError


def synapse_lists(weights: NDArray[D], local: Projection) -> list[tuple[NDArray[D], Ints, int]]:
    """The different synapse lists of a slice as (codes (lists, n), target index (n,), source neurons that use each).

    For a convolution the source neurons fall into classes by which kernel taps reach which targets: inside, all are
    alike, at borders and for strides there are variants. Lists of one class differ by source channel only. Targets
    are numbered position by position, channels last, relative to the first that the class reaches.
    """
    geometry = local.geometry
    if geometry is None:
        return [(np.ascontiguousarray(weights.T), np.arange(weights.shape[0]), 1)]
    groups = geometry.groups
    out, in_group, kh, kw = weights.shape
    per_group = out // groups
    grouped = weights.reshape(groups, per_group, in_group, kh, kw)
    rows, columns = (_tap_classes(taps(geometry, (kh, kw), axis)) for axis in (0, 1))
    result = []
    for row_taps, row_reach, row_count in rows:
        for column_taps, column_reach, column_count in columns:
            codes = grouped[:, :, :, row_taps][:, :, :, :, column_taps]
            codes = codes.transpose(0, 2, 3, 4, 1).reshape(groups * in_group, -1)
            place = row_reach[:, None] * geometry.out_shape[2] + column_reach[None, :]
            index = (place.reshape(-1, 1) * out + np.arange(per_group)[None, :]).reshape(-1)
            result.append((codes, index, row_count * column_count))
    return result


def _tap_classes(reach: Ints) -> list[tuple[Ints, Ints, int]]:
    """Classes of source positions along one axis: (taps in order of the target they reach, targets relative to the
    first, number of positions); positions that reach nothing are left out."""
    large = np.iinfo(np.int64).max
    first = np.where(reach >= 0, reach, large).min(axis=1)
    relative = np.where(reach >= 0, reach - first[:, None], -1)
    patterns, counts = np.unique(relative, axis=0, return_counts=True)
    result = []
    for pattern, count in zip(patterns, counts, strict=True):
        used = np.flatnonzero(pattern >= 0)
        if used.size:
            order = used[np.argsort(pattern[used], kind="stable")]
            result.append((order, pattern[order], int(count)))
    return result


@dataclass(frozen=True, eq=False)
class PlannedLists:
    """Lists of one class: codes (lists, n), targets (n,), entries (codecs/loihi_entries.py), source neurons that use
    each list, words of each list."""

    codes: Codes
    index: Ints
    entries: Entries
    times: int
    words: Ints


def plan_lists(local: Projection, encodings: Sequence[str], most: int = MAX_PER_ENTRY) -> list[PlannedLists]:
    """The lists of a slice, each cut for the fewest words in the allowed encodings. local.bits is the width of a stored
    weight, most the largest number of synapses in an entry. Raises InputError for weights that no encoding holds."""
    each = local.bits + delay_bits(local.delay)
    low = int(local.weight.min())
    allowed = [name for name in encodings if name != "shared_sign" or low > -(1 << (local.bits - 1))]
    if not allowed:
        raise InputError(local.name, f"weights down to {low} in shared sign mode, which holds magnitudes below {-low}")
    result = []
    for codes, index, times in synapse_lists(local.weight, local):
        # Where formats run out, they are widened, and a cut with fewer formats may take less.
        cuts = [optimal(codes, index, allowed, each, most)]
        if len(formats(cuts[0], index, joined=False)[0]) > MOST_FORMATS:
            cuts += [split(codes, index, name, each, most) for name in allowed]
        words = [stored_words(cut, index, local.bits, local.delay, codes.shape[0]) for cut in cuts]
        best = min(range(len(cuts)), key=lambda i: int(words[i].sum()))
        result.append(PlannedLists(codes, index, cuts[best], times, words[best]))
    return result


def encodings_used(planned: Sequence[PlannedLists]) -> tuple[str, ...]:
    """Names of the encodings that entries use, sorted."""
    used = {int(kind) for lists in planned for kind in np.unique(lists.entries[:, KIND])}
    names = {("shared_sign" if kind >= 4 else ENCODINGS[kind]) for kind in used}
    return tuple(sorted(names)) or ("dense",)


def encode_slice(local: Projection, planned: Sequence[PlannedLists]) -> bytes:
    """The streams of all classes, one after the other."""
    return b"".join(encode_lists(p.codes, p.index, p.entries, local.bits, local.delay) for p in planned)


def decode_slice(data: bytes, local: Projection) -> Ints:
    """The weight, int64, of a slice like `local` (shape, geometry, bits and delay; its own weights are not read).

    Kernel taps that reach no target are in no list; they come back as 0. Raises InputError for damaged bytes, and where
    classes disagree about a weight.
    """
    shape = local.weight.shape
    weight = np.zeros(shape, np.int64).reshape(-1)
    known = np.zeros(weight.size, np.bool_)
    at = 0
    for place, index, _ in synapse_lists(np.arange(weight.size).reshape(shape), local):
        end = at + lists_bytes(data[at:], place.shape[0], index.size)
        codes = decode_lists(data[at:end], place.shape[0], index, local.bits, local.delay)
        if (known[place] & (weight[place] != codes)).any():
            raise InputError("synapse lists", "classes of lists that hold different weights; the stream is damaged")
        weight[place] = codes
        known[place] = True
        at = end
    if at != len(data):
        raise InputError("synapse lists", f"{len(data) - at} bytes behind the last list; the stream is damaged")
    return weight.reshape(shape)
