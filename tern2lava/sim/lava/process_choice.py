"""Which Lava process executes each population and projection of an INTEGER graph, and why. Imports no Lava.

Lava's own processes are chosen wherever their semantics give our result exactly (lava/proc/lif/models.py,
dense/models.py, sparse/models.py, conv/models.py of lava-nc 0.10; for neurons see lif_choice.py); else ours from
sim/lava/procs, with the first reason found.

Time. A Lava step is a hardware timestep, and `slowdown` of them are a step of the network. Sample b occupies the Lava
steps after b * period: a population makes its step k in b * period + start + 1 + k * slowdown. The skew of a projection
is start of its target - (start of its source + 1 + delay). What a source emits in its window reaches the target within
its window, moved by the skew, so that with period = steps * slowdown + max |skew| nothing emitted for one sample
arrives in the window of another. Our neurons are silent outside their windows, and between their steps, in which they
keep their states. Lava's LIFReset leaks in every Lava step, and is no neuron that rests between its steps; nor is it
silent outside its windows (a bias can make it fire), but it forgets u and v at the first step of each window; where all
its outgoing projections have skew 0, whatever it emits outside its windows arrives outside those of its targets, which
forget it too. Hence stock neurons where that holds, ours elsewhere (recurrence). TernaryLIF forgets nothing: it runs
one sample, and only where nothing reaches it before its window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.certify.wrapping import refuse_unbounded
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.linear import per_neuron
from tern2lava.compiler.ir.shapes import Ints, broadcast, size
from tern2lava.compiler.neurons.mechanism import kind_names
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError
from tern2lava.sim.lava.lif_choice import (
    LIF_SHIFT,
    lif_decays,
    split_bias,
    why_not_its_widths,
    why_not_lif,
    why_not_ternary,
    worst_sum,
)
from tern2lava.sim.lava.run import ProcessUse

MAX_STOCK_DELAY = 62
# DelayDense rebuilds its (delay + 1) * out x in weight matrix in every step: beyond this size ours is used.
MAX_STOCK_DELAY_SIZE = 1 << 16
# Sparse is as fast as Dense or faster from about these on (benchmarks/results/lava_sparse.md).
LEAST_SPARSE_SIZE, SPARSE_SHARE = 1 << 18, 32
INT8_MAX = 127


@dataclass(frozen=True, eq=False, kw_only=True)
class NeuronPlan:
    """How a population runs: `shift` is what its synaptic input is shifted left by (6 in Lava's LIF)."""

    use: ProcessUse
    shift: int
    du: int = 0
    dv: int = 0
    vth: int = 0
    vth_low: int = 0
    bias_mant: Ints | None = None
    bias_exp: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class SynapsePlan:
    """How a projection runs. gain is the gain per target neuron in units of 2^shift; exponent its log2 where stock.

    message_bits is 0 for binary spikes. own_delay: steps that our SpikeDelay adds in front.
    """

    use: ProcessUse
    gain: Ints
    exponent: int
    message_bits: int
    own_delay: int


@dataclass(frozen=True, eq=False, kw_only=True)
class StockPlan:
    """All that is needed to build the processes of `graph` for `samples` samples of `steps` steps."""

    graph: Graph
    samples: int
    steps: int
    period: int
    lava_steps: int
    neurons: dict[str, NeuronPlan]
    synapses: dict[str, SynapsePlan]

    @property
    def uses(self) -> tuple[ProcessUse, ...]:
        """One entry per population and projection, in the order of the graph."""
        plans: dict[str, NeuronPlan | SynapsePlan] = {**self.neurons, **self.synapses}
        return tuple(plans[node.name].use for node in self.graph.nodes if node.name in plans)


def skews(graph: Graph) -> dict[str, int]:
    """Per wire from projection to population, "projection>population": by how many steps it is out of line."""

    def arrival(projection: Projection) -> int:
        return int(starts[projection.inputs[0]]) + 1 + projection.delay

    starts = {p.name: p.start for p in graph.of_kind(Population)} | {n.name: 0 for n in graph.of_kind(Input)}
    return {
        f"{name}>{population.name}": population.start - arrival(graph.projection(name))
        for population in graph.of_kind(Population)
        for name in population.inputs
    }


def plan_stock(graph: Graph, samples: int, steps: int) -> StockPlan:
    """The plan for executing INTEGER `graph` in Lava, whose processes know no pooling: the kernels repeat.

    Raises UnsupportedError for neurons that no process executes, and for currents that no 64-bit integer holds."""
    refuse_unknown_kinds(graph)
    refuse_unbounded(graph, steps)
    graph = unpooled_graph(graph)
    skew = skews(graph)
    period = steps * graph.slowdown + max((abs(s) for s in skew.values()), default=0)
    populations = graph.of_kind(Population)
    neurons = {
        p.name: plan_neuron(graph, p, skew, steps, early=_early(graph, p, skew), samples=samples) for p in populations
    }
    synapses = {
        name: plan_synapse(graph, graph.projection(name), neurons[p.name].shift)
        for p in populations
        for name in p.inputs
    }
    return StockPlan(
        graph=graph,
        samples=samples,
        steps=steps,
        period=period,
        lava_steps=(samples - 1) * period + (steps - 1) * graph.slowdown + 1 + max(p.start for p in populations),
        neurons=neurons,
        synapses=synapses,
    )


# The mechanisms that our own Lava neuron (procs/neuron.py) executes.
OWN_NEURON = ("refractory", "signed", "rearm", "adaptive", "relay")


def refuse_unknown_kinds(graph: Graph) -> None:
    """Raise UnsupportedError for the first population whose neurons neither a stock process nor our own executes."""
    for population in graph.of_kind(Population):
        beyond = [name for name in kind_names(population) if name not in OWN_NEURON]
        if beyond:
            raise UnsupportedError(
                population.name, f"neurons that a Lava process executes ({', '.join(OWN_NEURON)})",
                f"kind {', '.join(beyond)}", "verify with --backend reference",
            )  # fmt: skip


def _early(graph: Graph, population: Population, skew: dict[str, int]) -> str:
    """Why spikes can reach a population before its window; empty where none can."""
    for name in population.inputs:
        source = graph[graph.projection(name).inputs[0]]
        if skew[f"{name}>{population.name}"] > 0:
            return f"spikes of {source.name} arrive before its window"
        if isinstance(source, Population) and source.bias.any():
            return f"{source.name} has a bias, of which it can spike before the sample begins"
    return ""


def plan_neuron(
    graph: Graph, population: Population, skew: dict[str, int], steps: int, astray: str = "", *, early: str = "",
    samples: int = 0,
) -> NeuronPlan:  # fmt: skip
    """Lava's LIFReset, or of signed neurons TernaryLIF, where it is exact for `population` over `steps` steps, else our
    TernaryNeuron with the reason.

    astray: why spikes that it emits outside its windows, as LIFReset can, would be seen by what is not in `graph`.
    early: why spikes can reach it before its windows, which TernaryLIF does not forget. samples: how many follow each
    other (0: not known).
    """
    arithmetic = graph.arithmetic
    assert arithmetic is not None
    incoming = [graph.projection(name) for name in population.inputs]
    shift = LIF_SHIFT if all((p.gain % (1 << LIF_SHIFT) == 0).all() for p in incoming) else 0
    reason = (
        why_not_lif(graph, population, incoming, shift, skew)
        or astray
        or why_not_its_widths(graph, population, arithmetic, steps)
    )
    signed = kind_names(population) == ("signed",)
    if signed:
        reason = why_not_ternary(graph, population, incoming, shift, skew, steps, samples, astray or early)
    if reason:
        return NeuronPlan(use=ProcessUse(name=population.name, process="TernaryNeuron", reason=reason), shift=shift)
    mantissa, exponent = split_bias(broadcast(population.bias, population.shape).reshape(-1))
    decay_u, decay_v = (
        int(lif_decays(decay, arithmetic).flat[0]) for decay in (population.decay_u, population.decay_v)
    )
    vth = int(population.threshold.flat[0]) >> LIF_SHIFT
    low = int(population.threshold_low.flat[0]) >> LIF_SHIFT if population.threshold_low is not None else 0
    detail = f"vth_hi={vth}, vth_lo={low}" if signed else f"vth={vth}"
    detail += f", du={decay_u - 1}, dv={decay_v}"
    process = "stock TernaryLIF" if signed else "stock LIFReset"
    return NeuronPlan(
        use=ProcessUse(name=population.name, process=process, reason=f"exact: {detail}"),
        vth_low=low,
        shift=shift,
        du=decay_u - 1,
        dv=decay_v,
        vth=vth,
        bias_mant=mantissa,
        bias_exp=exponent,
    )


def plan_synapse(graph: Graph, projection: Projection, shift: int) -> SynapsePlan:
    """Lava's Dense, Sparse, DelayDense or Conv where exact for `projection`, else our TernarySynapse with the reason.

    Dense: codes of b bits times 2^(9 - b) with num_weight_bits = b, weight_exp = k - (9 - b), sign mode MIXED is
    exactly codes * 2^k (lava/utils/weightutils.py); for ternary codes 128 * t, 2 bits, k - 7. Conv knows neither
    exponent nor bits and takes codes * 2^k.
    """
    gain = per_neuron(projection.gain, projection) >> shift
    exponent = max(int(gain.flat[0]), 1).bit_length() - 1
    message_bits = _message_bits(graph, projection)
    stock, reason = _stock_synapse(graph, projection, gain, exponent, shift)
    return SynapsePlan(
        use=ProcessUse(name=projection.name, process=stock or "TernarySynapse", reason=reason),
        gain=gain,
        exponent=exponent,
        message_bits=message_bits,
        own_delay=0 if stock == "stock DelayDense" else projection.delay,
    )


def _stock_synapse(graph: Graph, projection: Projection, gain: Ints, exponent: int, shift: int) -> tuple[str, str]:
    """Name of the stock process (empty: none is exact) and the reason."""
    if (gain != 1 << exponent).any():
        return "", "the gain differs between channels or is not a power of two"
    worst = worst_sum(graph, projection) >> shift
    geometry = projection.geometry
    delayed = f", after {count(projection.delay, 'step')} in our SpikeDelay" if projection.delay else ""
    if geometry is None:
        bits = projection.bits
        spare = 9 - bits
        if (
            not 2 <= bits <= 8
            or not -(1 << (bits - 1)) <= projection.weight.min()
            or (projection.weight.max() >= 1 << (bits - 1))
        ):
            return "", f"codes of {bits} bits are not a signed weight of 2 to 8 bits"
        if worst << spare >= 1 << 31:
            return "", "a weighted sum can leave Dense's 32-bit integers"
        detail = f"exact: weights codes*{1 << spare}, {count(bits, 'bit')}, weight_exp={exponent - spare}"
        if _is_sparse(projection):
            return "stock Sparse", detail + delayed
        cheap = (projection.delay + 1) * projection.weight.size <= MAX_STOCK_DELAY_SIZE
        if 0 < projection.delay <= MAX_STOCK_DELAY and cheap and not _message_bits(graph, projection):
            return "stock DelayDense", f"{detail}, delays={projection.delay}"
        return "stock Dense", detail + delayed
    top, bottom, left, right = geometry.padding
    if top != bottom or left != right:
        return "", f"padding {geometry.padding} is not symmetric"
    if max(*geometry.stride, *geometry.dilation, top, left, *projection.weight.shape[2:], geometry.groups) > INT8_MAX:
        return "", f"a stride, padding, dilation, kernel size or number of groups is above Conv's {INT8_MAX}"
    if max(geometry.in_shape[0], geometry.out_shape[0]) > INT8_MAX:
        # It divides channels by groups, which numpy 2 refuses where they do not fit the 8 bits of the divisor.
        return "", f"more than {INT8_MAX} channels are beyond the 8 bits of Conv's number of groups"
    if worst >= 1 << 23:
        return "", "a weighted sum can leave Conv's 24 bits"
    return "stock Conv", f"exact: weights codes*{1 << exponent}{delayed}"


def _is_sparse(projection: Projection) -> bool:
    """Whether Sparse runs a matrix faster than Dense: a large one, of zeros but for a few."""
    size_, few = projection.weight.size, np.count_nonzero(projection.weight) * SPARSE_SHARE
    return size_ >= LEAST_SPARSE_SIZE and few <= size_


def _message_bits(graph: Graph, projection: Projection) -> int:
    """Bits of a graded value, 0 where the source emits plain spikes. Dense takes a -1 without bits for a 1."""
    low, high = emitted_range(graph[projection.inputs[0]])
    return 0 if (low, high) == (0, 1) else max(1, abs(low), abs(high)).bit_length()


def neurons_of(graph: Graph) -> dict[str, int]:
    """Number of neurons of every Input and Population."""
    inputs, populations = graph.of_kind(Input), graph.of_kind(Population)
    return {n.name: size(n.shape) for n in inputs} | {p.name: size(p.shape) for p in populations}
