"""What can be said of a tensor, a neuron and a file before a network is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.compiler.passes.recognise_ternary import TOLERANCE, recognise, split_scales
from tern2lava.frontends.files.checkpoint import Scalar

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


@dataclass(frozen=True, kw_only=True)
class TensorFacts:
    """One tensor. `not_finite` counts NaN and infinities, the first at `first_not_finite`. smallest and largest are of
    the finite numbers, None where there are none. ternary: of weights (two axes or more, real numbers) only."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    smallest: float | None
    largest: float | None
    not_finite: int
    first_not_finite: tuple[int, ...] | None
    ternary: Ternary | None
    attribute: bool


@dataclass(frozen=True, kw_only=True)
class NeuronFacts:
    """The parameters stored for one neuron layer and what a net.yaml must add. reset: where the file says so."""

    prefix: str
    framework: str
    parameters: dict[str, tuple[float, float]]
    reset: str | None
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Everything that `inspect` tells about a file. wiring: which nodes each node reads, where the file says it."""

    path: str
    format: str
    content: str
    prefix: str
    tensors: tuple[TensorFacts, ...]
    unreadable: dict[str, str]
    neurons: tuple[NeuronFacts, ...]
    modules: dict[str, str]
    left_out: tuple[str, ...]
    values: dict[str, Scalar]
    wiring: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; NaN and infinities as texts."""
        result: dict[str, Any] = _plain(asdict(self))
        return result


def tensor_facts(name: str, array: Array, *, attribute: bool = False) -> TensorFacts:
    """The facts of one tensor of real numbers."""
    finite = np.isfinite(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
    good = array[finite] if not finite.all() else array
    bad = int(array.size - np.count_nonzero(finite))
    first = tuple(np.argwhere(~np.atleast_1d(finite))[0].tolist()) if bad else None
    return TensorFacts(
        name=name,
        shape=array.shape,
        dtype=array.dtype.name,
        smallest=float(good.min()) if good.size else None,
        largest=float(good.max()) if good.size else None,
        not_finite=bad,
        first_not_finite=first,
        ternary=ternary_facts(array) if array.ndim >= 2 and array.size and array.dtype.kind in "iuf" else None,
        attribute=attribute,
    )


def ternary_facts(weight: Array) -> Ternary:
    """How near `weight` (output channels first) is to alpha * {-1, 0, 1}, alpha of the tensor or of a channel."""
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    zeros = float(np.mean(rows == 0))
    if not np.isfinite(rows).all():
        return _without_scale(Form.NOT_FINITE, zeros, float("nan"))
    if not rows.any():
        return _without_scale(Form.ZERO, 1.0, 0.0)
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


def _without_scale(form: Form, zeros: float, error: float) -> Ternary:
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


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
