"""Whether Lava's LIFReset and TernaryLIF compute a population's integers exactly, and the first reason why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.certify.ranges import bounds, emitted_range, fits, summed_input
from tern2lava.compiler.certify.wrapping import largest_current, largest_input
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Population, Projection
from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.target.stock_neuron import decays_partly, why_no_stock_lif
from tern2lava.counts import count

LIF_SHIFT = 6
LIF_DECAY_BITS, LIF_STATE_BITS = 12, 24
MAX_THRESHOLD_MANTISSA = (1 << 17) - 1
BIAS_MANTISSA_LIMIT = 1 << 12
MAX_BIAS_EXPONENT = 7


def why_not_lif(
    graph: Graph, population: Population, incoming: list[Projection], shift: int, skew: dict[str, int]
) -> str:
    """The first reason why Lava's LIFReset cannot execute `population` exactly; empty where it can."""
    if graph.slowdown > 1:
        return f"it holds its state for {graph.slowdown - 1} in {graph.slowdown} hardware timesteps (LIF leaks in each)"
    reason = why_no_stock_lif(population)
    if reason:
        return reason
    threshold = int(population.threshold.flat[0])
    if threshold % (1 << LIF_SHIFT):
        return f"threshold {threshold} is not a multiple of {1 << LIF_SHIFT}"
    if not 0 <= threshold >> LIF_SHIFT <= MAX_THRESHOLD_MANTISSA:
        return f"threshold {threshold} is outside LIF's 17 bits"
    mantissa, _ = split_bias(population.bias.reshape(-1))
    if (mantissa < -BIAS_MANTISSA_LIMIT).any() or (mantissa >= BIAS_MANTISSA_LIMIT).any():
        return "the bias does not fit a 13-bit mantissa and one exponent below 8"
    if shift != LIF_SHIFT:
        return f"a gain is not a multiple of {1 << LIF_SHIFT}"
    if sum(worst_sum(graph, p) for p in incoming) >> LIF_SHIFT >= 1 << 24:
        return "the synaptic sum can leave LIF's 32-bit integers"
    for projection in graph.consumers(population.name):
        for target in graph.consumers(projection.name):
            if skew.get(f"{projection.name}>{target.name}"):
                return f"{projection.name} leads to {target.name} out of line with its window (recurrent or skipping)"
    return ""


def why_not_ternary(
    graph: Graph, population: Population, incoming: list[Projection], shift: int, skew: dict[str, int], steps: int,
    samples: int, beyond: str,
) -> str:  # fmt: skip
    """Why Lava's TernaryLIF, a LIF that spikes -1 below a second threshold and is never reset from outside, cannot
    execute signed neurons exactly; empty where it can."""
    assert graph.arithmetic is not None
    low = population.threshold_low
    assert low is not None
    plain = replace(population, threshold_low=None)
    reason = why_not_lif(graph, plain, incoming, shift, skew)
    least, single = int(low.flat[0]), 1 << LIF_SHIFT
    if not reason and (low != least).any():
        reason = "threshold_low differs between neurons (TernaryLIF has one per population)"
    if not reason and (least % single or not -MAX_THRESHOLD_MANTISSA * single <= least <= 0):
        reason = f"threshold_low {least} is not a multiple of {single} from -{MAX_THRESHOLD_MANTISSA} * {single} to 0"
    reason = reason or beyond or why_not_its_widths(graph, population, graph.arithmetic, steps)
    if not reason and population.bias.any():
        reason = "TernaryLIF adds a bias before the sample begins"
    if not reason and samples != 1:
        reason = "TernaryLIF keeps its state from one sample to the next"
    return f"neurons of kind signed: {reason}" if reason else ""


def lif_decays(decay: Ints, arithmetic: Arithmetic) -> Ints:
    """The decays as LIF's codes of 12 bits; negative where one has no code."""
    scaled = np.asarray(decay, np.int64) << LIF_DECAY_BITS
    coded: Ints = scaled >> arithmetic.decay_bits
    return np.where(coded << arithmetic.decay_bits == scaled, coded, -1)


def why_not_its_widths(graph: Graph, population: Population, arithmetic: Arithmetic, steps: int) -> str:
    """Why LIF's decays and states would make other numbers of `population` within `steps` steps; empty where they make
    the same.

    Its decays have 12 bits and cut towards zero. Its states have 24: those of another width become the same where no
    input brings them out of either (ranges.bounds), so that neither wraps or saturates.
    """
    decays = (population.decay_u, population.decay_v)
    if population.decays is Decays.NEAREST and any(decays_partly(decay, arithmetic).any() for decay in decays):
        return "decays go to the nearest whole number (LIF cuts them towards zero)"
    if any((lif_decays(decay, arithmetic) < 0).any() for decay in decays):
        return f"a decay of {count(arithmetic.decay_bits, 'bit')} is none of LIF's {LIF_DECAY_BITS}"
    if arithmetic.state_bits == LIF_STATE_BITS:
        return _why_its_integers_overflow(graph, population, arithmetic)
    narrower = replace(arithmetic, state_bits=min(arithmetic.state_bits, LIF_STATE_BITS))
    low, high = summed_input(graph, population.inputs, population.shape)
    if not np.all(fits(population, bounds(population, low, high, arithmetic, steps), narrower)):
        width = count(arithmetic.state_bits, "bit")
        return f"states of {width} can leave {narrower.state_bits} (LIF has {LIF_STATE_BITS})"
    return ""


def _why_its_integers_overflow(graph: Graph, population: Population, arithmetic: Arithmetic) -> str:
    """Why LIF, which wraps once and clips as we do, but in 32-bit integers, would outgrow these; empty where not."""
    most, half = largest_input(graph, population), 1 << (arithmetic.state_bits - 1)
    beside = max(most, half + int(np.abs(population.bias).max(initial=0)))
    if largest_current(population, most, arithmetic) + beside >= 1 << 31:
        return "the current can wrap twice in a step and grow beyond LIF's 32-bit integers"
    return ""


def split_bias(bias: Ints) -> tuple[Ints, int]:
    """Mantissa and the largest exponent up to 7 with bias = mantissa * 2^exponent for all neurons."""
    exponent = 0
    while exponent < MAX_BIAS_EXPONENT and bias.any() and not (bias & ((2 << exponent) - 1)).any():
        exponent += 1
    return bias >> exponent, exponent


def worst_sum(graph: Graph, projection: Projection) -> int:
    """Largest magnitude a projection can deliver in one step, in the membrane's units."""
    largest = max(abs(level) for level in emitted_range(graph[projection.inputs[0]]))
    rows = np.abs(projection.weight.astype(np.int64)).reshape(projection.weight.shape[0], -1).sum(axis=1)
    return int((rows * np.abs(projection.gain)).max()) * largest
