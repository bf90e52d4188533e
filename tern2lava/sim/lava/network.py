"""The child's side of L1: builds the Lava processes of a StockPlan, connects them and runs them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Input, Population, Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, broadcast
from tern2lava.sim.lava.compat import require_lava
from tern2lava.sim.lava.process_choice import NeuronPlan, StockPlan, SynapsePlan, neurons_of
from tern2lava.sim.lava.run import Window
from tern2lava.sim.lava.runtime import Observer, execute
from tern2lava.sim.lava.shared_arrays import STEPS_DONE, SharedArrays

PARAMETERS = (
    "decay_u", "decay_v", "bias_u", "bias", "threshold", "threshold_low", "decay_a", "gain_a", "reset_amount", "v_init",
)  # fmt: skip


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
    counts = neurons_of(graph)
    windows = {
        node.name: Window(
            samples=plan.samples,
            steps=plan.steps,
            period=plan.period,
            start=node.start if isinstance(node, Population) else 0,
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
        processes[name] = _build_neuron(plan, population, counts[name], windows[name])
        observers[processes[name]] = _recorder(shared, name, windows[name])
    for population in graph.of_kind(Population):
        for name in population.inputs:
            projection = graph.projection(name)
            _connect(plan.synapses[name], projection, processes[projection.inputs[0]], processes[population.name])
    for name, process in processes.items():
        process.name = name
    return next(iter(processes.values())), observers


def _recorder(shared: SharedArrays, name: str, window: Window) -> Observer:
    """What copies the spikes and states of a population into the shared arrays, (samples, steps, neurons)."""
    rows = {kind: shared[f"{kind}/{name}"] for kind in ("spikes", "u", "v")}

    def record(model: Any, spikes: Array) -> None:
        place = window.place(model.time_step)
        if place is not None:
            rows["spikes"][place], rows["u"][place], rows["v"][place] = spikes, model.u, model.v

    return record


def _build_neuron(plan: StockPlan, population: Population, count: int, window: Window) -> Any:
    """The process of a population."""
    chosen: NeuronPlan = plan.neurons[population.name]
    if chosen.use.stock:
        from lava.proc.lif.process import LIFReset

        return LIFReset(
            shape=(count,),
            du=chosen.du,
            dv=chosen.dv,
            vth=chosen.vth,
            bias_mant=chosen.bias_mant,
            bias_exp=chosen.bias_exp,
            reset_interval=window.period,
            reset_offset=window.start + 1,
        )
    from tern2lava.sim.lava.procs.neuron import TernaryNeuron

    assert plan.graph.arithmetic is not None
    return TernaryNeuron(
        neurons=count,
        parameters={
            key: np.array(broadcast(getattr(population, key), population.shape).reshape(-1), np.int64)
            for key in PARAMETERS
            if getattr(population, key) is not None
        },
        reset=population.reset.value,
        refractory=population.refractory,
        rearm=population.rearm,
        relay=population.levels is not None,
        decays=population.decays.value,
        shift=chosen.shift,
        decay_bits=plan.graph.arithmetic.decay_bits,
        state_bits=plan.graph.arithmetic.state_bits,
        window=window,
    )


def _connect(chosen: SynapsePlan, projection: Projection, source: Any, target: Any) -> None:
    """Connect source and target through the projection's process.

    A SpikeSelect comes before it where it reads a part of the source, a SpikeDelay where one is planned.
    """
    spikes = source.s_out
    if projection.reads is not None:
        from tern2lava.sim.lava.procs.spikes import SpikeSelect

        select = SpikeSelect(neurons=spikes.shape[0], chosen=projection.reads.flat())
        spikes.connect(select.s_in)
        spikes = select.s_out
    if chosen.own_delay:
        from tern2lava.sim.lava.procs.spikes import SpikeDelay

        delay = SpikeDelay(neurons=spikes.shape[0], delay=chosen.own_delay)
        spikes.connect(delay.s_in)
        spikes = delay.s_out
    geometry = projection.geometry
    if not chosen.use.stock:
        from tern2lava.sim.lava.procs.synapse import TernarySynapse

        synapse = TernarySynapse(
            sources=spikes.shape[0],
            codes=projection.weight,
            gain=np.array(chosen.gain),
            geometry=None if geometry is None else asdict(geometry),
        )
    elif geometry is None:
        synapse = _build_dense(chosen, projection)
    else:
        conv = _build_conv(chosen, projection, geometry)
        # Lava's images are (width, height, channels), ours (channels, height, width).
        spikes.reshape(geometry.in_shape).transpose([2, 1, 0]).connect(conv.s_in)
        conv.a_out.transpose([2, 1, 0]).flatten().connect(target.a_in)
        return
    spikes.connect(synapse.s_in)
    synapse.a_out.connect(target.a_in)


def _build_dense(chosen: SynapsePlan, projection: Projection) -> Any:
    """Lava's Dense or DelayDense with weights that are exactly codes * 2^exponent."""
    from lava.proc.dense.process import DelayDense, Dense
    from lava.utils.weightutils import SignMode

    spare = 9 - projection.bits
    options: dict[str, Any] = {
        "weights": projection.weight.astype(np.int32) << spare,
        "num_weight_bits": projection.bits,
        "weight_exp": chosen.exponent - spare,
        "sign_mode": SignMode.MIXED,
        "num_message_bits": chosen.message_bits,
    }
    if chosen.own_delay == 0 and projection.delay:
        return DelayDense(delays=projection.delay, **options)
    return Dense(**options)


def _build_conv(chosen: SynapsePlan, projection: Projection, geometry: ConvGeometry) -> Any:
    """Lava's Conv, a true convolution over (x, y): the kernel flipped and transposed, pairs reversed."""
    from lava.proc.conv.process import Conv

    weight = projection.weight.astype(np.int32)[:, :, ::-1, ::-1].transpose(0, 3, 2, 1) << chosen.exponent
    channels, height, width = geometry.in_shape
    return Conv(
        weight=np.ascontiguousarray(weight),
        input_shape=(width, height, channels),
        padding=(geometry.padding[2], geometry.padding[0]),
        stride=geometry.stride[::-1],
        dilation=geometry.dilation[::-1],
        groups=geometry.groups,
        num_weight_bits=8,
        num_message_bits=chosen.message_bits,
    )
