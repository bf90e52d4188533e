"""How near a large weight tensor is to ternary, told a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.compiler.passes.recognise_ternary import TOLERANCE, recognise, split_scales
from tern2lava.frontends.inspect.ternary import MAX_LISTED_SCALES, Form, Ternary, without_scale

LARGE = 1 << 22
"""Numbers from which a tensor is told in parts: as a whole it takes some ten times its size in float64."""
PART = 1 << 20
MAX_ROW, MAX_ROWS = 1 << 21, 1 << 22
"""Inputs of one output, and outputs, that the weight of a layer has at most; what has more is told as no weight."""


def large_ternary_facts(weight: Array) -> Ternary | None:
    """As ternary_facts, for a tensor of LARGE numbers or more; None where its shape is no weight's.

    Memory holds the tensor, its magnitudes in float32 and a part. The error of one scale for the whole tensor is that
    of the magnitudes in float32.
    """
    table = weight.reshape(weight.shape[0], -1)
    count, width = table.shape
    if count > MAX_ROWS or width > MAX_ROW:
        return None
    tops, lows = np.zeros((2, count)), np.full((2, count), np.inf)
    zeros, at = 0, 0
    for rows in _parts(table):
        if not np.isfinite(rows).all():
            share = sum(int(np.count_nonzero(part == 0)) for part in _parts(table)) / table.size
            return without_scale(Form.NOT_FINITE, share, float("nan"))
        zeros += int(np.count_nonzero(rows == 0))
        for sign, (top, low) in zip((1, -1), zip(tops, lows, strict=True), strict=True):
            signed = sign * rows
            top[at : at + len(rows)] = np.maximum(signed, 0).max(axis=1)
            low[at : at + len(rows)] = np.where(signed > 0, signed, np.inf).min(axis=1)
        at += len(rows)
    share = zeros / table.size
    if zeros == table.size:
        return without_scale(Form.ZERO, 1.0, 0.0)
    top, low = tops.max(axis=0), lows.min(axis=0)
    whole = float(top.max())
    for form, largest, least in (
        (Form.TENSOR, top.max(keepdims=True), low.min(keepdims=True)),
        (Form.ROW, top, low),
        (Form.ASYMMETRIC, tops.max(axis=1), lows.min(axis=1)),
        (Form.ASYMMETRIC_ROW, tops.T.reshape(-1), lows.T.reshape(-1)),
    ):
        used = largest > 0
        spread = float(((largest[used] - least[used]) / largest[used]).max())
        if spread <= TOLERANCE:
            exact = form in (Form.TENSOR, Form.ROW)
            return Ternary(
                form=form, scales=tuple(largest[:MAX_LISTED_SCALES].tolist()), rounded=spread > 0,
                bits=2 if exact else None, zeros=share,
                error_tensor=0.0 if form is Form.TENSOR and spread == 0 else _whole_error(table, whole),
                error_row=0.0 if exact and spread == 0 else _row_error(table, whole),
            )  # fmt: skip
    form, bits, deviation, scales = _coded(table)
    return Ternary(
        form=form, scales=scales, rounded=deviation > 0, bits=bits, zeros=share,
        error_tensor=_whole_error(table, whole), error_row=_row_error(table, whole),
    )  # fmt: skip


def _parts(table: Array) -> Iterator[Reals]:
    """The rows in float64, PART numbers at a time."""
    each = max(1, PART // table.shape[1])
    for begin in range(0, len(table), each):
        yield table[begin : begin + each].astype(np.float64)


def _coded(table: Array) -> tuple[Form, int | None, float, tuple[float, ...]]:
    """Form, bits, deviation and scales of a tensor that is a scale times integers in every part of it, or ternary with
    a scale per block; OTHER where one part is neither."""
    found: list[float] = []

    def scaled(tell: Callable[[Reals], tuple[int, float, Reals] | None]) -> tuple[int, float, tuple[float, ...]] | None:
        bits, deviation = 2, 0.0
        found.clear()
        for rows in _parts(table):
            told = tell(rows)
            if told is None:
                return None
            bits, deviation = max(bits, told[0]), max(deviation, told[1])
            if len(found) < MAX_LISTED_SCALES:
                found.extend(np.atleast_1d(told[2]).reshape(-1).tolist())
        return bits, deviation, tuple(found[:MAX_LISTED_SCALES])

    def integers(rows: Reals) -> tuple[int, float, Reals] | None:
        codes = recognise(rows)
        return None if codes is None else (codes.bits, codes.deviation, codes.scale)

    def blocks(rows: Reals) -> tuple[int, float, Reals] | None:
        parts = split_scales(rows)
        if not parts:
            return None
        return 2, max(part.deviation for part in parts), np.concatenate([np.atleast_1d(part.scale) for part in parts])

    if (told := scaled(integers)) is not None:
        return Form.INTEGER, *told
    if (told := scaled(blocks)) is not None:
        return Form.BLOCKS, *told
    return Form.OTHER, None, 0.0, ()


def _whole_error(table: Array, largest: float) -> float:
    """|w - alpha t| / |w| of the best alpha and t for the whole tensor (see fit_error)."""
    magnitudes = np.empty(table.size, np.float32)
    at = 0
    for rows in _parts(table):
        magnitudes[at : at + rows.size] = np.abs(rows / largest).reshape(-1)
        at += rows.size
    magnitudes.sort()
    total, reached, most = 0.0, 0.0, 0.0
    for begin in range(0, len(magnitudes), PART):
        part = magnitudes[len(magnitudes) - begin - 1 :: -1][:PART].astype(np.float64)
        sums = reached + np.cumsum(part)
        most = max(most, float((sums**2 / np.arange(begin + 1, begin + len(part) + 1)).max()))
        reached, total = float(sums[-1]), total + float((part**2).sum())
        if not part[-1]:
            break
    return float(np.sqrt(max(0.0, total - most) / total)) if total > 0 else 0.0


def _row_error(table: Array, largest: float) -> float:
    """The same of the best alpha and t for each row."""
    total = gained = 0.0
    for rows in _parts(table):
        descending = -np.sort(-np.abs(rows / largest), axis=1)
        total += float((descending**2).sum())
        gained += float((np.cumsum(descending, axis=1) ** 2 / np.arange(1, rows.shape[1] + 1)).max(axis=1).sum())
    return float(np.sqrt(max(0.0, total - gained) / total)) if total > 0 else 0.0
