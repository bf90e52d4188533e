"""Fingerprints of compiled networks: what must stay as it is when code is moved, in few bytes and by name.

A fingerprint has parts (program, certificate, images, host image, and the blocks of the report), each a list of values
with labels: digests (texts) and whole numbers, which are equal or not, and floats, which may differ by 1e-12 of their
size. Texts, notes, versions and the names of nodes, fields and keys take no part; the images hold the populations'
names.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sample_nets import SAMPLES
from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.certify.certificate import Certificate
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Decays, Graph, Output
from tern2lava.compiler.mapped import Mapped
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import load_profile
from tern2lava.report.build import make_report
from tern2lava.report.model import Report

DEFAULT = "default"
REFUSED = "refused"

Value = str | int | float

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
        "decays",
    ),
    "Output": ("readout", "classes", "step_weights", "offset"),
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
    assert graph.slowdown == 1, "no sample has a loop that takes long steps"
    found = [Item("steps and arithmetic", digest(graph.steps, _plain(graph.arithmetic)))]
    for node in graph.nodes:
        kind = type(node).__name__
        # Parameters of further mechanisms, which no sample has.
        assert not getattr(node, "extra", {})
        told = {"name", "inputs", *NODES[kind], *(("extra",) if hasattr(node, "extra") else ())}
        assert told == {f.name for f in fields(node)}, f"NODES is to name the fields of {kind}"
        values: list[object] = [list(NODES).index(kind), tuple(place[name] for name in node.inputs)]
        floats: list[Item] = []
        for name in NODES[kind]:
            value = getattr(node, name)
            # Before there was a choice, decays were truncated: programs that do have the digests that they had.
            if value is Decays.TRUNCATE:
                continue
            # Before there was more than a readout, outputs had nothing else: those that have not keep their digests.
            if value is None and isinstance(node, Output):
                continue
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
    if isinstance(value, Box):
        return tuple(_plain(item) for item in value.ranges().values())
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
        # Before steps could take several hardware timesteps, reports did not say that they take one.
        if key == "slowdown" and value == 1:
            continue
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
