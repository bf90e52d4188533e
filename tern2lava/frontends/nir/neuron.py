"""The neurons of NIR as fields of ir.Neuron: one step of forward Euler, threshold, reset."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Reset
from tern2lava.compiler.ir.shapes import Reals, frozen
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.assumptions import Assumptions
from tern2lava.frontends.files.hdf5_node import Hdf5Node
from tern2lava.frontends.nir.factors import euler_factors, rate_factor
from tern2lava.frontends.nir.file import AMOUNT, ANALOG

FEEDBACK = "feedback"
"""Field of a potential that a Threshold reads: what a spike adds to its input in the next step (rewrite.fuse_resets).
"""

NEVER = np.inf
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
            "compare": _compare(node, assumptions), **assumptions.mechanisms(node.name, without=("rearm",)),
        }  # fmt: skip
    if node.kind in ("IF", "I"):
        fields = {"alpha_v": frozen(1.0), "gain_v": rate_factor(node, "r", dt)}
    else:
        assert dt is not None
        cuba = node.kind in ("CubaLIF", "CubaLI")
        tau = "tau_mem" if cuba else "tau"
        decay, gain, rate = euler_factors(node, tau, "r", dt)
        fields = {"alpha_v": decay, "gain_v": gain, "bias": node.array("v_leak") * rate}
        if cuba:
            fields["alpha_u"], fields["gain_u"], _ = euler_factors(node, "tau_syn", "w_in", dt)
    if "v_threshold" not in node.fields:
        return silent_fields(fields)
    if node.kind in ANALOG:
        if FEEDBACK in node.fields:
            amount = -node.array(FEEDBACK) * fields["gain_v"]
            fields |= {"reset": Reset.SUBTRACT, "reset_delay": True, "reset_amount": amount}
        return {
            "threshold": node.array("v_threshold"), "reset": Reset.NONE, **fields,
            "compare": _compare(node, assumptions), **assumptions.mechanisms(node.name, without=("rearm",)),
        }  # fmt: skip
    return fields | _firing(node, assumptions)


def _check_above_reset(node: Hdf5Node, threshold: Reals, reset: Reals) -> None:
    """Raise UnsupportedError for a threshold below the reset value, or below 0, where potentials begin."""
    low, high = np.broadcast_arrays(threshold, reset)
    below = low < high
    if below.any():
        raise UnsupportedError(
            f"{node.name}.v_threshold", "thresholds of at least the reset value",
            f"{low[below].flat[0]:g} with v_reset {high[below].flat[0]:g}",
            "repair one of them: as stored, such a neuron spikes again because it has spiked",
        )  # fmt: skip
    if np.any(low < 0):
        at = np.flatnonzero(low < 0)[0]
        gap = low.flat[at] - high.flat[at]
        raise UnsupportedError(
            f"{node.name}.v_threshold", "thresholds of 0 or more, for potentials begin at 0",
            f"{low.flat[at]:g}",
            f"measure its potentials from v_reset, where they are meant to begin there: v_threshold {gap:g}, v_reset "
            f"0, and v_leak less by {high.flat[at]:g}, is the same neuron",
        )  # fmt: skip


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
            f"{node.name}.v_reset",
            f"requires 0 for the assumed reset={reset.value}; found another value; leave that assumption out",
        )
    _check_above_reset(node, threshold, value)
    own = assumptions.mechanisms(node.name)
    delay = assumptions.flag(node.name, "reset_delay")
    if own.get("rearm") and (reset is not Reset.SUBTRACT or delay):
        raise InputError(
            f"{node.name}",
            "requires reset=subtract,reset_delay=false for rearm=true; found another reset; add them, or "
            "leave rearm out",
        )
    return {
        "threshold": threshold, "compare": _compare(node, assumptions), "reset": reset, "reset_value": value,
        "reset_amount": node.array(AMOUNT) if AMOUNT in node.fields else threshold, "reset_delay": delay, **own,
    }  # fmt: skip
