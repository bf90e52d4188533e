"""Pass: every neuron convention becomes the one (u, v) form that integers execute."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Neuron, Node, Output, Readout, Reset, plain
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.neurons.mechanism import Mechanism, kinds_of, with_fields
from tern2lava.errors import UnsupportedError
from tern2lava.findings import alone, replaced


def canonical_neurons(graph: Graph) -> Graph:
    """The graph with gains 1, resets to 0 and at once; spikes are unchanged in real numbers. Raises UnsupportedError.

    Parameters given per channel, (channels,), get the axes to broadcast to the population's shape from here on.

    With g = gain_u gain_v > 0 and r = reset_value, v is measured as (v - r) / g and u as u / gain_u:
        bias   <- (bias + (alpha_v - 1) r) / g      bias_u <- bias_u / gain_u     v_init <- (v_init - r) / g
        threshold <- (threshold - r) / g            reset_amount <- reset_amount / g
    Delayed resets: ZERO before the decay equals ZERO at once, for nothing happens in between; SUBTRACT after the
    decay (v = alpha_v v + ... - amount s) equals subtracting amount / alpha_v at once. It stays delayed with an
    adaptive threshold, and where a neuron of the population has alpha_v = 0: these become adaptive ones whose spikes
    raise the threshold by 0. quantum is rescaled with the threshold, and so are parameters of mechanisms, each as it
    says itself.
    """
    membrane_read = {
        name for output in graph.of_kind(Output) if output.readout is not Readout.SPIKE_COUNT for name in output.inputs
    }
    return graph.with_nodes(
        _each(node, node.name in membrane_read) if isinstance(node, Neuron) else node for node in graph.nodes
    )


def _each(neuron: Neuron, membrane_read: bool) -> Node:
    with alone():
        return _canonical(neuron, membrane_read)
    replaced(neuron.name)
    return plain(neuron)


def _canonical(neuron: Neuron, membrane_read: bool) -> Node:
    neuron = _on_axes(neuron)
    r = neuron.reset_value if neuron.reset is Reset.ZERO else np.zeros(())
    gain = neuron.gain_u * neuron.gain_v
    if not (np.all(neuron.gain_u > 0) and np.all(neuron.gain_v > 0)):
        raise UnsupportedError(
            neuron.name, "positive input gains", f"{np.min(gain):g}", "negate the weights in front of the neuron"
        )
    if neuron.reset is Reset.ZERO and np.any(neuron.threshold < neuron.reset_value):
        threshold, value = np.broadcast_arrays(neuron.threshold, neuron.reset_value)
        at = int(np.argmax(threshold < value))
        raise UnsupportedError(
            neuron.name,
            "thresholds of at least the reset value",
            f"a threshold of {threshold.flat[at]:g} below the reset value, {value.flat[at]:g}",
            "such a neuron fires again after each reset; another threshold or reset value changes the network",
        )
    kinds = kinds_of(neuron)
    for mechanism in reversed(kinds):
        mechanism.refuse_combination(neuron)
    if neuron.reset_delay and neuron.reset is Reset.SUBTRACT and np.any(neuron.alpha_v == 0):
        neuron, kinds = _raised_by_nothing(neuron, kinds)
    amount: Reals = neuron.reset_amount / gain
    delayed = any(mechanism.delays_reset for mechanism in kinds)
    if neuron.reset_delay and not delayed:
        if neuron.reset is Reset.ZERO and membrane_read:
            raise UnsupportedError(
                neuron.name,
                "a membrane that is read not to be reset with delay to zero",
                "reset zero, reset_delay",
                "read spike_count; another reset of the readout changes the network",
            )
        if neuron.reset is Reset.SUBTRACT:
            amount = amount / neuron.alpha_v
    own = {name: value for mechanism in kinds for name, value in mechanism.canonical(neuron, gain, r).items()}
    return replace(
        with_fields(neuron, own),
        gain_u=np.ones(()),
        gain_v=np.ones(()),
        bias_u=neuron.bias_u / neuron.gain_u,
        bias=(neuron.bias + (neuron.alpha_v - 1.0) * r) / gain,
        v_init=(neuron.v_init - r) / gain,
        threshold=(neuron.threshold - r) / gain,
        reset_value=np.zeros(()),
        reset_amount=amount,
        reset_delay=delayed,
        quantum=None if neuron.quantum is None else neuron.quantum / gain,
        unit=neuron.unit * gain,
        origin=neuron.origin + neuron.unit * r,
        record_before_reset=neuron.reset_delay and neuron.reset is Reset.SUBTRACT and not delayed,
    )


def _raised_by_nothing(neuron: Neuron, kinds: tuple[Mechanism, ...]) -> tuple[Neuron, tuple[Mechanism, ...]]:
    """A population that subtracts with delay as an adaptive one, whose spikes raise the threshold by 0, and its kinds.

    The adaptive mechanism alone subtracts in the step after a spike; with decays of 0 no subtraction at once does the
    same, for it would have decayed to nothing by then. Raises UnsupportedError where it cannot be combined.
    """
    for mechanism in kinds:
        if not mechanism.delays_reset:
            raise UnsupportedError(
                neuron.name,
                "a decay above 0 for a delayed subtraction",
                f"alpha_v 0 in {mechanism.name} neurons",
                "reset_delay false subtracts at once, which changes the network",
            )
    if not kinds:
        neuron = replace(neuron, gain_a=np.zeros(()), alpha_a=np.zeros(()))
    return neuron, kinds_of(neuron)


def _on_axes(neuron: Neuron) -> Neuron:
    """`neuron` with every (channels,) parameter as (channels, 1, 1), so that numpy broadcasts it as ir.broadcast."""
    rank = len(neuron.shape)

    def spread(value: Reals) -> Reals:
        return value.reshape(-1, *([1] * (rank - 1)))

    def given(value: Any) -> bool:
        return isinstance(value, np.ndarray) and value.shape == (neuron.shape[0],) and rank > 1

    axes: dict[str, Any] = {f.name: spread(value) for f in fields(neuron) if given(value := getattr(neuron, f.name))}
    extra = {name: spread(value) if given(value) else value for name, value in neuron.extra.items()}
    return replace(neuron, **axes, extra=extra)
