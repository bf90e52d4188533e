"""What a graph must satisfy at its level: legal kinds, unique names, known inputs, chaining shapes, finite numbers."""

from __future__ import annotations

from dataclasses import fields

import networkx
import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import (
    Add,
    ChannelAffine,
    Conv2d,
    Decays,
    Delay,
    Dense,
    Flatten,
    Graph,
    Identity,
    Input,
    Level,
    Neuron,
    Node,
    NodeBase,
    Output,
    Pool2d,
    Population,
    Projection,
    Readout,
    Reset,
    SparseLinear,
)
from tern2lava.compiler.ir.linear import target_shape
from tern2lava.compiler.ir.shapes import Pooling, Shape, conv_out, size
from tern2lava.compiler.ir.timing import offset_of, starts
from tern2lava.counts import count
from tern2lava.errors import InputError, UnsupportedError

_LINEAR: tuple[type[NodeBase], ...] = (
    Dense, Conv2d, Pool2d, SparseLinear, ChannelAffine, Flatten, Identity, Add, Delay,
)  # fmt: skip
MOST_SLOWDOWN = (1 << 16) - 1
"""What a core image holds (docs/image-format.md)."""
LEGAL: dict[Level, tuple[type[NodeBase], ...]] = {
    Level.IMPORTED: (Input, *_LINEAR, Neuron, Output),
    Level.NORMAL: (Input, Projection, Neuron, Output),
    Level.TERNARY: (Input, Projection, Neuron, Output),
    Level.INTEGER: (Input, Projection, Population, Output),
}


def check(graph: Graph) -> None:
    """Raise InputError or UnsupportedError for the first thing that is wrong with `graph`; return None if all is well.

    Rejected: a node kind that the level forbids, a name twice, an unknown input, a graph without Input or Output, a
    cycle without a delay, shapes that do not chain, a NaN or infinite number, a slowdown that is none, and synapses
    that reach neurons between their steps.
    """
    names: set[str] = set()
    for node in graph.nodes:
        if not isinstance(node, LEGAL[graph.level]):
            raise UnsupportedError(
                node.name, f"nodes of level {graph.level.name}", type(node).__name__, "a pass should have rewritten it"
            )
        if node.name in names:
            raise InputError(node.name, "requires a name of its own for each node; found two alike; rename one")
        names.add(node.name)
        if isinstance(node, Neuron) and node.integrates:
            _check_integrator(graph, node)
        _check_numbers(node)
    for node in graph.nodes:
        for source in node.inputs:
            if source not in names:
                raise InputError(
                    node.name, f"requires inputs that exist; found '{source}', which does not; add it or read another"
                )
    for kind in (Input, Output):
        if not graph.of_kind(kind):
            raise InputError(graph.source or "network", f"requires an {kind.__name__.lower()}; found none; add one")
    _check_timing(graph)
    known = shapes(graph)
    for output in graph.of_kind(Output):
        _check_output(output, size(known[output.inputs[0]]), graph.steps)


def _check_timing(graph: Graph) -> None:
    """InputError for a slowdown that is none, and for a delay with which spikes arrive between a target's steps."""
    slow = graph.slowdown
    if type(slow) is not int or not 1 <= slow <= (MOST_SLOWDOWN if graph.level is Level.INTEGER else 1):
        raise InputError(
            graph.source or "network",
            f"requires a step of 1 to {MOST_SLOWDOWN:,} hardware timesteps, of 1 above the integers; found {slow}; "
            "compile again",
        )
    if slow == 1:
        return
    start = starts(graph)
    for population in graph.of_kind(Population):
        for projection in graph.projections(population.inputs):
            if offset_of(projection, population, start) % slow:
                raise InputError(
                    projection.name,
                    f"requires a delay with which spikes reach {population.name} in one of its own hardware timesteps, "
                    f"one in {slow}; found {projection.delay}; compile again",
                )


def _check_output(node: Output, neurons: int, steps: int) -> None:
    """InputError where the arrays of an Output do not belong to `neurons` neurons and `steps` steps (0: not known)."""
    if len(node.inputs) != 1:
        found = count(len(node.inputs), "node")
        raise InputError(node.name, f"requires one population to read; found {found}; add an output for each")
    if node.classes is not None and (
        node.classes.ndim != 2 or node.classes.shape[1] != neurons or not node.classes.size
    ):
        raise InputError(
            f"{node.name}.classes",
            f"requires (classes, neurons) for {count(neurons, 'neuron')}; found shape {node.classes.shape}; give a row "
            "for each class",
        )
    classes = neurons if node.classes is None else int(node.classes.shape[0])
    if node.offset is not None and node.offset.shape != (classes,):
        raise InputError(
            f"{node.name}.offset",
            f"requires one number for each of {count(classes, 'class')}; found shape {node.offset.shape}; give one "
            "for each",
        )
    weights = node.step_weights
    if weights is None:
        return
    if weights.ndim > 1 or not weights.size or (steps and weights.ndim and len(weights) != steps):
        of = f" of {steps:,}" if steps else ""
        raise InputError(
            f"{node.name}.step_weights",
            f"requires one number, or one for each step{of}; found shape {weights.shape}; give one for each step",
        )
    if weights.ndim and node.readout is Readout.MEMBRANE_LAST:
        raise InputError(
            f"{node.name}.step_weights",
            "requires one number with membrane_last, which reads one step; found one for each step; say membrane_sum",
        )
    if not weights.any():
        raise InputError(
            f"{node.name}.step_weights", "requires a step that counts; found zeros; give another weight to one"
        )


def _check_integrator(graph: Graph, node: Neuron) -> None:
    """InputError for a neuron without a threshold that could spike, or whose spikes are read."""
    kept = node.refractory or node.rearm or node.threshold_low is not None or node.gain_a is not None or node.extra
    if kept or node.reset is not Reset.NONE:
        raise InputError(
            node.name,
            "requires reset none, and nothing that follows on a spike, of neurons without a threshold; found more; "
            "leave it out, or give them a threshold",
        )
    waiting = list(graph.consumers(node.name))
    while waiting:
        reader = waiting.pop()
        if isinstance(reader, Flatten | Identity):
            waiting += graph.consumers(reader.name)
        elif not isinstance(reader, Output) or reader.readout is Readout.SPIKE_COUNT:
            raise InputError(
                node.name,
                "requires outputs that read the potentials of an integrator, which makes no spikes; found "
                f"{reader.name}{', which counts spikes' if isinstance(reader, Output) else ''}; read membrane_last, "
                "membrane_sum or membrane_max, or give the neurons a threshold",
            )


def _check_numbers(node: Node) -> None:
    values = {f.name: getattr(node, f.name) for f in fields(node)}
    if isinstance(node, Neuron) and node.integrates:
        del values["threshold"]
    for name, value in (values | dict(values.get("extra", {}))).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
            bad = np.argwhere(~np.isfinite(np.atleast_1d(value)))
            raise InputError(
                f"{node.name}.{name}",
                f"requires finite numbers; found {len(bad):,} of {count(value.size, 'number')} NaN or infinite, "
                f"the first at {tuple(bad[0].tolist())}; repair the checkpoint",
            )


def execution_order(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Groups of node names in an order in which each can be computed within one source step.

    A group of one is a plain node; a larger group (or a node that reads itself) is a recurrent loop. Raises
    UnsupportedError for a loop without a delay.
    """
    digraph = networkx.DiGraph()
    digraph.add_nodes_from(node.name for node in graph.nodes)
    digraph.add_edges_from((source, node.name) for node in graph.nodes for source in node.inputs)
    groups = list(networkx.topological_sort(networkx.condensation(digraph)))
    members = networkx.condensation(digraph).nodes(data="members")
    return tuple(step_order(graph, set(members[g])) for g in groups)


def step_order(graph: Graph, members: set[str]) -> tuple[str, ...]:
    """`members` in an order in which one step can be computed, delayed nodes breaking the loops."""
    digraph = networkx.DiGraph()
    digraph.add_nodes_from(node.name for node in graph.nodes if node.name in members)
    for node in graph.nodes:
        if node.name in members and not is_delayed(node, graph.level):
            digraph.add_edges_from((source, node.name) for source in node.inputs if source in members)
    try:
        return tuple(networkx.lexicographical_topological_sort(digraph, key=[n.name for n in graph.nodes].index))
    except networkx.NetworkXUnfeasible:
        loop = " -> ".join(edge[0] for edge in networkx.find_cycle(digraph))
        raise UnsupportedError(
            loop, "a delay of at least one step in every loop", "a loop without delay", "add a delay to the loop"
        ) from None


def is_delayed(node: Node, level: Level) -> bool:
    """Whether what `node` computes in a step depends on its inputs of earlier steps only."""
    if isinstance(node, Delay):
        return node.steps > 0
    if isinstance(node, Projection):
        return level is Level.INTEGER or node.delay > 0
    return False


def shapes(graph: Graph) -> dict[str, Shape]:
    """Output shape of every node, without batch and time. Raises InputError where shapes do not chain."""
    result: dict[str, Shape] = {}
    declared = (Input, Neuron, Population)
    for node in graph.nodes:
        if isinstance(node, declared):
            result[node.name] = node.shape
    pending = [name for group in execution_order(graph) for name in group]
    while pending:
        waiting = []
        for name in pending:
            node = graph[name]
            if not all(source in result for source in node.inputs):
                waiting.append(name)
                continue
            found = output_shape(node, [result[source] for source in node.inputs])
            result[name] = found
        if len(waiting) == len(pending):
            raise InputError(
                waiting[0],
                "requires a shape of its own in each loop; found one that depends on itself; put a neuron layer "
                "into the loop",
            )
        pending = waiting
    return result


def output_shape(node: Node, sources: list[Shape]) -> Shape:
    if isinstance(node, Input | Neuron | Population) and size(node.shape) == 0:
        raise InputError(
            node.name, f"requires one element at least; found shape {node.shape}; give each axis a size of at least 1"
        )
    if not sources and not isinstance(node, Input | Neuron | Population):
        raise InputError(node.name, "requires an input; found none; connect it")
    # Neurons sum what they are fed element by element in C order: their inputs must only agree in size.
    if not isinstance(node, Neuron | Population) and any(shape != sources[0] for shape in sources[1:]):
        raise InputError(node.name, f"requires inputs of one shape; found {', '.join(map(str, sources))}; reshape them")
    match node:
        case Input():
            return node.shape
        case Neuron() | Population():
            # A dense layer's (n,) may feed neurons declared (n, 1, 1) by some frameworks: only sizes must agree.
            for shape in sources:
                if size(shape) != size(node.shape):
                    raise InputError(
                        node.name, f"requires an input of its shape {node.shape}; found {shape}; mend one of the two"
                    )
            _check_parameters(node)
            if isinstance(node, Population):
                _check_levels(node)
            return node.shape
        case Dense():
            if node.weight.ndim != 2 or node.weight.shape[1] != size(sources[0]):
                raise InputError(
                    node.name,
                    f"requires a weight for {count(size(sources[0]), 'value')} (an input of shape {sources[0]}); "
                    f"found shape {node.weight.shape}; mend the weight or the input's shape",
                )
            _check_bias(node)
            return (int(node.weight.shape[0]),)
        case Conv2d():
            _check_bias(node)
            return conv_shape(node, sources[0])
        case Pool2d():
            return pool_shape(node, sources[0])
        case SparseLinear():
            _check_places(node, sources[0])
            return node.shape
        case ChannelAffine():
            for name in ("gain", "offset"):
                value = getattr(node, name)
                if value.ndim > 1 or (value.ndim == 1 and value.shape[0] != sources[0][0]):
                    raise InputError(
                        node.name,
                        f"requires one {name} for each channel of {sources[0]}; found shape {value.shape}; give "
                        "one for each",
                    )
            return sources[0]
        case Flatten():
            return (size(sources[0]),)
        case Projection():
            expected = size(node.geometry.in_shape) if node.geometry else node.weight.shape[1]
            if node.pooling is not None:
                _check_pooling(node.name, node.pooling, expected)
                expected = size(node.pooling.in_shape)
            if node.reads is not None:
                expected = _check_reads(node.name, node.reads, expected)
            if size(sources[0]) != expected:
                raise InputError(
                    node.name,
                    f"requires {count(expected, 'value')}; found an input of shape {sources[0]}; mend its weights or "
                    "its input",
                )
            return target_shape(node)
        case Identity() | Add() | Delay() | Output():
            return sources[0]


def _check_places(node: SparseLinear, source: Shape) -> None:
    """InputError where a SparseLinear has no outputs, or an entry for none of its inputs or outputs."""
    if size(node.shape) == 0:
        raise InputError(node.name, f"requires one output at least; found shape {node.shape}; give each axis a size")
    if node.rows.ndim != 1 or node.columns.shape != node.rows.shape or node.values.shape not in ((), node.rows.shape):
        found = f"{node.rows.shape}, {node.columns.shape} and {node.values.shape}"
        raise InputError(
            node.name,
            f"requires rows, columns and values of as many entries; found shapes {found}; give each entry one",
        )
    for what, places, among in (("row", node.rows, node.shape), ("column", node.columns, source)):
        if places.dtype.kind not in "iu":
            raise InputError(node.name, f"requires whole {what}s; found dtype {places.dtype}; give integers")
        if places.size and (places.min() < 0 or places.max() >= size(among)):
            found = f"{int(places.min())} to {int(places.max())}"
            raise InputError(
                node.name, f"requires {what}s from 0 to {size(among) - 1} (shape {among}); found {found}; mend them"
            )


def _check_pooling(name: str, pooling: Pooling, expected: int) -> None:
    if min(pooling.window) < 1 or size(pooling.out_shape) != expected:
        raise InputError(
            name,
            f"requires windows that give its weights' {count(expected, 'value')}; found {pooling.in_shape} "
            f"pooled by {pooling.window}; mend the pooling or the weights",
        )


def _check_reads(name: str, reads: Box, expected: int) -> int:
    """Neurons of the source that a projection with `reads` belongs to."""
    inside = all(0 <= low < high <= n for low, high, n in zip(reads.lo, reads.hi, reads.shape, strict=True))
    if not inside or reads.volume != expected:
        raise InputError(
            name,
            f"requires a box of its weights' {count(expected, 'value')}; found {reads.text()} of "
            f"{reads.shape}; mend the box or the weights",
        )
    return size(reads.shape)


def _check_levels(node: Population) -> None:
    """InputError for a relay that would keep anything from step to step, or whose sums no spike carries."""
    if node.levels is None:
        return
    low, high = node.levels
    if not -(1 << 31) <= low <= 0 <= high < 1 << 31:
        raise InputError(
            node.name,
            f"requires sums of a relay that hold 0 and fit into 32 bits; found {low} to {high}; mend its levels",
        )
    kept = node.reset is not Reset.NONE or node.refractory or node.rearm or node.gain_a is not None
    kept = kept or node.decays is not Decays.TRUNCATE
    if kept or node.threshold_low is not None or any(value.any() for value in (node.bias, node.bias_u, node.v_init)):
        raise InputError(
            node.name,
            "requires no reset, bias, lower threshold, rounding or memory of a relay; found one; leave it out",
        )


def _check_bias(node: Dense | Conv2d) -> None:
    if node.bias is not None and node.bias.shape != (node.weight.shape[0],):
        raise InputError(
            node.name,
            f"requires one bias for each of {count(node.weight.shape[0], 'output')}; found shape "
            f"{node.bias.shape}; give one for each",
        )


def _check_parameters(node: Neuron | Population) -> None:
    for f in fields(node):
        value = getattr(node, f.name)
        if isinstance(value, np.ndarray):
            fits = value.ndim == 0 or value.shape == (node.shape[0],)
            try:
                fits = fits or np.broadcast_shapes(value.shape, node.shape) == node.shape
            except ValueError:
                fits = False
            if not fits:
                raise InputError(
                    f"{node.name}.{f.name}",
                    f"requires one number or a shape that broadcasts to its neurons' {node.shape}; found "
                    f"{value.shape}; give one for each neuron or channel",
                )


def conv_shape(node: Conv2d, source: Shape) -> tuple[int, int, int]:
    """(channels, height, width) of a convolution's output on an input of `source`; InputError where it cannot be."""
    if len(source) != 3:
        raise InputError(
            node.name,
            f"requires an input of (channels, height, width); found {source}; reshape it before the convolution",
        )
    if node.weight.ndim != 4:
        raise InputError(
            node.name,
            f"requires a weight of (out, in, height, width); found {node.weight.shape}; give that of a convolution",
        )
    out, in_group, kh, kw = (int(n) for n in node.weight.shape)
    if node.groups < 1 or in_group * node.groups != source[0] or out % node.groups:
        raise InputError(
            node.name,
            f"requires a weight for {count(source[0], 'channel')}; found shape {node.weight.shape} in "
            f"{count(node.groups, 'group')}; mend the weight, the groups or the input's shape",
        )
    top, bottom, left, right = node.padding
    oh = conv_out(source[1], kh, node.stride[0], top + bottom, node.dilation[0])
    ow = conv_out(source[2], kw, node.stride[1], left + right, node.dilation[1])
    if oh < 1 or ow < 1:
        raise InputError(
            node.name,
            f"requires a kernel no larger than its padded input of {source[1]}x{source[2]}; found {kh}x{kw}; "
            "add padding or make the kernel smaller",
        )
    return (out, oh, ow)


def pool_shape(node: Pool2d, source: Shape) -> tuple[int, int, int]:
    """(channels, height, width) of a pooling's output on an input of `source`; InputError where it cannot be."""
    if len(source) != 3:
        raise InputError(
            node.name, f"requires an input of (channels, height, width); found {source}; reshape it before the pooling"
        )
    top, bottom, left, right = node.padding
    oh = conv_out(source[1], node.kernel[0], node.stride[0], top + bottom, 1)
    ow = conv_out(source[2], node.kernel[1], node.stride[1], left + right, 1)
    if oh < 1 or ow < 1:
        raise InputError(
            node.name,
            f"requires a window no larger than its padded input of {source[1:]}; found {node.kernel}; make "
            "the window smaller",
        )
    return (source[0], oh, ow)
