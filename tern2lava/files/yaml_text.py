"""YAML as plain data with the line of every key, refused where YAML would be silent about a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tern2lava.counts import count
from tern2lava.errors import InputError, one_line
from tern2lava.files.opening import MIB, FileError, Kind, read_text

MAX_DEPTH = 20
MAX_NODES = 20_000
"""Keys and values of a file. A net.yaml of 150 layers has some 3,000, a profile 300."""
MAX_TEXT = 10_000
"""Characters of a key or value: the longest of a shipped profile has 400."""
MAX_NUMBER = 64
"""Characters of a number."""
YAML = Kind("a YAML file", MIB, larger="shorten it")
Place = tuple[str | int, ...]
MARK = "???"
"""What stands in the place of a value that is to be written in, in files that `inspect --write-net` writes."""
MARKS_NAMED = 30

_HINTS = {
    "\\t": "indent with blanks",
    "another document": "keep one document in a file",
    "chomping or indentation": "write comparisons as words (fire: gt) or in quotes",
}
"""What to do, by what the parser says."""
_SCALAR_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}
_NUMBER_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float")}


@dataclass(frozen=True, eq=False, kw_only=True)
class YamlFile:
    """`data` of a file and `lines`, the line number of every key and list item by its place."""

    path: object
    data: Any
    lines: dict[Place, int]

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(str(self.path)).name

    def error(self, place: Place, why: str) -> InputError:
        """An InputError at `place`: file, line, key path, `why`."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        return InputError(f"{self.path}{line}: {key_path(place)}" if place else f"{self.path}{line}", why)


def refuse_marks(file: YamlFile) -> None:
    """Raise InputError where a mark stands in a file, naming each with its line."""
    marks = [place for place, value in _leaves(file.data, ()) if value == MARK]
    if not marks:
        return
    named = [f"{key_path(place)} (line {file.lines.get(place, 0)})" for place in marks[:MARKS_NAMED]]
    named += [f"{len(marks) - MARKS_NAMED:,} more"] if len(marks) > MARKS_NAMED else []
    raise InputError(
        file.path,
        f"requires a value in the place of each {MARK}; found {count(len(marks), 'mark')}: {', '.join(named)}; "
        "write what the comments beside them ask for",
    )


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if parts is None:
        yield place, value
        return
    for key, inner in parts:
        yield from _leaves(inner, (*place, key))


def key_path(place: Place) -> str:
    """`place` as text: layers[2].conv2d.stride."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def read_yaml(path: str | Path, kind: Kind = YAML) -> YamlFile:
    """The content of a YAML file. Raises FileError for one that is missing, larger than 1 MiB, no valid YAML, or
    that has a key twice, aliases (&, *), tags, over 20 levels or over 20,000 keys and values."""
    return parse_yaml(read_text(path, kind), path)


def parse_yaml(text: str, where: object) -> YamlFile:
    """The content of a YAML text, which errors call `where`. Raises FileError as read_yaml does."""
    try:
        _check_events(where, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {}
        data = None if node is None else _plain(where, node, (), lines)
    except yaml.YAMLError as error:
        raise _explained(where, error) from None
    except (ValueError, LookupError, RecursionError) as error:
        raise FileError(where, "valid YAML", one_line(str(error)[:80]), "mend the file") from None
    return YamlFile(path=where, data=data, lines=lines)


def _events(text: str) -> Iterator[tuple[yaml.Event, int]]:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        yield event, event.start_mark.line + 1 if event.start_mark else 0


def _check_events(where: object, text: str) -> None:
    """Raise FileError for what is refused before anything is built: a text is read no further than to its first."""
    depth = nodes = 0
    for event, line in _events(text):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise FileError(f"{where}:{line}", "plain YAML", "an anchor or alias (& or *)", "write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            shown = one_line(str(tag).replace("tag:yaml.org,2002:", "!!")[:60])
            raise FileError(f"{where}:{line}", "plain YAML", f"a tag ({shown})", "leave it out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_TEXT and not event.value.isdigit():
            raise FileError(
                f"{where}:{line}", f"keys and values of at most {MAX_TEXT:,} characters",
                f"one of {len(event.value):,}", "shorten it",
            )  # fmt: skip
        nodes += isinstance(event, yaml.CollectionStartEvent | yaml.ScalarEvent)
        if depth > MAX_DEPTH:
            raise FileError(f"{where}:{line}", f"at most {count(MAX_DEPTH, 'level')}", "more", "nest fewer")
        if nodes > MAX_NODES:
            raise FileError(
                f"{where}:{line}", f"at most {count(MAX_NODES, 'key')} and values", "more", "shorten the file"
            )


def _explained(where: object, error: yaml.YAMLError) -> FileError:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error).splitlines()[0][:100]
    problem = problem.removeprefix("but ").removeprefix("found ")
    at = f"{where}:{mark.line + 1}" if mark else where
    hint = next(
        (hint for part, hint in _HINTS.items() if part in problem), "mend that line (what holds signs goes in quotes)"
    )
    return FileError(at, "valid YAML", problem, hint)


def _plain(where: object, node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    """The value of a YAML node: dict (string keys), list, str, int, float, bool or None."""
    line = lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise FileError(f"{where}:{line}", "words as keys", "another value", "write NAME: VALUE")
            if key in result:
                raise FileError(f"{where}:{line}: {key_path((*place, key))}", "each key once", "it twice", "remove one")
            inner = (*place, key)
            result[key] = _plain(where, value_node, inner, lines)
            lines[inner] = line
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(where, item, (*place, index), lines) for index, item in enumerate(node.value)]
    if node.tag in _NUMBER_TAGS and ":" in node.value:
        # YAML 1.1 reads 1:30:00 as 5400 in base 60; whoever writes it means no number.
        return node.value
    if node.tag in _NUMBER_TAGS and len(node.value) > MAX_NUMBER:
        raise FileError(
            f"{where}:{line}: {key_path(place)}", f"numbers of at most {count(MAX_NUMBER, 'character')}",
            f"one of {len(node.value):,}", "write fewer digits",
        )  # fmt: skip
    if node.tag not in _SCALAR_TAGS:
        return node.value
    value = yaml.SafeLoader("").construct_object(node)
    if isinstance(value, int) and abs(value) >= 1 << 64:
        raise FileError(
            f"{where}:{line}: {key_path(place)}", "whole numbers of at most 64 bits", str(value),
            "write a smaller number",
        )  # fmt: skip
    return value
