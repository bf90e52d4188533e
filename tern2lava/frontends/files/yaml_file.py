"""A YAML file as plain data with the line of every key, refused where YAML would be silent about a mistake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tern2lava.counts import count
from tern2lava.errors import InputError

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
Place = tuple[str | int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class YamlFile:
    """`data` of a file and `lines`, the line number of every key and list item by its place."""

    path: Path
    data: Any
    lines: dict[Place, int]

    def error(self, place: Place, why: str) -> InputError:
        """An InputError at `place`: file, line, key path, `why`."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        return InputError(f"{self.path}{line}: {key_path(place)}" if place else f"{self.path}{line}", why)


def key_path(place: Place) -> str:
    """`place` as text: layers[2].conv2d.stride."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def read_yaml(path: str | Path) -> YamlFile:
    """The content of a YAML file. Raises InputError for one that is missing, larger than 1 MiB, no valid YAML, or
    that has a key twice, aliases (&, *), tags or over 20 levels."""
    path = Path(path)
    try:
        if not path.is_file():
            raise InputError(path, "requires the path of a YAML file; found no file there; check the path")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                path, f"requires a YAML file of at most {count(MAX_BYTES, 'byte')}; found a larger file; shorten it"
            )
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(
            path, f"requires a file that can be read; found {error.strerror}; check path and permissions"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            path, f"requires YAML in UTF-8; found another byte at {error.start}; save it as UTF-8"
        ) from None
    try:
        _check_events(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {}
        data = None if node is None else _plain(path, node, (), lines)
    except yaml.YAMLError as error:
        raise InputError(*_explain(path, error)) from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"requires valid YAML; found {str(error)[:80]}; mend the file") from None
    return YamlFile(path=path, data=data, lines=lines)


def _check_events(path: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InputError(
                f"{path}:{line}", "requires plain YAML; found an anchor or alias (& or *); write the value out"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise InputError(f"{path}:{line}", f"requires at most {count(MAX_DEPTH, 'level')}; found more; nest fewer")


def _explain(path: Path, error: yaml.YAMLError) -> tuple[str, str]:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error).splitlines()[0][:100].removeprefix("found ")
    where = f"{path}:{mark.line + 1}" if mark else str(path)
    return where, f"requires valid YAML; found {problem}; write comparisons as words (fire: gt) or in quotes"


def _plain(path: Path, node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    """The value of a YAML node: dict (string keys), list, str, int, float, bool or None."""
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{path}:{line}", "requires words as keys; found another value; write NAME: VALUE")
            if key in result:
                raise InputError(
                    f"{path}:{line}: {key_path((*place, key))}", "requires each key once; found it twice; remove one"
                )
            inner = (*place, key)
            result[key] = _plain(path, value_node, inner, lines)
            lines[inner] = line
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(path, item, (*place, index), lines) for index, item in enumerate(node.value)]
    if node.tag not in _SCALAR_TAGS:
        return node.value
    return yaml.SafeLoader("").construct_object(node)


_SCALAR_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}
