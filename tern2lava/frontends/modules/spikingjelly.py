"""The neurons of SpikingJelly 2.0 as ir.Neuron, and its two recurrent containers.

Semantics: spikingjelly/activation_based/functional/neuron.py and layer/container.py. The package is recognised by
class name, never imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Reset
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.counts import count
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.builder import Feed, NeuronLayer
from tern2lava.frontends.modules.arrays import as_array
from tern2lava.frontends.modules.firing_rule import firing_rule
from tern2lava.frontends.modules.torch_layers import class_name, class_path, weight_and_bias
from tern2lava.frontends.neuron_equations import (
    check_decay,
    check_tau,
    current_based,
    integrate_and_fire,
    leak_rate,
    time_constant,
)

_NEURON = "spikingjelly.activation_based.neuron"
_CONTAINER = "spikingjelly.activation_based.layer.container"
SEQUENCE_OF_STEPS = tuple(f"{_CONTAINER}.{name}" for name in ("SeqToANNContainer", "MultiStepContainer"))
"""Containers that read (time, batch, ...) and run the layers inside on single steps."""

STEP_MODE = f"{_CONTAINER}.StepModeContainer"


def neuron_layer(module: Any, name: str, where: str) -> NeuronLayer:
    """The NeuronLayer of a live IFNode, LIFNode, ParametricLIFNode, CUBALIFNode, TernaryIFNode or TernaryLIFNode.

    v starts at v_reset (0 where that is None), and leaks towards it (CUBALIFNode: towards 0). Raises UnsupportedError
    for a setting that ir.Neuron cannot say, InputError for numbers that are not finite.
    """
    if getattr(module, "_neuron_precision", None) is not None:
        raise UnsupportedError(
            where, "states of the input's precision", "a neuron precision", "leaving it out changes the network"
        )
    kind = class_name(module)
    threshold = as_array(f"{where}.v_threshold", module.v_threshold)
    hard = module.v_reset is not None
    rest = as_array(f"{where}.v_reset", module.v_reset) if hard else np.zeros(())
    fields: dict[str, Any] = {
        **_decays(module, kind, rest, where),
        "threshold": threshold,
        "compare": firing_rule(module.surrogate_function, where),
        "reset": Reset.ZERO if hard else Reset.SUBTRACT,
        "reset_value": rest,
        "reset_amount": threshold,
        "v_init": rest,
    }
    if kind.startswith("Ternary"):
        fields["threshold_low"] = -threshold
    return NeuronLayer(fields=fields)


def _decays(module: Any, kind: str, rest: Reals, where: str) -> dict[str, Reals]:
    match kind.removeprefix("Ternary"):
        case "IFNode":
            return integrate_and_fire()
        case "LIFNode":
            tau = check_tau(f"{where}.tau", as_array(f"{where}.tau", module.tau))
            return time_constant(tau, decay_input=bool(module.decay_input), v_rest=rest)
        case "ParametricLIFNode":
            # In the precision of w, as the module computes it in every step.
            rate = as_array(f"{where}.w", module.w.detach().sigmoid())
            return leak_rate(rate, decay_input=bool(module.decay_input), v_rest=rest)
        case _:
            current = check_decay(f"{where}.c_decay", as_array(f"{where}.c_decay", module.c_decay))
            return current_based(current, check_decay(f"{where}.v_decay", as_array(f"{where}.v_decay", module.v_decay)))


def linear_recurrent(module: Any, name: str, where: str) -> NeuronLayer:
    """The NeuronLayer of a LinearRecurrentContainer: neurons fed rc([x, their spikes of the step before])."""
    inner = _inner(module, name, where)
    weight, bias = weight_and_bias(module.rc, f"{where}.rc")
    inputs = weight.shape[1] - int(module.sub_module_out_features)
    if weight.shape[0] != int(module.sub_module_out_features):
        raise InputError(
            where,
            f"requires one spike fed back for each of {count(weight.shape[0], 'neuron')}; found "
            f"{module.sub_module_out_features}; mend sub_module_out_features",
        )
    return NeuronLayer(
        fields=inner.fields,
        notes=inner.notes,
        entry=Feed(weight=weight[:, :inputs], bias=bias),
        feedback=Feed(weight=weight[:, inputs:]),
    )


def element_wise_recurrent(module: Any, name: str, where: str) -> NeuronLayer:
    """The NeuronLayer of an ElementWiseRecurrentContainer whose function adds: neurons fed x plus their own spikes."""
    import torch

    a, b = torch.rand(64, dtype=torch.float64), torch.rand(64, dtype=torch.float64)
    with torch.no_grad():
        found = module.element_wise_function(a, b)
    if not (isinstance(found, torch.Tensor) and found.shape == a.shape and torch.equal(found, a + b)):
        raise UnsupportedError(where, "spikes fed back to be added", "another element_wise_function", "use addition")
    inner = _inner(module, name, where)
    return NeuronLayer(fields=inner.fields, notes=inner.notes, feedback=Feed(weight=np.ones(()), one_to_one=True))


def _inner(module: Any, name: str, where: str) -> NeuronLayer:
    inner = module.sub_module
    path = class_path(inner)
    if path not in _NODES:
        raise UnsupportedError(
            f"{where}.sub_module", "one neuron layer in a recurrent container", path, "build the loop of layers"
        )
    return neuron_layer(inner, name, f"{where}.sub_module")


_NODES = (
    f"{_NEURON}.integrate_and_fire.IFNode",
    f"{_NEURON}.lif.LIFNode",
    f"{_NEURON}.plif.ParametricLIFNode",
    f"{_NEURON}.lif_variants.CUBALIFNode",
    f"{_NEURON}.ternary.TernaryIFNode",
    f"{_NEURON}.ternary.TernaryLIFNode",
)
Read = Callable[[Any, str, str], NeuronLayer]
NEURONS: dict[str, Read] = {
    **dict.fromkeys(_NODES, neuron_layer),
    f"{_CONTAINER}.LinearRecurrentContainer": linear_recurrent,
    f"{_CONTAINER}.ElementWiseRecurrentContainer": element_wise_recurrent,
}
