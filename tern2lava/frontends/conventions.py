"""What the neuron equations of the field mean in the fields of ir.Neuron.

Each function returns the fields that say how u and v decay and integrate; threshold, comparison and reset are given
apart by every front end. Equations: the sources of snnTorch 1.0 (Leaky, Synaptic), SpikingJelly 2.0 (IFNode, LIFNode,
CUBALIFNode).
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir import Array, Reset
from tern2lava.errors import InputError, UnsupportedError

Fields = dict[str, Array]


def integrate_and_fire() -> Fields:
    """v' = v + x."""
    return {"alpha_v": np.asarray(1.0)}


def leaky(beta: Array) -> Fields:
    """v' = beta v + x."""
    return {"alpha_v": beta}


def time_constant(tau: Array, *, decay_input: bool, v_rest: Array) -> Fields:
    """v' = v + (v_rest - v + x) / tau with decay_input, else v' = v + (v_rest - v) / tau + x. tau in steps, >= 1."""
    fields = {"alpha_v": 1.0 - 1.0 / tau, "bias": v_rest / tau}
    return {**fields, "gain_v": 1.0 / tau} if decay_input else fields


def current_based(alpha: Array, beta: Array) -> Fields:
    """u' = alpha u + x; v' = beta v + u'."""
    return {"alpha_u": alpha, "alpha_v": beta}


def check_decay(where: object, value: Array) -> Array:
    """`value` if it lies in [0, 1] everywhere; InputError otherwise."""
    if value.size and (value.min() < 0 or value.max() > 1):
        raise InputError(where, f"is {_span(value)}; a decay factor lies in [0, 1]")
    return value


def check_tau(where: object, value: Array) -> Array:
    """`value` if it is at least 1 (step) everywhere; InputError otherwise."""
    if value.size and value.min() < 1:
        raise InputError(where, f"is {_span(value)}; a time constant in steps is at least 1")
    return value


def check_threshold(node: str, threshold: Array) -> None:
    """Raise UnsupportedError for a negative threshold: such a neuron fires at rest, and frameworks disagree then."""
    if threshold.size and threshold.min() < 0:
        raise UnsupportedError(
            node, "thresholds are not negative", _span(threshold), "train with a threshold clamped above 0"
        )


def snntorch_rearms(node: str, *, reset: Reset, reset_delay: bool, synaptic: bool) -> bool:
    """Whether a snnTorch neuron rearms (ir.Neuron); UnsupportedError where ir.Neuron cannot say its reset.

    snnTorch 1.0 (leaky.py, synaptic.py, `forward`) computes r = [v - threshold > 0] of the membrane left over from
    the last step. Without delay and with `subtract` it subtracts r * threshold before it compares and gives it back
    after: while v stays above the threshold after a reset, the neuron needs twice the threshold to fire. `Synaptic`
    with `zero` and delay drops that step's input from the membrane.
    """
    if synaptic and reset is Reset.ZERO and reset_delay:
        raise UnsupportedError(
            node,
            "a delayed reset to zero keeps the input of its step",
            "snnTorch Synaptic with reset zero and reset_delay, which drops it",
            "train with reset_delay=False",
        )
    return reset is Reset.SUBTRACT and not reset_delay


def _span(value: Array) -> str:
    low, high = float(value.min()), float(value.max())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
