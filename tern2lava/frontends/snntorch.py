"""The neurons of snnTorch 1.0 as ir.Neuron: each setting of a live module is read or refused by name.

Semantics: snntorch/_neurons/{neurons,leaky}.py. The package is recognised by class name, never imported here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir import Compare, Reset
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.builder import numbers
from tern2lava.frontends.conventions import leaky, snntorch_rearms

LEAKY = "snntorch._neurons.leaky.Leaky"
_RESETS = {"_base_sub": (Reset.SUBTRACT, 0), "_base_zero": (Reset.ZERO, 1), "_base_int": (Reset.NONE, 2)}
_PROBE = 257


def leaky_fields(module: Any, name: str, where: str, *, last: bool) -> tuple[dict[str, Any], list[str]]:
    """(fields of the ir.Neuron called `name`, notes) of a live snnTorch Leaky.

    `last`: it is the last layer, whose outputs nothing inside the container reads. Raises UnsupportedError for a
    setting that ir.Neuron cannot say, InputError for numbers that are not finite.
    """
    notes = []
    for option in ("inhibition", "state_quant"):
        if getattr(module, option):
            raise UnsupportedError(where, "neurons are independent", f"{option} set", f"train without {option}")
    factor = numbers(f"{where}.graded_spikes_factor", _numpy(module.graded_spikes_factor))
    if (factor != 1).any():
        found = f"graded_spikes_factor {factor.flat[int(np.argmax(factor != 1))]:g}"
        raise UnsupportedError(where, "spikes are 0 or 1", found, "fold the factor into the next layer's weights")
    if not last and (not module.init_hidden or module.output):
        raise UnsupportedError(
            where,
            "a neuron inside a Sequential gives out its spikes alone",
            f"init_hidden={bool(module.init_hidden)}, output={bool(module.output)}",
            "make it with init_hidden=True, output=False",
        )
    beta = numbers(f"{where}.beta", _numpy(module.beta))
    clamped = np.clip(beta, 0.0, 1.0)
    if not np.array_equal(beta, clamped):
        notes.append(f"{name}: beta clamped to [0, 1] as snnTorch does")
    threshold = numbers(f"{where}.threshold", _numpy(module.threshold))
    reset, delay = reset_mode(module, where), bool(module.reset_delay)
    fields: dict[str, Any] = {
        **leaky(clamped),
        "threshold": threshold,
        "compare": firing_rule(module, where),
        "reset": reset,
        "reset_amount": threshold,
        "reset_delay": delay and reset is not Reset.NONE,
        "rearm": snntorch_rearms(where, reset=reset, reset_delay=delay, synaptic=False),
    }
    return fields, notes


def reset_mode(module: Any, where: str) -> Reset:
    """The reset that a snnTorch neuron's forward carries out.

    The update function is chosen when the neuron is made; reset_mechanism_val can be changed later (by the setter or
    by load_state_dict) and then no longer agrees with it, which is refused.
    """
    chosen = getattr(module.state_function, "__name__", "")
    if chosen not in _RESETS:
        raise UnsupportedError(where, "the update is snnTorch's own", f"state_function {chosen}", "use a plain neuron")
    reset, index = _RESETS[chosen]
    stored = int(module.reset_mechanism_val)
    if stored != index:
        raise UnsupportedError(
            where,
            "the reset mode is one",
            f"a neuron made with reset {reset.value} whose reset_mechanism_val is {stored}",
            f"make the neuron with the reset_mechanism of the checkpoint ({list(_RESETS.values())[stored][0].value})",
        )
    return reset


def firing_rule(module: Any, where: str) -> Compare:
    """Whether a spike needs v > threshold or v >= threshold, told by calling the neuron's own spike function.

    Raises UnsupportedError where its forward is no step function of v - threshold.
    """
    import torch

    tiny = torch.finfo(torch.float64).tiny
    spread = torch.cat([torch.linspace(-3, 3, _PROBE, dtype=torch.float64), torch.tensor([-tiny, tiny, -1e6, 1e6])])
    probe = torch.cat([spread[spread != 0], torch.zeros(1, dtype=torch.float64)])
    with torch.no_grad():
        found = module.spike_grad(probe).to(torch.float64)
    if found.shape == probe.shape and torch.equal(found[:-1], (probe[:-1] > 0).to(torch.float64)):
        if found[-1] == 0:
            return Compare.GT
        if found[-1] == 1:
            return Compare.GE
    raise UnsupportedError(
        where,
        "spikes are a step function of v - threshold",
        "another forward of spike_grad",
        "use a surrogate whose forward is a step",
    )


def _numpy(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value
