"""A group of populations as the integer tables and pools that the compiled kernels read (see columns)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Population, Projection, Reset
from tern2lava.compiler.ir.linear import per_neuron
from tern2lava.compiler.ir.shapes import Array, Ints, Pooling, broadcast, compact, size
from tern2lava.compiler.neurons.mechanism import kinds_of
from tern2lava.effort import Effort
from tern2lava.sim.engine import columns, conv, dense, neuron
from tern2lava.sim.engine.calls import Pools, States
from tern2lava.sim.engine.cost import spike_limit
from tern2lava.sim.engine.coverage import seen_range
from tern2lava.sim.engine.scratch import Sizes, Workspace, sizes_of
from tern2lava.sim.engine.weights import bit_planes, codes_by_source, digits, largest_code, rows_by_source

RESETS = {Reset.ZERO: neuron.TO_ZERO, Reset.SUBTRACT: neuron.SUBTRACTS, Reset.NONE: neuron.STAYS}


@dataclass(frozen=True, eq=False, kw_only=True)
class Tables:
    """The arguments of group.run_group that describe one group of populations (see there), what its states are kept
    in, and what it computes in: the sizes, and workspaces that no run uses now.

    addresses is empty until the kernels are loaded (see program)."""

    populations: Ints
    projections: Ints
    pools: Pools
    parameters: States
    span: Ints
    kind: Any
    sizes: Sizes
    addresses: Ints
    spare: list[Workspace] = field(default_factory=list)

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """A workspace of its own for the run within it."""
        try:
            found = self.spare.pop()
        except IndexError:
            found = self.sizes.workspace(self.kind)
        yield found
        self.spare.append(found)

    @property
    def ways(self) -> tuple[int, ...]:
        """The ways of summing and stepping that the group needs (see columns)."""
        used = {*self.projections[:, columns.ADD].tolist(), *self.populations[:, columns.STEP].tolist()}
        return tuple(sorted(used))


def make_tables(
    graph: Graph, nodes: list[Population], kind: Any, recurrent: bool, places: dict[str, int],
    input_places: dict[str, int], effort: Effort,
) -> Tables:  # fmt: skip
    """The tables of `nodes`, states in `kind`; places and input_places: where a node's values begin in a row."""
    arithmetic = graph.arithmetic
    assert arithmetic is not None
    slow = graph.slowdown
    if recurrent:
        # Of all that happens in one round of `slow` hardware timesteps the earliest comes first.
        nodes = sorted(nodes, key=lambda node: node.start % slow)
    rows: list[Ints] = []
    projections: list[Ints] = []
    pools: dict[str, list[Array]] = {"codes": [], "planes": [], "windows_of": [], "gains": [], "parameters": []}
    states = 0
    for node in nodes:
        count = size(node.shape)
        row = np.zeros(columns.POPULATION_FIELDS, np.int64)
        parameters = _parameters(node, arithmetic, effort)
        row[columns.START], row[columns.NEURONS], row[columns.PLACE] = node.start // slow, count, places[node.name]
        row[columns.STATES], states = states, states + count
        row[columns.PARAMETERS_AT] = _append(pools["parameters"], parameters)
        row[columns.DISTINCT] = parameters.shape[1]
        row[columns.RESET] = RESETS[node.reset]
        row[columns.STEP] = _way_of_stepping(node, parameters.shape[1])
        row[columns.REFRACTORY] = node.refractory
        row[columns.SIGNED], row[columns.ADAPTIVE] = node.threshold_low is not None, node.gain_a is not None
        row[columns.REARM] = node.rearm
        row[columns.HALF] = 1 << (arithmetic.decay_bits - 1) if node.decays is Decays.NEAREST else 0
        row[columns.FIRST] = len(projections)
        has_dense = False
        for name in node.inputs:
            projection = graph.projection(name)
            has_dense |= projection.geometry is None
            projections.append(_projection_row(graph, node, projection, recurrent, pools, places, input_places))
        row[columns.LAST] = len(projections)
        fitting = effort.summed_bytes // max(1, count * np.dtype(kind).itemsize) // dense.ROWS * dense.ROWS
        block = min(max(fitting, dense.ROWS), 32) if has_dense and not recurrent else 1
        rows.append(row)
    joined = {key: np.concatenate([np.zeros(0, np.int64), *arrays]) for key, arrays in pools.items()}
    starts = [node.start // slow for node in nodes] if recurrent else [0]
    return Tables(
        populations=np.stack(rows),
        projections=np.stack(projections) if projections else np.zeros((0, columns.PROJECTION_FIELDS), np.int64),
        pools=Pools(
            codes=joined["codes"].astype(np.int8),
            planes=np.concatenate([np.zeros(0, np.uint64), *pools["planes"]]),
            windows_of=joined["windows_of"],
            gains=joined["gains"].astype(kind),
        ),
        parameters=joined["parameters"].astype(kind),
        span=np.array([min(starts), max(starts), block, recurrent], np.int64),
        kind=kind,
        sizes=sizes_of(rows, projections, block),
        addresses=np.zeros(0, np.int64),
    )


def _way_of_stepping(node: Population, sets: int) -> int:
    if kinds_of(node):
        return columns.FURTHER
    return columns.EACH if sets == size(node.shape) > 1 else columns.ALIKE


def _append(pool: list[Array], array: Array) -> int:
    """Where `array` begins in the pool, to which it is appended flat."""
    begin = sum(each.size for each in pool)
    pool.append(array.reshape(-1))
    return begin


def _parameters(node: Population, arithmetic: Arithmetic, effort: Effort) -> Ints:
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
        neuron.THRESHOLD: node.threshold if kinds_of(node) else np.clip(node.threshold, -top - 1, top),
        neuron.AMOUNT: node.reset_amount,
        neuron.V_INIT: node.v_init,
        neuron.THRESHOLD_LOW: none if node.threshold_low is None else node.threshold_low,
        neuron.FACTOR_A: full - node.decay_a,
        neuron.GAIN_A: none if node.gain_a is None else node.gain_a,
    }
    largest = max(compact(broadcast(value, node.shape), node.shape).size for value in values.values())
    count = size(node.shape)
    per_channel = len(node.shape) > 1 and largest <= node.shape[0] and count // node.shape[0] >= effort.alike_neurons
    if kinds_of(node):
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
) -> Ints:  # fmt: skip
    source = graph[projection.inputs[0]]
    assert isinstance(source, Input | Population)
    from_input = isinstance(source, Input)
    low, high = seen_range(graph, projection)
    start = 0 if isinstance(source, Input) else source.start
    row = np.zeros(columns.PROJECTION_FIELDS, np.int64)
    row[columns.FROM_INPUT] = from_input
    row[columns.SOURCE_AT] = (input_places if from_input else places)[source.name]
    row[columns.SOURCE_SIZE] = size(source.shape)
    row[columns.SHIFT] = (target.start - start - 1 - projection.delay) // graph.slowdown
    row[columns.DIGITS] = digits(projection)
    row[columns.PLANES_AT] = _append(pools["planes"], bit_planes(projection))
    row[columns.FLUSH] = np.iinfo(np.int16).max // max(1, largest_code(projection))
    plain = (low, high) == (0, 1) and projection.pooling is None
    row[columns.OUTPUTS] = size(target.shape)
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
        row[columns.ADD] = columns.DENSE if plain else columns.DENSE_LEVELS
        if plain and digits(projection) <= 1:
            rows, row[columns.STRIDE] = rows_by_source(projection)
            row[columns.ROWS_AT] = _append(pools["planes"], rows)
        else:
            row[columns.CODES_AT] = _append(pools["codes"], codes_by_source(projection))
        row[columns.WORDS] = -(-int(row[columns.SEEN]) // 64)
        row[columns.GAIN_AT] = _append(pools["gains"], per_neuron(projection.gain, projection))
        return row
    out, per_group, ky, kx = projection.weight.shape
    row[columns.ADD] = columns.CONV if plain else columns.CONV_LEVELS
    row[columns.CODES_AT] = _append(pools["codes"], codes_by_source(projection))
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


def _windows_of(pooling: Pooling) -> Ints:
    """For every neuron of the pooled image the window it lies in, -1 where in none."""
    channels, rows, columns = pooling.out_shape
    whole = np.full(pooling.in_shape, -1, np.int64)
    windows = np.arange(channels * rows * columns).reshape(pooling.out_shape)
    spread = windows.repeat(pooling.window[0], axis=1).repeat(pooling.window[1], axis=2)
    whole[:, : spread.shape[1], : spread.shape[2]] = spread
    return whole.reshape(-1)
