"""Spike trains from values in [0, 1], in integers and so equal on every machine; or samples that are spikes already."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Ints, Spikes
from tern2lava.errors import InputError
from tern2lava.train.data import random_words

FRACTION_BITS = 16


def regular(values: Array, top: int, steps: int, seed: int) -> Spikes:
    """A spike at t iff floor(((t+1)*v + c) / top) > floor((t*v + c) / top), c = top // 2: evenly spaced, rate v/top.

    Over `steps` steps the count differs from steps * v / top by less than one. The seed is not used.
    """
    t: Ints = np.arange(steps + 1, dtype=np.int64).reshape(1, -1, *([1] * (values.ndim - 1)))
    counts: Ints = (t * values[:, None] + top // 2) // top
    spikes: Spikes = (counts[:, 1:] - counts[:, :-1]).astype(np.uint8)
    return spikes


def bernoulli(values: Array, top: int, steps: int, seed: int) -> Spikes:
    """A spike at every step with probability v/top, independently (to 2^-32)."""
    words = random_words(seed, values.size * steps).reshape(values.shape[0], steps, *values.shape[1:]) >> np.uint64(32)
    spikes: Array = (words.astype(np.int64) * top < (values[:, None] << 32)).astype(np.uint8)
    return spikes


def latency(values: Array, top: int, steps: int, seed: int) -> Spikes:
    """One spike at t = floor((top - v) * steps / (top + 1)) where v > 0: the larger the value the earlier."""
    t = np.arange(steps, dtype=np.int64).reshape(1, -1, *([1] * (values.ndim - 1)))
    when = (top - values) * steps // (top + 1)
    spikes: Spikes = ((t == when[:, None]) & (values[:, None] > 0)).astype(np.uint8)
    return spikes


def direct(values: Array, top: int, steps: int, seed: int) -> Spikes:
    """The value itself (an integer 0 to top, a graded spike) at every step."""
    return np.repeat(values[:, None], steps, axis=1).astype(np.uint8)


def none(values: Array, top: int, steps: int, seed: int) -> Spikes:
    """The values themselves (batch, steps, *shape): spikes, or graded spikes of 0 to top. InputError where they are of
    another number of steps."""
    if values.ndim < 3 or values.shape[1] != steps:
        raise InputError(
            "samples", f"requires (batch, {steps}, *shape), the steps of the training; found {values.shape}; give as "
            "many steps as the samples have",
        )  # fmt: skip
    return values.astype(np.uint8)


ENCODERS: dict[str, Callable[[Array, int, int, int], Spikes]] = {
    "rate": regular,
    "bernoulli": bernoulli,
    "latency": latency,
    "direct": direct,
    "none": none,
}
GRADED = ("direct", "none")
"""Encodings that hand on values of 0 to top, which training divides by top."""
RANDOM = ("bernoulli",)
"""Encodings whose spikes depend on a seed."""


def encode(values: Array, steps: int, *, method: str = "rate", top: int | None = None, seed: int = 0) -> Spikes:
    """Spikes (batch, steps, *shape) uint8 for integers 0 to `top`, or for floats in [0, 1] where `top` is None.

    Floats are first rounded to multiples of 2^-16 (of 1/255 for methods direct and none). With method none they have
    a time axis themselves. Raises InputError for an unknown method, values outside their range, or steps < 1.
    """
    if method not in ENCODERS:
        raise InputError("encoding", f"requires one of {', '.join(ENCODERS)}; found {method!r}; choose one of them")
    if steps < 1:
        raise InputError("steps", f"requires one time step at least; found {steps}; give for example 8")
    if top is None:
        top = 255 if method in GRADED else 1 << FRACTION_BITS
        if not (np.isfinite(values).all() and values.min(initial=0) >= 0 and values.max(initial=0) <= 1):
            raise InputError(
                "values", "requires values within [0, 1]; found others; scale them, or give `top` for integers 0 to top"
            )
        values = np.rint(np.asarray(values, np.float64) * top)
    elif not np.issubdtype(values.dtype, np.integer) or not (1 <= top < 1 << 31):
        raise InputError(
            "values", f"requires integers 0 to top with `top`; found {values.dtype}; leave top out or convert them"
        )
    elif values.min(initial=0) < 0 or values.max(initial=0) > top:
        raise InputError(
            "values", f"requires values of 0 to {top}; found {values.min()} to {values.max()}; scale them or raise top"
        )
    if method in GRADED and top > 255:
        raise InputError(
            "values", f"requires values up to 255 for encoding {method}; found top {top}; scale them first"
        )
    return ENCODERS[method](values.astype(np.int64), top, steps, seed)
