"""Element codes read: which axis of a tensor counts steps, which samples, and where each of its items came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Bools, Ints, Shape
from tern2lava.frontends.modules.trace.codes import UNKNOWN, Codes
from tern2lava.frontends.modules.trace.symbols import (
    BATCH,
    BATCH_TIME,
    ITEM,
    STATIC,
    TIME,
    TIME_BATCH,
    TOTAL,
    ZERO,
)


@dataclass(frozen=True, eq=False)
class Part:
    """Items `columns` of expression `key`, `back` steps ago, that are the items `rows` of the tensor."""

    key: int
    back: int
    rows: Ints
    columns: Ints


@dataclass(frozen=True, eq=False)
class Layout:
    """A tensor of expressions: times and axes as of a Symbol, the shape of its items, and where they come from."""

    times: tuple[int, ...]
    axes: tuple[str, ...]
    shape: Shape
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class _Guess:
    """One way to read the axes: those of samples and steps (None: single steps; `batch` itself where merged)."""

    batch: int
    time: int | None
    kind: str = BATCH


def read_layout(codes: Ints, by: Codes, *, single: bool = False) -> Layout | str:
    """The layout of a tensor of `codes`; a text that says why, where there is none.

    single: do not read parts of the sequence as an axis of steps, where they can be items of one step.
    """
    if (codes == UNKNOWN).any():
        return "numbers of the layer's own among those of earlier layers"
    quick = _in_order(codes, by)
    if quick is not None:
        return quick
    elements = by.decode(codes)
    batches = [axis for axis in range(codes.ndim) if _varies(elements.sample, elements.valid, axis)]
    if len(batches) != 1:
        return "samples of the batch mixed with each other" if batches else "a part of the batch"
    timed = elements.valid & (elements.time >= 0)
    times = [axis for axis in range(codes.ndim) if _varies(elements.time, timed, axis)]
    still = bool((elements.time[elements.valid] == STATIC).all())
    for guess in _guesses(codes, batches[0], times, by, single, still):
        found = _verified(codes, guess, by)
        if found is not None:
            return found
    return "steps and samples mixed with each other, or with the items"


def _in_order(codes: Ints, by: Codes) -> Layout | None:
    """The layout of whole steps in order, which the codes of most tensors are; None for others."""
    flat = codes.reshape(-1)
    if not flat.size or flat[0] <= 0 or flat[-1] - flat[0] != flat.size - 1:
        return None
    key, items, start = by.key_and_items(int(flat[0]))
    slot, within = divmod(int(flat[0]) - start, by.batch * items)
    count = flat.size // (by.batch * items)
    if within or count * by.batch * items != flat.size or slot + count > by.steps:
        return None
    if not np.array_equal(flat, np.arange(flat[0], flat[0] + flat.size)):
        return None
    lead: tuple[str, ...]
    if count == 1 and codes.shape[0] == by.batch:
        lead = (BATCH,)
    elif codes.ndim > 1 and codes.shape[:2] == (count, by.batch):
        lead = (TIME, BATCH)
    elif codes.shape[0] == count * by.batch:
        lead = (TIME_BATCH,)
    else:
        return None
    shape = tuple(codes.shape[len(lead) :])
    order = np.arange(items)
    part = Part(key, 0, order, order)
    return Layout(tuple(range(slot, slot + count)), (*lead, *[ITEM] * len(shape)), shape, (part,))


def _varies(values: Ints, valid: Bools, axis: int) -> bool:
    if values.shape[axis] < 2:
        return False
    high = np.where(valid, values, -1 << 60).max(axis=axis)
    low = np.where(valid, values, 1 << 60).min(axis=axis)
    return bool((high > low).any())


def _guesses(codes: Ints, batch: int, times: list[int], by: Codes, single: bool, still: bool) -> Iterator[_Guess]:
    length, alone = codes.shape[batch], _Guess(batch, None)
    if length != by.batch:
        if length % by.batch == 0:
            yield _Guess(batch, batch, TIME_BATCH)
            yield _Guess(batch, batch, BATCH_TIME)
        return
    if single:
        yield alone
        return
    for axis in times:
        if axis != batch:
            yield _Guess(batch, axis)
    if not times:
        # An axis in front of the samples counts steps; one behind them where a static input was repeated so often.
        for axis in (*range(batch), *([batch + 1] if still and by.steps > 1 else [])):
            repeated = axis < codes.ndim and (codes == codes.take([0], axis)).all()
            if repeated and (batch == 1 if axis < batch else codes.shape[axis] == by.steps):
                yield _Guess(batch, axis)
    yield alone


def _verified(codes: Ints, guess: _Guess, by: Codes) -> Layout | None:
    """The layout by `guess`, None where the codes have no such one."""
    if guess.time is None:
        ordered = np.moveaxis(codes, guess.batch, 0)[None]
    elif guess.time == guess.batch:
        front = np.moveaxis(codes, guess.batch, 0)
        steps = front.shape[0] // by.batch
        if guess.kind == TIME_BATCH:
            ordered = front.reshape(steps, by.batch, *front.shape[1:])
        else:
            ordered = front.reshape(by.batch, steps, *front.shape[1:]).swapaxes(0, 1)
    else:
        ordered = np.moveaxis(codes, (guess.time, guess.batch), (0, 1))
    shape = tuple(ordered.shape[2:])
    ordered = ordered.reshape(*ordered.shape[:2], -1)
    first = by.decode(ordered[:, 0])
    if (first.sample[first.valid] != 0).any():
        return None
    for sample in range(1, by.batch):
        other = by.decode(ordered[:, sample])
        same = (other.valid == first.valid).all() and (other.sample[other.valid] == sample).all() and all(
            (getattr(other, name) == getattr(first, name))[first.valid].all() for name in ("key", "time", "item")
        )  # fmt: skip
        if not same:
            return None
    axes = [ITEM] * codes.ndim
    axes[guess.batch] = guess.kind
    if guess.time is not None and guess.time != guess.batch:
        axes[guess.time] = TIME
    found = _over_time(first.valid, first.key, first.time, first.item, by.steps)
    if found is None:
        return None
    times, parts = found
    return Layout(times, tuple(axes), shape, parts)


def _over_time(
    valid: Bools, key: Ints, time: Ints, item: Ints, steps: int
) -> tuple[tuple[int, ...], tuple[Part, ...]] | None:
    """(times, parts) of elements (times, items) that come from the same places in each step; None for others."""
    count = len(valid)
    if (time[valid] == TOTAL).any():
        if count > 1 or (time[valid] != TOTAL).any():
            return None
        return (TOTAL,), _parts(valid[0], key[0], np.zeros_like(key[0]), item[0])
    timed = valid & (time >= 0)
    if count == steps and count > 1 and timed.any():
        now = np.arange(count)[:, None]
        back = np.where(timed, now - time, 0)
        last = count - 1
        early = ~valid & valid[last] & (time[last] >= 0) & (now < back[last])
        agrees = (
            valid
            & valid[last]
            & (key == key[last])
            & (item == item[last])
            & (back == back[last])
            & (timed == timed[last])
        )
        if (back[last] >= 0).all() and (agrees | early | ~(valid | valid[last])).all():
            return tuple(range(count)), _parts(valid[last], key[last], back[last], item[last])
    latest = np.where(timed, time, -1).max(axis=1) if valid.shape[1] else np.full(count, -1)
    times = [int(t) if t >= 0 else (STATIC if some.any() else ZERO) for t, some in zip(latest, valid, strict=True)]
    back = np.where(timed, latest[:, None] - time, 0)
    filled = [n for n, t in enumerate(times) if t != ZERO]
    if not filled:
        return None
    ref = filled[0]
    for n in filled:
        both = valid[ref]
        if not (valid[n] == both).all() or any((a[n] != a[ref])[both].any() for a in (key, item, back, timed)):
            return None
    return tuple(times), _parts(valid[ref], key[ref], back[ref], item[ref])


def _parts(valid: Bools, key: Ints, back: Ints, item: Ints) -> tuple[Part, ...]:
    rows = np.nonzero(valid)[0]
    pairs = np.stack([key[rows], back[rows]], axis=1)
    found = []
    for one, ago in np.unique(pairs, axis=0):
        which = rows[(pairs[:, 0] == one) & (pairs[:, 1] == ago)]
        found.append(Part(int(one), int(ago), which, item[which]))
    return tuple(found)
