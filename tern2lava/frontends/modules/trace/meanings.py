"""What the tensors of a running forward stand for, and the expressions that they are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from tern2lava.compiler.ir.shapes import Ints, Shape
from tern2lava.frontends.modules.trace.codes import Codes
from tern2lava.frontends.modules.trace.layout import Layout, read_layout
from tern2lava.frontends.modules.trace.symbols import Expression, Foreign, Meaning, Moved, Symbol
from tern2lava.frontends.modules.trace.tracked import TrackedTensors

POTENTIAL = "a membrane potential or current of neurons"


class Meanings:
    """Of the tensors of one run of `steps` steps of `batch` samples. inside: the small modules whose forward runs."""

    def __init__(self, batch: int, steps: int) -> None:
        self.batch, self.steps = batch, steps
        self.expressions: list[Expression] = []
        self.index: dict[Any, int] = {}
        self.tracked = TrackedTensors()
        self.codes = Codes(batch, steps)
        self.inside: list[str] = []

    def meaning(self, value: Any) -> Meaning | None:
        """What a tensor stands for, None where it does not depend on the input."""
        found = self.tracked.get(value) if isinstance(value, Tensor) else None
        return found.meaning if found is not None else None

    def mark(self, value: Any, meaning: Meaning | None) -> None:
        """Let a tensor stand for `meaning`."""
        if isinstance(value, Tensor):
            if meaning is None:
                self.tracked.forget(value)
            else:
                self.tracked.put(value, meaning)

    def symbol(self, value: Tensor, *, single: bool = False) -> Symbol | Foreign | None:
        """The Symbol of a tensor, read from its codes where it was moved; None where it does not depend on the input.

        single: parts of the sequence side by side are items of one step, where they can be.
        """
        found = self.tracked.get(value)
        if found is None or not isinstance(found.meaning, Moved):
            return found.meaning if found is not None else None  # type: ignore[return-value]
        if found.symbols is None:
            found.symbols = {}
        if single not in found.symbols:
            found.symbols[single] = self.placed(found.meaning.codes, found.meaning.label, found.meaning.at, single)
        return found.symbols[single]

    def placed(self, codes: Tensor, label: str, at: str, single: bool = False) -> Symbol | Foreign:
        """The Symbol of a tensor of element codes."""
        array: Ints = codes.numpy().astype(np.int64)
        layout = read_layout(array, self.codes, single=single)
        if isinstance(layout, str):
            return Foreign(f"{layout} (torch.{label}{at})")
        parts = layout.parts
        if len(parts) == 1:
            known = self.expressions[parts[0].key]
            order = np.arange(parts[0].rows.size)
            whole = parts[0].rows.size == int(np.prod(layout.shape)) == int(np.prod(known.shape))
            if whole and not parts[0].back and layout.shape == known.shape and (parts[0].columns == order).all():
                return Symbol(parts[0].key, layout.times, layout.axes)
        return Symbol(self._moved(layout, label, at), layout.times, layout.axes)

    def _moved(self, layout: Layout, label: str, at: str) -> int:
        args = tuple((part.key, part.back) for part in layout.parts)
        data = tuple((part.rows, part.columns, ()) for part in layout.parts)
        identity = (layout.shape, *((p.rows.tobytes(), p.columns.tobytes()) for p in layout.parts))
        sources = [self.expressions[part.key] for part in layout.parts]
        rows = np.concatenate([part.rows for part in layout.parts])
        values: set[float] = set().union(*(e.values for e in sources)) if all(e.values for e in sources) else set()
        if values and rows.size < int(np.prod(layout.shape)):
            values.add(0.0)
        expression = Expression(
            kind="sparse", label=label, args=args, data=data, shape=layout.shape, values=tuple(sorted(values)), at=at
        )
        return self.express(expression, identity)

    def codes_of(self, value: Tensor) -> Tensor | None:
        """The element codes of a tracked tensor (not to be written into); None where it is Foreign."""
        found = self.tracked.get(value)
        if found is None or isinstance(found.meaning, Foreign):
            return None
        if isinstance(found.meaning, Moved):
            return found.meaning.codes
        if found.codes is None:
            items = int(np.prod(self.expressions[found.meaning.key].shape))
            found.codes = self.codes.encode(found.meaning, value.shape, items)
        return found.codes

    def express(self, expression: Expression, identity: Any = None) -> int:
        """The key of an expression, the same for equal ones (`identity` tells apart what data cannot be compared)."""
        known = (expression.kind, id(expression.module), expression.args, expression.label if not expression.module
                 and expression.kind == "input" else "", identity)  # fmt: skip
        if known not in self.index:
            states = expression.states or any(self.expressions[key].states for key, _ in expression.args)
            fields = {**vars(expression), "states": states}
            if expression.kind not in ("input", "neuron", "layer") and self.inside:
                fields["label"] = self.inside[-1]
            self.index[known] = len(self.expressions)
            self.expressions.append(Expression(**fields))
        return self.index[known]

    def say_values(self, key: int, values: tuple[float, ...]) -> None:
        """Note all values that an expression can have."""
        self.expressions[key] = replace(self.expressions[key], values=values)

    def no_spikes(self, key: int) -> str:
        """What in an expression is no sum of spikes: a potential, or a function that an output alone reads."""
        expression = self.expressions[key]
        while expression.kind not in ("state", "pre", "gate"):
            inner = next((arg for arg, _ in expression.args if self.expressions[arg].states), None)
            if inner is None:
                return f"torch.{expression.label} of earlier layers{expression.at}"
            expression = self.expressions[inner]
        return POTENTIAL

    def input(self, name: str, shape: Shape, levels: tuple[int, int]) -> int:
        """The key of an input of the network."""
        values = tuple(float(v) for v in range(levels[0], levels[1] + 1)) if levels[1] - levels[0] < 16 else ()
        return self.express(Expression(kind="input", label=name, shape=shape, values=values))
