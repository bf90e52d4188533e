"""Samples of different lengths, padded with steps of zeros to one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.sim.data.given import whole_array

PADDED, RATIO = 256 << 20, 50
"""Bytes that samples may have once they are padded, unless RATIO times what they had before is more."""


def padded(samples: Sequence[Any], steps: int, pad: bool, where: str) -> Array:
    """One array (samples, steps, ...) of samples (steps_i, ...), zeros after the shorter ones.

    It has `steps` steps, or as many as the longest sample where that has more. Raises InputError for samples of
    different lengths without `pad`, and for samples that are no arrays of numbers of one shape per step.
    """
    parts = [_array(sample, f"{where}: sample {at}") for at, sample in enumerate(samples)]
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise InputError(
            where,
            f"requires samples with steps of one shape; found {', '.join(map(str, sorted(shapes)))}; reshape them",
        )
    lengths = {len(part) for part in parts}
    if len(lengths) == 1:
        return np.stack(parts)
    if not lengths:
        raise InputError(where, "requires one sample at least; found none; give (samples, steps, *shape)")
    if not pad:
        raise InputError(
            where, f"requires samples of one number of steps; found {min(lengths):,} to {max(lengths):,}; pad them "
"with steps of zeros: --pad (pad=True)",
        )  # fmt: skip
    given = sum(part.nbytes for part in parts)
    need = len(parts) * max(steps, *lengths) * parts[0][:1].size * np.result_type(*parts).itemsize
    if need > max(PADDED, RATIO * given):
        raise InputError(
            where,
            f"requires samples that padding makes no larger than {RATIO} times the {given:,} bytes that they have; "
            f"found samples of {min(lengths):,} to {max(lengths):,} steps, {need:,} bytes once padded; give long and "
            "short samples in files of their own",
        )
    result = np.zeros((len(parts), max(steps, *lengths), *next(iter(shapes))), np.result_type(*parts))
    for row, part in zip(result, parts, strict=True):
        row[: len(part)] = part
    return result


def cut(values: Array, lengths: Array, where: str) -> list[Array]:
    """The samples (steps_i, ...) that `values` (sum of steps_i, ...) holds one after another. Raises InputError."""
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not lengths.size or lengths.min() < 1:
        raise InputError(
            f"{where}: lengths",
            f"requires the steps of each sample as whole numbers; found {lengths.dtype} of shape "
            f"{lengths.shape}; give one for each",
        )
    if int(lengths.sum()) != len(values):
        raise InputError(
            f"{where}: lengths",
            f"requires lengths that add up to the {count(len(values), 'step')} of the spikes; found "
            f"{int(lengths.sum()):,}; mend one of the two",
        )
    return np.split(values, np.cumsum(lengths)[:-1])


def _array(sample: Any, where: str) -> Array:
    array: Array = whole_array(sample, where)
    if array.dtype.kind not in "biuf" or array.ndim < 1:
        raise InputError(
            where, f"requires numbers (steps, *shape); found {array.dtype} of shape {array.shape}; give every step"
        )
    return array


def is_ragged(values: Any) -> bool:
    """Whether `values` are samples one by one: a list, or an array of objects."""
    return isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.dtype.kind == "O")
