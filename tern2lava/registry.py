"""Registries: entries of one kind by name, those of tern2lava first, then those of plugins.

To add an entry, call `add` (or, for a while, `with registry.added(entry)`). A plugin is a distribution that names an
entry in its metadata, in the group of the registry (pyproject.toml):

    [project.entry-points."tern2lava.exporters"]
    onnx = "my_package.to_onnx:EXPORTER"

Nothing of a plugin is imported before its name is asked for or all entries are looked through.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from tern2lava.errors import InputError, PluginError, PluginWarning
from tern2lava.likely import meant

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Named(Protocol):
    """What can be registered: anything with a name."""

    @property
    def name(self) -> str:
        """The name by which it is found."""


Entry = TypeVar("Entry", bound=Named)


class Registry(Generic[Entry]):
    """Entries of one kind by name, in the order of their registration.

    kind: what an entry is, in messages. group: the entry points that plugins may register in; "": none are looked for.
    read: makes an entry of (name, object that an entry point names); raises TypeError where it is none.
    """

    def __init__(self, kind: str, group: str = "", read: Callable[[str, Any], Entry] | None = None) -> None:
        self.kind = kind
        self.group = group
        self._read = read
        self._entries: dict[str, Entry] = {}
        self._loaded: dict[tuple[EntryPoint, tuple[str, ...]], Entry | PluginError] = {}

    def add(self, entry: Entry) -> Entry:
        """`entry`, registered. Raises InputError where its name is taken."""
        if entry.name in self._entries:
            raise InputError(
                f"{self.kind} {entry.name}",
                f"requires a name of its own for each {self.kind}; found two called {entry.name}; give one of the "
                "two another name",
            )
        self._entries[entry.name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Forget an entry that `add` registered."""
        del self._entries[name]

    @contextmanager
    def added(self, entry: Entry) -> Iterator[Entry]:
        """`entry`, registered for as long as the block runs."""
        self.add(entry)
        try:
            yield entry
        finally:
            self.remove(entry.name)

    def registered(self) -> tuple[Entry, ...]:
        """The entries of tern2lava and those that `add` registered; no plugin is looked for."""
        return tuple(self._entries.values())

    def names(self) -> tuple[str, ...]:
        """The names of all entries, those of plugins included, none of which is imported for this."""
        return (*self._entries, *sorted({point.name for point in self._points()} - set(self._entries)))

    def plugin_names(self) -> tuple[str, ...]:
        """The names of the entries of plugins, none of which is imported for this."""
        return self.names()[len(self._entries) :]

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self.names()

    def __iter__(self) -> Iterator[Entry]:
        """All entries, those of plugins included. A plugin that does not work is left out with a PluginWarning."""
        yield from self.registered()
        yield from self.plugins()

    def plugins(self) -> Iterator[Entry]:
        """The entries of plugins; one that does not work is left out with a PluginWarning."""
        for point in self._points():
            try:
                yield self._load(point)
            except PluginError as error:
                warnings.warn(str(error), PluginWarning, stacklevel=2)

    def get(self, name: str, where: object = "") -> Entry:
        """The entry of that name. Raises InputError at `where` (the kind by default), naming all there are, and
        PluginError where the plugin that has the name does not work."""
        if name in self._entries:
            return self._entries[name]
        for point in self._points():
            if point.name == name:
                return self._load(point)
        names = self.names()
        there = f"{meant(name, names)}choose {one_of(names)}" if names else "there is none"
        raise InputError(where or self.kind, f"requires a known {self.kind}; found '{name}'; {there}")

    def origin(self, name: str) -> str:
        """Which distribution brings the plugin of that name, in words."""
        return " and ".join(f"of the distribution {_distribution(p)}" for p in self._points() if p.name == name)

    def _points(self) -> tuple[EntryPoint, ...]:
        return _entry_points(self.group, tuple(sys.path)) if self.group else ()

    def _load(self, point: EntryPoint) -> Entry:
        key = point, tuple(sys.path)
        if key not in self._loaded:
            try:
                self._loaded[key] = self._entry(point)
            except PluginError as error:
                self._loaded[key] = error
        found = self._loaded[key]
        if isinstance(found, PluginError):
            raise found
        return found

    def _entry(self, point: EntryPoint) -> Entry:
        assert self._read is not None
        where = f"{self.kind} {point.name} of the distribution {_distribution(point)}"
        same = [_distribution(other) for other in self._points() if other.name == point.name]
        if point.name in self._entries:
            raise PluginError(where, "has the name of an entry that is there already; uninstall or rename it")
        if len(same) > 1:
            raise PluginError(where, f"is in {' and '.join(sorted(same))}; uninstall all but one")
        try:
            entry = self._read(point.name, point.load())
        except (Exception, SystemExit) as error:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise PluginError(where, f"cannot be loaded ({why}); mend or uninstall it") from error
        if entry.name != point.name:
            raise PluginError(where, f"calls itself {entry.name}; give both the same name")
        return entry


def entry_of(kind: type[Entry]) -> Callable[[str, Any], Entry]:
    """What reads an entry point's object that has to be of class `kind`, or a function that returns one."""

    def read(name: str, found: Any) -> Entry:
        made = found() if callable(found) and not isinstance(found, kind) else found
        if not isinstance(made, kind):
            raise TypeError(f"is a {type(made).__name__}, not a tern2lava {kind.__name__}")
        return made

    return read


def one_of(names: tuple[str, ...]) -> str:
    """Names as words: "a", "a or b", "a, b or c"."""
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "(unknown)"


@lru_cache(maxsize=32)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """What distributions on `path` (that of sys.path: the cache's key) name in a group."""
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=group), key=lambda point: (point.name, _distribution(point))))
