"""What can be said of a tensor, a neuron and a file before a network is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.frontends.files.checkpoint import Scalar
from tern2lava.frontends.inspect.large import LARGE, large_ternary_facts
from tern2lava.frontends.inspect.ternary import Ternary, ternary_facts


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
    """Everything that `inspect` tells about a file. wiring: which nodes each node reads, where the file says it;
    refused: what reading it refuses, all of it (findings.py), of a file that says its wiring. notes: what was chosen in
    reading it. settings: of each pickled module what decides its quantisation. written: what a net.yaml writes for a
    tensor that is stored in parts."""

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
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settings: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

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
        ternary=_ternary(array) if array.ndim >= 2 and array.size and array.dtype.kind in "iuf" else None,
        attribute=attribute,
    )


def _ternary(array: Array) -> Ternary | None:
    return large_ternary_facts(array) if array.size >= LARGE else ternary_facts(array)


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
