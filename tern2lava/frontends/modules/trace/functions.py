"""What torch's functions between layers mean for a Recorder's symbols; all others make a tensor Foreign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.trace import arithmetic, elementwise, ends, gates, layer_functions, linear, moving
from tern2lava.frontends.modules.trace.names import CASTS, in_place
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import Call, Foreign, Meaning, Moved
from tern2lava.frontends.modules.trace.whole_numbers import in_format

Handler = Callable[[Recorder, Call], Any]
"""(recorder, call) -> what the result stands for, None where that cannot be said; a list for several results. A tensor
given to it is tracked, or does not depend on the input; none is Foreign."""

_PLAIN = frozenset((
    "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones",
    "new_full", "new_empty", "new_tensor",
))  # fmt: skip
"""Functions that take no numbers from their argument, only its shape; casts to the type of another take none too."""

_OUTSIDE = frozenset((
    "item", "tolist", "numpy", "__bool__", "__float__", "__int__", "__index__", "__array__", "__complex__", "equal",
    "allclose", "is_nonzero", "__contains__", "nonzero", "argwhere", "unique",
))  # fmt: skip
"""Functions whose result is numbers outside of torch, or as many numbers as the data say."""


def _masked_fill(recorder: Recorder, call: Call) -> Any:
    """A fixed mask moves numbers; one of spikes chooses among them."""
    masked = recorder.meaning(call.argument(1, "mask")) is not None
    return gates.masked(recorder, call) if masked else moving.HANDLERS["masked_fill"](recorder, call)


HANDLERS: dict[str, Handler] = {
    **elementwise.HANDLERS,
    **moving.HANDLERS,
    "masked_fill": _masked_fill,
    **arithmetic.HANDLERS,
    **gates.HANDLERS,
    **linear.HANDLERS,
    **layer_functions.HANDLERS,
    **ends.HANDLERS,
}
"""The functions that are followed, by name without underscores around it."""


def follow(recorder: Recorder, call: Call) -> None:
    """Mark what the result of a torch function stands for. Raises UnsupportedError where numbers leave torch."""
    meanings = [m for value in _flat([*call.args, *call.kwargs.values()]) if (m := recorder.meaning(value)) is not None]
    name = call.name
    if not meanings or name in _PLAIN or (name in CASTS and recorder.meaning(call.args[0]) is None):
        return
    if name == "__set__":
        if getattr(call.function, "__self__", None) is Tensor.data:
            recorder.mark(call.args[0], recorder.meaning(call.args[1]))
        return
    if name in _OUTSIDE:
        error = UnsupportedError(
            recorder.source,
            "a forward whose course depends on no spike",
            f"Tensor.{name} of a tensor that depends on the input{call.at}",
            "keep data in tensors; leave branches on them, assertions and logging out while the network is read",
        )
        if not recorder.left:
            raise error
        recorder.left[-1].append(error)  # in a hook, which may only watch
        return
    targets = [call.args[0]] if name == "__setitem__" else _results(call.result)
    found: list[Meaning | None]
    strange = next((m for m in meanings if isinstance(m, Foreign)), None)
    handler = HANDLERS.get(plain_name(name))
    if strange is not None:
        handled = handler(recorder, call) if handler is not None and plain_name(name) in _OF_FOREIGN else None
        found = [handled if handled is not None else Foreign(strange.what)] * len(targets)
    else:
        handled = handler(recorder, call) if handler is not None and call.kwargs.get("out") is None else None
        found = handled if isinstance(handled, list) else [handled] * len(targets)
        if handled is None:
            found = [Foreign(_unknown(recorder, call))] * len(targets)
        found = [
            in_format(recorder, call, plain_name(name), target, meaning)
            for target, meaning in zip(targets, found, strict=True)
        ]
    for target, meaning in zip(targets, found, strict=True):
        nothing = isinstance(meaning, Moved) and not in_place(name) and not meaning.codes.any()
        recorder.mark(target, None if meaning is CONSTANT or nothing else meaning)
        if in_place(name) and isinstance(target, Tensor):
            what = f"a tensor that shares its numbers with one written in place{call.at}"
            recorder.tracked.written(target, what)
            if recorder.meaning(target) is not None:
                recorder.hold_shared(target, what)


CONSTANT = Foreign("a constant")
"""What a handler gives for a result that does not depend on the input after all."""

_OF_FOREIGN = frozenset(("sum", "mean"))
"""Functions whose handlers are given Weighted tensors too."""


def plain_name(name: str) -> str:
    """A function's name without underscores around it, and without the i of Python's in-place operators."""
    return name.strip("_") if name.startswith("__") else name.rstrip("_")


def _unknown(recorder: Recorder, call: Call) -> str:
    several = [v for v in _flat([*call.args, *call.kwargs.values()]) if recorder.meaning(v) is not None]
    symbols = [recorder.symbol(value) for value in several]
    strange = next((s for s in symbols if isinstance(s, Foreign)), None)
    if strange is not None:
        return strange.what
    states = [s for s in symbols if s is not None and not isinstance(s, Foreign) and recorder.expressions[s.key].states]
    what = recorder.no_spikes(states[0].key) if states else "earlier layers"
    if len(several) > 1:
        return f"torch.{plain_name(call.name)} of two tensors that depend on the input{call.at}"
    return f"torch.{plain_name(call.name)} of {what}{call.at}"


def _results(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def _flat(values: Sequence[Any]) -> list[Any]:
    result: list[Any] = []
    for value in values:
        if isinstance(value, tuple | list):
            result += _flat(value)
        elif isinstance(value, Tensor):
            result.append(value)
    return result
