"""`arithmetic: loihi` of a net.yaml: all numbers are the chip's own integers, as in lava-dl's (docs/net-yaml.md)."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tern2lava.compiler.ir.graph import Compare
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import InputError
from tern2lava.files.yaml_text import Place, YamlFile
from tern2lava.frontends.loihi_neuron import BIAS_EXPONENT, LARGEST_THRESHOLD, WHOLE, bias_in_weights, loihi_fields
from tern2lava.frontends.netyaml.keys import Conv1dKeys, Conv2dKeys, DenseKeys, Keys, NeuronKeys

KIND = "loihi"
KEYS = (
    "kind", "tensors", "decay_u", "decay_v", "threshold", "bias", "bias_exponent", "refractory", "fire", "recurrent",
)  # fmt: skip
NOTE = "arithmetic loihi: integers are kept, 64 membrane units to one of a weight, decays cut towards zero"
_NOT_WHOLE = ("batchnorm", "avgpool")
_LARGEST = 1 << 24
"""Largest magnitude of a weight or bias that is read as meant: a membrane has 24 bits."""


class Reader(Protocol):
    """What reads the parameters of a neuron entry (netyaml/neuron.py)."""

    keys: NeuronKeys

    def parameter(self, key: str, default: float | None = None) -> Reals: ...
    def error(self, key: str, why: str) -> InputError: ...


def neuron_fields(reader: Reader) -> dict[str, Any]:
    """Fields of the ir.Neuron of an entry of kind loihi. Raises InputError for numbers that are none of the chip's."""
    keys = reader.keys

    def whole(key: str, low: int, high: int, default: float | None = None) -> Reals:
        value = reader.parameter(key, default)
        wrong = value[(value != np.rint(value)) | (value < low) | (value > high)]
        if wrong.size:
            raise reader.error(
                key,
                f"requires whole numbers of {low:,} to {high:,} with arithmetic: loihi; found {wrong.flat[0]:g}; give "
                "the chip's own numbers, or leave arithmetic out where they are a float network's",
            )
        return value

    fields = loihi_fields(
        whole("decay_u", 0, WHOLE, WHOLE), whole("decay_v", 0, WHOLE), whole("threshold", 0, LARGEST_THRESHOLD),
        compare=Compare.GT if keys.fire is None else Compare(keys.fire), rest=keys.refractory or 0,
    )  # fmt: skip
    exponent = BIAS_EXPONENT if keys.bias_exponent is None else keys.bias_exponent
    return {**fields, "bias": bias_in_weights(whole("bias", -_LARGEST, _LARGEST, 0.0), exponent)}


def check_layer(file: YamlFile, place: Place, kind: str, keys: Keys, *, chosen: bool) -> None:
    """Raise InputError for a layer of `kind` that contradicts what the network says of its arithmetic."""
    if not chosen:
        own = isinstance(keys, NeuronKeys) and keys.kind == KIND
        if own or getattr(keys, "weight_exponent", None) is not None:
            key = "kind" if own else "weight_exponent"
            raise file.error(
                (*place, key),
                "requires arithmetic: loihi at the top of the file; found none; add it, since these are the chip's "
                "numbers",
            )
        return
    if kind in _NOT_WHOLE:
        raise file.error(
            place,
            f"requires layers of whole numbers with arithmetic: loihi; found {kind}, which divides; write the weights "
            "as the chip holds them (a sum over windows is sumpool), or leave arithmetic out where they are a float "
            "network's",
        )
    if isinstance(keys, NeuronKeys):
        leaks = [key for key in ("tensors", "alpha", "beta", "tau", "v_init") if getattr(keys, key) is not None]
        if keys.kind != KIND and (keys.kind != "integrator" or leaks):
            found = f"kind {keys.kind}" + (f" with {leaks[0]}" if keys.kind == "integrator" else "")
            raise file.error(
                (*place, "kind"),
                f"requires kind loihi, or integrator without a leak, with arithmetic: loihi; found {found}; give the "
                "chip's own numbers (decay_u, decay_v, threshold), or leave arithmetic out where they are a float "
                "network's",
            )


def own_weight(
    file: YamlFile, place: Place, keys: DenseKeys | Conv2dKeys | Conv1dKeys, weight: Reals, bias: Reals | None
) -> Reals:
    """weight * 2^weight_exponent; InputError for numbers that are not whole, and for a bias of the layer."""
    if bias is not None:
        raise file.error(
            (*place, "tensors" if keys.bias is None else "bias"),
            "requires biases at the neurons with arithmetic: loihi, for they join the potential and not the current; "
            "found one at the layer; write weight: NAME here, and bias: NAME at the neurons",
        )
    wrong = weight[(weight != np.rint(weight)) | (np.abs(weight) > _LARGEST)]
    if wrong.size:
        raise file.error(
            (*place, "tensors" if keys.weight is None else "weight"),
            f"requires whole numbers of {-_LARGEST:,} to {_LARGEST:,} with arithmetic: loihi; found {wrong.flat[0]:g}; "
            "give the integers without their scale (weight_exponent says a power of two), or leave arithmetic out "
            "where they are a float network's",
        )
    exponent = keys.weight_exponent or 0
    result = np.ldexp(weight, exponent)
    if np.any(result != np.rint(result)):
        raise file.error(
            (*place, "weight_exponent"),
            f"requires weights that stay whole, since the chip cuts others; found {exponent} for a weight of "
            f"{weight[result != np.rint(result)].flat[0]:g}; raise it",
        )
    return np.asarray(result)
