"""Codes that are packed into bytes or larger integers, taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Ints, Shape
from tern2lava.counts import count

TRITS = 5
"""Digits of base 3 in a byte: 3^5 = 243."""


class PackedError(ValueError):
    """Why codes cannot be taken apart, as in errors.InputError."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How codes lie in integers. codes: what each digit stands for, None for one that must not occur. low_first: the
    first code is in the lowest digit. blocks: the codes of one integer are as far apart as there are integers along the
    axis, instead of beside each other. axis: along which they lie. shape: of the result."""

    codes: tuple[int | float | None, ...]
    low_first: bool
    blocks: bool
    axis: int
    shape: Shape


def two_bits(packed: Array, packing: Packing) -> Array:
    """The codes of 2 bits in an array of integers of 8 bits or more."""
    unsigned = packed.astype(packed.dtype.newbyteorder("=")).view(f"u{packed.dtype.itemsize}")
    each = 4 * packed.dtype.itemsize
    return _codes(unsigned, [((unsigned >> (2 * i)) & 3).astype(np.uint8) for i in range(each)], packing)


def base_three(packed: Array, packing: Packing) -> Array:
    """The codes of five digits of base 3 in an array of bytes."""
    values = packed.view(np.uint8)
    if values.size and values.max() >= 3**TRITS:
        raise PackedError(
            f"requires bytes of at most {3**TRITS - 1}, five digits of base 3; found {int(values.max())}; name the "
            "packed tensor"
        )
    return _codes(values, [(values // 3**i) % 3 for i in range(TRITS)], packing)


def _codes(packed: Array, digits: Sequence[Ints], packing: Packing) -> Array:
    """`digits` (lowest first) of each integer in their places, each as the code that it stands for."""
    axis, shape = packing.axis, packing.shape
    flat = packed.ndim == 1 and len(shape) != 1
    ordered = list(digits if packing.low_first else digits[::-1])
    length = int(np.prod(shape, dtype=np.int64)) if flat else shape[axis] if axis < len(shape) else 0
    given = packed.shape[axis] if axis < packed.ndim else -1
    others = [n for i, n in enumerate(packed.shape) if i != axis]
    if given < 0 or (not flat and others != [n for i, n in enumerate(shape) if i != axis]):
        raise PackedError(
            f"requires a shape like that of the packed tensor, {packed.shape}, but for axis {axis}; found {shape}; "
            "mend shape or axis"
        )
    if given != -(-length // len(ordered)):
        held = f"{count(given, 'integer')} of {len(ordered)} codes"
        raise PackedError(
            f"requires as many integers along axis {axis} as {count(length, 'code')} need; found {held}; mend shape, "
            "axis or the function"
        )
    joined = np.concatenate(ordered, axis) if packing.blocks else np.stack(ordered, axis + 1)
    joined = joined.reshape(*packed.shape[:axis], -1, *packed.shape[axis + 1 :])
    joined = joined[(slice(None),) * axis + (slice(length),)]
    for digit, code in enumerate(packing.codes):
        if code is None and (joined == digit).any():
            at = [int(n) for n in np.argwhere(joined == digit)[0]]
            raise PackedError(
                f"requires codes without the digit {digit}, which stands for none; found it at index {at}; mend codes, "
                "order or axis"
            )
    table = np.asarray([0 if code is None else code for code in packing.codes])
    return table[joined].reshape(shape)
