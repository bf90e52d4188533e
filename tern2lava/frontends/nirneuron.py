"""The neurons of NIR as fields of ir.Neuron: one step of forward Euler, threshold, reset."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir import Array, Compare, Reset, frozen
from tern2lava.errors import InputError
from tern2lava.frontends.assume import Assumptions
from tern2lava.frontends.hdf5node import Hdf5Node
from tern2lava.frontends.nirfile import ANALOG
from tern2lava.frontends.nirtime import decay_factor, gain_factor

NEVER = 1e30
"""Threshold of neurons without one: above any potential."""


def neuron_fields(node: Hdf5Node, dt: float | None, assumptions: Assumptions) -> dict[str, Any]:
    """The fields of ir.Neuron for a NIR neuron: forward Euler, then the threshold, then the reset.

    CubaLIF: i' = i + dt/tau_syn (-i + w_in x); v' = v + dt/tau_mem (v_leak - v + r i'). LIF: i' = x.
    IF: v' = v + r dt x, but r = 1 counts as 1 / dt (snnTorch, Norse and Sinabs write it for v' = v + x).
    """
    fields: dict[str, Any] = {}
    if node.kind == "Threshold":
        return {
            "alpha_v": frozen(0.0), "threshold": node.array("threshold"), "reset": Reset.NONE,
            "compare": _compare(node, assumptions), "refractory": assumptions.steps(node.name, "refractory"),
        }  # fmt: skip
    if node.kind in ("IF", "I"):
        r = node.array("r", infinite=True)
        gain = np.where(r == 1, 1.0, _gain_of_rate(node, r, dt))
        fields = {"alpha_v": frozen(1.0), "gain_v": gain}
    else:
        assert dt is not None
        cuba = node.kind in ("CubaLIF", "CubaLI")
        tau = "tau_mem" if cuba else "tau"
        alpha = decay_factor(node, tau, dt)
        leak = node.array("v_leak")
        fields = {"alpha_v": alpha, "gain_v": gain_factor(node, "r", tau, dt), "bias": leak * (1.0 - alpha)}
        if cuba:
            fields["alpha_u"] = decay_factor(node, "tau_syn", dt)
            fields["gain_u"] = gain_factor(node, "w_in", "tau_syn", dt)
    if "v_threshold" not in node.fields:
        return silent_fields(fields)
    if node.kind in ANALOG:
        return fields | {
            "threshold": node.array("v_threshold"), "reset": Reset.NONE, "compare": _compare(node, assumptions),
            "refractory": assumptions.steps(node.name, "refractory"),
        }  # fmt: skip
    return fields | _firing(node, assumptions)


def _gain_of_rate(node: Hdf5Node, r: Array, dt: float | None) -> Array:
    """r dt, what an IF neuron takes of its input in a step; 1 where it is 1 but for rounding."""
    if dt is None:
        return np.ones_like(r)
    gain = r * dt
    if np.any(~np.isfinite(gain)):
        raise InputError(f"{node.name}.r", "is infinite; repair the network")
    rounding = 8 * float(np.finfo(np.float32 if node.stored("r") == np.float32 else np.float64).eps)
    return np.asarray(np.where(np.abs(gain - 1) <= rounding, 1.0, gain))


def silent_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` of a neuron that never spikes; its potential is read."""
    return {**fields, "threshold": frozen(NEVER), "reset": Reset.NONE}


def _compare(node: Hdf5Node, assumptions: Assumptions) -> Compare:
    return Compare(assumptions.get(node.name, "fire") or Compare.GT)


def _firing(node: Hdf5Node, assumptions: Assumptions) -> dict[str, Any]:
    """Threshold, comparison and reset: NIR's, or what is assumed."""
    threshold = node.array("v_threshold")
    value = node.array("v_reset") if "v_reset" in node.fields else np.zeros(())
    reset = Reset(assumptions.get(node.name, "reset") or Reset.ZERO)
    if reset is not Reset.ZERO and np.any(value != 0):
        raise InputError(
            f"{node.name}.v_reset", f"is not 0, which contradicts the assumed reset={reset.value}; leave that out"
        )
    rearm = assumptions.flag(node.name, "rearm")
    delay = assumptions.flag(node.name, "reset_delay")
    if rearm and (reset is not Reset.SUBTRACT or delay):
        raise InputError(f"{node.name}", "rearm=true goes with reset=subtract,reset_delay=false")
    return {
        "threshold": threshold, "compare": _compare(node, assumptions), "reset": reset, "reset_value": value,
        "reset_amount": threshold, "reset_delay": delay, "rearm": rearm,
        "refractory": assumptions.steps(node.name, "refractory"),
    }  # fmt: skip
