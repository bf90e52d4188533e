"""The outputs of a net.yaml: which layers are read, and how scores are formed of them (docs/readouts.md)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.files.yaml_text import Place, YamlFile
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.netyaml.keys import NetKeys, OutputKeys, parse, show
from tern2lava.frontends.netyaml.tensors import Tensors
from tern2lava.frontends.outputs import ReadAs

NUMBERS = {
    "classes": "a row for each class with a number for each neuron, as [[1, 1, 0, 0], [0, 0, 1, 1]], or the name of a "
    "tensor",
    "step_weights": "a number, or one for each step in brackets, or the name of a tensor",
    "offset": "a number for each class in brackets, or the name of a tensor",
}
AXES = {"classes": (2,), "step_weights": (0, 1), "offset": (1,)}


def read_outputs(file: YamlFile, keys: NetKeys, tensors: Tensors, builder: GraphBuilder) -> tuple[ReadAs, ...]:
    """The layers under `outputs`, or the last one as the network's own keys say. Raises InputError at their places."""
    own = {key: getattr(keys, key) for key in NUMBERS if getattr(keys, key) is not None}
    if not keys.outputs:
        last = builder.nodes[-1].name
        return (ReadAs(layer=last, readout=keys.readout, **_arrays(file, (), own, tensors)),)
    if own:
        key = next(iter(own))
        raise file.error(
            (key,), f"requires {key} beside the layer that it is for; found outputs, too; write it there: "
            f"outputs: [{{layer: NAME, {key}: ...}}]",
        )  # fmt: skip
    found = []
    for index, given in enumerate(keys.outputs):
        place: Place = ("outputs", index)
        said = parse(file, place, OutputKeys, {"layer": given} if isinstance(given, str) else given)
        if said.layer not in builder.shape:
            known = ", ".join(builder.shape)
            raise file.error(("outputs",), f"requires the name of a layer; found {said.layer!r}; choose from {known}")
        arrays = {key: getattr(said, key) for key in NUMBERS if getattr(said, key) is not None}
        readout = said.readout or keys.readout
        found.append(ReadAs(layer=said.layer, readout=readout, **_arrays(file, place, arrays, tensors)))
    return tuple(found)


def _arrays(file: YamlFile, place: Place, given: dict[str, Any], tensors: Tensors) -> dict[str, Reals]:
    return {key: _array(file, (*place, key), key, value, tensors) for key, value in given.items()}


def _array(file: YamlFile, place: Place, key: str, value: Any, tensors: Tensors) -> Reals:
    """Numbers that are written here, or a tensor of the checkpoint."""
    if isinstance(value, str):
        tensors.fits = lambda shape: len(shape) in AXES[key]
        found = tensors.array(value, place)
    else:
        try:
            found = np.asarray(value)
            numbers = found.dtype.kind in "iuf"
        except ValueError:
            numbers = False
        if not numbers:
            raise file.error(place, f"requires {NUMBERS[key]}; found {show(value)}; mend the value")
        found = found.astype(np.float64)
    if found.ndim not in AXES[key] or not np.isfinite(found).all():
        shape = f"shape {found.shape}" if found.ndim not in AXES[key] else "NaN or infinite numbers"
        raise file.error(place, f"requires {NUMBERS[key]}; found {shape}; mend the value")
    return found
