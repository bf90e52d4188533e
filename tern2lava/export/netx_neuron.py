"""Populations in the words of lava-dl's CUBA neurons, as netx makes a LIF of Lava of them.

A unit of a weight is 64 units of LIF's states: LIF computes 64 W s, 64 bias (bias exponent 6) and 64 vThMant. A
population is said in its own integers where they are multiples of 64. Without decays that cut, only the ratio of
weights to thresholds matters, and the unit is the greatest common divisor of the weights and biases: all potentials are
multiples of it, and v > threshold is v / unit > floor(threshold / unit).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.ranges import bounds, fits, summed_input
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Output, Population, Readout, Reset
from tern2lava.compiler.ir.shapes import Ints, Reals, broadcast
from tern2lava.compiler.neurons.mechanism import kind_names
from tern2lava.compiler.options import DEFAULT_STEPS
from tern2lava.compiler.target.stock_neuron import decays_partly
from tern2lava.errors import UnsupportedError
from tern2lava.sim.lava.lif_choice import (
    BIAS_MANTISSA_LIMIT,
    LIF_DECAY_BITS,
    LIF_SHIFT,
    LIF_STATE_BITS,
    MAX_THRESHOLD_MANTISSA,
    lif_decays,
    why_not_its_widths,
)

RULE = "neurons that netx runs (a LIF of Lava)"
KEEP = "keep to a bundle, which says all"
ONE = 1 << LIF_SHIFT


@dataclass(frozen=True, eq=False, kw_only=True)
class Saying:
    """A population in units of `unit`: decays of 12 bits, the threshold and bias of each neuron (arrays of its shape).
    plain_sum: it is nothing but the sum of its input, which a layer without neurons is."""

    unit: int
    decay_u: Ints
    decay_v: Ints
    threshold: Ints
    bias: Ints
    plain_sum: bool


def refuse_neurons(graph: Graph, population: Population) -> None:
    """Raise UnsupportedError for neurons that netx has no process for."""
    assert graph.arithmetic is not None
    kinds = kind_names(population)
    silent = potentials_alone(graph, population)
    partly = any(decays_partly(decay, graph.arithmetic).any() for decay in (population.decay_u, population.decay_v))
    wrong = {
        f"kind {', '.join(kinds)}": bool(kinds),
        f"reset {population.reset.value}": population.reset is not Reset.ZERO and not silent,
        "potentials that do not begin at 0": bool(population.v_init.any()),
        "a bias of the current": bool(population.bias_u.any()),
        "decays to the nearest whole number": population.decays is Decays.NEAREST and partly,
    }
    for found, is_so in wrong.items():
        if is_so:
            raise UnsupportedError(population.name, RULE, found, KEEP)


def potentials_alone(graph: Graph, population: Population) -> bool:
    """Whether outputs alone read the population, and they its potentials."""
    readers = graph.consumers(population.name)
    return all(isinstance(each, Output) and each.readout is not Readout.SPIKE_COUNT for each in readers)


def sayings(graph: Graph, population: Population) -> Iterator[Saying]:
    """The ways in which lava-dl can say `population`, the one with the program's own integers first. Raises
    UnsupportedError where there is none."""
    arithmetic, name = graph.arithmetic, population.name
    assert arithmetic is not None
    steps = graph.steps or DEFAULT_STEPS
    gains = [graph.projection(wire).gain for wire in population.inputs]
    silent = potentials_alone(graph, population)
    threshold = np.zeros(1, np.int64) if silent else population.threshold
    whole = not any((values % ONE).any() for values in (*gains, population.bias, threshold))
    decays = [lif_decays(decay, arithmetic) for decay in (population.decay_u, population.decay_v)]
    if any((decay < 0).any() for decay in decays):
        bits = f"decays of {arithmetic.decay_bits} bits that are none of {LIF_DECAY_BITS}"
        raise UnsupportedError(name, RULE, bits, "compile for loihi2, whose decays are LIF's")
    widths = why_not_its_widths(graph, population, arithmetic, steps)
    partly = any(decays_partly(decay, arithmetic).any() for decay in (population.decay_u, population.decay_v))
    units = [ONE] if whole and not widths else []
    if not partly:
        units.append(_common(graph, population))
    why = widths or "a gain, threshold or bias that is no multiple of 64 (one unit of a weight)"
    made = 0
    for unit in dict.fromkeys(units):
        if unit != ONE and not _has_room(graph, population, arithmetic, unit, steps):
            why = f"states that can leave {LIF_STATE_BITS} bits"
            continue
        made += 1
        yield _saying(graph, population, decays, unit, silent, steps)
    if not made:
        raise UnsupportedError(name, RULE, why, KEEP)


def _common(graph: Graph, population: Population) -> int:
    """The greatest common divisor of all that is added to a potential."""
    added = [np.abs(population.bias).reshape(-1)]
    for wire in population.inputs:
        node = graph.projection(wire)
        gain = node.gain if node.gain.ndim == 0 else node.gain.reshape(-1, *([1] * (node.weight.ndim - 1)))
        added.append(np.abs(node.weight.astype(np.int64) * gain).reshape(-1))
    return max(1, int(np.gcd.reduce(np.concatenate(added))))


def _reach(graph: Graph, population: Population, arithmetic: Arithmetic, steps: int) -> Reals:
    low, high = summed_input(graph, population.inputs, population.shape)
    return bounds(population, low, high, arithmetic, steps).met_high


def _has_room(graph: Graph, population: Population, arithmetic: Arithmetic, unit: int, steps: int) -> bool:
    """Whether no state overflows, neither here nor in LIF, where a unit is 64."""
    bits = LIF_STATE_BITS + int(np.floor(np.log2(unit / ONE)))
    if bits < 2:
        return False
    narrower = replace(arithmetic, state_bits=min(arithmetic.state_bits, bits))
    low, high = summed_input(graph, population.inputs, population.shape)
    return bool(np.all(fits(population, bounds(population, low, high, arithmetic, steps), narrower)))


def _saying(graph: Graph, population: Population, decays: list[Ints], unit: int, silent: bool, steps: int) -> Saying:
    assert graph.arithmetic is not None
    shape, name = population.shape, population.name
    threshold = np.asarray(population.threshold) // unit
    if silent:
        reach = _reach(graph, population, graph.arithmetic, steps)
        if np.any(reach > MAX_THRESHOLD_MANTISSA * unit):
            raise UnsupportedError(name, RULE, "potentials that can reach the largest threshold", KEEP)
        threshold = np.full(1, MAX_THRESHOLD_MANTISSA)
    elif (threshold > MAX_THRESHOLD_MANTISSA).any() or (threshold < 0).any():
        found = f"a threshold of {int(threshold.max()):,} in units of a weight (17 bits)"
        raise UnsupportedError(name, RULE, found, KEEP)
    bias = population.bias // unit
    if (bias < -BIAS_MANTISSA_LIMIT).any() or (bias >= BIAS_MANTISSA_LIMIT).any():
        found = f"a bias of {int(bias.flat[np.abs(bias).argmax()]):,} in units of a weight (13 bits)"
        raise UnsupportedError(name, RULE, found, KEEP)
    everything = 1 << LIF_DECAY_BITS
    plain = silent and not bias.any() and bool((decays[0] == everything).all() and (decays[1] == 0).all())
    values = [broadcast(np.asarray(value, np.int64), shape) for value in (*decays, threshold, bias)]
    return Saying(
        unit=unit, decay_u=values[0], decay_v=values[1], threshold=values[2], bias=values[3],
        plain_sum=plain and _only_last(graph, population),
    )  # fmt: skip


def _only_last(graph: Graph, population: Population) -> bool:
    """Whether all that is read is the potential of the last step, as of a layer without neurons."""
    readers = graph.consumers(population.name)
    return all(isinstance(each, Output) and each.readout is Readout.MEMBRANE_LAST for each in readers)
