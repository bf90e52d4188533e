"""Fingerprints of compiled networks: what must stay as it is when code is moved, in few bytes and by name.

A fingerprint has parts (program, certificate, images, host image, and the blocks of the report), each a list of values
with labels: digests (texts) and whole numbers, which are equal or not, and floats, which may differ by 1e-12 of their
size. Texts, notes, versions and the names of nodes, fields and keys take no part; the images hold the populations'
names.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sample_nets import SAMPLES
from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.certificate import Certificate
from tern2lava.compiler.ir import Graph
from tern2lava.compiler.mapped import Mapped
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import load_profile, profile_names
from tern2lava.report.build import make_report
from tern2lava.report.model import Report

GOLDEN = Path(__file__).parents[1] / "fingerprints.json"
TOLERANCE = 1e-12
DEFAULT = "default"
REFUSED = "refused"

Value = str | int | float
Parts = dict[str, list[Value]]
Targets = dict[str, dict[str, Parts]]

# The fields of each kind of node of a program, in the order in which they are digested: a field that is renamed is
# renamed here, and one that is new comes last.
NODES: dict[str, tuple[str, ...]] = {
    "Input": ("shape", "levels"),
    "Projection": (
        "weight", "scale", "gain", "geometry", "delay", "bits", "source_weights", "pooling", "reads", "part_of",
    ),
    "Population": (
        "shape", "decay_u", "decay_v", "bias", "threshold", "reset", "reset_amount", "v_init", "lsb", "start", "bias_u",
        "refractory", "rearm", "threshold_low", "decay_a", "gain_a", "origin", "record_before_reset", "levels",
    ),
    "Output": ("readout",),
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One value of a part, and what it is called where it has moved."""

    label: str
    value: Value


Fingerprint = dict[str, list[Item]]


def digest(*values: object) -> str:
    """48 bits of the SHA-256 of bytes, or of the texts of numbers and tuples of them."""
    found = hashlib.sha256()
    for value in values:
        found.update(value if isinstance(value, bytes) else repr(value).encode())
    return found.hexdigest()[:12]


def number(value: float) -> Value:
    """A float to 15 digits; the text of one that is not finite, which JSON cannot hold."""
    return float(f"{value:.15g}") if math.isfinite(value) else str(float(value))


def spread(label: str, values: Any) -> list[Item]:
    """Least, mean and largest of an array of floats."""
    flat = np.asarray(values, np.float64).reshape(-1)
    if flat.size == 0:
        return []
    mean = math.fsum(flat) / flat.size if np.isfinite(flat).all() else math.inf
    found = {"least": float(flat.min()), "mean": mean, "largest": float(flat.max())}
    return [Item(f"{label}, {name}", number(value)) for name, value in found.items()]


def fingerprint(compiled: Compiled) -> Fingerprint:
    """All parts of a compiled network."""
    return {
        "program": of_program(compiled.lowered.program),
        "certificate": [item for c in compiled.lowered.certificates for item in of_certificate(c)],
        **of_images(compiled.mapped),
        **of_report(make_report(compiled, "")),
    }


def of_program(graph: Graph) -> list[Item]:
    """A digest of each node of an INTEGER graph, then its floats (units of the source, which no step reads)."""
    assert graph.arithmetic is not None
    place = {node.name: index for index, node in enumerate(graph.nodes)}
    wholes: dict[str, int] = {}
    found = [Item("steps and arithmetic", digest(graph.steps, _plain(graph.arithmetic)))]
    for node in graph.nodes:
        kind = type(node).__name__
        told = {"name", "inputs", *NODES[kind]}
        assert told == {f.name for f in fields(node)}, f"NODES is to name the fields of {kind}"
        values: list[object] = [list(NODES).index(kind), tuple(place[name] for name in node.inputs)]
        floats: list[Item] = []
        for name in NODES[kind]:
            value = getattr(node, name)
            if name == "part_of":
                value = wholes.setdefault(value, len(wholes)) if value else -1
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                floats += spread(f"{node.name}.{name}", value)
                value = value.shape
            values.append(_plain(value))
        found += [Item(node.name, digest(tuple(values))), *floats]
    return found


def _plain(value: object) -> object:
    """`value` as numbers and tuples, without names; of an array its dtype, shape and a digest of its bytes."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, digest(np.ascontiguousarray(value).tobytes()))
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return tuple(_plain(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value if value is None or isinstance(value, bool | str) else int(value)  # type: ignore[call-overload]


def of_certificate(certificate: Certificate) -> list[Item]:
    """Verdict and numbers of the certificate of one population."""
    c = certificate
    relative = "None" if c.eps_relative is None else number(c.eps_relative)
    values: dict[str, Value] = {
        "verdict": c.verdict.value, "steps": c.steps, "safe steps": c.safe_steps, "largest state": c.state_max,
        "eps over threshold": relative, "limit of u": number(c.u_limit), "limit of v": number(c.v_limit),
        **{f"ties, {f.name}": getattr(c.ties, f.name) for f in fields(c.ties)},
    }  # fmt: skip
    return [
        *spread(f"{c.population}: eps", c.eps), *(Item(f"{c.population}: {k}", value) for k, value in values.items())
    ]  # fmt: skip


def of_images(mapped: Mapped) -> Fingerprint:
    """A digest of each core's image, in the order of the partition, and of the host's."""
    images = [Item(f"core image {k}", digest(image)) for k, image in enumerate(mapped.images)]
    return {"images": images, "host image": [Item("host image", digest(mapped.host_image))]}


def of_report(report: Report) -> Fingerprint:
    """Each block of a report: a digest of its whole numbers, then its floats. What stands in no block is "report"."""
    found: Fingerprint = {}
    outside: list[tuple[str, Value | None]] = []
    for key, value in report.model_dump().items():
        leaves = list(_leaves(value, key))
        if not isinstance(value, dict | list):
            outside += leaves
        elif leaves:
            found[f"report.{key}"] = _block(leaves)
    return {"report": _block(outside), **found}


def _block(leaves: list[tuple[str, Value | None]]) -> list[Item]:
    whole = tuple(value for _, value in leaves if not isinstance(value, float))
    floats = [Item(path, number(value)) for path, value in leaves if isinstance(value, float)]
    return [Item("whole numbers", digest(whole)), *floats]


def _leaves(value: Any, path: str) -> Any:
    """(path, number or None) of all that a JSON value holds, texts left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    elif not isinstance(value, str):
        yield path, value


@cache
def sample_graph(name: str) -> Graph:
    """The sample network of that name, as it is read."""
    with TemporaryDirectory() as folder:
        return SAMPLES[name].load(Path(folder))


def of_sample(name: str, target: str) -> dict[str, Fingerprint]:
    """Fingerprints by encoding: all that the target has (DEFAULT), then each one alone, where it has several and the
    network maps. A refusal is its class and exit code."""
    profile, sample = load_profile(target), SAMPLES[name]
    mapping = sample.mapping(profile)

    def compiled(encodings: tuple[str, ...] | None) -> Fingerprint:
        try:
            options = replace(mapping, encodings=encodings)
            return fingerprint(build(sample_graph(name), profile, sample.options, options))
        except Tern2LavaError as error:
            return {REFUSED: [Item("error", type(error).__name__), Item("exit code", error.exit_code)]}

    found = {DEFAULT: compiled(None)}
    names = profile.synapse.encodings.value
    if REFUSED not in found[DEFAULT] and len(names) > 1:
        found |= {encoding: compiled((encoding,)) for encoding in names}
    return found


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
