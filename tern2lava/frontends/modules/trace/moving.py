"""Functions that move numbers and compute none: run once more on element codes, which say what came from where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tern2lava.frontends.modules.trace.arithmetic import affine
from tern2lava.frontends.modules.trace.codes import UNKNOWN, constants
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import Call, Foreign, Meaning, Moved

_FIRST = frozenset((
    "getitem", "select", "narrow", "index_select", "gather", "take_along_dim", "take", "unbind", "chunk", "split",
    "split_with_sizes", "tensor_split", "hsplit", "vsplit", "dsplit", "flatten", "ravel", "view", "reshape",
    "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis",
    "t", "T", "mT", "H", "mH", "adjoint", "repeat", "tile", "repeat_interleave", "expand", "broadcast_to",
    "expand_as", "view_as", "reshape_as", "roll", "flip", "fliplr", "flipud", "rot90", "diagonal", "unfold",
    "pad", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "masked_fill",
    "index_fill", "tril", "triu", "contiguous", "clone", "detach", "alias", "data", "real", "requires_grad",
    "cpu", "cuda", "pin_memory", "atleast_1d", "atleast_2d", "atleast_3d", "resolve_conj", "resolve_neg",
))  # fmt: skip
"""Functions that move the numbers of their first argument; others are settings."""

_SEVERAL = frozenset((
    "cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "row_stack",
    "broadcast_tensors", "block_diag",
))  # fmt: skip
"""Functions that move the numbers of all their arguments."""


def move(recorder: Recorder, call: Call) -> Any:
    """What the results of a moving function stand for."""
    several = call.name.strip("_") in _SEVERAL
    if not several and (recorder.meaning(call.args[0] if call.args else call.kwargs.get("input")) is None):
        return None
    given = _Substitute(recorder, several)
    args = [given.codes(value, several or n == 0) for n, value in enumerate(call.args)]
    kwargs = {key: given.codes(value, several or key == "input") for key, value in call.kwargs.items()}
    if given.failed:
        return None
    at, label = call.at, call.name.strip("_")
    function: Callable[..., Any] = call.function
    result = function(*args, **kwargs)
    offsets: Any = None
    if given.constants or label in ("pad", "masked_fill", "index_fill"):
        zeroed = _Substitute(recorder, several, zero=True)
        offsets = function(
            *[zeroed.codes(value, several or n == 0) for n, value in enumerate(call.args)],
            **{key: zeroed.codes(value, several or key == "input") for key, value in call.kwargs.items()},
        )
    if isinstance(result, Tensor):
        return _moved(recorder, result, offsets, label, at)
    pairs = zip(result, offsets if offsets is not None else [None] * len(result), strict=True)
    return [_moved(recorder, part, offset, label, at) for part, offset in pairs]


def _moved(recorder: Recorder, codes: Tensor, offset: Tensor | None, label: str, at: str) -> Meaning:
    if offset is None or not offset.any():
        return Moved(codes, label, at)
    codes = codes - offset
    if (codes == UNKNOWN).any():
        return Moved(codes, label, at)
    symbol = recorder.placed(codes, label, at)
    return symbol if isinstance(symbol, Foreign) else affine(recorder, symbol, 1.0, offset, codes.shape, at)


class _Substitute:
    """Arguments with codes (or zeros) in the places of tracked tensors. constants: whether others are among the data;
    failed: whether a tracked tensor is among the settings."""

    def __init__(self, recorder: Recorder, several: bool, zero: bool = False) -> None:
        self.recorder, self.several, self.zero = recorder, several, zero
        self.constants = self.failed = False

    def codes(self, value: Any, data: bool) -> Any:
        """`value` with codes for tensors; `data`: it is numbers that are moved, no setting."""
        if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
            parts = [self.codes(part, data) for part in value]
            return tuple(parts) if isinstance(value, tuple) else parts
        if not isinstance(value, Tensor):
            return value
        found = self.recorder.codes_of(value)
        if found is None:
            self.constants = self.constants or (data and self.several)
            return value.double() if data and not value.is_complex() else value
        if not data:
            self.failed = True
        return torch.zeros_like(found) if self.zero else found.clone()


def _as(recorder: Recorder, call: Call) -> Any:
    """x.view_as(y) and its like: y gives a shape alone."""
    codes = recorder.codes_of(call.args[0])
    if codes is None:
        return None
    other = call.argument(1, "other")
    shape = other.shape
    moved = codes.expand(shape) if call.name == "expand_as" else codes.reshape(shape)
    return Moved(moved, call.name, call.at)


def _view(recorder: Recorder, call: Call) -> Any:
    """Another shape; x.view(dtype) reads bits and moves nothing."""
    if any(isinstance(value, torch.dtype) for value in (*call.args[1:], *call.kwargs.values())):
        return None
    # A tensor that is no view of contiguous numbers has other strides than its codes: reshape moves alike.
    codes = recorder.codes_of(call.args[0])
    return None if codes is None else Moved(codes.reshape(call.result.shape), "view", call.at)


def _write(recorder: Recorder, call: Call) -> Any:
    """x[index] = y, and x.copy_(y)."""
    target = call.args[0]
    held = recorder.codes_of(target)
    if held is None:
        if recorder.meaning(target) is not None or call.before is None:
            return None
        held = constants(call.before)
    copying = plain(call.name) == "copy"
    value = call.argument(1, "src") if copying else call.args[2]
    index = ... if copying else call.args[1]
    parts = index if isinstance(index, tuple | list) else (index,)
    if any(recorder.meaning(part) is not None for part in parts):
        return None
    if isinstance(value, Tensor):
        codes = recorder.codes_of(value)
        new = constants(value.detach()) if codes is None else codes
    else:
        new = torch.tensor(0.0 if value == 0 else float(UNKNOWN), dtype=torch.float64)
    result = held.clone()
    result[index] = new
    return Moved(result, plain(call.name), call.at)


def _interpolate(recorder: Recorder, call: Call) -> Any:
    """The nearest numbers are moved ones."""
    mode = call.argument(3, "mode", "nearest")
    return move(recorder, call) if mode in ("nearest", "nearest-exact") else None


def plain(name: str) -> str:
    return name.strip("_")


HANDLERS: dict[str, Callable[[Recorder, Call], Any]] = {
    **dict.fromkeys((*_FIRST, *_SEVERAL), move),
    **dict.fromkeys(("view_as", "reshape_as", "expand_as"), _as),
    **dict.fromkeys(("view", "reshape"), _view),
    **dict.fromkeys(("setitem", "copy"), _write),
    **dict.fromkeys(("interpolate", "upsample"), _interpolate),
    "upsample_nearest": move,
}
