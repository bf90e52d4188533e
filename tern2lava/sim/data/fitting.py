"""Data held against the bundle that is to run them: steps, the order of the axes, labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Neuron, Output, Population
from tern2lava.compiler.ir.shapes import size
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.sim.data.readout import check_steps
from tern2lava.sim.data.spike_file import SpikeData


def fitted(
    data: SpikeData, program: Graph, steps: int, *, any_steps: bool = False, pad: bool = False, where: object = "data"
) -> SpikeData:
    """`data` as they are to be run: as they are, or with `pad` and fewer steps than `steps`, zeros after them.

    steps: those that the network was compiled for; 0 where it does not say, and any number runs. any_steps: run
    another number all the same. Raises InputError for another number of steps, naming a likely swap of samples and
    steps, for one that the readout has no weights for, and for labels that are no output of the network.
    """
    _check_labels(data, program, where)
    found = data.steps
    for output in program.of_kind(Output):
        if any_steps or pad or not steps:
            check_steps(output, steps if pad and found < steps else found, where)
    if not steps or found == steps:
        return data
    if not any_steps:
        holds = (
            f"requires samples of {count(steps, 'step')}, which the network is compiled for; found "
            f"{count(data.samples, 'sample')} of {count(found, 'step')}"
        )
        if data.samples == steps:
            raise InputError(
                where, f"{holds}, which looks like (steps, samples, ...); transpose with np.swapaxes(x, 0, 1), or pass "
"--any-steps (any_steps=True) if it is meant",
            )  # fmt: skip
        if found > steps or not pad:
            fewer = "--pad (pad=True) to add steps of zeros, or " if found < steps else ""
            raise InputError(where, f"{holds}; pass {fewer}--any-steps (any_steps=True) to run it as it is")
    return replace(data, pad_to=steps) if pad and found < steps else data


def _check_labels(data: SpikeData, program: Graph, where: object) -> None:
    """Raise InputError for the first label that is no output of the network."""
    if data.labels is None:
        return
    output = program.of_kind(Output)[0]
    node = program[output.inputs[0]]
    if not isinstance(node, Neuron | Population):
        return
    outputs = size(node.shape) if output.classes is None else len(output.classes)
    outside = np.flatnonzero((data.labels < 0) | (data.labels >= outputs))
    if outside.size:
        first = int(outside[0])
        raise InputError(
            f"{where}: labels", f"requires labels of 0 to {outputs - 1:,}, the network's outputs; found "
f"{int(data.labels[first]):,} for sample {first:,}; leave out samples without a class",
        )  # fmt: skip
