"""The neurons and layers that tern2lava trains where snnTorch has none of the kind: recognised by class name alone.

Semantics: tern2lava/train/neurons/{plif,alif}.py. Decays are read in float64, as net.yaml reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Reset
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.frontends.builder import Feed, NeuronLayer
from tern2lava.frontends.modules.arrays import as_array
from tern2lava.frontends.modules.firing_rule import firing_rule
from tern2lava.frontends.modules.torch_layers import weight_and_bias
from tern2lava.frontends.neuron_equations import adaptive_threshold, leak_rate, sigmoid


def plif_layer(module: Any, name: str, where: str) -> NeuronLayer:
    """The NeuronLayer of a PLIF, whose resets act at once."""
    rate = sigmoid(as_array(f"{where}.w", module.w))
    decays = leak_rate(rate, decay_input=bool(module.decay_input), v_rest=np.zeros(()))
    return _layer(module, where, {**decays, "reset": Reset(module.reset_mode)})


def alif_layer(module: Any, name: str, where: str) -> NeuronLayer:
    """The NeuronLayer of an ALIF, which subtracts its risen threshold one step later."""
    alpha, rho = (sigmoid(as_array(f"{where}.{key}_w", getattr(module, f"{key}_w"))) for key in ("alpha", "rho"))
    decays: dict[str, Reals] = adaptive_threshold(alpha, rho, as_array(f"{where}.jump", module.jump))
    if not module.decay_input:
        del decays["gain_v"]
    return _layer(module, where, {**decays, "reset": Reset.SUBTRACT, "reset_delay": True})


def _layer(module: Any, where: str, fields: dict[str, Any]) -> NeuronLayer:
    threshold = as_array(f"{where}.threshold", module.threshold)
    common = {"threshold": threshold, "compare": firing_rule(module.spike_grad, where), "reset_amount": threshold}
    feedback = None
    if module.recurrent is not None:
        weight, bias = weight_and_bias(module.recurrent, f"{where}.recurrent")
        feedback = Feed(weight=weight, bias=bias)
    return NeuronLayer(fields={**fields, **common}, feedback=feedback)


Read = Callable[[Any, str, str], NeuronLayer]
NEURONS: dict[str, Read] = {
    "tern2lava.train.neurons.plif.PLIF": plif_layer,
    "tern2lava.train.neurons.alif.ALIF": alif_layer,
}
