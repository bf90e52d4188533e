"""Neurons as NIR says them: its class, its continuous-time fields, and what NIR has no field for.

The equations of nir/ir (NIR 1.0), solved for the fields that a forward Euler step of dt turns back into our factors:
    tau = dt / (1 - alpha)        r = gain tau / dt        v_leak = bias / (1 - alpha)
A factor of 1 becomes a time constant of 2^60 steps, whose Euler step is 1 in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Neuron, Reset
from tern2lava.compiler.ir.shapes import Reals, Shape, broadcast
from tern2lava.compiler.neurons.mechanism import kinds_of
from tern2lava.errors import UnsupportedError

FOREVER = 2.0**60


@dataclass(frozen=True, eq=False, kw_only=True)
class Said:
    """A neuron in NIR's words: kind and fields (arrays of the population's shape); threshold apart where a Threshold
    node must follow; lost: what NIR has no field for, in the words of --assume, and `amount` what they subtract where
    that is not the threshold. feedback: what a spike adds to the input of the next step instead of a reset."""

    kind: str
    fields: dict[str, Reals]
    threshold: Reals | None
    lost: tuple[str, ...]
    amount: Reals | None = None
    feedback: Reals | None = None


def say_neuron(neuron: Neuron, shape: Shape, dt: float, *, read_only: bool, potential_read: bool, loop: bool) -> Said:
    """`neuron` as a NIR node of `shape`; potential_read: an output reads its potential; read_only: nothing reads its
    spikes.

    loop: say a soft reset as a loop, where that is exact: v' = alpha v + g (x - c s_previous), c = amount / g of a
    delayed subtraction and alpha amount / g of an immediate one, whose potential is then that before the reset.
    Raises UnsupportedError for what no NIR node computes, whatever its metadata say.
    """
    _check(neuron)

    def full(value: Reals) -> Reals:
        return np.array(broadcast(np.asarray(value, np.float64), neuron.shape)).reshape(shape)

    alpha_u, alpha_v, gain_u, gain_v = (full(v) for v in (neuron.alpha_u, neuron.alpha_v, neuron.gain_u, neuron.gain_v))
    cuba = bool(np.any(alpha_u != 0))
    integrates = not cuba and bool(np.all(alpha_v == 1))
    bias = full(neuron.bias)
    if np.any(bias[alpha_v == 1] != 0):
        raise UnsupportedError(
            neuron.name, "neurons with a leak where there is a bias (NIR)", f"{bias[alpha_v == 1].reshape(-1)[0]:g}",
            "move the bias into the layer in front",
        )  # fmt: skip
    gain = gain_v if cuba else gain_v * gain_u
    silent = neuron.reset is Reset.NONE
    if integrates:
        fields = {"r": np.where(gain == 1, 1.0, gain / dt)}
    else:
        tau = _time_constant(alpha_v, dt)
        fields = {
            "tau_mem" if cuba else "tau": tau,
            "r": _gain(gain, tau, dt),
            "v_leak": np.where(alpha_v == 1, 0.0, bias / np.where(alpha_v == 1, 1.0, 1.0 - alpha_v)),
        }
        if cuba:
            tau_syn = _time_constant(alpha_u, dt)
            fields |= {"tau_syn": tau_syn, "w_in": _gain(gain_u, tau_syn, dt)}
    kind = "I" if integrates else "CubaLI" if cuba else "LI"
    if silent:
        threshold = None if read_only else full(neuron.threshold)
        return Said(
            kind=kind, fields=fields, threshold=threshold, lost=() if read_only else _lost(neuron, potential_read)
        )
    lost = _lost(neuron, potential_read)
    if loop and not cuba and set(lost) in ({"reset=subtract"}, {"reset=subtract", "reset_delay=true"}):
        amount = full(neuron.reset_amount)
        feedback = -(amount if neuron.reset_delay else alpha_v * amount) / gain
        return Said(kind=kind, fields=fields, threshold=full(neuron.threshold), lost=(), feedback=feedback)
    differs = neuron.reset is Reset.SUBTRACT and bool(np.any(neuron.reset_amount != neuron.threshold))
    fields |= {
        "v_threshold": full(neuron.threshold),
        "v_reset": full(neuron.reset_value) if neuron.reset is Reset.ZERO else np.zeros(shape),
    }
    own = full(neuron.reset_amount) if differs else None
    return Said(kind=f"{kind}F", fields=fields, threshold=None, lost=lost, amount=own)


def _check(neuron: Neuron) -> None:
    wrong = {
        **{found: True for mechanism in kinds_of(neuron) if (found := mechanism.not_in_nir(neuron)) is not None},
        "a bias of the synaptic current": bool(np.any(neuron.bias_u != 0)),
        "a potential that does not begin at 0": bool(np.any(neuron.v_init != 0)),
        "integers with truncated decays": neuron.quantum is not None,
        "input gains of 0 or less": bool(np.any(neuron.gain_u * neuron.gain_v <= 0)),
    }
    for found, is_so in wrong.items():
        if is_so:
            hint = "keep to a bundle, which says all"
            if neuron.quantum is not None:
                hint = "read the network with --assume arithmetic=real, and write the real dynamics"
            raise UnsupportedError(neuron.name, "a neuron that NIR can say", found, hint)


def _lost(neuron: Neuron, potential_read: bool) -> tuple[str, ...]:
    found = []
    if neuron.reset is Reset.SUBTRACT:
        found.append("reset=subtract")
    # A delayed reset to zero spikes as one at once does; its potential is that before the reset.
    if neuron.reset_delay and (neuron.reset is Reset.SUBTRACT or (neuron.reset is Reset.ZERO and potential_read)):
        found.append("reset_delay=true")
    if neuron.compare is Compare.GE:
        found.append(f"fire={neuron.compare.word}")
    for mechanism in kinds_of(neuron):
        found += mechanism.assumed(neuron)
    return tuple(found)


def _time_constant(alpha: Reals, dt: float) -> Reals:
    """tau with 1 - dt / tau = alpha in float64, as nearly as there is one."""
    with np.errstate(divide="ignore"):
        tau = np.where(alpha == 1, FOREVER * dt, dt / (1.0 - alpha))
    return _nearest(tau, lambda value: 1.0 - dt / value, alpha)


def _gain(gain: Reals, tau: Reals, dt: float) -> Reals:
    """r with r dt / tau = gain in float64, as nearly as there is one."""
    return _nearest(gain * tau / dt, lambda value: value * dt / tau, gain)


def _nearest(guess: Reals, back: Callable[[Reals], Reals], wanted: Reals) -> Reals:
    """The float64 near `guess` that `back` takes nearest to `wanted`."""
    best, error = guess, np.abs(back(guess) - wanted)
    for direction in (-np.inf, np.inf):
        tried = guess
        for _ in range(4):
            tried = np.nextafter(tried, direction)
            new = np.abs(back(tried) - wanted)
            best, error = np.where(new < error, tried, best), np.minimum(new, error)
    return np.asarray(best)
