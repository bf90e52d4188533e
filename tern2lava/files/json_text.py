"""JSON as plain data: of bounded depth and numbers, each key once, no NaN."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from tern2lava.counts import count
from tern2lava.files.opening import MIB, FileError, Kind, as_text, read_bytes

MAX_DEPTH = 64
"""Levels of lists and objects within each other: a graph has six, a report nine."""
MAX_CONTAINERS = 500_000
MAX_VALUES = 2_000_000
"""Lists and objects, and values in all: what they take in memory stays below 256 MiB."""
MAX_DIGITS = 400
"""Characters of a number: the largest double has 309 digits, the longest shortest form of one 24."""
JSON = Kind("a JSON file", 64 * MIB)

_TEXTS = re.compile(r'"(?:[^"\\]|\\.)*+"' if sys.version_info >= (3, 11) else r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")


def read_json(path: str | Path, kind: Kind = JSON, *, where: object = None) -> Any:
    """The content of a JSON file. Raises FileError."""
    where = path if where is None else where
    return parse_json(read_bytes(path, kind, where=where), where, kind)


def parse_json(data: bytes | str, where: object, kind: Kind = JSON) -> Any:
    """The value of a JSON text. Raises FileError for one that is none, that is deeper than MAX_DEPTH, has a key twice
    in one object, a number of over MAX_DIGITS characters, NaN or an infinity."""
    text = as_text(data, where, kind) if isinstance(data, bytes) else data
    check_json(text, where, kind)
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer, parse_float=_real
        )
    except _RefusedError as error:
        raise FileError(where, f"{kind.what} {error.rule}", error.found, error.hint) from None
    except (ValueError, RecursionError) as error:
        raise FileError(where, f"{kind.what} that is whole", f"damage ({error!s:.80})", "write it again") from None


class _RefusedError(Exception):
    def __init__(self, rule: str, found: str, hint: str) -> None:
        super().__init__(rule)
        self.rule, self.found, self.hint = rule, found, hint


def check_json(text: str, where: object, kind: Kind = JSON) -> None:
    """Raise FileError for a JSON text of more than MAX_DEPTH levels, MAX_CONTAINERS or MAX_VALUES.

    For texts that another library parses; parse_json does it itself."""
    # Without its texts, so that brackets and commas in them do not count.
    bare = _TEXTS.sub("0", text)
    containers = bare.count("[") + bare.count("{")
    for found, most, noun in (
        (containers, MAX_CONTAINERS, "lists and objects"),
        (containers + bare.count(","), MAX_VALUES, "values"),
    ):
        if found > most:
            raise FileError(
                where, f"{kind.what} of at most {most:,} {noun}", f"{found:,}", "leave out what is not needed"
            )
    depth = 0
    for match in _BRACKETS.finditer(bare):
        depth += 1 if match.group() in "[{" else -1
        if depth > MAX_DEPTH:
            raise FileError(where, f"{kind.what} of at most {count(MAX_DEPTH, 'level')}", "more", "nest fewer")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RefusedError("with each key once", f"{twice[:40]!r} twice", "remove one")
    return result


def _no_constant(name: str) -> NoReturn:
    raise _RefusedError("of finite numbers", name, "write a number")


def _integer(digits: str) -> int:
    # Before it is converted: Python takes no longer ones, and those of thousands of digits take long.
    value = int(digits) if len(digits) <= MAX_DIGITS else 1 << 64
    if abs(value) >= 1 << 64:
        found = digits if len(digits) <= 40 else f"one of {len(digits):,} digits"
        raise _RefusedError("with whole numbers of at most 64 bits", found, "write a smaller number")
    return value


def _real(digits: str) -> float:
    if len(digits) > MAX_DIGITS:
        raise _RefusedError(
            f"with numbers of at most {count(MAX_DIGITS, 'character')}", f"one of {len(digits):,}", "write fewer digits"
        )
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _RefusedError("of finite numbers", digits[:40], "write a number below 1.8e308")
    return value
