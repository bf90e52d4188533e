"""A traced graph held against its module's own run: every spike of every neuron layer."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Neuron
from tern2lava.compiler.ir.shapes import Reals, Spikes
from tern2lava.errors import UnsupportedError
from tern2lava.sim.reference.real import NeuronState, run_float

ROUNDING = 1e-9
"""Distance from the threshold, relative to it, within which float64 sums in another order may fall on either side."""


def check_spikes(graph: Graph, inputs: dict[str, Reals], own: dict[str, Spikes], source: str, notes: list[str]) -> None:
    """Raise UnsupportedError where the module's spikes `own` (per neuron node (batch, steps, neurons)) are others than
    the graph's.

    A first difference where the potential meets its threshold within ROUNDING is noted, for the order of sums decides
    there.
    """
    margin: dict[str, list[Reals]] = {node.name: [] for node in graph.of_kind(Neuron)}

    def observe(name: str, state: NeuronState, met: Reals) -> None:
        size = np.abs(state.threshold) + np.abs(met) + 1e-300
        margin[name].append(np.abs(met - state.threshold) / size)

    trace = run_float(graph, inputs, states=False, observe=observe)
    first: tuple[int, str] | None = None
    for name, spikes in own.items():
        differs = (spikes != trace.spikes[name]).any(axis=(0, 2))
        if differs.any() and (first is None or int(differs.argmax()) < first[0]):
            first = (int(differs.argmax()), name)
    if first is None:
        return
    step, name = first
    where = own[name][:, step] != trace.spikes[name][:, step]
    if (margin[name][step][where] <= ROUNDING).all():
        notes.append(
            f"{name}: in the check potentials met the threshold within {ROUNDING:.0e}, where the order of sums decides"
        )
        return
    differing = sum(int((own[n] != trace.spikes[n]).sum()) for n in own)
    raise UnsupportedError(
        f"{source}: {name}",
        "a graph that spikes as the module does",
        f"the first difference in step {step}, {differing:,} in all",
        "pass an nn.Sequential of its layers, or a checkpoint with a net.yaml",
    )
