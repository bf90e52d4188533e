"""Runs of the fast engine: one batch, or a stream of pieces, over threads by sample.

Results do not depend on the number of threads or on how samples are cut into pieces: samples never meet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import Bytes, Ints, Spikes, size
from tern2lava.errors import InputError
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.engine.coverage import fits_byte
from tern2lava.sim.engine.group import run_group
from tern2lava.sim.engine.program import Group, Program, Use, prepare
from tern2lava.sim.reference import integer


@dataclass(frozen=True, eq=False, kw_only=True)
class EngineRun:
    """What a run of the fast engine gave: the trace, and what executed each population and why."""

    trace: Trace
    uses: tuple[Use, ...]


def run(
    graph: Graph | Program, inputs: Mapping[str, Spikes], *, states: bool = True, threads: int | None = None
) -> EngineRun:
    """The trace of an INTEGER graph on `inputs` (per Input, values (batch, steps, *shape)), equal to integer.run's.

    threads: as many samples at a time; None takes the cores that this process may use. Arrays of the trace are views
    of one array per kind. Raises InputError for values outside an Input's levels.
    """
    program = graph if isinstance(graph, Program) else prepare(graph)
    batch, steps = next(iter(inputs.values())).shape[:2]
    spikes = np.empty((batch, steps, program.width), np.uint8)
    relays = {p.name: p for p in program.graph.of_kind(Population) if p.levels is not None}
    sums = {name: np.empty((batch, steps, size(p.shape)), np.int32) for name, p in relays.items()}
    v = np.empty((batch if states else 0, steps, program.width), np.int64)
    u = np.empty_like(v)

    def task(begin: int, end: int) -> None:
        span = slice(begin, end)
        part = {name: values[span] for name, values in inputs.items()}
        _run_samples(program, part, spikes[span], {name: s[span] for name, s in sums.items()}, v[span], u[span])

    each = max(1, program.effort.thread_bytes // max(1, steps * program.width))
    count = min(available_cores() if threads is None else threads, batch)
    if count > 1:
        each = min(each, -(-batch // count))
    bounds = [*range(0, batch, each), batch]
    if count <= 1 or len(bounds) <= 2:
        for begin, end in pairwise(bounds):
            task(begin, end)
    else:
        _in_threads(count, task, bounds)
    spans = program.spans
    trace = Trace(
        spikes={
            name: sums[name] if name in sums else spikes[:, :, span].view(program.emits[name])
            for name, span in spans.items()
        },
        v={name: v[:, :, span] for name, span in spans.items()} if states else {},
        u={name: u[:, :, span] for name, span in spans.items()} if states else {},
    )
    return EngineRun(trace=trace, uses=program.uses)


def stream(
    graph: Graph | Program, pieces: Iterable[Mapping[str, Spikes]], *, states: bool = True, threads: int | None = None
) -> Iterator[EngineRun]:
    """One EngineRun for every piece of samples, as it is asked for: memory holds one piece, however many there are."""
    program = graph if isinstance(graph, Program) else prepare(graph)
    for piece in pieces:
        yield run(program, piece, states=states, threads=threads)


def available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_threads(count: int, task: Callable[[int, int], None], bounds: list[int]) -> None:
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(task, begin, end) for begin, end in pairwise(bounds)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            raise


def _run_samples(
    program: Program, inputs: Mapping[str, Spikes], spikes: Bytes, sums: Mapping[str, Spikes], v: Ints, u: Ints
) -> None:
    """Fill spikes (samples, steps, width), what each relay emits (samples, steps, neurons) and, where they are not
    empty, v and u, group after group."""
    arithmetic = program.graph.arithmetic
    assert arithmetic is not None
    packed: Bytes | None = None
    for group in program.groups:
        if group.tables is None:
            _run_reference(program, group, inputs, spikes, sums, v, u)
            continue
        if packed is None:
            packed = _input_rows(program, inputs)
        tables = group.tables
        with tables.workspace() as (scratch, a, own_u, own_v, further):
            run_group(
                tables.populations, tables.projections, tables.addresses, tables.span, tables.pools,
                tables.parameters, scratch, a, own_u, own_v, further, packed, spikes, v, u, arithmetic.decay_bits,
                arithmetic.state_bits,
            )  # fmt: skip


def _input_rows(program: Program, inputs: Mapping[str, Spikes]) -> Bytes:
    """All inputs side by side, (samples, steps, values) uint8, negative values as int8 in its guise; an input that no
    kernel reads leaves its place at 0."""
    nodes = program.graph.of_kind(Input)
    rows = []
    for node in nodes:
        values = np.asarray(inputs[node.name])
        values = values.reshape(*values.shape[:2], -1)
        low, high = node.levels
        if values.size and (values.max() > high or (values.dtype.kind not in "bu" and values.min() < low)):
            raise InputError(
                node.name, f"requires values from {low} to {high}; found others; give whole numbers in its levels"
            )
        if low < -128 or high > 255:
            rows.append(np.zeros(values.shape, np.uint8))
        elif low < 0:
            rows.append(values.astype(np.int8, copy=False).view(np.uint8))
        else:
            rows.append(values.astype(np.uint8, copy=False))
    joined = np.ascontiguousarray(rows[0] if len(rows) == 1 else np.concatenate(rows, axis=2))
    # The kernels are compiled for arrays that can be written.
    return joined if joined.flags.writeable else joined.copy()


def _run_reference(
    program: Program, group: Group, inputs: Mapping[str, Spikes], spikes: Bytes, sums: Mapping[str, Spikes], v: Ints,
    u: Ints,
) -> None:  # fmt: skip
    """Execute a group that the kernels do not cover by the integer reference. What relays emit goes to `sums`, and to
    `spikes` too where a byte holds it, for kernels that read it."""
    assert group.subgraph is not None
    states = v.shape[0] > 0
    given: dict[str, Spikes] = {}
    for node in group.subgraph.of_kind(Input):
        if node.name in inputs:
            given[node.name] = np.asarray(inputs[node.name])
        elif node.name in sums:
            given[node.name] = sums[node.name]
        else:
            place = program.places[node.name]
            emitted: Spikes = spikes[:, :, place : place + size(node.shape)]
            given[node.name] = emitted.view(np.int8) if node.levels[0] < 0 else emitted
    trace = integer.run(group.subgraph, given, states=states)
    for name in group.names:
        span = slice(program.places[name], program.places[name] + trace.spikes[name].shape[2])
        emitted = trace.spikes[name]
        if name in sums:
            sums[name][:] = emitted
            low, high = emitted_range(program.graph[name])
            if fits_byte(low, high):
                spikes[:, :, span] = emitted.astype(np.int8 if low < 0 else np.uint8).view(np.uint8)
        else:
            spikes[:, :, span] = emitted.view(np.uint8)
        if states:
            v[:, :, span], u[:, :, span] = trace.v[name], trace.u[name]
