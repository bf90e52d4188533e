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
        found: list[Returned] = []
        for n, (path, given) in enumerate(_tensors(result, sequence=recorder.steps)):
            if isinstance(given, list):
                whole = _sequence(recorder, path, given)
                alone = [(f"{path}[{t}]", tensor) for t, tensor in enumerate(given)]
                found += [whole] if isinstance(whole.symbol, Symbol) else _alone(recorder, alone, n == 0)
            else:
                found += _alone(recorder, [(path, given)], n == 0)
        return found
    steps = [dict(_tensors(part)) for part in result]
    together = []
    for path in steps[-1]:
        tensors = [step[path] for step in steps if path in step]
        if recorder.symbol(tensors[-1]) is not None:
            together.append(_sequence(recorder, path, tensors))
    return together


def _sequence(recorder: Recorder, path: str, tensors: list[Tensor]) -> Returned:
    """Tensors of one step each as one of all steps; Foreign where they are not the same of every step."""
    symbols = [recorder.symbol(tensor) for tensor in tensors]
    last = symbols[-1]
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
    return Returned(path=path, symbol=meaning, values=values)


def _alone(recorder: Recorder, tensors: list[tuple[str, Tensor]], first: bool) -> list[Returned]:
    """Each tensor by itself, where it depends on the input; `first`: the first of all is kept in any case."""
    found = []
    for n, (path, tensor) in enumerate(tensors):
        symbol = recorder.symbol(tensor)
        if symbol is None and first and n == 0:
            symbol = Foreign("numbers that no layer's output is followed to")
        if symbol is not None:
            found.append(_one(recorder, path, symbol, tensor))
    return found


def _one(recorder: Recorder, path: str, symbol: Symbol | Foreign, tensor: Tensor) -> Returned:
    array = tensor.detach().double().cpu().numpy()
    if isinstance(symbol, Foreign):
        return Returned(path=path, symbol=symbol, values=array.reshape(1, 1, -1))
    values = ordered(array, symbol.axes, recorder.codes)
    return Returned(path=path, symbol=symbol, values=values.reshape(*values.shape[:2], -1))


def _tensors(value: Any, path: str = "", sequence: int = 0) -> Iterator[tuple[str, Any]]:
    """Every tensor in nested tuples, lists and mappings, with its place; a list of `sequence` tensors, which may be one
    of each step, as a whole."""
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _tensors(part, f"{path}[{key!r}]", sequence)
    elif isinstance(value, tuple | list):
        names = getattr(value, "_fields", None)
        if 1 < len(value) == sequence and names is None and all(isinstance(part, Tensor) for part in value):
            yield path, list(value)
            return
        for n, part in enumerate(value):
            yield from _tensors(part, f"{path}.{names[n]}" if names else f"{path}[{n}]", sequence)
