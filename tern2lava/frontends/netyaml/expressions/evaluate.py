"""The value of an expression: its tree, worked out from the leaves, every shape and size looked at before."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tern2lava.frontends.netyaml.expressions import arithmetic
from tern2lava.frontends.netyaml.expressions.functions import FUNCTIONS, REQUIRED, Function, Parameter, check_reads
from tern2lava.frontends.netyaml.expressions.parse import parse_expression
from tern2lava.frontends.netyaml.expressions.tree import (
    Binary,
    Call,
    Expression,
    ExpressionError,
    Items,
    Negative,
    Number,
    Text,
    Word,
)
from tern2lava.frontends.netyaml.expressions.typed import Tensor, Value, common_shape, shape_of
from tern2lava.likely import meant

TENSOR = "t"
"""The function that names a tensor."""

Lookup = Callable[[str, int], Value]
"""Gives the tensor of a name that stands at a character."""
Guard = Callable[[int, int], None]
"""Told how many numbers are about to be held, at a character; raises where they are too many."""


def evaluate(text: str, tensor: Lookup, guard: Guard) -> Value:
    """The value of the expression `text`. Raises ExpressionError, and what `tensor` and `guard` raise."""
    return _Evaluation(text, tensor, guard).value(parse_expression(text))


class _Evaluation:
    def __init__(self, text: str, tensor: Lookup, guard: Guard) -> None:
        self.text, self.tensor, self.guard = text, tensor, guard
        self.found: dict[str, Value] = {}

    def value(self, tree: Expression) -> Value:
        match tree:
            case Number():
                return tree.value
            case Negative():
                operand = self.value(tree.operand)
                return self.computed(tree.at, lambda: arithmetic.negative(operand), operand)
            case Binary():
                one, other = self.value(tree.left), self.value(tree.right)
                self.alike(tree.at, ((tree.left, one), (tree.right, other)))
                return self.computed(tree.at, lambda: arithmetic.binary(tree.operator, one, other), one, other)
            case Call(function=name) if name == TENSOR:
                return self.named(tree)
            case Call():
                return self.call(tree)
            case Text() | Items() | Word():
                check_reads(tree)
        raise AssertionError(tree)

    def named(self, call: Call) -> Value:
        name = call.arguments[0] if len(call.arguments) == 1 and not call.keywords else None
        if not isinstance(name, Text):
            raise ExpressionError(
                call.at, "requires the name of one tensor in quotes; found another; write t('fc.weight')"
            )
        if name.value not in self.found:
            self.found[name.value] = self.tensor(name.value, name.at)
        return self.found[name.value]

    def call(self, call: Call) -> Value:
        function = FUNCTIONS.get(call.function)
        if function is None:
            raise ExpressionError(
                call.at, f"requires a known function; found {call.function[:40]}; "
                f"{meant(call.function, (TENSOR, *FUNCTIONS))}choose from "
                f"{', '.join((TENSOR, *FUNCTIONS))}"
            )  # fmt: skip
        given = self.bound(function, call)
        trees = {name: tree for name, tree in given.items() if name in function.alike}
        values = {name: self.argument(function, name, tree) for name, tree in given.items()}
        ordered = [values.get(parameter.name, parameter.default) for parameter in function.parameters]
        self.alike(call.at, tuple((trees[name], values[name]) for name in trees))
        held = [value for value in values.values() if isinstance(value, Tensor)]
        self.guard(function.grows * max((math.prod(shape_of(value)) for value in held), default=1), call.at)
        return self.computed(call.at, lambda: function.run(*ordered), *held)

    def bound(self, function: Function, call: Call) -> dict[str, Expression]:
        """The tree of each argument by its name."""
        names = [parameter.name for parameter in function.parameters]
        given = dict(zip(names, call.arguments, strict=False))
        wrong = len(call.arguments) > len(names)
        for key, tree in call.keywords:
            wrong = wrong or key not in names or key in given
            given[key] = tree
        missing = [p.name for p in function.parameters if p.default is REQUIRED and p.name not in given]
        if wrong or missing:
            found = f"no {missing[0]}" if missing and not wrong else "others"
            raise ExpressionError(
                call.at, f"requires the arguments of {function.written}; found {found}; write them so"
            )
        return given

    def argument(self, function: Function, name: str, tree: Expression) -> Any:
        parameter: Parameter = next(each for each in function.parameters if each.name == name)
        return self.value(tree) if parameter.read is None else parameter.read(tree)

    def computed(self, at: int, run: Callable[[], Value], *operands: Value) -> Value:
        """What `run` gives; ExpressionError at `at` where the numbers do not allow it."""
        self.guard(max((math.prod(shape_of(value)) for value in operands), default=1), at)
        try:
            return run()
        except ZeroDivisionError:
            raise ExpressionError(at, "requires a divisor other than 0; found 0; mend the expression") from None
        except OverflowError:
            raise ExpressionError(
                at, "requires numbers that 64 bits hold; found larger ones; mend the expression"
            ) from None
        except ValueError as error:
            raise ExpressionError(at, str(error)) from None

    def alike(self, at: int, operands: tuple[tuple[Expression, Value], ...]) -> None:
        """Raise ExpressionError where an operand would silently be repeated along an axis of another."""
        for index, (tree, value) in enumerate(operands):
            for before, earlier in operands[:index]:
                if common_shape(earlier, value) is None:
                    raise ExpressionError(at, self.unlike((before, earlier), (tree, value)))

    def unlike(self, one: tuple[Expression, Value], other: tuple[Expression, Value]) -> str:
        shapes = shape_of(one[1]), shape_of(other[1])
        (tree, short), (_, wide) = sorted((one, other), key=lambda each: math.prod(shape_of(each[1])))
        narrow, full = shape_of(short), shape_of(wide)
        named = tree.arguments[0] if isinstance(tree, Call) and tree.function == TENSOR else None
        what = f"t('{named.value}')" if isinstance(named, Text) else "the smaller one"
        fitting = [axis for axis, size in enumerate(full) if len(narrow) == 1 and size == narrow[0]]
        written = [
            f"reshape({what}, [{', '.join(str(size) if axis == i else '1' for i, size in enumerate(full))}])"
            for axis in fitting
        ]
        if len(full) == 2 and narrow == full[::-1]:
            written = [f"transpose({what})"]
        hint = " or ".join(written) or f"reshape {what} to sizes of {full} or 1"
        return f"requires operands of one shape, or one number; found {shapes[0]} and {shapes[1]}; write {hint}"
