"""The parts of an expression in a net.yaml, each with the character at which it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


class ExpressionError(ValueError):
    """Why an expression is refused: `why` as errors.InputError has it, `at` the character, counted from 1."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at, self.why = at, why


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number that is written out."""

    at: int
    value: int | float


@dataclass(frozen=True, kw_only=True)
class Word:
    """true, false or none."""

    at: int
    value: bool | None


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text in quotes: the name of a tensor, or the choice of a function."""

    at: int
    value: str


@dataclass(frozen=True, kw_only=True)
class Items:
    """A list in brackets."""

    at: int
    values: tuple[Expression, ...]


@dataclass(frozen=True, kw_only=True)
class Negative:
    """-operand."""

    at: int
    operand: Expression


@dataclass(frozen=True, kw_only=True)
class Binary:
    """left operator right; `at` is the operator's place. operator: one of + - * / < <= > >= == !=."""

    at: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, kw_only=True)
class Call:
    """function(arguments, keyword=value)."""

    at: int
    function: str
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]


Expression: TypeAlias = Number | Word | Text | Items | Negative | Binary | Call
