"""How near a weight tensor is to alpha * {-1, 0, 1}."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.compiler.passes.recognise_ternary import TOLERANCE, recognise, split_scales

MAX_LISTED_SCALES = 1024


class Form(str, Enum):
    """How a weight tensor stands to alpha * {-1, 0, 1}."""

    TENSOR = "ternary, one scale"
    ROW = "ternary, one scale per output channel"
    ASYMMETRIC = "asymmetric, +a and -b in one tensor"
    ASYMMETRIC_ROW = "asymmetric, +a and -b per output channel"
    BLOCKS = "ternary, one scale per block of inputs"
    ZERO = "all zero"
    INTEGER = "small integers times a scale"
    OTHER = "not ternary"
    NOT_FINITE = "holds NaN or infinite numbers"


@dataclass(frozen=True, kw_only=True)
class Ternary:
    """How near a weight tensor is to ternary.

    scales: alpha of the tensor or of each output channel (0 for a channel of zeros), cut at MAX_LISTED_SCALES; for an
    asymmetric tensor positive and negative in turn. rounded: the magnitudes of one scale differ, by float32 rounding
    only (relative TOLERANCE of passes/recognise_ternary.py). bits: of a code, where the weight is codes times scales.
    error_tensor, error_row: relative error |w - alpha t| / |w| of the best ternary fit with one scale per tensor or per
    output channel (0 where it is exactly ternary).
    """

    form: Form
    scales: tuple[float, ...]
    rounded: bool
    bits: int | None
    zeros: float
    error_tensor: float
    error_row: float


def ternary_facts(weight: Array) -> Ternary:
    """How near `weight` (output channels first) is to alpha * {-1, 0, 1}, alpha of the tensor or of a channel."""
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    zeros = float(np.mean(rows == 0))
    if not np.isfinite(rows).all():
        return without_scale(Form.NOT_FINITE, zeros, float("nan"))
    if not rows.any():
        return without_scale(Form.ZERO, 1.0, 0.0)
    flat = rows.reshape(1, -1)
    for form, values in (
        (Form.TENSOR, (np.abs(flat),)),
        (Form.ROW, (np.abs(rows),)),
        (Form.ASYMMETRIC, (np.maximum(flat, 0), np.maximum(-flat, 0))),
        (Form.ASYMMETRIC_ROW, (np.maximum(rows, 0), np.maximum(-rows, 0))),
    ):
        spreads, scales = zip(*(_one_magnitude(part) for part in values), strict=True)
        spread = max(spreads)
        if spread <= TOLERANCE:
            listed = np.stack(scales, axis=1).reshape(-1)[:MAX_LISTED_SCALES]
            exact = form in (Form.TENSOR, Form.ROW)
            return Ternary(
                form=form,
                scales=tuple(listed.tolist()),
                rounded=spread > 0,
                bits=2 if exact else None,
                zeros=zeros,
                error_tensor=0.0 if form is Form.TENSOR and spread == 0 else _fit_error(flat),
                error_row=0.0 if exact and spread == 0 else _fit_error(rows),
            )
    codes = recognise(weight)
    parts = split_scales(weight) if codes is None else None
    if parts is not None:
        return Ternary(
            form=Form.BLOCKS,
            scales=tuple(np.concatenate([np.atleast_1d(part.scale) for part in parts])[:MAX_LISTED_SCALES].tolist()),
            rounded=any(part.deviation > 0 for part in parts),
            bits=2,
            zeros=zeros,
            error_tensor=_fit_error(flat),
            error_row=_fit_error(rows),
        )
    return Ternary(
        form=Form.OTHER if codes is None else Form.INTEGER,
        scales=() if codes is None else tuple(np.atleast_1d(codes.scale)[:MAX_LISTED_SCALES].tolist()),
        rounded=codes is not None and codes.deviation > 0,
        bits=None if codes is None else codes.bits,
        zeros=zeros,
        error_tensor=_fit_error(flat),
        error_row=_fit_error(rows),
    )


def without_scale(form: Form, zeros: float, error: float) -> Ternary:
    return Ternary(form=form, scales=(), rounded=False, bits=None, zeros=zeros, error_tensor=error, error_row=error)


def _one_magnitude(values: Reals) -> tuple[float, Reals]:
    """(largest relative spread of the nonzero values of a row, largest value of each row) of values >= 0."""
    top = values.max(axis=1)
    low = np.where(values > 0, values, np.inf).min(axis=1)
    used = top > 0
    spread = (top[used] - low[used]) / top[used]
    return (float(spread.max()) if spread.size else 0.0), top


def _fit_error(rows: Reals) -> float:
    """|w - alpha t| / |w| of the best alpha >= 0 and t in {-1, 0, 1} for each row of w.

    For a support of the k largest magnitudes with sum S_k the best alpha is S_k / k and lowers |w|^2 by S_k^2 / k, so
    the optimum is the largest S_k^2 / k (the objective of TWN, arXiv 1605.04711 eq. 2 and 5, solved exactly).
    """
    descending = -np.sort(-np.abs(rows / np.abs(rows).max()), axis=1)
    total = float((descending**2).sum())
    gained = (np.cumsum(descending, axis=1) ** 2 / np.arange(1, rows.shape[1] + 1)).max(axis=1).sum()
    return float(np.sqrt(max(0.0, total - float(gained)) / total)) if total > 0 else 0.0
