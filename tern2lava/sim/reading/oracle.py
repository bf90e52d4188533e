"""A framework's own recorded run, as a spike file carries it beside the input (docs/oracle.md).

scores        (samples, classes)
spikes.NAME   (samples, steps, *shape) of the population NAME: 0 and 1, or -1, 0 and 1
v.NAME        its membrane potentials, the same shape
v_when        "after" or "before" the reset of the same step; v_when.NAME for one population
dtype         what the framework ran in: float32 (where it is not said), float64, float16 or bfloat16
framework     "snntorch", "spikingjelly", "norse" or another word
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Neuron
from tern2lava.compiler.ir.shapes import Array, Reals, Spikes, size
from tern2lava.compiler.shown import Shown
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError
from tern2lava.files.npz import open_npz
from tern2lava.files.opening import MIB
from tern2lava.sim.data.given import whole_array
from tern2lava.sim.data.spike_file import Member, read_array
from tern2lava.sim.data.stored_values import StoredValues
from tern2lava.sim.reading.precision import precision

_KINDS = ("spikes.", "v.")
_WORDS = ("scores", "dtype", "framework", "v_when")
_WHEN = ("before", "after")
_SCORES, _WORD = 256 * MIB, 4096
"""Bytes that class scores, and a word, may unpack to."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Oracle(Shown):
    """A recorded run. spikes and v by population, each (samples, steps, neurons); before: the populations whose v is
    that before the reset; scores (samples, classes) or None; kept: made when the module was compiled."""

    spikes: Mapping[str, Spikes | StoredValues]
    v: Mapping[str, Array | StoredValues]
    before: frozenset[str] = frozenset()
    scores: Reals | None = None
    dtype: str = "float32"
    framework: str = ""
    kept: bool = False

    def slice(self, begin: int, end: int) -> Oracle:
        """Samples begin to end (exclusive)."""
        return replace(
            self,
            spikes={name: values[begin:end] for name, values in self.spikes.items()},
            v={name: values[begin:end] for name, values in self.v.items()},
            scores=None if self.scores is None else self.scores[begin:end],
        )


def is_oracle_key(name: str) -> bool:
    """Whether an array of this name belongs to a recorded run."""
    return name in _WORDS or name.startswith((*_KINDS, "v_when."))


def load_oracle(path: Path, graph: Graph, samples: int, steps: int, effort: Effort = NORMAL) -> Oracle | None:
    """The recorded run in an npz file (None where it has none) for the populations of `graph` (IMPORTED).

    samples, steps: of the input in the same file. Raises InputError for a name that no population has, another shape,
    or values that are no spikes.
    """
    with open_npz(path) as npz:
        wanted = [name for name in npz if is_oracle_key(name)]
        if any(name == "scores" or name.startswith(_KINDS) for name in wanted):
            # Before anything is read: of a file of a thousand other arrays none is.
            _refuse_unknown(wanted, {node.name: node for node in graph.of_kind(Neuron)}, path)
        arrays = {
            name: read_array(npz, name, path, effort, whole=False)
            if name.startswith(_KINDS)
            else npz.read(name, _SCORES if name == "scores" else _WORD)
            for name in wanted
        }
    return make_oracle(arrays, graph, samples, steps, path)


def make_oracle(
    arrays: Mapping[str, Any], graph: Graph, samples: int, steps: int, where: object = "data"
) -> Oracle | None:
    """The recorded run in named arrays, None where there is none (see load_oracle)."""
    given = {name: value for name, value in arrays.items() if is_oracle_key(name)}
    if not any(name == "scores" or name.startswith(_KINDS) for name in given):
        return None
    nodes = {node.name: node for node in graph.of_kind(Neuron)}
    _refuse_unknown(given, nodes, where)
    found: dict[str, dict[str, Any]] = {"spikes.": {}, "v.": {}}
    for name, value in given.items():
        for kind in _KINDS:
            if name.startswith(kind):
                node = nodes[name.removeprefix(kind)]
                place = f"{where}: {name}"
                found[kind][node.name] = _checked(value, node, samples, steps, kind, place)
    return Oracle(
        spikes=found["spikes."], v=found["v."], before=_before(given, found["v."], where),
        scores=_scores(given.get("scores"), samples, f"{where}: scores"),
        dtype=precision(_word(given, "dtype", "float32", where), f"{where}: dtype").dtype,
        framework=_word(given, "framework", "", where),
    )  # fmt: skip


def _refuse_unknown(given: Iterable[str], nodes: Mapping[str, Neuron], where: object) -> None:
    prefixes = (*_KINDS, "v_when.")
    named = {name: name.removeprefix(prefix) for name in given for prefix in prefixes if name.startswith(prefix)}
    unknown = [name for name, population in named.items() if population not in nodes]
    if unknown:
        raise InputError(
            f"{where}: {', '.join(unknown)}",
            f"requires names of populations; found none of that name, they are "
            f"{', '.join(nodes)}; rename the arrays, or record(..., names={{'LAYER': 'POPULATION'}})",
        )


def _checked(value: Any, node: Neuron, samples: int, steps: int, kind: str, where: str) -> Array | StoredValues:
    """Spikes or potentials as (samples, steps, neurons); those of a large file are checked as they are read."""
    count = size(node.shape)
    value = value if isinstance(value, Member) else whole_array(value, where)
    shape = tuple(value.shape)
    if len(shape) < 3 or shape[:2] != (samples, steps) or int(np.prod(shape[2:])) != count:
        full = ", ".join(map(str, node.shape))
        raise InputError(
            where, f"requires shape ({samples}, {steps}, {full}), samples and steps of the input; found {shape}; "
            "record the same samples and steps as the input"
        )  # fmt: skip
    if value.dtype.kind not in ("biuf" if kind == "spikes." else "f"):
        raise InputError(where, f"requires numbers; found {value.dtype}; save an array of numbers")
    check = partial(_spikes if kind == "spikes." else _potentials, where, count)
    if isinstance(value, Member):
        return StoredValues(value.path, value.name, shape, value.dtype, (count,), check, value.part)
    return check(value)


def _spikes(where: str, count: int, values: Array) -> Spikes:
    whole = np.isin(values, (-1, 0, 1))
    if not whole.all():
        found = np.asarray(values)[~whole][0]
        raise InputError(where, f"requires spikes of -1, 0 and 1; found {found}; record what the neurons give out")
    return values.astype(np.int8).reshape(*values.shape[:2], count)


def _potentials(where: str, count: int, values: Array) -> Array:
    if not np.isfinite(values).all():
        raise InputError(where, "requires finite numbers; found NaN or infinity; repair the run")
    return values.reshape(*values.shape[:2], count)


def _scores(value: Any, samples: int, where: str) -> Reals | None:
    if value is None:
        return None
    value = value if isinstance(value, Member) else whole_array(value, where)
    if isinstance(value, Member) or value.ndim != 2 or len(value) != samples or value.dtype.kind not in "biuf":
        raise InputError(
            where, f"requires shape ({samples}, classes) of numbers; found {tuple(value.shape)} of {value.dtype}; "
            "save one row of class scores for each sample"
        )  # fmt: skip
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise InputError(where, "requires numbers; found NaN or infinite ones; record the scores anew")
    return np.asarray(value, np.float64)


def _before(given: Mapping[str, Any], potentials: Iterable[str], where: object) -> frozenset[str]:
    """The populations whose potentials are those before the reset."""
    when = {}
    for name in potentials:
        key = f"v_when.{name}" if f"v_when.{name}" in given else "v_when"
        said = _word(given, key, "", where)
        if said not in _WHEN:
            raise InputError(
                f"{where}: {key}", f"requires before or after; found {said or 'nothing'}; say whether v.{name} is the "
                "potential before or after the reset of its step"
            )  # fmt: skip
        when[name] = said
    return frozenset(name for name, said in when.items() if said == "before")


def _word(given: Mapping[str, Any], key: str, default: str, where: object) -> str:
    """A word among the arrays."""
    if key not in given:
        return default
    value = whole_array(given[key], f"{where}: {key}") if not isinstance(given[key], Member) else np.zeros(0)
    if value.size != 1 or value.dtype.kind not in "US":
        raise InputError(f"{where}: {key}", f"requires a word; found {value.dtype} of shape {value.shape}; save a text")
    word = value.reshape(()).item()
    return word.decode() if isinstance(word, bytes) else str(word)
