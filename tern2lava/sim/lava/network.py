"""The child's side of L1: builds the Lava processes of a StockPlan, connects them and runs them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from tern2lava.compiler.ir.graph import Input, Population
from tern2lava.compiler.ir.shapes import Array
from tern2lava.sim.lava.assemble import connect, make_neuron, make_synapse
from tern2lava.sim.lava.compat import require_lava
from tern2lava.sim.lava.parts import neuron_part, synapse_parts
from tern2lava.sim.lava.process_choice import StockPlan, neurons_of
from tern2lava.sim.lava.run import Window
from tern2lava.sim.lava.runtime import Observer, execute
from tern2lava.sim.lava.shared_arrays import STEPS_DONE, SharedArrays


def run(plan: StockPlan, shared: SharedArrays) -> None:
    """Execute the plan in Lava's runtime; `shared` then holds "spikes/NAME", "u/NAME", "v/NAME" of every population."""
    process, observers = build(plan, shared)
    execute(process, plan.lava_steps, observers)


def run_sequentially(plan: StockPlan, shared: SharedArrays) -> None:
    """Execute the plan as `run` does, but one process after the other, without Lava's runtime."""
    from tern2lava.sim.lava.sequential import execute_sequentially

    process, observers = build(plan, shared)
    with ExitStack() as around:
        if any(use.process == "stock Conv" for use in plan.uses):
            from tern2lava.sim.lava.convolve import compiled_convolution

            around.enter_context(compiled_convolution())
        execute_sequentially(process, plan.lava_steps, observers)


def build(plan: StockPlan, shared: SharedArrays) -> tuple[Any, dict[Any, Observer]]:
    """One of the connected processes of the plan, and what records each population into `shared`."""
    require_lava()
    from tern2lava.sim.lava.procs.spikes import SpikeSource

    graph = plan.graph
    assert graph.arithmetic is not None
    counts = neurons_of(graph)
    windows = {
        node.name: Window(
            samples=plan.samples,
            steps=plan.steps,
            period=plan.period,
            start=node.start if isinstance(node, Population) else 0,
            slowdown=graph.slowdown,
        )
        for node in (*graph.of_kind(Input), *graph.of_kind(Population))
    }
    processes: dict[str, Any] = {
        node.name: SpikeSource(
            rows=shared[f"input/{node.name}"], window=windows[node.name], steps_done=shared[STEPS_DONE]
        )
        for node in graph.of_kind(Input)
    }
    observers: dict[Any, Observer] = {}
    for population in graph.of_kind(Population):
        name = population.name
        part = neuron_part(plan.neurons[name], population, graph.arithmetic, counts[name])
        processes[name] = make_neuron(*part, windows[name])
        rows = {kind: shared[f"{kind}/{name}"] for kind in ("spikes", "u", "v")}
        observers[processes[name]] = recorder(rows, windows[name])
    for population in graph.of_kind(Population):
        for name in population.inputs:
            projection = graph.projection(name)
            source = projection.inputs[0]
            parts = synapse_parts(plan.synapses[name], projection, counts[source])
            synapses = [make_synapse(*part) for part in parts]
            connect([processes[source].s_out], synapses, processes[population.name])
    for name, process in processes.items():
        process.name = name
    return next(iter(processes.values())), observers


def recorder(rows: dict[str, Array], window: Window) -> Observer:
    """What copies the spikes, u and v of neurons into shared arrays (samples, steps, neurons)."""

    def record(model: Any, spikes: Array) -> None:
        place = window.place(model.time_step)
        if place is not None:
            rows["spikes"][place], rows["u"][place], rows["v"][place] = spikes, model.u, model.v

    return record
