"""A pickle read as data: its opcodes move values and inert records about, and nothing it names is imported or called.

`pickle.Unpickler` calls whatever a file tells it to. This machine has no call in it: a class or function is a Global
(two strings), and what the file would have built with it is a Record of the parts. Opcodes: Lib/pickletools.py.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from tern2lava.errors import InputError
from tern2lava.files.opening import MIB, OpenFile

MAX_OPCODES = 1_000_000
MAX_LINE = MIB
"""Bytes of a name or number that ends with its line."""
_MARK = object()


@dataclass(frozen=True)
class Global:
    """The name of a class or function in the file."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """What the file would have built: `callee` called with `args`, then each of `states` set and `items` put in."""

    callee: Any
    args: Any = ()
    states: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Dotted name of the class or function, or '' where the callee is no plain name."""
        return str(self.callee) if isinstance(self.callee, Global) else ""


@dataclass(frozen=True, eq=False, repr=False)
class Reference:
    """A reference to data that stands beside the pickle (torch: a storage)."""

    target: Any


class Source:
    """A file as pickles are read from it, `most` bytes of it at the most."""

    def __init__(self, file: OpenFile, most: int) -> None:
        self.where, self.size, self.left = file.where, file.size, most
        self._most = most
        self._stream = file.buffered()

    def read(self, size: int) -> bytes:
        wanted = max(0, min(size, self.size - self.tell()))
        self.left -= wanted
        if self.left < 0:
            raise InputError(
                self.where,
                f"requires pickles of at most {self._most:,} bytes; found more; save tensors with torch.save",
            )
        return self._stream.read(wanted)

    def readline(self) -> bytes:
        found = self._stream.readline(MAX_LINE)
        self.left -= len(found)
        return found

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, at: int) -> None:
        self._stream.seek(at)


def read_pickle(stream: BytesIO | Source, where: object, references: list[Reference] | None = None) -> Any:
    """The next pickle in `stream` as plain Python values (sets as lists), Globals, Records and References.

    Every Reference met is appended to `references`. Raises InputError (at `where`) for a
    damaged, truncated or oversized pickle.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pickletools decodes odd escapes of damaged texts
        return _read(stream, where, _Machine(where, [] if references is None else references))


def _read(stream: BytesIO | Source, where: object, machine: _Machine) -> Any:
    try:
        opcodes = pickletools.genops(stream)  # type: ignore[arg-type]  # it reads, and asks for lines and the place
        for count, (opcode, argument, _) in enumerate(opcodes):
            if count == MAX_OPCODES:
                raise InputError(
                    where, f"requires a pickle of at most {MAX_OPCODES:,} opcodes; found more; save the tensors alone"
                )
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.execute(opcode.name, argument)
    except (ValueError, TypeError, LookupError, OverflowError, EOFError) as error:
        if "exhausted" in str(error):
            raise InputError(where, "requires a pickle with an end; found a truncated file; copy it again") from None
        raise InputError(
            where, f"requires a whole pickle; found damage ({_first_line(error)}); save or copy the file again"
        ) from None
    raise InputError(where, "requires a pickle with an end; found none; copy the file again")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:100] or type(error).__name__


class _Machine:
    """The pickle machine: a stack of values and a memo. Its work and memory are linear in the number of opcodes."""

    def __init__(self, where: object, references: list[Reference]) -> None:
        self.where = where
        self.references = references
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def execute(self, name: str, argument: Any) -> None:
        """Carry out one opcode; an opcode that no checkpoint needs raises InputError."""
        stack = self.stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _MAKERS:
            stack.append(_MAKERS[name]())
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(argument)])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self.pop_to_mark()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name in ("PERSID", "BINPERSID"):
            stack.append(self.refer(argument if name == "PERSID" else stack.pop()))
        elif name in ("PROTO", "FRAME"):
            pass
        elif name in _COLLECTORS:
            self.collect(name)
        elif name in _CONSTRUCTORS:
            self.construct(name, argument)
        else:
            raise InputError(
                self.where, f"requires a pickle of tensors and plain values; found {name}; save the state_dict"
            )

    def refer(self, target: Any) -> Any:
        """A Reference; or the class itself, which torch's old format wraps as ('module', class, file, source)."""
        if isinstance(target, tuple) and len(target) == 4 and target[0] == "module" and isinstance(target[1], Global):
            return target[1]
        self.references.append(Reference(target))
        return self.references[-1]

    def pop_to_mark(self) -> list[Any]:
        """The values above the last mark, taken from the stack together with it."""
        at = len(self.stack) - 1
        while at >= 0 and self.stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise ValueError("a mark is missing")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def collect(self, name: str) -> None:
        """Opcodes that make and fill tuples, lists, dictionaries and sets."""
        stack = self.stack
        match name:
            case "TUPLE":
                stack.append(tuple(self.pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                if len(stack) < count:
                    raise ValueError("the stack is empty")
                stack[-count:] = [tuple(stack[-count:])]
            case "LIST" | "FROZENSET":
                stack.append(self.pop_to_mark())
            case "DICT":
                stack.append(dict(_pairs(self.pop_to_mark())))
            case "APPEND" | "APPENDS" | "ADDITEMS":
                values = [stack.pop()] if name == "APPEND" else self.pop_to_mark()
                target = stack[-1]
                _as(list, target.items if isinstance(target, Record) else target).extend(values)
            case "SETITEM" | "SETITEMS":
                values = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else self.pop_to_mark()
                target = stack[-1]
                if isinstance(target, Record):
                    target.items.extend(_pairs(values))
                else:
                    _as(dict, target).update(_pairs(values))

    def construct(self, name: str, argument: Any) -> None:
        """Opcodes that would import, call or build: Globals and Records instead."""
        stack = self.stack
        match name:
            case "GLOBAL" | "INST":
                module, _, attribute = argument.partition(" ")
                named = Global(module, attribute)
                stack.append(named if name == "GLOBAL" else Record(named, tuple(self.pop_to_mark())))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(Global(_as(str, module), _as(str, attribute)))
            case "REDUCE" | "NEWOBJ":
                arguments, callee = stack.pop(), stack.pop()
                stack.append(Record(callee, arguments))
            case "NEWOBJ_EX":
                _, arguments, callee = stack.pop(), stack.pop(), stack.pop()
                stack.append(Record(callee, arguments))
            case "OBJ":
                callee, *rest = self.pop_to_mark()
                stack.append(Record(callee, tuple(rest)))
            case "BUILD":
                state = stack.pop()
                if isinstance(stack[-1], Record):
                    stack[-1].states.append(state)


def _as(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} where a {kind.__name__} should be")
    return value


def _pairs(values: list[Any]) -> list[tuple[Any, Any]]:
    if len(values) % 2:
        raise ValueError("a key without a value")
    return [(_key(values[i]), values[i + 1]) for i in range(0, len(values), 2)]


def _key(value: Any) -> Any:
    """`value` where it hashes in constant time, else an opaque Record (hashing a deep tuple can exhaust the stack)."""
    if isinstance(value, int) and value.bit_length() > 64:
        return Record(value)
    return value if value is None or isinstance(value, str | int | float | bytes | Global | Record) else Record(value)


_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_MAKERS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_DICT": dict,
}
_COLLECTORS = {
    *("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST", "DICT", "FROZENSET"),
    *("APPEND", "APPENDS", "ADDITEMS", "SETITEM", "SETITEMS"),
}
_CONSTRUCTORS = {"GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "INST", "OBJ", "BUILD"}
