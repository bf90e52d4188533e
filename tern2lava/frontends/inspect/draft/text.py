"""The net.yaml that a checkpoint lets be written: what it says, and a mark in the place of each thing it does not."""

from __future__ import annotations

import itertools
from pathlib import Path

from tern2lava.errors import InputError, one_line
from tern2lava.files.yaml_text import MARK
from tern2lava.frontends.files.checkpoint import Checkpoint, read_checkpoint
from tern2lava.frontends.files.hdf5 import is_hdf5
from tern2lava.frontends.inspect.draft.choices import READOUT
from tern2lava.frontends.inspect.draft.entries import QUIET, Writer, comments, quoted
from tern2lava.frontends.inspect.draft.sizes import input_shape
from tern2lava.frontends.inspect.draft.units import Kind, Unit, units_of
from tern2lava.frontends.inspect.facts import Inspection

MOST_LAYERS = 1_000
"""Layers that a net.yaml may have."""
NEURONS = (Kind.SNNTORCH, Kind.PLIF, Kind.NEURON, Kind.RECURRENT)


def draft_net(path: Path, found: Inspection, weights: str | None = None) -> str:
    """The text of a net.yaml for the checkpoint at `path`, of which `found` is known. Raises InputError for a NIR or
    lava-dl file, which needs none."""
    if is_hdf5(path):
        raise InputError(
            "--write-net",
            f"requires a checkpoint; found {found.content}, which says itself how it is wired; leave it out",
        )
    checkpoint = read_checkpoint(path, weights)
    units = units_of(checkpoint)
    if len(units) > MOST_LAYERS:
        raise InputError(
            path,
            f"requires at most {MOST_LAYERS:,} layers for a net.yaml; found {len(units):,}; save the network alone",
        )
    units, paired = _paired(units)
    transposed = _transposed(units)
    facts = {tensor.name.removeprefix(checkpoint.prefix): tensor for tensor in found.tensors}
    writer = Writer(checkpoint, facts, transposed)
    layers: list[str] = []
    for at, unit in enumerate(units):
        layers += writer.lines(unit)
        if not unit.cls:
            layers += _between(writer, units, at)
    if not layers:
        layers = writer.place_mark("no tensor of the file is a weight")
    return "\n".join(
        [*_head(checkpoint, weights, units, paired, transposed), *layers, *_ignored(checkpoint, writer), ""]
    )


def _head(checkpoint: Checkpoint, weights: str | None, units: list[Unit], paired: bool, transposed: bool) -> list[str]:
    where = "order of its pickled modules" if len(checkpoint.modules) > 1 else "order in which the file holds them"
    name = quoted(one_line(checkpoint.path.name))
    lines = [
        f"# What {name} ({checkpoint.format}, {checkpoint.content}) says of its network.",
        f"# Write a value in the place of each {MARK}: the comments beside it say the choices. Then compile it.",
        f"# The layers stand in the {where}: move one that runs elsewhere.",
    ]
    if weights is not None:
        lines.append(
            f"# It was written of the weights under {quoted(weights)}: give that to check and compile (--weights) too."
        )
    if paired:
        lines.append(
            "# Neurons, which the file holds behind all weights, are put behind one layer each, in their order."
        )
    return [
        *lines,
        "input:",
        f"  shape: {input_shape(units, transposed)}",
        "  levels: [0, 1]  # spikes; [0, 255] for bytes",
        f"steps: {MARK}  # time steps of a sample",
        f"readout: {MARK}  # {READOUT}",
        "layers:",
    ]


def _between(writer: Writer, units: list[Unit], at: int) -> list[str]:
    """Marks behind a unit where the file says nothing of what follows it: neurons behind weights, and what may stand
    between a convolution and the next layer."""
    unit, rest = units[at], units[at + 1 :]
    following = rest[0].kind if rest else None
    numbered = following is Kind.GAP or (unit.name.rpartition(".")[2].isdigit() and unit.dotted and bool(rest))
    lines: list[str] = []
    weighted = unit.kind in (Kind.WEIGHT, Kind.BATCHNORM)
    if weighted and following in (Kind.WEIGHT, Kind.RECURRENT, Kind.OTHER, None) and not numbered:
        why = f"the neurons behind {unit.name}, of which the file holds nothing"
        if not any(other.kind is Kind.WEIGHT for other in rest):
            why += "; where there are none: {kind: integrator}, which sums up what they would get"
        lines += writer.neuron_mark(unit.name, f"{why}.")
    last = next((other for other in reversed(units[: at + 1]) if other.kind is Kind.WEIGHT), None)
    ended = following in (Kind.WEIGHT, Kind.RECURRENT) and not numbered
    if ended and last is not None and len(last.shapes[last.matrix]) > 2:
        lines += writer.place_mark(f"between {last.name} and {rest[0].name}: dropout where nothing is")
    return lines


def _ignored(checkpoint: Checkpoint, writer: Writer) -> list[str]:
    unplaced = [name for name in writer.unplaced if name.rpartition(".")[2] not in QUIET]
    unplaced += sorted(name.removeprefix(checkpoint.prefix) for name in checkpoint.unreadable)
    if not unplaced:
        return ["ignore: []"]
    said = ", ".join(map(quoted, unplaced[:40])) + (", ..." if len(unplaced) > 40 else "")
    return [f"ignore: {MARK}", *comments([f"Name each of these in a layer above, or leave it out here: [{said}]"])]


def _paired(units: list[Unit]) -> tuple[list[Unit], bool]:
    """The units with each neuron behind one of the weights, where all stand behind the last weight and are as many;
    and each batch normalisation behind the first weight with as many channels, where they stand behind all. Whether
    anything was moved."""
    if any(unit.cls or unit.kind is Kind.GAP for unit in units):
        return units, False
    weights = [unit for unit in units if unit.kind is Kind.WEIGHT]
    neurons = [unit for unit in units if unit.kind in NEURONS and unit.kind is not Kind.RECURRENT]
    norms = [unit for unit in units if unit.kind is Kind.BATCHNORM]
    grouped = len(weights) > 1 and len(neurons) == len(weights) and units.index(neurons[0]) > units.index(weights[-1])
    apart = len(weights) > 1 and bool(norms) and units.index(norms[0]) > units.index(weights[-1])
    if not grouped and not apart:
        return units, False
    behind: dict[int, list[Unit]] = {at: [] for at in range(len(weights))}
    moved: list[Unit] = []
    for norm in norms if apart else ():
        size = norm.shapes["running_mean"]
        for at, unit in enumerate(weights):
            if not behind[at] and unit.shapes[unit.matrix][:1] == size:
                behind[at].append(norm)
                moved.append(norm)
                break
    for at, neuron in enumerate(neurons if grouped else ()):
        behind[at].append(neuron)
        moved.append(neuron)
    result: list[Unit] = []
    for unit in units:
        if any(unit is each for each in moved):
            continue
        result.append(unit)
        for at, weight in enumerate(weights):
            if weight is unit:
                result += behind[at]
    return result, True


def _transposed(units: list[Unit]) -> bool:
    """Whether matrices chain as (in, out) and not as torch's (out, in)."""
    shapes = [unit.shapes[unit.matrix] for unit in units if unit.kind is Kind.WEIGHT]
    if len(shapes) < 2 or any(len(shape) != 2 for shape in shapes):
        return False
    pairs = list(itertools.pairwise(shapes))
    return all(a[1] == b[0] for a, b in pairs) and not all(a[0] == b[1] for a, b in pairs)
