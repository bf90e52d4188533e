"""A network rewritten, exactly, into the form whose neurons NIR's equations can say.

a potential that begins at v0          v + (-v0): threshold, reset value and leak move with it
an immediate subtraction whose         the delayed one that it came from: amount = threshold
potential is read before the reset
a bias without a leak, or of the       the bias of the layer in front, divided by the input's gain
synaptic current
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.graph import Conv2d, Dense, Graph, Neuron, Node, Output, Readout, Reset
from tern2lava.compiler.ir.shapes import Reals, broadcast
from tern2lava.errors import UnsupportedError

CLOSE = 8 * float(np.finfo(np.float64).eps)
"""Relative distance of two float64 numbers that are one but for rounding."""


def in_nir_form(graph: Graph) -> Graph:
    """`graph` with neurons in NIR's form: the spikes are as before, and the potentials that outputs read. Raises
    UnsupportedError for a bias that has no place in front of its neurons."""
    changed: dict[str, Node] = {}
    read = {name for o in graph.of_kind(Output) if o.readout is not Readout.SPIKE_COUNT for name in o.inputs}
    for neuron in graph.of_kind(Neuron):
        own = _as_delayed(neuron if neuron.name in read else _begun_at_zero(neuron))
        bias = _left_over(own)
        if bias is not None:
            own = replace(own, bias=own.bias if bias.of_current else np.zeros(()), bias_u=np.zeros(()))
            layer = _layer_in_front(graph, neuron, changed)
            changed[layer.name] = _with_bias(layer, neuron, bias.of_input)
        if own is not neuron:
            changed[neuron.name] = own
    return graph.with_nodes(changed.get(node.name, node) for node in graph.nodes)


def _begun_at_zero(neuron: Neuron) -> Neuron:
    """The neuron whose potential is less by where it begins: v + d with d = -v_init, which starts at 0."""
    if not np.any(neuron.v_init) or neuron.quantum is not None:
        return neuron
    shift = -neuron.v_init
    return replace(
        neuron, v_init=np.zeros(()), threshold=neuron.threshold + shift, reset_value=neuron.reset_value + shift,
        bias=neuron.bias + (1.0 - neuron.alpha_v) * shift, origin=neuron.origin - neuron.unit * shift,
    )  # fmt: skip


def _as_delayed(neuron: Neuron) -> Neuron:
    """The delayed subtraction of which the neuron's immediate one, of amount / alpha_v, is the canonical form; amounts
    that are the threshold but for rounding are the threshold."""
    if neuron.reset is not Reset.SUBTRACT or neuron.gain_a is not None or neuron.quantum is not None:
        return neuron
    delayed = neuron.record_before_reset and not neuron.reset_delay
    amount = neuron.reset_amount * neuron.alpha_v if delayed else neuron.reset_amount
    amount, threshold = np.broadcast_arrays(amount, neuron.threshold)
    amount = np.where(np.abs(amount - threshold) <= CLOSE * np.abs(threshold), threshold, amount)
    if np.array_equal(amount, threshold):
        amount = neuron.threshold
    before = neuron.record_before_reset and not delayed
    return replace(
        neuron, reset_amount=amount, reset_delay=neuron.reset_delay or delayed, record_before_reset=before
    )  # fmt: skip


class _Bias:
    """A bias as a part of the input (before the gain), and whether the current has it alone."""

    def __init__(self, of_input: Reals, of_current: bool) -> None:
        self.of_input, self.of_current = of_input, of_current


def _left_over(neuron: Neuron) -> _Bias | None:
    """The bias that no NIR neuron has: without a leak, or of the current. None where there is none."""
    current = bool(np.any(neuron.alpha_u != 0))
    if neuron.quantum is not None or np.any(neuron.gain_u == 0) or np.any(neuron.gain_v == 0):
        return None
    if current:
        return _Bias(neuron.bias_u / neuron.gain_u, True) if np.any(neuron.bias_u) else None
    alpha, bias, bias_u = np.broadcast_arrays(neuron.alpha_v, neuron.bias, neuron.bias_u)
    if not np.any(bias_u) and not np.any(bias[alpha == 1]):
        return None
    return _Bias((neuron.bias_u + neuron.bias / neuron.gain_v) / neuron.gain_u, False)


def _layer_in_front(graph: Graph, neuron: Neuron, changed: dict[str, Node]) -> Dense | Conv2d:
    """A dense layer or convolution that feeds these neurons alone."""
    for name in neuron.inputs:
        layer = changed.get(name, graph[name])
        if isinstance(layer, Dense | Conv2d) and [r.name for r in graph.consumers(name)] == [neuron.name]:
            return layer
    raise UnsupportedError(
        neuron.name, "neurons with a leak where there is a bias, or a layer of their own in front (NIR)",
        "a bias without either", "keep to a bundle, which says all",
    )  # fmt: skip


def _with_bias(layer: Dense | Conv2d, neuron: Neuron, bias: Reals) -> Node:
    """`layer` with `bias` (broadcasting to the neurons' shape) added to its own."""
    full = broadcast(np.asarray(bias, np.float64), neuron.shape).reshape(layer.weight.shape[0], -1)
    if isinstance(layer, Conv2d) and np.any(full != full[:, :1]):
        raise UnsupportedError(
            neuron.name, "one bias for each channel of a convolution, where neurons have no leak (NIR)",
            "biases per position", "keep to a bundle, which says all",
        )  # fmt: skip
    own = 0.0 if layer.bias is None else layer.bias
    return replace(layer, bias=np.asarray(own + full[:, 0]))
