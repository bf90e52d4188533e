"""What the neuron equations of the field mean in the fields of ir.Neuron.

Each function returns the fields that say how u and v decay and integrate; threshold, comparison and reset are given
apart by every front end. Equations: the sources of snnTorch 1.0 (Leaky, Synaptic), SpikingJelly 2.0 (IFNode, LIFNode,
CUBALIFNode).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Reset
from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.extras import require

Fields = dict[str, Array]


def integrator(decays: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of neurons without a threshold, with these decays and gains: they never spike, their potential is read."""
    return {**decays, "threshold": np.full((), np.inf), "reset": Reset.NONE}


def integrate_and_fire() -> Fields:
    """v' = v + x."""
    return {"alpha_v": np.asarray(1.0)}


def leaky(beta: Reals) -> Fields:
    """v' = beta v + x."""
    return {"alpha_v": beta}


def time_constant(tau: Reals, *, decay_input: bool, v_rest: Reals) -> Fields:
    """v' = v + (v_rest - v + x) / tau with decay_input, else v' = v + (v_rest - v) / tau + x. tau in steps, >= 1."""
    fields = {"alpha_v": 1.0 - 1.0 / tau, "bias": v_rest / tau}
    return {**fields, "gain_v": 1.0 / tau} if decay_input else fields


def leak_rate(rate: Reals, *, decay_input: bool, v_rest: Reals) -> Fields:
    """As `time_constant` with 1 / tau = rate, in (0, 1]: that it is not inverted twice keeps float32 rates exact."""
    fields = {"alpha_v": 1.0 - rate, "bias": v_rest * rate}
    return {**fields, "gain_v": rate} if decay_input else fields


def sigmoid(w: Reals) -> Reals:
    """1 / (1 + exp(-w)), for float32 values in torch's own float32 arithmetic: the rate that a module with them uses,
    so that an init_tau of 4 is 0.25 and not 0.2499999963."""
    require("torch", why="1 / (1 + exp(-w)) is computed as torch does")
    import torch

    single = np.array_equal(w, w.astype(np.float32))
    return np.asarray(torch.from_numpy(np.array(w, np.float32 if single else np.float64)).sigmoid().double().numpy())


def current_based(alpha: Reals, beta: Reals) -> Fields:
    """u' = alpha u + x; v' = beta v + u'."""
    return {"alpha_u": alpha, "alpha_v": beta}


def check_decay(where: object, value: Reals) -> Reals:
    """`value` if it lies in [0, 1] everywhere; InputError otherwise."""
    if value.size and (value.min() < 0 or value.max() > 1):
        raise InputError(
            where, f"requires a decay factor in [0, 1]; found {_span(value)}; give the factor that is left after a step"
        )
    return value


def check_tau(where: object, value: Reals) -> Reals:
    """`value` if it is at least 1 (step) everywhere; InputError otherwise."""
    if value.size and value.min() < 1:
        raise InputError(where, f"requires a time constant of at least 1 step; found {_span(value)}; give it in steps")
    return value


def check_threshold(node: str, threshold: Reals) -> None:
    """Raise UnsupportedError for a negative threshold: such a neuron fires at rest, and frameworks disagree then."""
    if threshold.size and threshold.min() < 0:
        raise UnsupportedError(
            node,
            "thresholds of 0 or more",
            _span(threshold),
            "such neurons fire at rest, in each framework otherwise; a higher threshold changes the network",
        )


def snntorch_reset(reset: Reset, delay: bool, *, drops_input: bool) -> dict[str, Any]:
    """The fields of ir.Neuron for the reset of a snnTorch neuron.

    snnTorch 1.0 (leaky.py, synaptic.py, rleaky.py, rsynaptic.py, `forward`) computes r = [v - threshold > 0] of the
    membrane left over from the last step. Without delay and with `subtract` it subtracts r * threshold before it
    compares and gives it back after: while v stays above the threshold after a reset, the neuron needs twice the
    threshold to fire (rearm). With delay and `zero`, Leaky empties v before it integrates; the others (`drops_input`)
    set v to 0 after it has integrated, so that the membrane rests for one step while u goes on: a refractory step.
    """
    delayed = delay and reset is not Reset.NONE
    return {
        "reset": reset,
        "reset_delay": delayed,
        "rearm": reset is Reset.SUBTRACT and not delay,
        "refractory": int(drops_input and delayed and reset is Reset.ZERO),
    }


def adaptive_threshold(alpha: Reals, rho: Reals, jump: Reals) -> Fields:
    """b' = rho b + jump s; v' = alpha v + (1 - alpha) x - (b' + threshold) s, s being the spike before.

    The ALIF neuron of recurrent SNNs: Yin, Corradi and Bohte, Nature Machine Intelligence 3, 2021 (eqs. 1 to 4), with
    their code's order of steps: the threshold that is compared and subtracted is the risen one. `alpha`, `rho` in
    [0, 1] per step; b starts at 0.
    """
    return {"alpha_v": alpha, "gain_v": 1.0 - alpha, "alpha_a": rho, "gain_a": jump}


def _span(value: Reals) -> str:
    low, high = float(value.min()), float(value.max())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
