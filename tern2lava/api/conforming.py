"""Holding recorded traces of a network, of whatever back end, against the network's own equations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava import arguments
from tern2lava.api.compiling import compile
from tern2lava.api.data import SpikesLike, given_spikes
from tern2lava.api.simulating import simulate
from tern2lava.arguments import public
from tern2lava.compiler.ir.graph import Graph, Input, Neuron
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.compiler.options import Options
from tern2lava.effort import NORMAL, Effort, effort_of
from tern2lava.errors import InputError
from tern2lava.frontends.files.hdf5 import is_hdf5, read_hdf5
from tern2lava.frontends.load import load
from tern2lava.frontends.nir.file import is_nir
from tern2lava.frontends.nir.read import seconds_of
from tern2lava.memory_need import require_memory
from tern2lava.sim.data.readout import potentials
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.reading.oracle import Oracle
from tern2lava.sim.reading.verify import read_all
from tern2lava.sim.reference.real import run_float
from tern2lava.sim.verify.conform import Conformance, agreements

_WHEN = ("after", "before")


@public
def conformance(
    source: str | Path | Graph,
    data: SpikesLike,
    *,
    against: SpikesLike | None = None,
    target: str | Path | None = None,
    when: str = "after",
    tolerance: float | None = None,
    options: Options | None = None,
    effort: Effort | str = NORMAL,
    **load_options: Any,
) -> Conformance:
    """Recorded traces of a network held against its own equations in float64, against the integers that it becomes on
    `target`, or against the traces `against` of another back end; population by population.

    source: a NIR file, or what else `load` takes with load_options. data: what entered and what was recorded, as
    NIRData (docs/nir.md) or an npz file (docs/oracle.md). when: whether potentials of NIRData are those after or before
    the reset of the same step. tolerance: the distance of potentials that is allowed; None: that of rounding, against
    the equations, else any. options: of `compile`, with a target. Raises InputError.
    """
    arguments.choice(when, "when", _WHEN)
    if tolerance is not None:
        tolerance = arguments.number(tolerance, "tolerance", "a number of 0 or more", lambda n: n >= 0, "give one")
    if against is not None and target is not None:
        raise InputError("against", "requires no target; found both; hold the traces against one of them")
    wanted = effort_of(effort)
    graph = load(source, effort=wanted, **load_options)
    dt = _seconds(source, load_options.get("dt"))
    spikes, oracle, ignored = _traces(data, "data", graph, dt, when, wanted)
    found = {name: np.asarray(values[0 : spikes.samples]) for name, values in oracle.spikes.items()}
    found_v = {name: np.asarray(values[0 : spikes.samples]) for name, values in oracle.v.items()}
    reading = None
    if against is not None:
        theirs, other, more = _traces(against, "against", graph, dt, when, wanted, of=spikes)
        _check_inputs(spikes, theirs)
        ignored = (*ignored, *(name for name in more if name not in ignored))
        expected = {name: np.asarray(values[0 : spikes.samples]) for name, values in other.spikes.items()}
        expected_v = {name: np.asarray(values[0 : spikes.samples]) for name, values in other.v.items()}
        said = "the other traces"
    elif target is not None:
        compiled = compile(graph, target, options=replace(options or Options(), steps=spikes.steps), effort=wanted)
        ran = simulate(compiled, spikes, states=bool(found_v), any_steps=True, effort=wanted).trace
        expected = {name: values for name, values in ran.spikes.items() if name in found or name in found_v}
        expected_v = {} if when == "before" else {
            name: potentials(compiled.lowered.program, ran, name) for name in found_v if name in ran.v
        }  # fmt: skip
        said = f"the integers of {target}"
    else:
        reading = read_all(graph, spikes, oracle, effort=wanted)
        own, own_v = _own(graph, spikes, when, set(found_v))
        expected, expected_v = dict(own), dict(own_v)
        said = "the network's equations in float64"
    rows = agreements(found, found_v, expected, expected_v, reading)
    if not rows:
        raise InputError("data", "requires traces of a population that both runs have; found none; record them")
    lacking = [name for name in {**found, **found_v} if name not in {row.population for row in rows}]
    return Conformance(
        against=said, samples=spikes.samples, steps=spikes.steps, populations=rows, ignored=(*ignored, *lacking),
        tolerance=tolerance, reading=reading,
    )  # fmt: skip


def _seconds(source: object, dt: float | None) -> float | None:
    """The time step of a NIR file; None of other networks."""
    if not isinstance(source, (str, os.PathLike)) or not is_hdf5(Path(source)):
        return dt
    tree = read_hdf5(Path(source))
    return seconds_of(tree, source, dt) if is_nir(tree) else dt


def _traces(
    data: SpikesLike, name: str, graph: Graph, dt: float | None, when: str, effort: Effort,
    of: SpikeData | None = None,
) -> tuple[SpikeData, Oracle, tuple[str, ...]]:  # fmt: skip
    """(what entered, what was recorded of populations, what else was recorded); traces that hold no inputs are those of
    the inputs `of`."""
    given = given_spikes(data, graph, name, dt=dt)
    if given.arrays is not None:
        arrays = dict(given.arrays)
        if given.source is not None and "v_when" in arrays:
            arrays["v_when"] = when
        inputs = {"spikes", *(node.name for node in graph.of_kind(Input))}
        if of is not None and not inputs & set(arrays):
            arrays |= of.values()
        given = replace(given, arrays=arrays)
    spikes = given.spike_data(graph, 0, any_steps=True, pad=False, effort=effort)
    oracle = given.oracle(graph, spikes, effort)
    if oracle is None:
        raise InputError(
            given.where,
            "requires traces of the network's populations; found none; record spikes (or potentials) of "
            + ", ".join(node.name for node in graph.of_kind(Neuron)),
        )
    return spikes, oracle, given.ignored


def _check_inputs(mine: SpikeData, theirs: SpikeData) -> None:
    """Raise InputError where two recordings are of other inputs."""
    ours, others = mine.values(), theirs.values()
    for name, values in ours.items():
        if not np.array_equal(values, others[name]):
            raise InputError(
                f"against: {name}", "requires the inputs of data; found others; record both back ends on the same"
            )


def _own(graph: Graph, spikes: SpikeData, when: str, read: set[str]) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """Spikes and potentials of the network's own run."""
    neurons = sum(size(node.shape) for node in graph.of_kind(Neuron))
    require_memory(
        "conformance", f"run {spikes.samples:,} samples of {spikes.steps:,} steps", 10 * 8 * spikes.samples
        * spikes.steps * neurons, "record fewer samples",
    )  # fmt: skip
    trace = run_float(graph, spikes.values(), states=True)
    after = {} if when == "before" else {name: trace.v[name] for name in read}
    return trace.spikes, after
