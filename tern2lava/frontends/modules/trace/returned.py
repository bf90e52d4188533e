"""The tensors that a module's forward returns, and the outputs of the graph that give the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.frontends.modules.trace.arithmetic import ordered
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import TIME, Foreign, Symbol


@dataclass(frozen=True, eq=False, kw_only=True)
class Returned:
    """One tensor that a forward returns: where in what it returns, what it stands for, and its numbers (steps, samples,
    items), steps 1 where it has none."""

    path: str
    symbol: Symbol | Foreign
    values: Reals


def returned_tensors(recorder: Recorder, result: Any, each_step: bool) -> list[Returned]:
    """The tensors in what a forward returned that depend on the input; each_step: `result` has those of every step."""
    if not each_step:
        found = [(path, recorder.symbol(tensor), tensor) for path, tensor in _tensors(result)]
        if found and found[0][1] is None:
            path, _, tensor = found[0]
            found[0] = (path, Foreign("numbers that no layer's output is followed to"), tensor)
        return [_one(recorder, path, symbol, tensor) for path, symbol, tensor in found if symbol is not None]
    steps = [dict(_tensors(part)) for part in result]
    together = []
    for path in steps[-1]:
        tensors = [step[path] for step in steps if path in step]
        symbols = [recorder.symbol(tensor) for tensor in tensors]
        last = symbols[-1]
        if last is None:
            continue
        parts = [_one(recorder, path, s or Foreign("numbers that do not depend on the input"), t)
                 for s, t in zip(symbols, tensors, strict=True)]  # fmt: skip
        alike = len(tensors) == recorder.steps and all(
            isinstance(s, Symbol) and isinstance(last, Symbol) and s.key == last.key and s.times == (t,)
            for t, s in enumerate(symbols)
        )
        strange = next((s for s in symbols if isinstance(s, Foreign)), None)
        meaning: Symbol | Foreign
        if alike and isinstance(last, Symbol):
            meaning = Symbol(last.key, tuple(range(recorder.steps)), (TIME, *last.axes))
        else:
            meaning = strange or Foreign("another tensor in each step")
        shapes = {part.values.shape for part in parts}
        values = np.concatenate([part.values for part in parts]) if len(shapes) == 1 else parts[-1].values
        together.append(Returned(path=path, symbol=meaning, values=values))
    return together


def _one(recorder: Recorder, path: str, symbol: Symbol | Foreign, tensor: Tensor) -> Returned:
    array = tensor.detach().double().cpu().numpy()
    if isinstance(symbol, Foreign):
        return Returned(path=path, symbol=symbol, values=array.reshape(1, 1, -1))
    values = ordered(array, symbol.axes, recorder.codes)
    return Returned(path=path, symbol=symbol, values=values.reshape(*values.shape[:2], -1))


def _tensors(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in nested tuples, lists and mappings, with its place."""
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _tensors(part, f"{path}[{key!r}]")
    elif isinstance(value, tuple | list):
        names = getattr(value, "_fields", None)
        for n, part in enumerate(value):
            yield from _tensors(part, f"{path}.{names[n]}" if names else f"{path}[{n}]")
