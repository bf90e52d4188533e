"""What core images mean by the product's own decoder and execution, for mutants that change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.graph import Graph, Input
from tern2lava.compiler.ir.linear import accumulate, per_neuron
from tern2lava.errors import Tern2LavaError
from tern2lava.sim.cores import reference as cores
from tern2lava.sim.cores.machine import links

VALUES = ("decay_u", "decay_v", "bias_u", "bias", "threshold", "reset_amount", "v_init")


def meaning(data: list[bytes]) -> Any:
    """The program in the images, the host's last: synapses that are not 0, each with its two neurons, delay and the sum
    of its weights, and the parameters of each neuron. None where the product refuses the images."""
    try:
        images = [decode_core(each) for each in data]
        wires = links(images)
    except Tern2LavaError:
        return None
    rows = []
    for wire in wires:
        source, target = images[wire.source], images[wire.target]
        numbers, flat = _neurons(source)
        targets, places = _neurons(target)
        first = np.cumsum([0] + [group.box.volume for group in target.groups])
        ends = np.cumsum([0] + [axons.count for axons in target.axons])
        for index, axons in enumerate(target.axons):
            block = target.blocks[axons.block]
            inside = (wire.axon >= ends[index]) & (wire.axon < ends[index + 1])
            if not inside.any():
                continue
            weights = accumulate(block.local, np.eye(axons.count)) * per_neuron(block.local.gain, block.local)
            local = weights[wire.axon[inside] - ends[index]].astype(np.int64)
            neuron, reached = np.nonzero(local)
            begin = wire.neuron[inside][neuron]
            end = first[block.group] + reached
            delay = np.full(end.size, block.local.delay)
            columns = (numbers[begin], flat[begin], targets[end], places[end], delay, local[neuron, reached])
            rows.append(np.stack(columns, axis=1))
    synapses = np.concatenate(rows) if rows else np.zeros((0, 6), np.int64)
    keys, where = np.unique(synapses[:, :5], axis=0, return_inverse=True)
    sums = np.zeros(len(keys), np.int64)
    np.add.at(sums, where.reshape(-1), synapses[:, 5])
    return keys[sums != 0].tolist(), sums[sums != 0].tolist(), sorted(_parameters(images))


def _neurons(image: Any) -> tuple[Any, Any]:
    """Population and number in it of each neuron of an image."""
    if not image.groups:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    numbers = np.concatenate([np.full(group.box.volume, group.number) for group in image.groups])
    return numbers, np.concatenate([group.box.flat() for group in image.groups])


def _parameters(images: list[Any]) -> list[Any]:
    found: list[Any] = []
    for image in images:
        for group in image.groups:
            local, flat = group.local, group.box.flat().tolist()
            if local is None:
                found += [(group.number, neuron, group.name) for neuron in flat]
                continue
            names = [name for name in (*VALUES, "threshold_low", "gain_a") if getattr(local, name) is not None]
            names += ["decay_a"] if local.gain_a is not None else []
            values = [np.broadcast_to(getattr(local, name), (len(flat),)).tolist() for name in names]
            values += [np.broadcast_to(value, (len(flat),)).tolist() for _, value in sorted(local.extra.items())]
            modes = (
                group.name, tuple(names), tuple(sorted(local.extra)), local.start, local.reset.value, local.refractory,
                local.rearm, local.levels or (), local.decays.value, str(image.arithmetic),
            )  # fmt: skip
            found += [(group.number, neuron, modes, each) for neuron, *each in zip(flat, *values, strict=True)]
    return found


def executed(graph: Graph, data: list[bytes], seed: int) -> Any:
    """Spikes, currents and potentials of the images on random inputs; None where they cannot be run."""
    rng = np.random.default_rng(seed)
    given = {
        node.name: rng.integers(node.levels[0], node.levels[1] + 1, (4, 12, *node.shape))
        for node in graph.of_kind(Input)
    }
    try:
        trace = cores.run(data[:-1], data[-1], given)
    # Images that tell nonsense end in any way.
    except Exception:
        return None
    return {
        (kind, name): values.tobytes()
        for kind, part in (("s", trace.spikes), ("u", trace.u), ("v", trace.v))
        for name, values in part.items()
    }
