"""The child's side of LM: builds the Lava processes of a MappedPlan, connects them along the routes and runs them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.sim.lava.assemble import fill_core
from tern2lava.sim.lava.compat import require_lava
from tern2lava.sim.lava.mapped.plan import CorePlan, MappedPlan, groups_of, readouts
from tern2lava.sim.lava.mapped.wiring import Connection
from tern2lava.sim.lava.network import recorder
from tern2lava.sim.lava.run import Window
from tern2lava.sim.lava.runtime import Observer, compile_network, execute, observe
from tern2lava.sim.lava.shared_arrays import STEPS_DONE, SharedArrays

# OutPort by (place of the core, group), None for the host; InPort by the connection that ends in it.
Senders = dict[tuple[int | None, int], Any]
Receivers = dict[Connection, Any]


def preload() -> None:
    """Import Lava's processes of cores early, so that the first job starts fast."""
    require_lava()
    importlib.import_module("tern2lava.sim.lava.procs.neuro_core")
    importlib.import_module("tern2lava.sim.lava.procs.core_cluster")


def run(plan: MappedPlan, shared: SharedArrays) -> None:
    """Execute the plan in Lava's runtime; `shared` then holds "spikes/C.G", "u/C.G" and "v/C.G" of group G of core
    C, by place, and "read/C.G" of each readout."""
    require_lava()
    with ExitStack() as around:
        if any(part.process == "stock Conv" for part in plan.use.parts):
            from tern2lava.sim.lava.convolve import compiled_convolution

            around.enter_context(compiled_convolution())
        probes: dict[Any, Observer] = {}
        process = build(plan, shared, probes)
        execute(process, plan.lava_steps, probes)


def build(plan: MappedPlan, shared: SharedArrays, probes: dict[Any, Observer]) -> Any:
    """One of the connected processes of the plan. probes: gets what records the neurons of each group, once Lava has
    compiled the processes."""
    from tern2lava.sim.lava.procs.neuro_core import Readout
    from tern2lava.sim.lava.procs.spikes import SpikeSource

    senders: Senders = {}
    receivers: Receivers = {}
    if plan.shared:
        for places in plan.shared:
            _add_cluster(plan, places, shared, senders, receivers)
    else:
        for place in range(len(plan.cores)):
            _add_core(plan, place, shared, probes, senders, receivers)
    sources = []
    for number, group in enumerate(plan.wiring.host.groups):
        source = SpikeSource(
            rows=shared[f"input/{number}"], window=plan.input_window, steps_done=shared[STEPS_DONE]
        )  # fmt: skip
        source.name = f"input {group.name}"
        senders[None, number] = source.s_out
        sources.append(source)
    for connection in plan.wiring.connections:
        if (connection.source, connection.group) in senders and connection in receivers:
            _lead(connection, senders, receivers)
    for core, number in readouts(plan.wiring):
        window = plan.cores[core].windows[f"g{number}"]
        readout = Readout(
            neurons=senders[core, number].shape[0], record=partial(_read, shared[f"read/{core}.{number}"], window)
        )  # fmt: skip
        readout.name = f"readout of {plan.wiring.cores[core].groups[number].name}"
        senders[core, number].connect(readout.s_in)
        sources.append(readout)
    apart = plan.wiring.apart()
    if len(apart) > 1:
        _join(senders[group] for group in apart)
    return sources[0]


def _join(senders: Iterable[Any]) -> None:
    """Connect groups that no route connects, by a readout that takes none of their spikes: Lava 0.10 compiles and runs
    what is connected."""
    from tern2lava.sim.lava.procs.neuro_core import Readout, RoutePort

    nothing = np.zeros(0, np.int64)
    clock = Readout(neurons=1, record=lambda time_step, spikes: None)
    for sender in senders:
        RoutePort(sender, clock.s_in, nothing, nothing)


def _lead(connection: Connection, senders: Senders, receivers: Receivers) -> None:
    """Connect the two ports of a route."""
    from tern2lava.sim.lava.procs.neuro_core import RoutePort

    source = senders[connection.source, connection.group]
    RoutePort(source, receivers[connection], connection.sent, connection.axon)


def _read(rows: Array, window: Window, time_step: int, spikes: Array) -> None:
    place = window.place(time_step)
    if place is not None:
        rows[place] = spikes


def _add_core(
    plan: MappedPlan, place: int, shared: SharedArrays, probes: dict[Any, Observer], senders: Senders,
    receivers: Receivers,
) -> None:  # fmt: skip
    """The process of a core, and its ports."""
    from tern2lava.sim.lava.procs.neuro_core import NeuroCore

    image, chosen = plan.wiring.cores[place], plan.cores[place]
    into = [plan.wiring.into(place, number) for number in range(len(image.axons))]
    core = NeuroCore(
        axons=[(axons.count, len(routes)) for axons, routes in zip(image.axons, into, strict=True)],
        neurons=[group.box.volume for group in image.groups],
        fill=partial(_fill, chosen, place, shared, probes),
    )
    core.name = f"core {image.core}"
    for number, routes in enumerate(into):
        receivers |= zip(routes, core.ports_of(number), strict=True)
    for number in range(len(image.groups)):
        senders[place, number] = getattr(core, f"spikes_{number}")


def _fill(chosen: CorePlan, place: int, shared: SharedArrays, probes: dict[Any, Observer], core: Any) -> list[Any]:
    """The processes that a core consists of, connected with its ports."""

    made, neurons = fill_core(core, groups_of(chosen))
    for number, neuron in enumerate(neurons):
        rows = {kind: shared[f"{kind}/{place}.{number}"] for kind in ("spikes", "u", "v")}
        probes[neuron] = recorder(rows, chosen.windows[f"g{number}"])
    return made


def _add_cluster(
    plan: MappedPlan, places: tuple[int, ...], shared: SharedArrays, senders: Senders, receivers: Receivers
) -> None:
    """The process that some cores share, and its ports: those that a core outside, the host or a readout uses."""
    from tern2lava.sim.lava.procs.core_cluster import Gate, cluster_of

    inner_senders: Senders = {}
    inner_receivers: Receivers = {}
    probes: dict[Any, Observer] = {}
    for place in places:
        _add_core(plan, place, shared, probes, inner_senders, inner_receivers)
    inside = set(places)
    read = set(readouts(plan.wiring))
    gates: dict[str, Any] = {}
    taps: dict[str, Any] = {}
    leads: dict[str, Connection] = {}
    leaves: dict[str, tuple[int, int]] = {}
    for number, connection in enumerate(plan.wiring.connections):
        comes, goes = connection.source in inside, connection.target in inside
        if comes and goes:
            _lead(connection, inner_senders, inner_receivers)
        elif goes:
            name = f"route_{number}"
            port = inner_receivers[connection]
            leads[name], gates[name] = connection, Gate(axons=port.shape[0])
            gates[name].s_out.connect(port)
        elif comes:
            assert connection.source is not None
            _tap(taps, leaves, (connection.source, connection.group), inner_senders)
    for each in read:
        if each[0] in inside:
            _tap(taps, leaves, each, inner_senders)
    _join(inner_senders.values())
    first = next(iter(inner_senders.values())).process
    executable = compile_network(first)
    for neuron, observer in probes.items():
        observe(executable.proc_builders[neuron], observer)
    kind = cluster_of(
        {name: gate.s_out.shape[0] for name, gate in gates.items()},
        {name: tap.s_in.shape[0] for name, tap in taps.items()},
    )
    cluster = kind(executable=executable, gates=gates, taps=taps)
    cluster.name = f"cores {', '.join(str(plan.cores[place].core) for place in places)}"
    receivers |= {connection: getattr(cluster, name) for name, connection in leads.items()}
    senders |= {sender: getattr(cluster, name) for name, sender in leaves.items()}


def _tap(taps: dict[str, Any], leaves: dict[str, tuple[int, int]], sender: tuple[int, int], inner: Senders) -> None:
    """Let a group's spikes leave the cluster, once."""
    from tern2lava.sim.lava.procs.core_cluster import Tap

    name = f"spikes_{sender[0]}_{sender[1]}"
    leaves[name] = sender
    if name not in taps:
        taps[name] = Tap(neurons=inner[sender].shape[0])
        inner[sender].connect(taps[name].s_in)
