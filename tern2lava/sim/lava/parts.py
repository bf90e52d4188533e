"""Builds the Lava processes of one population and of one projection, as process_choice.py chose them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Population, Projection
from tern2lava.compiler.ir.shapes import ConvGeometry, broadcast
from tern2lava.sim.lava.process_choice import NeuronPlan, SynapsePlan
from tern2lava.sim.lava.run import Window

PARAMETERS = (
    "decay_u", "decay_v", "bias_u", "bias", "threshold", "threshold_low", "decay_a", "gain_a", "reset_amount", "v_init",
)  # fmt: skip


def build_neuron(chosen: NeuronPlan, population: Population, arithmetic: Arithmetic, count: int, window: Window) -> Any:
    """The process of a population of `count` neurons."""
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
        decay_bits=arithmetic.decay_bits,
        state_bits=arithmetic.state_bits,
        window=window,
    )


def connect(chosen: SynapsePlan, projection: Projection, ports: list[Any], target: Any) -> list[Any]:
    """Connect ports whose spikes (neurons,) add up with `target` through the projection's process; all made for it.

    A SpikeSelect comes before it where it reads a part of the source, a SpikeDelay where one is planned.
    """
    made: list[Any] = []
    if projection.reads is not None:
        from tern2lava.sim.lava.procs.spikes import SpikeSelect

        select = SpikeSelect(neurons=ports[0].shape[0], chosen=projection.reads.flat())
        ports = _into(ports, select)
        made.append(select)
    if chosen.own_delay:
        from tern2lava.sim.lava.procs.spikes import SpikeDelay

        delay = SpikeDelay(neurons=ports[0].shape[0], delay=chosen.own_delay)
        ports = _into(ports, delay)
        made.append(delay)
    geometry = projection.geometry
    if not chosen.use.stock:
        from tern2lava.sim.lava.procs.synapse import TernarySynapse

        synapse = TernarySynapse(
            sources=ports[0].shape[0],
            codes=projection.weight,
            gain=np.array(chosen.gain),
            geometry=None if geometry is None else asdict(geometry),
        )
    elif geometry is None:
        synapse = _build_dense(chosen, projection)
    else:
        conv = _build_conv(chosen, projection, geometry)
        # Lava's images are (width, height, channels), ours (channels, height, width).
        for port in ports:
            port.reshape(geometry.in_shape).transpose([2, 1, 0]).connect(conv.s_in)
        conv.a_out.transpose([2, 1, 0]).flatten().connect(target.a_in)
        return [*made, conv]
    for port in ports:
        port.connect(synapse.s_in)
    synapse.a_out.connect(target.a_in)
    return [*made, synapse]


def _into(ports: list[Any], process: Any) -> list[Any]:
    """The port behind a process that `ports` lead into."""
    for port in ports:
        port.connect(process.s_in)
    return [process.s_out]


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
