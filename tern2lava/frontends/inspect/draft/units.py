"""The layers that a checkpoint's names speak of, in the order of the file: which tensors belong together, as what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from tern2lava.compiler.ir.shapes import Shape
from tern2lava.frontends.files.checkpoint import Checkpoint, Scalar

LEAVES = (
    "weight", "bias", "running_mean", "running_var", "num_batches_tracked", "alpha", "beta", "tau", "threshold",
    "codes", "scale", "scales",
)  # fmt: skip
"""What the last part of a tensor's name is split off as where no dot stands before it."""
NEURON_LEAVES = ("alpha", "beta", "tau", "threshold", "tau_m", "tau_mem", "tau_syn", "tau_adp", "rho", "v_threshold")
_BIAS = re.compile(r"b\d*|.*bias\d*")
_MOST_SKIPPED = 8
PARAMETRIZED = ".parametrizations."


class Kind(Enum):
    """What a unit is."""

    WEIGHT = "a layer with weights"
    BATCHNORM = "batch normalisation"
    SNNTORCH = "a neuron of snnTorch"
    PLIF = "SpikingJelly's ParametricLIFNode"
    NEURON = "a neuron"
    RECURRENT = "input and recurrent weights"
    MODULE = "a pickled module without tensors"
    GAP = "a module that the numbering counts and of which no tensor is there"
    OTHER = "tensors of no known use"


@dataclass(frozen=True, eq=False, kw_only=True)
class Unit:
    """One layer. tensors: names by the last part; shapes: by the same. cls: class of its pickled module, or ""; values:
    what that module says, by attribute."""

    name: str
    kind: Kind
    tensors: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    cls: str = ""
    values: dict[str, Scalar] = field(default_factory=dict)

    @property
    def dotted(self) -> bool:
        """Whether its tensors are called NAME.part, so that `tensors: NAME` names them."""
        return all(full == f"{self.name}.{leaf}" for leaf, full in self.tensors.items())

    @property
    def matrix(self) -> str:
        """The part that holds its weight: the first of two to four axes."""
        fitting = [leaf for leaf, shape in self.shapes.items() if 2 <= len(shape) <= 4]
        return next((leaf for leaf in ("weight", "codes") if leaf in fitting), fitting[0])


def units_of(checkpoint: Checkpoint) -> list[Unit]:
    """The units of a checkpoint: in the order of its pickled modules where it has some, else of its tensors, with the
    places that a numbering skips."""
    found = _grouped(checkpoint)
    if len(checkpoint.modules) > 1:
        return _by_modules(checkpoint, found)
    return list(_with_gaps(found))


def _grouped(checkpoint: Checkpoint) -> list[Unit]:
    shapes: dict[str, Shape] = {
        name.removeprefix(checkpoint.prefix): tensor.shape
        for name, tensor in checkpoint.tensors.stored.items()
        if name not in checkpoint.attributes
    }
    groups: dict[str, dict[str, str]] = {}
    for name in shapes:
        owner, leaf = _split(name, shapes)
        groups.setdefault(owner, {})[leaf or "weight"] = name
    bare = {re.sub(r"\D", "", name): name for name in reversed(shapes) if name in groups and len(shapes[name]) >= 2}
    for name in [name for name in groups if _BIAS.fullmatch(name.lower()) and len(shapes.get(name, ())) == 1]:
        matrix = bare.get(re.sub(r"\D", "", name))
        if matrix is not None and "bias" not in groups[matrix] and shapes[name][0] in shapes[matrix]:
            groups[matrix]["bias"] = name
            del groups[name]
    units = []
    for owner, leaves in groups.items():
        own = {leaf: shapes[full] for leaf, full in leaves.items()}
        units.append(Unit(name=owner, kind=_kind(own), tensors=leaves, shapes=own))
    return units


def _split(name: str, shapes: dict[str, Shape]) -> tuple[str, str]:
    """(the layer, what of it) that a tensor's name says."""
    if PARAMETRIZED in name:
        owner, _, rest = name.partition(PARAMETRIZED)
        return owner, f"parametrizations.{rest}"
    owner, dot, leaf = name.rpartition(".")
    if owner.endswith(".recurrent") and f"{owner.removesuffix('.recurrent')}.reset_mechanism_val" in shapes:
        return owner.removesuffix(".recurrent"), f"recurrent.{leaf}"
    if dot:
        return owner, leaf
    owner, line, leaf = name.rpartition("_")
    return (owner, leaf) if line and owner and leaf in LEAVES else (name, "")


def _kind(shapes: dict[str, Shape]) -> Kind:
    leaves = set(shapes)
    if "reset_mechanism_val" in leaves:
        return Kind.SNNTORCH
    if "running_mean" in leaves:
        return Kind.BATCHNORM
    if {"input_weights", "recurrent_weights"} <= leaves:
        return Kind.RECURRENT
    if leaves == {"w"} and shapes["w"] in ((), (1,)):
        return Kind.PLIF
    if any(2 <= len(shape) <= 4 for shape in shapes.values()):
        return Kind.WEIGHT
    return Kind.NEURON if leaves <= set(NEURON_LEAVES) else Kind.OTHER


def _by_modules(checkpoint: Checkpoint, found: list[Unit]) -> list[Unit]:
    """The units in the order of the pickled modules, with modules that have no tensors."""
    by_name = {unit.name: unit for unit in found}
    root = checkpoint.prefix.rstrip(".")
    names = {name.removeprefix(root).removeprefix("."): name for name in checkpoint.modules}
    holding = {ancestor for name in names for ancestor in _ancestors(name)}
    said: dict[str, dict[str, Scalar]] = {}
    for key, value in checkpoint.values.items():
        for ancestor in _ancestors(key):
            if ancestor in checkpoint.modules:
                said.setdefault(ancestor, {})[key[len(ancestor) + 1 :]] = value
    result: list[Unit] = []
    neurons: set[str] = set()
    for short, full in names.items():
        cls = checkpoint.modules[full]
        inside = any(ancestor in neurons for ancestor in _ancestors(short))
        unit = by_name.pop(short, None)
        if not short or inside or (unit is None and short in holding and not _stands_alone(cls)):
            continue
        unit = unit or Unit(name=short, kind=Kind.MODULE)
        if unit.kind in (Kind.SNNTORCH, Kind.PLIF) or _stands_alone(cls):
            neurons.add(short)
        unit = replace(unit, cls=cls, values=said.get(full, {}))
        result.append(unit)
    return [*result, *by_name.values()]


def _ancestors(name: str) -> Iterator[str]:
    """The names that `name` lies in: a and a.b of a.b.c."""
    at = name.find(".")
    while at >= 0:
        yield name[:at]
        at = name.find(".", at + 1)


def _stands_alone(cls: str) -> bool:
    """Whether a class is a neuron, whose own modules (a surrogate) are none of the network's layers."""
    return cls.rpartition(".")[2].endswith(("Node", "Leaky", "Synaptic", "Lapicque", "Alpha", "Cell"))


def _with_gaps(units: list[Unit]) -> Iterator[Unit]:
    """The units, and one for each number that is left out where layers are numbered, as nn.Sequential numbers them."""
    reached: dict[str, int] = {}
    for unit in units:
        parent, _, last = unit.name.rpartition(".")
        if last.isdigit() and len(last) < 5 and "" not in unit.tensors and unit.dotted:
            begin = reached.get(parent, -1) + 1
            reached[parent] = max(int(last), begin - 1)
            for skipped in range(begin, min(int(last), begin + _MOST_SKIPPED)):
                yield Unit(name=f"{parent}.{skipped}".removeprefix("."), kind=Kind.GAP)
        yield unit
