"""The neurons of lava-dl files as fields of ir.Neuron.

Equations: loihi_neuron.py, with the parameters that lava-dl's netx gives them (netx/hdf5.py): decays iDecay and vDecay,
the threshold vThMant, a bias in units of a weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Reset
from tern2lava.compiler.ir.shapes import Reals, frozen
from tern2lava.counts import count
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.assumptions import Assumptions
from tern2lava.frontends.files.hdf5_node import Hdf5Node
from tern2lava.frontends.loihi_neuron import LARGEST_THRESHOLD, WHOLE, loihi_fields

KINDS = ("CUBA", "LOIHI")
NEVER = np.inf
"""Threshold of an integrator: above any potential."""

LONGEST_REST = 63


def neuron_fields(
    neuron: Hdf5Node, assumptions: Assumptions, layer: str, notes: list[str], channels: int = 1
) -> dict[str, Any]:
    """Decays, threshold, reset and quantum of a CUBA or LOIHI neuron; bias is the layer's. channels: of the layer,
    for each of which the decays and the threshold may be a number.

    Raises UnsupportedError for other kinds, graded spikes and weight exponents, InputError for values out of range.
    """
    if neuron.kind not in KINDS:
        raise UnsupportedError(
            layer, f"{' or '.join(KINDS)} neurons", neuron.kind, "CUBA neurons in their place change the network"
        )
    for key, meaning in (("gradedSpike", "binary spikes"), ("wgtExp", "weights without a further exponent"),
                         ("weight_exp", "weights without a further exponent")):  # fmt: skip
        if key in neuron.fields and np.any(neuron.array(key) != 0):
            hint = "binary spikes in their place change the network"
            if key != "gradedSpike":
                hint = f"multiply the layer's weights by 2 ** {key} and store {key} 0, which keeps the network"
            raise UnsupportedError(layer, meaning, f"{key} {neuron.array(key).reshape(-1)[0]:g}", hint)
    decays = {key: _whole(neuron, key, 0, WHOLE, channels) for key in ("iDecay", "vDecay")}
    threshold = _whole(neuron, "vThMant", 0, LARGEST_THRESHOLD, channels)
    rest = int(_whole(neuron, "refDelay", 0, LONGEST_REST)) if "refDelay" in neuron.fields else 1
    if rest > 1:
        notes.append(
            f"{layer}: refDelay {rest} is read as {count(rest - 1, 'step')} of rest after a spike (netx leaves it out)"
        )
    return loihi_fields(
        decays["iDecay"], decays["vDecay"], threshold,
        compare=Compare(assumptions.get(layer, "fire") or Compare.GT), rest=max(rest - 1, 0),
        cuts=assumptions.get(layer, "arithmetic") != "real",
    )  # fmt: skip


def integrator_fields() -> dict[str, Any]:
    """A layer without neurons, as netx reads it: the sum of its input over the steps, read as a potential."""
    return {"alpha_v": frozen(1.0), "threshold": frozen(NEVER), "reset": Reset.NONE}


def whole_numbers(node: Hdf5Node, key: str, assumptions: Assumptions) -> Reals:
    """The numbers of a field, which must be whole as the chip's are unless real arithmetic is assumed."""
    value = node.array(key)
    if assumptions.get(node.name, "arithmetic") != "real" and np.any(value != np.rint(value)):
        raise InputError(
            f"{node.name}.{key}",
            "requires whole numbers, since netx would cut others; found fractions; export the quantised "
            "network, or say --assume arithmetic=real",
        )
    return value


def _whole(neuron: Hdf5Node, key: str, low: int, high: int, channels: int = 1) -> Reals:
    """A number, or one for each channel where they differ."""
    if key not in neuron.fields:
        raise InputError(f"{neuron.name}.{key}", "requires this field; found none; export the network again")
    found = np.array(neuron.array(key).reshape(-1) if channels > 1 else neuron.whole(key), np.float64)
    if found.size not in (1, channels) or np.any(found != np.rint(found)) or found.min() < low or found.max() > high:
        said = f"one number of {low} to {high}" + (f", or one for each of {channels} channels" if channels > 1 else "")
        shown = ", ".join(f"{number:g}" for number in found[:8]) + ", ..." * (found.size > 8)
        raise InputError(f"{neuron.name}.{key}", f"requires {said}; found [{shown}]; export the network again")
    return found.reshape(()) if found.size == 1 else found
