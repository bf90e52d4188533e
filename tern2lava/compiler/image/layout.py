"""Sizes of the parts of a core image: words, padding, widths of integers, codes in groups, gain tables."""

from __future__ import annotations

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Ints

WORD_BYTES = 8


def codes_groups(local: Projection) -> int:
    """Channel groups by which codes stand in rows (code_rows.py)."""
    return 1 if local.geometry is None else local.geometry.groups


def padded(count: int) -> int:
    """Bytes rounded up to whole memory words."""
    return -(-count // WORD_BYTES) * WORD_BYTES


def integer_width(values: Ints) -> int:
    """Bytes (1, 2, 4 or 8) of the narrowest signed integer that holds all values."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    return next(w for w in (1, 2, 4, 8) if -(1 << (8 * w - 1)) <= low and high < 1 << (8 * w - 1))


def gain_bytes(local: Projection) -> int:
    """Bytes of the gain in a block's record: one value, or one for each row where they differ."""
    return integer_width(local.gain) * int(local.gain.size)
