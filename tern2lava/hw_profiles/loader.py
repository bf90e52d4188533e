"""Reading profiles from YAML, those that extend another included.

`extends: NAME` at the top of a file takes every leaf of another profile, one that comes with tern2lava or a YAML file
beside this one; leaves that the file gives itself replace those, each as a whole: a number never inherits the source of
another number. A profile always gives its own name and summary.
"""

from __future__ import annotations

import os
import sys
import warnings
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    from importlib.resources.abc import Traversable
else:
    from importlib.abc import Traversable

from pydantic import ValidationError

from tern2lava.errors import PluginWarning, ProfileError
from tern2lava.files.opening import MIB, FileError, Kind, as_text, read_bytes, read_text
from tern2lava.files.yaml_text import parse_yaml
from tern2lava.hw_profiles.profile import Profile, shown
from tern2lava.likely import meant
from tern2lava.registry import Registry

PROFILE = Kind("a profile", MIB, larger="shorten it")
_MAX_CHAIN = 16
_EXTENDS = "extends"


@dataclass(frozen=True)
class Target:
    """A profile that is known by its name, and its YAML file."""

    name: str
    file: Traversable


def _target(name: str, found: Any) -> Target:
    """The target that a plugin's entry point names: the path of a YAML file, or a function that returns it."""
    path = found() if callable(found) else found
    file = Path(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(file, Traversable):
        raise TypeError(f"is a {type(path).__name__}, not the path of a YAML file")
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    return Target(name, file)


TARGETS: Registry[Target] = Registry("target", "tern2lava.targets", _target)
for _file in sorted(resources.files("tern2lava.hw_profiles").iterdir(), key=lambda entry: entry.name):
    if _file.name.endswith(".yaml"):
        TARGETS.add(Target(_file.name[:-5], _file))
# Targets that no chip has: none is advised to take them.
NO_CHIP = ("tiny",)


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with tern2lava, sorted, then of those that plugins bring."""
    return TARGETS.names()


def known_profiles() -> list[Profile]:
    """All of profile_names(); those of plugins that do not work are left out with a PluginWarning."""
    found = [load_profile(target.name) for target in TARGETS.registered()]
    for target in TARGETS.plugins():
        try:
            found.append(load_profile(target.name))
        except ProfileError as error:
            warnings.warn(str(error), PluginWarning, stacklevel=2)
    return found


def load_profile(name_or_path: str | Path) -> Profile:
    """The profile of that name (of tern2lava first, then of a plugin), or read from that YAML file.

    Raises PluginError where a plugin's entry point does not work, and ProfileError naming file and key for an unknown
    name, an unreadable or oversized file, bad YAML, an unknown or missing key, a missing source, a value out of range,
    and a profile that extends an unknown one or itself.
    """
    data, origin = _whole(str(name_or_path), Path(), ())
    return _validated(data, origin)


def profile_files(name_or_path: str | Path) -> list[tuple[str, bytes]]:
    """Name and content of every file that `load_profile` reads of this profile: its own, and those that it extends.

    Raises ProfileError as load_profile does."""
    found: list[tuple[str, bytes]] = []
    name, folder = str(name_or_path), Path()
    while name:
        text, origin, place = _read(name, folder)
        # The bytes themselves: a text has lost how its lines end.
        if Path(place).is_absolute():
            found.append((Path(place).name, read_bytes(place, PROFILE)))
        else:
            found.append((TARGETS.get(name).file.name, TARGETS.get(name).file.read_bytes()))
        name, folder = str(_parsed(text, origin).get(_EXTENDS, "")), Path(place).parent
    return found


def parse_profile(text: str, origin: object) -> Profile:
    """The profile of a YAML text that extends no other; errors call it `origin`. Raises ProfileError."""
    return _validated(_parsed(text, str(origin)), str(origin))


def _whole(name: str, folder: Path, above: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """Everything that a profile and those it extends say, and what errors should call it. folder: where a file name
    counts from; above: the profiles that lead here by extending it."""
    text, origin, place = _read(name, folder)
    if len(above) >= _MAX_CHAIN:
        raise ProfileError(origin, _EXTENDS, f"a chain of over {_MAX_CHAIN} profiles", "extend fewer")
    if place in above:
        chain = " extends ".join(Path(item).stem for item in (*above[above.index(place) :], place))
        raise ProfileError(origin, _EXTENDS, chain, "a profile cannot extend itself")
    data = _parsed(text, origin)
    if _EXTENDS not in data:
        return data, origin
    base = data.pop(_EXTENDS)
    if not isinstance(base, str) or not base:
        raise ProfileError(origin, _EXTENDS, shown(base), "must be the name of a profile, or of a YAML file beside it")
    try:
        under, called = _whole(base, Path(place).parent, (*above, place))
    except _UnknownProfileError as error:
        raise ProfileError(origin, _EXTENDS, error.name, error.allowed) from None
    _validated(under, called)
    own = {key: value for key, value in under.items() if key not in ("name", "summary")}
    return _merged(own, data), origin


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`under` with what `over` says instead, leaves as a whole."""
    result = dict(under)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and "value" not in old:
            value = _merged(old, value)
        result[key] = value
    return result


def _validated(data: dict[str, Any], origin: str) -> Profile:
    try:
        return Profile.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ProfileError(origin, key, *_explain(first)) from None


@lru_cache(maxsize=64)
def _read_once(text: str, origin: str) -> Any:
    """What a YAML text says; a refusal looks through all targets, whose texts are the same each time."""
    return parse_yaml(text, origin).data


def _parsed(text: str, origin: str) -> dict[str, Any]:
    try:
        data = deepcopy(_read_once(text, origin))
    except FileError as error:
        raise _refused(origin, error) from None
    if not isinstance(data, dict):
        raise ProfileError(origin, "the file", type(data).__name__, "must be a mapping of sections")
    return data


def _refused(origin: str, error: FileError) -> ProfileError:
    """What the door says of a file, as an error of a profile."""
    place = error.where.removeprefix(origin).removeprefix(":").strip()
    return ProfileError(
        origin, f"line {place}" if place else "the file", error.found, f"requires {error.rule}; {error.hint}"
    )


class _UnknownProfileError(ProfileError):
    """A name that is neither a shipped profile nor a file."""

    def __init__(self, name: str) -> None:
        self.name = f"no such profile or file: {name}"
        known = profile_names()
        self.allowed = f"{meant(name, known)}known profiles: {', '.join(known)}; or give a YAML file"
        super().__init__(name, "name", "no such profile or file", self.allowed)


def _read(name: str, folder: Path) -> tuple[str, str, str]:
    """Text of a profile, what errors should call it, and where it lies: its name for those of tern2lava, else its
    path. A file name counts from `folder`."""
    own = next((target for target in TARGETS.registered() if target.name == name), None)
    if own is not None:
        return _shipped(own.file, own.file.name), own.file.name, name
    path = folder / name
    called = str(path)
    if not _is_there(path):
        if name not in TARGETS:
            raise _UnknownProfileError(name)
        file = TARGETS.get(name).file
        called = f"{file} ({TARGETS.origin(name)})"
        if not isinstance(file, Path):
            return _shipped(file, called), called, name
        path = file
    try:
        return read_text(path, PROFILE, where=called), called, str(path.resolve())
    except FileError as error:
        raise _refused(called, error) from None


def _shipped(file: Traversable, called: str) -> str:
    """The text of a profile that lies in a package, which may be packed."""
    try:
        return as_text(file.read_bytes(), called, PROFILE)
    except FileError as error:
        raise _refused(called, error) from None


def _is_there(path: Path) -> bool:
    """Whether anything but a folder is called so."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):
        return False


def _explain(problem: Any) -> tuple[str, str]:
    """What was found and what is allowed, for one validation problem."""
    match problem["type"]:
        case "missing":
            return "nothing", "this key is required"
        case "extra_forbidden":
            return "an unknown key", "remove it, or check its spelling"
        case "value_error":
            return "values that contradict each other", problem["msg"].removeprefix("Value error, ")
        case _:
            message = problem["msg"]
            return shown(problem["input"]), message[0].lower() + message[1:]
