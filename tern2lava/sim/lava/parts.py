"""What Lava processes a population and a projection become, as process_choice.py chose them. Imports no Lava.

A part is a class of process and what it is made with, in numbers and arrays: assemble.py makes it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Population, Projection
from tern2lava.compiler.ir.shapes import ConvGeometry, broadcast
from tern2lava.sim.lava.assemble import Parts
from tern2lava.sim.lava.process_choice import NeuronPlan, SynapsePlan

PARAMETERS = (
    "decay_u", "decay_v", "bias_u", "bias", "threshold", "threshold_low", "decay_a", "gain_a", "reset_amount", "v_init",
)  # fmt: skip


def neuron_part(chosen: NeuronPlan, population: Population, arithmetic: Arithmetic, count: int) -> Parts:
    """The process of a population of `count` neurons."""
    if chosen.use.process == "stock TernaryLIF":
        thresholds = {"vth_hi": chosen.vth, "vth_lo": chosen.vth_low}
        return ("TernaryLIF", {"shape": (count,), "du": chosen.du, "dv": chosen.dv, **thresholds})
    if chosen.use.stock:
        return (
            "LIFReset",
            {
                "shape": (count,), "du": chosen.du, "dv": chosen.dv, "vth": chosen.vth, "bias_mant": chosen.bias_mant,
                "bias_exp": chosen.bias_exp,
            },
        )  # fmt: skip
    parameters = {
        key: np.array(broadcast(getattr(population, key), population.shape).reshape(-1), np.int64)
        for key in PARAMETERS
        if getattr(population, key) is not None
    }
    return (
        "TernaryNeuron",
        {
            "neurons": count, "parameters": parameters, "reset": population.reset.value,
            "refractory": population.refractory, "rearm": population.rearm, "relay": population.levels is not None,
            "decays": population.decays.value, "shift": chosen.shift, "decay_bits": arithmetic.decay_bits,
            "state_bits": arithmetic.state_bits,
        },
    )  # fmt: skip


def synapse_parts(chosen: SynapsePlan, projection: Projection, sources: int) -> list[Parts]:
    """The processes of a projection from `sources` neurons, one behind the other: a SpikeSelect where it reads a part
    of the source, a SpikeDelay where one is planned, the connection."""
    parts: list[Parts] = []
    if projection.reads is not None:
        parts.append(("SpikeSelect", {"neurons": sources, "chosen": projection.reads.flat()}))
        sources = projection.reads.volume
    if chosen.own_delay:
        parts.append(("SpikeDelay", {"neurons": sources, "delay": chosen.own_delay}))
    geometry = projection.geometry
    if not chosen.use.stock:
        shape = None if geometry is None else asdict(geometry)
        values = {"sources": sources, "codes": projection.weight, "gain": np.array(chosen.gain), "geometry": shape}
        parts.append(("TernarySynapse", values))
    elif geometry is None:
        parts.append(_dense(chosen, projection))
    else:
        parts.append(_conv(chosen, projection, geometry))
    return parts


def _dense(chosen: SynapsePlan, projection: Projection) -> Parts:
    """Lava's Dense, Sparse or DelayDense with weights that are exactly codes * 2^exponent."""
    spare = 9 - projection.bits
    values: dict[str, Any] = {
        "weights": projection.weight.astype(np.int32) << spare,
        "num_weight_bits": projection.bits,
        "weight_exp": chosen.exponent - spare,
        "num_message_bits": chosen.message_bits,
    }
    if chosen.own_delay == 0 and projection.delay:
        return ("DelayDense", values | {"delays": projection.delay})
    return (chosen.use.process.removeprefix("stock "), values)


def _conv(chosen: SynapsePlan, projection: Projection, geometry: ConvGeometry) -> Parts:
    """Lava's Conv, a true convolution over (x, y): the kernel flipped and transposed, pairs reversed."""
    weight = projection.weight.astype(np.int32)[:, :, ::-1, ::-1].transpose(0, 3, 2, 1) << chosen.exponent
    channels, height, width = geometry.in_shape
    return (
        "Conv",
        {
            "weight": np.ascontiguousarray(weight), "input_shape": (width, height, channels),
            "padding": (geometry.padding[2], geometry.padding[0]), "stride": geometry.stride[::-1],
            "dilation": geometry.dilation[::-1], "groups": geometry.groups, "num_weight_bits": 8,
            "num_message_bits": chosen.message_bits,
        },
    )  # fmt: skip
