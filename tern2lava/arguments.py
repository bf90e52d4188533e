"""Arguments of the Python functions as they are wanted, or one line that says what was found instead.

Each check returns the value in its plain type (a numpy integer as int, a text as Path), so that what lies behind meets
no other. `where` is the argument's name. They import nothing heavy: every part of the package may use them.
"""

from __future__ import annotations

import errno
import inspect
import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from numbers import Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tern2lava.errors import InputError, one_line
from tern2lava.likely import meant
from tern2lava.memory_need import is_out_of_memory, out_of_memory

P = ParamSpec("P")
R = TypeVar("R")
LARGEST = (1 << 63) - 1
"""The largest integer that any argument may be."""
_LONGEST = 60
_NUMPY_BOOLS = (("numpy", "bool"), ("numpy", "bool_"))


def found(value: object) -> str:
    """A value in a few words: numbers and short texts as they are, of others the type and the shape."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        try:
            text = repr(value)
        except ValueError:  # an int of more digits than Python prints
            text = "a huge number"
        text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
        return one_line(text)
    kind = value if isinstance(value, type) else type(value)
    name = one_line(f"the class {kind.__name__}" if isinstance(value, type) else _with_article(kind.__name__))
    shape = getattr(value, "shape", None)
    if isinstance(value, type) or not isinstance(shape, tuple):
        return name
    return f"{name} of shape {one_line(str(tuple(shape)))[:_LONGEST]}"


def _with_article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" or name == "ndarray" else f"a {name}"


def refused(where: str, rule: str, value: object, hint: str) -> InputError:
    """The error of an argument: "where: requires RULE; found X; HINT"."""
    return InputError(where, f"requires {rule}; found {found(value)}; {hint}")


def flag(value: object, where: str) -> bool:
    """True or False, Python's or numpy's."""
    if _is_bool(value):
        return bool(value)
    raise refused(where, "True or False", value, "give one of them")


def _is_bool(value: object) -> bool:
    return isinstance(value, bool) or (type(value).__module__, type(value).__name__) in _NUMPY_BOOLS


def whole(value: object, where: str, least: int, hint: str, *, most: int = LARGEST) -> int:
    """An integer from `least` to `most`, Python's or numpy's; no bool and no float."""
    number = None
    if not _is_bool(value) and hasattr(value, "__index__"):
        try:
            number = operator.index(value)
        except Exception:  # an array of several numbers, a tensor on no device: whatever they raise
            number = None
    if number is None or number < least or number > most:
        span = f"from {least:,} on" if most == LARGEST else f"from {least:,} to {most:,}"
        raise refused(where, f"a whole number {span}", value, hint)
    return number


def number(value: object, where: str, rule: str, allowed: Callable[[float], bool], hint: str) -> float:
    """A finite real number for which `allowed` holds; `rule` says in words which those are."""
    result = math.nan
    if isinstance(value, Real) and not _is_bool(value):
        try:
            result = float(value)
        except (OverflowError, ValueError):
            result = math.nan
    if not (math.isfinite(result) and allowed(result)):
        raise refused(where, rule, value, hint)
    return result


def choice(value: object, where: str, allowed: Iterable[str]) -> str:
    """One of the words of `allowed`."""
    words = tuple(allowed)
    if isinstance(value, str):
        for word in words:
            if word == value:
                return word
    raise refused(where, "one of the known words", value, f"{meant(value, words)}choose {', '.join(words)}")


def text(value: object, where: str, hint: str) -> str:
    """A text."""
    if isinstance(value, str):
        return str(value)
    raise refused(where, "a text", value, hint)


def path(value: object, where: str, hint: str) -> Path:
    """A path that the system can look up: from a text or a path, of anything but bytes. Nothing need be there."""
    if isinstance(value, (str, os.PathLike)):
        try:
            name = os.fspath(value)
            if isinstance(name, str) and name:
                os.lstat(name)
                return Path(name)
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL):
                return Path(os.fspath(value))
        except Exception:  # a zero byte, half a surrogate pair, or what a __fspath__ raises
            pass
        raise refused(where, "the name of a file or folder", value, hint)
    raise refused(where, "a path or its text", value, hint)


def callback(value: object, where: str, hint: str) -> None:
    """Raise InputError where `value` can be called neither nor is None."""
    if value is not None and not callable(value):
        raise refused(where, "a function or None", value, hint)


def named(value: object, where: str, hint: str) -> dict[str, Any]:
    """A mapping whose keys are texts."""
    if not isinstance(value, Mapping):
        raise refused(where, "a mapping", value, hint)
    for key in value:
        if not isinstance(key, str):
            raise refused(where, "texts as its keys", key, hint)
    return dict(value)


def public(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which answers a call with missing, unknown or too many arguments with an
    InputError, and an allocation that fails with one too."""
    signature = inspect.signature(function)

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            names = ", ".join(name for name, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD)
            raise InputError(
                function.__name__, f"requires the arguments {names}; found a call with others ({error}); mend the call"
            ) from None
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise out_of_memory(function.__name__, error) from None

    return called
