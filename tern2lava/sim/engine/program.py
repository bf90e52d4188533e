"""An INTEGER graph as the tables and pools that the compiled kernels read, made once and run many times.

Which populations the kernels cover, and in which integer type, is decided here and kept with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tern2lava.compiler.bounds import summed_input
from tern2lava.compiler.check import execution_order
from tern2lava.compiler.ir import (
    Arithmetic,
    Array,
    Graph,
    Input,
    Node,
    Pooling,
    Population,
    Projection,
    Reset,
    broadcast,
    compact,
    size,
)
from tern2lava.compiler.linear import per_neuron
from tern2lava.sim.engine import columns, conv, dense, neuron
from tern2lava.sim.engine.cost import spike_limit
from tern2lava.sim.engine.weights import bit_planes, codes_by_source, digits, largest_code

# Bytes of summed input that are held at a time, so that they stay in a core's cache.
SUMS = 1 << 17
# Fewer neurons than this with the same parameters are stepped with parameters of their own instead.
ALIKE = 64
RESETS = {Reset.ZERO: neuron.TO_ZERO, Reset.SUBTRACT: neuron.SUBTRACTS, Reset.NONE: neuron.STAYS}


@dataclass(frozen=True, kw_only=True)
class Use:
    """What executed a population: "compiled" or "reference", and why."""

    population: str
    engine: str
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Tables:
    """The arguments of group.run_group that describe one group of populations."""

    populations: Array
    projections: Array
    codes: Array
    planes: Array
    windows_of: Array
    gains: Array
    parameters: Array
    recurrent: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Populations that are executed together: by compiled kernels from `tables`, or by the reference as `subgraph`,
    in which everything that feeds them is an Input."""

    names: tuple[str, ...]
    tables: Tables | None
    subgraph: Graph | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Program:
    """A graph ready to run. places: where each population's neurons begin in a row of all spikes, `width` long;
    input_places: the same of every Input in a row of all inputs."""

    graph: Graph
    groups: tuple[Group, ...]
    places: dict[str, int]
    width: int
    input_places: dict[str, int]
    uses: tuple[Use, ...]


def prepare(graph: Graph) -> Program:
    """The program of an INTEGER graph."""
    places, width = _places(graph, Population)
    input_places, _ = _places(graph, Input)
    groups: list[Group] = []
    uses: dict[str, Use] = {}
    for members in execution_order(graph):
        nodes = [node for name in members if isinstance(node := graph[name], Population)]
        if not nodes:
            continue
        kinds = [state_type(graph, node) for node in nodes]
        refused = next((why for kind, why in kinds if kind is None), None)
        names = tuple(node.name for node in nodes)
        if refused is not None:
            groups.append(Group(names=names, tables=None, subgraph=_subgraph(graph, nodes)))
        else:
            wide = any(kind is np.int64 for kind, _ in kinds)
            tables = _tables(
                graph, nodes, np.int64 if wide else np.int32, len(members) > 1, places, input_places
            )
            groups.append(Group(names=names, tables=tables, subgraph=None))
        for node, (kind, why) in zip(nodes, kinds, strict=True):
            if refused is None:
                uses[node.name] = Use(population=node.name, engine="compiled", reason=why)
            else:
                reason = why if kind is None else f"in a loop with a population that needs it: {refused}"
                uses[node.name] = Use(population=node.name, engine="reference", reason=reason)
    return Program(
        graph=graph, groups=tuple(groups), places=places, width=width, input_places=input_places,
        uses=tuple(uses[node.name] for node in graph.of_kind(Population)),
    )  # fmt: skip


def state_type(graph: Graph, population: Population) -> tuple[Any, str]:
    """(np.int32 or np.int64 or None, why): the type in which every intermediate value of `population` is exact.

    With |a| + |bias_u| <= 2M one wrap brings u into [-M, M] from at most 3M, for every input and number of steps; v
    and the adaptation stay in [-M, M] by clipping, so that the sums that lead to them are bounded by their terms.
    None: left to the reference.
    """
    arithmetic = graph.arithmetic
    assert arithmetic is not None
    for name in population.inputs:
        projection = graph[name]
        assert isinstance(projection, Projection)
        source = graph[projection.inputs[0]]
        low, high = emitted_range(source)
        if low < -128 or high > (127 if low < 0 else 255):
            return None, f"{source.name} has values from {low} to {high}, more than a byte"
        if max(map(abs, seen_range(graph, projection))) > np.iinfo(np.int16).max:
            return None, f"{name} pools values beyond 16 bits"
        if projection.weight.size and largest_code(projection) > 128:
            return None, f"{name} has codes beyond 8 bits"
    full = 1 << arithmetic.decay_bits
    for decays in (population.decay_u, population.decay_v, population.decay_a):
        if decays.size and (decays.min() < 0 or decays.max() > full):
            return None, f"a decay lies outside 0 to {full}"
    m = 1 << (arithmetic.state_bits - 1)
    reach = _largest(*summed_input(graph, population.inputs, population.shape)) + _largest(population.bias_u)
    if reach > 2 * m:
        return None, "its current can leave the range of a single wrap"
    most = max(m, _largest(population.v_init)) + m + _largest(population.bias) + _largest(population.reset_amount)
    if population.kinds:
        further = (population.threshold, population.threshold_low, population.gain_a, population.reset_amount)
        most += m + sum(_largest(value) for value in further if value is not None)
    most = max(3 * m, most)
    if most < 1 << 31 and arithmetic.decay_bits <= 15:
        return np.int32, f"no value exceeds {most:,}: 32-bit integers are exact"
    if most < 1 << 62 and arithmetic.decay_bits <= 31:
        return np.int64, f"values up to {most:,}: 64-bit integers"
    return None, f"values up to {most:,} need more than 64 bits"


def emitted_range(source: Node) -> tuple[int, int]:
    """Least and largest value that a population or Input emits."""
    if isinstance(source, Input):
        return source.levels
    assert isinstance(source, Population)
    return (0 if source.threshold_low is None else -1, 1)


def seen_range(graph: Graph, projection: Projection) -> tuple[int, int]:
    """Least and largest value that the weights of a projection see: its source's, summed over a pooling window."""
    low, high = emitted_range(graph[projection.inputs[0]])
    area = 1 if projection.pooling is None else projection.pooling.area
    return min(low, 0) * area, max(high, 0) * area


def _largest(*arrays: Array) -> int:
    return max(int(np.abs(array).max(initial=0)) for array in arrays)


def _places(graph: Graph, kind: type[Any]) -> tuple[dict[str, int], int]:
    """Where each node's values begin in a row of all nodes of a kind, and the row's length."""
    places: dict[str, int] = {}
    width = 0
    for node in graph.of_kind(kind):
        places[node.name] = width
        width += size(node.shape)
    return places, width


def _subgraph(graph: Graph, nodes: list[Population]) -> Graph:
    """The populations `nodes` alone, their sources outside as Inputs whose spikes wait as long as their start."""
    inside = {node.name for node in nodes}
    inputs: dict[str, Input] = {}
    projections = []
    for node in nodes:
        for name in node.inputs:
            projection = graph[name]
            assert isinstance(projection, Projection)
            source = graph[projection.inputs[0]]
            if isinstance(source, Input):
                inputs[source.name] = source
            elif isinstance(source, Population) and source.name not in inside:
                inputs[source.name] = Input(name=source.name, shape=source.shape, levels=emitted_range(source))
                projection = replace(projection, delay=projection.delay + source.start)
            projections.append(projection)
    return graph.with_nodes([*inputs.values(), *projections, *nodes])


def _tables(
    graph: Graph, nodes: list[Population], kind: Any, recurrent: bool, places: dict[str, int],
    input_places: dict[str, int],
) -> Tables:  # fmt: skip
    arithmetic = graph.arithmetic
    assert arithmetic is not None
    rows: list[Array] = []
    projections: list[Array] = []
    pools: dict[str, list[Array]] = {"codes": [], "planes": [], "windows_of": [], "gains": [], "parameters": []}
    states = 0
    for node in nodes:
        count = size(node.shape)
        row = np.zeros(columns.POPULATION_FIELDS, np.int64)
        parameters = _parameters(node, arithmetic)
        row[columns.START], row[columns.NEURONS], row[columns.PLACE] = node.start, count, places[node.name]
        row[columns.STATES], states = states, states + count
        row[columns.PARAMETERS_AT] = _append(pools["parameters"], parameters)
        row[columns.DISTINCT] = parameters.shape[1]
        row[columns.RESET] = RESETS[node.reset]
        row[columns.FURTHER], row[columns.REFRACTORY] = bool(node.kinds), node.refractory
        row[columns.SIGNED], row[columns.ADAPTIVE] = node.threshold_low is not None, node.gain_a is not None
        row[columns.REARM] = node.rearm
        row[columns.FIRST] = len(projections)
        has_dense = False
        for name in node.inputs:
            projection = graph[name]
            assert isinstance(projection, Projection)
            has_dense |= projection.geometry is None
            projections.append(_projection_row(graph, node, projection, recurrent, pools, places, input_places))
        row[columns.LAST] = len(projections)
        fitting = SUMS // max(1, count * np.dtype(kind).itemsize) // dense.ROWS * dense.ROWS
        row[columns.BLOCK] = min(max(fitting, dense.ROWS), 32) if has_dense else 1
        rows.append(row)
    joined = {key: np.concatenate([np.zeros(0, np.int64), *arrays]) for key, arrays in pools.items()}
    return Tables(
        populations=np.stack(rows),
        projections=np.stack(projections) if projections else np.zeros((0, columns.PROJECTION_FIELDS), np.int64),
        codes=joined["codes"].astype(np.int8),
        planes=np.concatenate([np.zeros(0, np.uint64), *pools["planes"]]),
        windows_of=joined["windows_of"],
        gains=joined["gains"].astype(kind),
        parameters=joined["parameters"].astype(kind),
        recurrent=recurrent,
    )


def _append(pool: list[Array], array: Array) -> int:
    """Where `array` begins in the pool, to which it is appended flat."""
    begin = sum(each.size for each in pool)
    pool.append(array.reshape(-1))
    return begin


def _parameters(node: Population, arithmetic: Arithmetic) -> Array:
    """(neuron.PARAMETERS, sets): one set where all neurons are alike, one per channel where those of a channel are,
    else one per neuron."""
    full = 1 << arithmetic.decay_bits
    top = arithmetic.state_max
    none = np.zeros((), np.int64)
    values = {
        neuron.FACTOR_U: full - node.decay_u,
        neuron.FACTOR_V: full - node.decay_v,
        neuron.BIAS_U: node.bias_u,
        neuron.BIAS: node.bias,
        # v never leaves [-top, top]: a threshold beyond decides as one at the edge does.
        neuron.THRESHOLD: node.threshold if node.kinds else np.clip(node.threshold, -top - 1, top),
        neuron.AMOUNT: node.reset_amount,
        neuron.V_INIT: node.v_init,
        neuron.THRESHOLD_LOW: none if node.threshold_low is None else node.threshold_low,
        neuron.FACTOR_A: full - node.decay_a,
        neuron.GAIN_A: none if node.gain_a is None else node.gain_a,
    }
    largest = max(compact(broadcast(value, node.shape), node.shape).size for value in values.values())
    count = size(node.shape)
    per_channel = len(node.shape) > 1 and largest <= node.shape[0] and count // node.shape[0] >= ALIKE
    if node.kinds:
        distinct = count
    elif largest == 1:
        distinct = 1
    else:
        distinct = node.shape[0] if per_channel else count
    result = np.empty((neuron.PARAMETERS, distinct), np.int64)
    for key, value in values.items():
        result[key] = broadcast(value, node.shape).reshape(-1)[:: count // distinct]
    return result


def _projection_row(
    graph: Graph, target: Population, projection: Projection, recurrent: bool, pools: dict[str, list[Array]],
    places: dict[str, int], input_places: dict[str, int],
) -> Array:  # fmt: skip
    source = graph[projection.inputs[0]]
    assert isinstance(source, Input | Population)
    from_input = isinstance(source, Input)
    low, high = seen_range(graph, projection)
    start = 0 if isinstance(source, Input) else source.start
    row = np.zeros(columns.PROJECTION_FIELDS, np.int64)
    row[columns.FROM_INPUT] = from_input
    row[columns.SOURCE_AT] = (input_places if from_input else places)[source.name]
    row[columns.SOURCE_SIZE] = size(source.shape)
    row[columns.SHIFT] = target.start - start - 1 - projection.delay
    row[columns.DIGITS] = digits(projection)
    row[columns.CODES_AT] = _append(pools["codes"], codes_by_source(projection))
    row[columns.PLANES_AT] = _append(pools["planes"], bit_planes(projection))
    row[columns.FLUSH] = np.iinfo(np.int16).max // max(1, largest_code(projection))
    row[columns.PLAIN] = (low, high) == (0, 1) and projection.pooling is None
    row[columns.SIGN], row[columns.MAGNITUDE] = low < 0, max(-low, high).bit_length()
    row[columns.LIMIT] = spike_limit(projection, recurrent) if emitted_range(source) == (0, 1) else 0
    row[columns.SEEN] = size(source.shape)
    pooling = projection.pooling
    if pooling is not None:
        row[columns.SEEN] = size(pooling.out_shape)
        row[[columns.POOL_CHANNELS, columns.POOL_HEIGHT, columns.POOL_WIDTH]] = pooling.in_shape
        row[[columns.WINDOW_Y, columns.WINDOW_X]] = pooling.window
        row[columns.WINDOW_AT] = _append(pools["windows_of"], _windows_of(pooling))
    geometry = projection.geometry
    if geometry is None:
        row[columns.WORDS] = -(-int(row[columns.SEEN]) // 64)
        row[columns.GAIN_AT] = _append(pools["gains"], per_neuron(projection.gain, projection))
        return row
    out, per_group, ky, kx = projection.weight.shape
    row[columns.IS_CONV] = 1
    row[columns.WORDS] = -(-per_group * ky * kx // 64)
    row[columns.GAIN_AT] = _append(pools["gains"], np.broadcast_to(projection.gain, (out,)))
    field = row[columns.CONV_AT :]
    field[conv.GROUPS] = geometry.groups
    field[[conv.CHANNELS, conv.HEIGHT, conv.WIDTH]] = geometry.in_shape
    field[[conv.OUT_CHANNELS, conv.OUT_HEIGHT, conv.OUT_WIDTH]] = geometry.out_shape
    field[[conv.KERNEL_Y, conv.KERNEL_X]] = ky, kx
    field[[conv.STRIDE_Y, conv.STRIDE_X]] = geometry.stride
    field[[conv.TOP, conv.LEFT]] = geometry.padding[0], geometry.padding[2]
    field[[conv.DILATION_Y, conv.DILATION_X]] = geometry.dilation
    return row


def _windows_of(pooling: Pooling) -> Array:
    """For every neuron of the pooled image the window it lies in, -1 where in none."""
    channels, rows, columns = pooling.out_shape
    whole = np.full(pooling.in_shape, -1, np.int64)
    windows = np.arange(channels * rows * columns).reshape(pooling.out_shape)
    spread = windows.repeat(pooling.window[0], axis=1).repeat(pooling.window[1], axis=2)
    whole[:, : spread.shape[1], : spread.shape[2]] = spread
    return whole.reshape(-1)
