"""A text of the expression grammar of net.yaml as a tree. Nothing is evaluated, and nothing but this grammar is read.

expression = sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum]
sum        = product {("+" | "-") product}
product    = signed {("*" | "/") signed}
signed     = {"-" | "+"} atom
atom       = number | "(" expression ")" | name "(" [argument {"," argument}] ")"
argument   = [name "="] (expression | text | list | "true" | "false" | "none")
list       = "[" [argument {"," argument}] "]"
text       = "'" characters "'" | '"' characters '"'
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from tern2lava.counts import count
from tern2lava.errors import one_line
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

MAX_LENGTH = 2_000
"""Characters of an expression."""
MAX_DEPTH = 40
"""Parts of an expression within each other. What is longer is a program, not the way that a tensor is stored."""
MAX_DIGITS = 64
WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<sign><=|>=|==|!=|[-+*/()<>=,\[\]])|(?P<end>$))",
    re.ASCII,
)
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_LOOKS = re.compile(r"[A-Za-z_]\w*\s*\(|[-+\d.(][\d.eE\s()]*[-+*/][-+*/\d.eE\s()]*\d[\s)]*$", re.ASCII)


def looks_like_expression(text: str) -> bool:
    """Whether `text`, which names no tensor, is meant as an expression: it calls a function, or computes a number."""
    return _LOOKS.search(text) is not None if "(" in text else _LOOKS.fullmatch(text) is not None


def parse_expression(text: str) -> Expression:
    """The tree of `text`. Raises ExpressionError for what is not in the grammar, too long or too deep."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            MAX_LENGTH, f"requires an expression of at most {count(MAX_LENGTH, 'character')}; found {len(text):,}; "
            "write the tensor as it is to be into the checkpoint"
        )  # fmt: skip
    return _Parser(_tokens(text)).whole()


@dataclass(frozen=True, kw_only=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(text, place)
        if match is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            if text[place] in "'\"":
                raise ExpressionError(
                    place + 1,
                    f"requires a closing quote; found none for {one_line(text[place : place + 20])}; add it",
                )
            raise ExpressionError(
                place + 1,
                f"requires a number, a function, a text in quotes or one of + - * / ( ) < > =; found {text[place]!r}; "
                "mend the expression (docs/net-yaml.md shows what there is)",
            )
        kind = match.lastgroup or "end"
        tokens.append(_Token(kind=kind, text=match[kind], at=match.start(kind) + 1))
        place = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.next = tokens, 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def whole(self) -> Expression:
        found = self.expression(0)
        if self.token.kind != "end":
            raise self.refused("an operator or the end")
        _check_depth(found)
        return found

    def takes(self, *signs: str) -> _Token | None:
        """The token that is next, taken, if it is one of `signs`."""
        if self.token.kind != "sign" or self.token.text not in signs:
            return None
        self.next += 1
        return self.tokens[self.next - 1]

    def needs(self, sign: str) -> None:
        if self.takes(sign) is None:
            raise self.refused(f"'{sign}'")

    def refused(self, rule: str) -> ExpressionError:
        token = self.token
        if token.kind == "end":
            return ExpressionError(
                token.at, f"requires {rule}; found the end; complete it (within braces of YAML a comma ends a value: "
                "write the expression in quotes there)"
            )  # fmt: skip
        return ExpressionError(token.at, f"requires {rule}; found {one_line(token.text)[:40]}; mend the expression")

    def deeper(self, depth: int) -> int:
        if depth >= MAX_DEPTH:
            raise _too_deep(self.token.at)
        return depth + 1

    def expression(self, depth: int) -> Expression:
        depth = self.deeper(depth)
        left = self.sum(depth)
        sign = self.takes(*_COMPARISONS)
        if sign is None:
            return left
        found = Binary(at=sign.at, operator=sign.text, left=left, right=self.sum(depth))
        if self.token.kind == "sign" and self.token.text in _COMPARISONS:
            raise self.refused("one comparison, others in parentheses")
        return found

    def sum(self, depth: int) -> Expression:
        left = self.product(depth)
        while sign := self.takes("+", "-"):
            left = Binary(at=sign.at, operator=sign.text, left=left, right=self.product(depth))
        return left

    def product(self, depth: int) -> Expression:
        left = self.signed(depth)
        while sign := self.takes("*", "/"):
            left = Binary(at=sign.at, operator=sign.text, left=left, right=self.signed(depth))
        return left

    def signed(self, depth: int) -> Expression:
        sign = self.takes("-", "+")
        if sign is None:
            return self.atom(depth)
        operand = self.signed(self.deeper(depth))
        return operand if sign.text == "+" else Negative(at=sign.at, operand=operand)

    def atom(self, depth: int) -> Expression:
        token = self.token
        if self.takes("("):
            inner = self.expression(depth)
            self.needs(")")
            return inner
        if token.kind == "number":
            self.next += 1
            return Number(at=token.at, value=_number(token))
        if token.kind == "name":
            self.next += 1
            if token.text in WORDS:
                return Word(at=token.at, value=WORDS[token.text])
            if self.takes("(") is None:
                raise ExpressionError(
                    token.at, f"requires a function with its arguments in parentheses; found {token.text[:40]}; write "
                    f"t('{token.text[:40]}') where a tensor is meant"
                )  # fmt: skip
            return self.call(token, depth)
        if token.kind == "text":
            self.next += 1
            return Text(at=token.at, value=token.text[1:-1])
        if self.takes("["):
            return Items(at=token.at, values=tuple(value for _, value in self.arguments("]", depth, named=False)))
        raise self.refused("a number, a function or a parenthesis")

    def call(self, name: _Token, depth: int) -> Call:
        found = self.arguments(")", depth, named=True)
        plain = tuple(value for key, value in found if key is None)
        return Call(
            at=name.at, function=name.text, arguments=plain,
            keywords=tuple((key, value) for key, value in found if key is not None),
        )  # fmt: skip

    def arguments(self, close: str, depth: int, *, named: bool) -> list[tuple[str | None, Expression]]:
        """(keyword or None, value) of each argument up to the sign `close`, which is taken too."""
        found: list[tuple[str | None, Expression]] = []
        if self.takes(close):
            return found
        while True:
            key = None
            following = self.tokens[self.next + 1] if self.token.kind == "name" else self.token
            if named and self.token.kind == "name" and (following.kind, following.text) == ("sign", "="):
                key = self.token.text
                self.next += 2
            elif found and found[-1][0] is not None:
                raise self.refused("a keyword, for one stands before it")
            found.append((key, self.expression(depth)))
            if self.takes(close):
                return found
            self.needs(",")


def _number(token: _Token) -> int | float:
    whole = token.text.isdecimal()
    if len(token.text) <= MAX_DIGITS:
        value = int(token.text) if whole else float(token.text)
        if abs(value) < (1 << 63 if whole else math.inf):
            return value
    raise ExpressionError(
        token.at, "requires a number that 64 bits hold; found a larger or longer one; write a smaller one"
    )


def _too_deep(at: int) -> ExpressionError:
    return ExpressionError(
        at, f"requires at most {count(MAX_DEPTH, 'part')} within each other; found more; write the tensor as it is to "
        "be into the checkpoint"
    )  # fmt: skip


def _check_depth(tree: Expression) -> None:
    """Raise ExpressionError where parts lie deeper than MAX_DEPTH, also in chains such as 1 + 1 + ... + 1."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for part in level for child in _children(part)]
    if level:
        raise _too_deep(level[0].at)


def _children(part: Expression) -> tuple[Expression, ...]:
    match part:
        case Items():
            return part.values
        case Negative():
            return (part.operand,)
        case Binary():
            return part.left, part.right
        case Call():
            return part.arguments + tuple(value for _, value in part.keywords)
        case _:
            return ()
