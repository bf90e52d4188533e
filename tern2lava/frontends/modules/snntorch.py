"""The neurons of snnTorch 1.0 as ir.Neuron: each setting of a live module is read or refused by name.

Semantics: snntorch/_neurons/{neurons,leaky,synaptic,lapicque,rleaky,rsynaptic}.py. The package is
recognised by class name, never imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Reset
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.builder import Feed, NeuronLayer
from tern2lava.frontends.modules.arrays import as_array
from tern2lava.frontends.modules.firing_rule import firing_rule
from tern2lava.frontends.modules.torch_layers import class_name, class_path, pair, weight_and_bias
from tern2lava.frontends.neuron_equations import check_decay, current_based, leaky, snntorch_reset

LEAKY = "snntorch._neurons.leaky.Leaky"
SYNAPTIC = "snntorch._neurons.synaptic.Synaptic"
RLEAKY = "snntorch._neurons.rleaky.RLeaky"
LAPICQUE = "snntorch._neurons.lapicque.Lapicque"
RSYNAPTIC = "snntorch._neurons.rsynaptic.RSynaptic"
_RESETS = {"_base_sub": (Reset.SUBTRACT, 0), "_base_zero": (Reset.ZERO, 1), "_base_int": (Reset.NONE, 2)}


def neuron_layer(module: Any, name: str, where: str) -> NeuronLayer:
    """The NeuronLayer called `name` of a live snnTorch neuron.

    Raises UnsupportedError for a setting that ir.Neuron cannot say, InputError for numbers that are not finite.
    """
    kind = class_name(module)
    notes: list[str] = []
    for option in ("inhibition", "state_quant"):
        if getattr(module, option):
            raise UnsupportedError(
                where, "independent neurons", f"{option} set", f"leaving {option} out changes the network"
            )
    factor = as_array(f"{where}.graded_spikes_factor", module.graded_spikes_factor)
    if (factor != 1).any():
        found = f"graded_spikes_factor {factor.flat[int(np.argmax(factor != 1))]:g}"
        raise UnsupportedError(where, "spikes of 0 or 1", found, "fold the factor into the next layer's weights")
    synaptic, recurrent, circuit = "Synaptic" in kind, kind.startswith("R"), kind == "Lapicque"
    if circuit:
        decays = _resistor_and_capacitor(module, where)
    else:
        beta = _clamped(module, "beta", name, where, notes)
        decays = current_based(_clamped(module, "alpha", name, where, notes), beta) if synaptic else leaky(beta)
    # Lapicque resets in the step after a spike, and has no setting for it.
    reset, delay = reset_mode(module, where), circuit or bool(module.reset_delay)
    if kind == "RSynaptic" and not delay and reset is not Reset.NONE:
        if module.init_hidden:
            raise UnsupportedError(
                where,
                "a neuron whose own forward runs",
                "RSynaptic with reset_delay=False and init_hidden=True, which snnTorch 1.0 cannot run",
                "reset_delay=True, which its recurrence has in any case, runs in snnTorch too and keeps the network",
            )
        notes.append(f"{name}: reset_delay=False is without effect in snnTorch 1.0's RSynaptic; its reset is delayed")
        delay = True
    threshold = as_array(f"{where}.threshold", module.threshold)
    fields: dict[str, Any] = {
        **decays,
        "threshold": threshold,
        "compare": firing_rule(module.spike_grad, where),
        "reset_amount": threshold,
        **snntorch_reset(reset, delay, drops_input=synaptic or recurrent or circuit),
    }
    return NeuronLayer(fields=fields, notes=tuple(notes), feedback=_feedback(module, where) if recurrent else None)


def _resistor_and_capacitor(module: Any, where: str) -> dict[str, Any]:
    """Lapicque's v' = (1 - dt / (R C)) v + dt / C x (snntorch/_neurons/lapicque.py)."""
    dt, r, c = (as_array(f"{where}.{key}", getattr(module, key)) for key in ("time_step", "R", "C"))
    decay = check_decay(f"{where}: 1 - time_step / (R C)", 1.0 - dt / (r * c))
    return {"alpha_v": decay, "gain_v": r * (1.0 / (r * c)) * dt}


def reset_mode(module: Any, where: str) -> Reset:
    """The reset that a snnTorch neuron's forward carries out.

    The update function is chosen when the neuron is made; reset_mechanism_val can be changed later (by the setter or
    by load_state_dict) and then no longer agrees with it, which is refused.
    """
    chosen = getattr(module.state_function, "__name__", "")
    if chosen not in _RESETS:
        raise UnsupportedError(where, "snnTorch's own update", f"state_function {chosen}", "use a plain neuron")
    reset, index = _RESETS[chosen]
    stored = int(module.reset_mechanism_val)
    if stored != index:
        raise UnsupportedError(
            where,
            "one reset mode",
            f"a neuron made with reset {reset.value} whose reset_mechanism_val is {stored}",
            f"make the neuron with the reset_mechanism of the checkpoint ({list(_RESETS.values())[stored][0].value})",
        )
    return reset


def sequential_output(module: Any, where: str) -> None:
    """Raise UnsupportedError where a snnTorch neuron gives out its states too, which a Sequential cannot pass on."""
    if not module.init_hidden or module.output:
        raise UnsupportedError(
            where,
            "a neuron inside a Sequential to give out its spikes alone",
            f"init_hidden={bool(module.init_hidden)}, output={bool(module.output)}",
            "make it with init_hidden=True, output=False",
        )


def _feedback(module: Any, where: str) -> Feed:
    """What a recurrent neuron's own spikes pass: nn.Linear, nn.Conv2d, or an element-wise V."""
    inner, place = module.recurrent, f"{where}.recurrent"
    match class_path(inner).rsplit(".", 1)[1]:
        case "Linear" | "DropConnectLinear":
            weight, bias = weight_and_bias(inner, place)
            return Feed(weight=weight, bias=bias)
        case "Conv2d":
            if inner.stride != (1, 1) or inner.dilation != (1, 1) or inner.groups != 1 or inner.padding_mode != "zeros":
                raise UnsupportedError(place, "snnTorch's own recurrence", "a changed Conv2d", "restore it")
            weight, bias = weight_and_bias(inner, place)
            return Feed(weight=weight, bias=bias, padding=pair(inner.padding, 0))
        case "RecurrentOneToOne":
            return Feed(weight=as_array(f"{where}.V", inner.V), one_to_one=True)
        case other:
            raise UnsupportedError(place, "snnTorch's own recurrence", other, "use linear_features or V")


def _clamped(module: Any, key: str, name: str, where: str, notes: list[str]) -> Reals:
    value = as_array(f"{where}.{key}", getattr(module, key))
    clamped = np.clip(value, 0.0, 1.0)
    if not np.array_equal(value, clamped):
        notes.append(f"{name}: {key} clamped to [0, 1] as snnTorch does")
    return clamped


Read = Callable[[Any, str, str], NeuronLayer]
NEURONS: dict[str, Read] = dict.fromkeys((LEAKY, SYNAPTIC, LAPICQUE, RLEAKY, RSYNAPTIC), neuron_layer)
