"""What is wrong with values that an input does not take: no number, a fraction, or an integer that lost its sign."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Input
from tern2lava.compiler.ir.shapes import Array
from tern2lava.counts import count


def what_is_wrong(node: Input, values: Array, placed: bool) -> str:
    """The first of `values` (samples, steps, ...) that `node` does not take, what it likely is, and what to do.

    placed: `values` begin with the first sample of the data, so that sample and step can be named."""
    low, high = node.levels
    wrong = ~((values >= low) & (values <= high))
    if values.dtype.kind == "f":
        wrong |= values != np.rint(values)
    found = np.unique(values[wrong])
    first = tuple(int(at) for at in np.argwhere(wrong)[0])
    text = f"found {values[first].item()}" + (f" in sample {first[0]:,}, step {first[1]:,}" if placed else "")
    for bits in (8, 16, 32, 64):
        was = _unwrapped(found, bits, max(abs(low), abs(high), 1))
        if was is None:
            continue
        likely = f"{int(was[0])} that was wrapped in {count(bits, 'bit')}"
        if low <= was.min() and was.max() <= high:
            return f"{text}, likely {likely}; store the data as int32"
        return f"{text}, perhaps {likely} or a brightness; this input takes neither: encode the data as spikes first"
    return f"{text}; encode the data as spikes first"


def _unwrapped(found: Array, bits: int, reach: int) -> Array | None:
    """`found` plus or minus 2^bits, where that brings all of them to at most `reach` in size; else None."""
    if not all(np.isfinite(value) and float(value).is_integer() for value in found):
        return None
    # Python's integers: neither 2^64 nor -2^63 fits beside the others in one type of numpy's.
    was = [int(value) - (1 << bits) if value > 0 else int(value) + (1 << bits) for value in found]
    return np.array(was) if all(abs(value) <= reach for value in was) else None
