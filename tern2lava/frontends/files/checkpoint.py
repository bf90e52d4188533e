"""A checkpoint: the named tensors and plain values of a file, read without torch and without running anything in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.files.opening import GIB, Kind, OpenFile, open_file
from tern2lava.files.zip_archive import Archive
from tern2lava.frontends.files.foreign import START, foreign_kind
from tern2lava.frontends.files.npz_safetensors import is_safetensors, read_npz, read_safetensors
from tern2lava.frontends.files.pickle_reader import Record
from tern2lava.frontends.files.stored import StoredTensor, StoredTensors
from tern2lava.frontends.files.tensors import Fetch, NotATensorError, as_tensor
from tern2lava.frontends.files.torch_file import TorchFile, read_legacy, read_zip
from tern2lava.frontends.files.wrappers import COUNTERS, LEADING, by_short_name, chosen

Scalar = bool | int | float | str | None
ACCEPTED = (
    "a torch file (state_dict or pickled module, zip or old format), an npz or safetensors file, a NIR or lava-dl file"
)
CHECKPOINT = Kind("a checkpoint", 64 * GIB, larger="save the network alone, without the optimiser")
_MAPPINGS = frozenset(("collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict"))
_SETS = frozenset(("builtins.set", "__builtin__.set"))
_MODULE_PARTS = ("_parameters", "_buffers", "_modules")
_MAX_DEPTH = 64
_MAX_VISITS = 200_000
_MAX_TEXT = 200
_MAX_NAMES = 10_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """What a file holds.

    tensors: read-only arrays under the names of the file, read when they are asked for. attributes: those of them that
    a pickled module keeps as plain attributes, being neither parameter nor buffer. values: numbers, flags and texts by
    dotted name. unreadable: tensors that cannot be read, each with the reason. modules: the classes of the pickled
    modules by dotted name. left_out: what else the file holds, in words. notes: what a reader must know of the choice
    of weights.
    """

    path: Path
    format: str
    content: str
    tensors: StoredTensors
    attributes: frozenset[str] = frozenset()
    values: dict[str, Scalar] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What all tensor names begin with because of a wrapper (Lightning, DataParallel, torch.compile), or ''."""
        names = [name for name in self.tensors if name not in self.attributes and name not in COUNTERS]
        found = ""
        while names:
            step = next((f"{p}." for p in LEADING if all(name.startswith(f"{found}{p}.") for name in names)), "")
            if not step:
                return found
            found += step
        return found

    def find(self, name: str) -> str | None:
        """The full name of the one tensor or value called `name`, wrappers' names left out; None if none or several."""
        found = self.matches(name)
        return found[0] if len(found) == 1 else None

    def matches(self, name: str) -> list[str]:
        """The full names that `name` may mean: itself, with the common prefix, else those without wrappers' names."""
        known = (self.tensors, self.values, self.unreadable)
        for full in (name, self.prefix + name):
            if any(full in group for group in known):
                return [full]
        return self._short.get(name, [])

    @cached_property
    def _short(self) -> dict[str, list[str]]:
        return by_short_name(dict.fromkeys([*self.tensors, *self.values, *self.unreadable]))


def read_checkpoint(path: str | Path, weights: str | None = None) -> Checkpoint:
    """The content of the checkpoint at `path`, its kind told from its first bytes. weights: the key of a torch file's
    dictionary under which the network lies; None: the first of wrappers.KEYS.

    Raises InputError where the file is missing, empty, damaged, hostile, of another kind or without tensors.
    """
    path = Path(path)
    file = open_file(path, CHECKPOINT)
    # The tensors are read from it later; whoever lets them go closes it.
    if not file.size:
        raise InputError(path, "requires a checkpoint; found an empty file; copy it again")
    start = file.read_exactly(8, 0)
    if start[:2] == b"PK":
        archive = Archive(file)
        if any(name.endswith(".npy") for name in archive.names):
            found = _arrays(path, "npz", *read_npz(archive))
        else:
            found = _torch(path, read_zip(path, archive), file, weights)
    elif start[:1] == b"\x80":
        found = _torch(path, read_legacy(path, file), file, weights)
    elif is_safetensors(file):
        found = _arrays(path, "safetensors", *read_safetensors(path, file))
    else:
        known = foreign_kind(file.read_exactly(min(file.size, START), 0))
        found_text, hint = known or (f"a file that begins with {start!r}", "give a checkpoint")
        raise InputError(path, f"requires {ACCEPTED}; found {found_text}; {hint}")
    if not found.tensors and not found.unreadable:
        raise InputError(path, f"requires {ACCEPTED}; found no tensors ({found.content}); save the state_dict")
    if weights is not None and found.format in ("npz", "safetensors"):
        raise InputError(
            path, f"requires a torch file to choose weights from; found {found.format}, which holds one set; leave "
            "weights out"
        )  # fmt: skip
    return found


def _arrays(path: Path, kind: str, arrays: dict[str, StoredTensor], unreadable: dict[str, str]) -> Checkpoint:
    for name in (*arrays, *unreadable):
        if not name.isprintable() or len(name) > _MAX_TEXT:
            raise InputError(
                path,
                f"requires printable names of at most {_MAX_TEXT} characters; found an array called {name[:40]!r}; "
                "rename it",
            )
    return Checkpoint(
        path=path, format=kind, content=f"{len(arrays)} arrays", tensors=StoredTensors(arrays), unreadable=unreadable
    )


def _torch(path: Path, file: TorchFile, opened: OpenFile, weights: str | None) -> Checkpoint:
    """The tensors of a torch file's tree, the network taken out of a training script's wrapper where there is one."""
    outer = {key: value for key, value in _pairs(file.tree) or () if isinstance(key, str)}
    choice = chosen(path, file.tree, outer, weights, _names)
    tree = choice.tree
    content = _kind(tree) if choice.key is None else f"{_kind(tree)} under '{choice.key}'"
    walk = _Walk(path, file, opened.size)
    walk.visit(tree, "", 0)
    return Checkpoint(
        path=path,
        format=file.format,
        content=content,
        tensors=StoredTensors(walk.tensors),
        attributes=frozenset(walk.attributes),
        values=walk.values,
        unreadable=walk.unreadable,
        modules=walk.modules,
        left_out=choice.left_out,
        notes=choice.notes,
    )


def _kind(tree: Any) -> str:
    if _is_module(tree):
        return f"pickled module {_class(tree)}"
    if _pairs(tree) is not None:
        return "state_dict"
    if isinstance(tree, list | tuple):
        return f"list of {len(tree)}"
    return f"pickled {_class(tree)}" if isinstance(tree, Record) else f"pickled {type(tree).__name__}"


def _class(record: Record) -> str:
    """Name of a record's class for people."""
    return record.kind if 0 < len(record.kind) <= _MAX_TEXT and record.kind.isprintable() else "of an unknown class"


def _pairs(value: Any) -> list[tuple[Any, Any]] | None:
    """The (key, value) pairs of a dictionary or of the record of one, else None."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, Record) and value.kind in _MAPPINGS:
        first = value.args[0] if isinstance(value.args, tuple) and value.args else None
        given = first if isinstance(first, list) else []
        return [(p[0], p[1]) for p in given if isinstance(p, list | tuple) and len(p) == 2] + value.items
    return None


def _names(value: Any) -> set[str] | None:
    """What the entries of a dictionary or a pickled module are called; None of what is neither."""
    if _is_module(value):
        parts = (_pairs(_attributes(value)[part]) or () for part in _MODULE_PARTS)
        return {key for pairs in parts for key, _ in pairs if isinstance(key, str)}
    pairs = _pairs(value)
    return None if pairs is None else {key for key, _ in pairs[:_MAX_NAMES] if isinstance(key, str)}


def _attributes(record: Record) -> dict[str, Any]:
    """What was set on a record's instance: all its state dictionaries and slots, later ones winning."""
    result: dict[str, Any] = {}
    for state in record.states[:8]:
        for part in state if isinstance(state, tuple) else (state,):
            for key, value in _pairs(part) or ():
                if isinstance(key, str):
                    result[key] = value
    return result


def _is_module(value: Any) -> bool:
    return isinstance(value, Record) and all(part in _attributes(value) for part in _MODULE_PARTS)


class _Walk:
    """One pass over a pickle's tree that collects tensors and plain values under dotted names, within bounds."""

    def __init__(self, path: Path, file: TorchFile, size: int) -> None:
        self.path = path
        self.fetch: Fetch = file.fetch
        self.tensors: dict[str, StoredTensor] = {}
        self.attributes: set[str] = set()
        self.values: dict[str, Scalar] = {}
        self.unreadable: dict[str, str] = {}
        self.modules: dict[str, str] = {}
        self.open: set[int] = set()
        self.visits = 0
        self.elements = 0
        self.max_elements = max(1 << 26, 8 * size)

    def visit(self, value: Any, name: str, depth: int, attribute: bool = False) -> None:
        """Collect what lies in `value`, called `name`; `attribute`: it hangs on a module as a plain attribute."""
        self.visits += 1
        if self.visits > _MAX_VISITS:
            raise InputError(
                self.path,
                f"requires a file of at most {count(_MAX_VISITS, 'value')}; found more; save the state_dict alone",
            )
        if depth > _MAX_DEPTH:
            return
        if not name.isprintable() or len(name) > _MAX_TEXT:
            if isinstance(value, Record) and value.kind.startswith("torch._utils._rebuild"):
                raise InputError(
                    self.path,
                    f"requires printable names of at most {_MAX_TEXT} characters; found a tensor called {name[:40]!r}; "
                    "rename it",
                )
            return
        if value is None or isinstance(value, bool | int | float):
            if not isinstance(value, int) or value.bit_length() <= 64:
                self.values[name] = value
            return
        if isinstance(value, str):
            if len(value) <= _MAX_TEXT and value.isprintable():
                self.values[name] = value
            return
        if isinstance(value, Record) and self.take_tensor(value, name, attribute):
            return
        if id(value) in self.open:
            return
        self.open.add(id(value))
        self.visit_parts(value, name, depth, attribute)
        self.open.discard(id(value))

    def visit_parts(self, value: Any, name: str, depth: int, attribute: bool) -> None:
        """The members of a container or object that is not being visited already (files may hold cycles)."""
        pairs = _pairs(value)
        if pairs is not None:
            for key, item in pairs:
                if isinstance(key, str | int):
                    self.visit(item, _join(name, key), depth + 1, attribute)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                self.visit(item, _join(name, index), depth + 1, attribute)
        elif isinstance(value, Record):
            self.visit_object(value, name, depth)

    def visit_object(self, record: Record, name: str, depth: int) -> None:
        """A pickled object: of a torch module the parameters, buffers, children and settings; else its attributes."""
        attributes = _attributes(record)
        self.visits += len(attributes)
        if not _is_module(record):
            for key, item in attributes.items():
                self.visit(item, _join(name, key), depth + 1, True)
            return
        self.modules[name] = _class(record)
        transient = _elements(attributes.get("_non_persistent_buffers_set"))
        for part in _MODULE_PARTS:
            for key, item in _pairs(attributes[part]) or ():
                if isinstance(key, str) and item is not None and key not in transient:
                    self.visit(item, _join(name, key), depth + 1)
        for key, item in attributes.items():
            if not key.startswith("_") and key != "training":
                self.visit(item, _join(name, key), depth + 1, True)

    def take_tensor(self, value: Record, name: str, attribute: bool) -> bool:
        """Whether `value` is a tensor; it is kept under `name`, or the reason why it cannot be read."""
        try:
            tensor = as_tensor(value, self.fetch, f"{self.path}: {name}")
        except NotATensorError:
            return False
        except (ValueError, TypeError, OverflowError) as error:
            self.unreadable[name] = str(error)[:_MAX_TEXT]
            return True
        self.elements += tensor.count
        if self.elements > self.max_elements:
            raise InputError(
                self.path,
                f"requires tensors of at most {count(self.max_elements, 'number')} in all; found more, as in a "
                "damaged file; copy or save it again",
            )
        if name in self.tensors or name in self.unreadable:
            raise InputError(
                self.path, f"requires a name of its own for each tensor; found two called {name}; rename one"
            )
        self.tensors[name] = tensor
        if attribute:
            self.attributes.add(name)
        return True


def _elements(value: Any) -> frozenset[str]:
    """The texts in a pickled set: a list here, or (up to pickle protocol 3) the record of set(list)."""
    if isinstance(value, Record) and value.kind in _SETS and isinstance(value.args, tuple) and value.args:
        value = value.args[0]
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()


def _join(name: str, key: str | int) -> str:
    return f"{name}.{key}" if name else str(key)
