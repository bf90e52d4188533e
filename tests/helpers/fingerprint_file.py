"""The file of fingerprints: what it holds, how it is compared with what is found, and how it is rewritten."""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fingerprints import DEFAULT, REFUSED, Fingerprint, Item, Value
from sample_nets import SAMPLES
from tern2lava.hw_profiles import profile_names

GOLDEN = Path(__file__).parents[1] / "fingerprints.json"
TOLERANCE = 1e-12

Parts = dict[str, list[Value]]
Targets = dict[str, dict[str, Parts]]


def differences(name: str, target: str, expected: dict[str, Parts], found: dict[str, Fingerprint]) -> list[str]:
    """A line for each part that moved: network, target, encoding, part and the first of its values that moved."""
    lines = []
    default = expected.get(DEFAULT, {})
    for encoding in dict.fromkeys((*expected, *found)):
        where = f"{name} on {target}, encodings {encoding}"
        if encoding not in found or encoding not in expected:
            lines.append(f"{where}: {'is new' if encoding in found else 'is gone'}")
            continue
        parts = _whole(expected[encoding], default)
        for part in dict.fromkeys((*parts, *found[encoding])):
            moved = _moved(parts.get(part), found[encoding].get(part))
            if moved:
                lines.append(f"{where}: {part} moved: {moved}")
    return lines


def _moved(expected: list[Value] | None, found: list[Item] | None) -> str:
    """What moved in a part; an empty text where nothing did."""
    if expected is None or found is None:
        values = expected if found is None else [item.value for item in found]
        return f"it {'is gone, was' if found is None else 'is new:'} {values}"
    moved = [
        f"{item.label} was {was}, is {item.value}"
        for was, item in zip(expected, found, strict=False)
        if not alike(was, item.value)
    ]
    if len(expected) != len(found):
        moved.append(f"{len(found)} values where {len(expected)} were")
    more = f" (and {len(moved) - 3} more)" if len(moved) > 3 else ""
    return "; ".join(moved[:3]) + more


def alike(was: Value, value: Value) -> bool:
    """Whether two values are equal, floats to TOLERANCE of the larger."""
    if isinstance(was, float) and isinstance(value, float):
        return math.isclose(was, value, rel_tol=TOLERANCE, abs_tol=0.0)
    return type(was) is type(value) and was == value


def _whole(parts: Parts, default: Parts) -> Parts:
    """The parts of an encoding alone, of which the file leaves out those that are as with all encodings."""
    return parts if REFUSED in parts or REFUSED in default else {**default, **parts}


def plain(found: dict[str, Fingerprint]) -> dict[str, Parts]:
    """Fingerprints as the file holds them."""
    values = {e: {part: [item.value for item in items] for part, items in f.items()} for e, f in found.items()}
    default = values[DEFAULT]
    alone = {
        encoding: parts if REFUSED in parts else {p: v for p, v in parts.items() if v != default[p]}
        for encoding, parts in values.items() if encoding != DEFAULT
    }  # fmt: skip
    return {DEFAULT: default, **alone}


def versions() -> dict[str, str]:
    """Versions of what computes: of Python and of the libraries whose numbers could move a fingerprint."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "scipy", "numba")}}


def recorded_with() -> dict[str, str]:
    """The versions with which the file was written last; they take no part in the comparison."""
    found: dict[str, str] = _file()["versions"]
    return found


def read_golden() -> dict[str, Targets]:
    """The file's fingerprints: parts by network, target and encoding."""
    found: dict[str, Targets] = _file()["networks"]
    return found


def _file() -> dict[str, Any]:
    found: dict[str, Any] = {"versions": {}, "networks": {}}
    return json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else found


def write_golden(name: str, target: str, found: dict[str, Fingerprint]) -> None:
    """Replace what the file holds of one network on one target; networks and targets that are no more leave it."""
    golden = read_golden()
    golden.setdefault(name, {})[target] = plain(found)
    kept = {
        sample: {profile: golden[sample][profile] for profile in profile_names() if profile in golden[sample]}
        for sample in SAMPLES if sample in golden
    }  # fmt: skip
    GOLDEN.write_text(_text({"versions": versions(), "networks": kept}) + "\n", encoding="utf-8")


def _text(value: Any, depth: int = 1) -> str:
    """JSON with one part to a line."""
    if not isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    lines = [f"{' ' * depth}{json.dumps(key)}: {_text(inner, depth + 1)}" for key, inner in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * (depth - 1) + "}" if lines else "{}"
