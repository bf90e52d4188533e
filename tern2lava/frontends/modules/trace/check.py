"""A traced graph held against its module's own run: every spike of every neuron layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Neuron, Output
from tern2lava.compiler.ir.shapes import Reals, Spikes
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.trace.ends import applied
from tern2lava.frontends.modules.trace.outputs import Chosen
from tern2lava.frontends.modules.trace.returned import Returned
from tern2lava.sim.data.readout import needs_states, reach, read, scores
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference.real import NeuronState, run_float

ROUNDING = 1e-9
"""Distance from the threshold, relative to it, within which float64 sums in another order may fall on either side."""


def check_spikes(
    graph: Graph, inputs: dict[str, Reals], own: dict[str, Spikes], source: str, notes: list[str]
) -> Trace:
    """The graph's own run. Raises UnsupportedError where the module's spikes `own` (per neuron node (batch, steps,
    neurons)) are others than the graph's.

    A first difference where the potential meets its threshold within ROUNDING is noted, for the order of sums decides
    there.
    """
    margin: dict[str, list[Reals]] = {node.name: [] for node in graph.of_kind(Neuron) if not node.integrates}

    def observe(name: str, state: NeuronState, met: Reals) -> None:
        if name not in margin:
            return
        size = np.abs(state.threshold) + np.abs(met) + 1e-300
        margin[name].append(np.abs(met - state.threshold) / size)

    trace = run_float(graph, inputs, states=needs_states(graph), observe=observe)
    first: tuple[int, str] | None = None
    for name, spikes in own.items():
        differs = (spikes != trace.spikes[name]).any(axis=(0, 2))
        if differs.any() and (first is None or int(differs.argmax()) < first[0]):
            first = (int(differs.argmax()), name)
    if first is None:
        return trace
    step, name = first
    where = own[name][:, step] != trace.spikes[name][:, step]
    if (margin[name][step][where] <= ROUNDING).all():
        notes.append(
            f"{name}: in the check potentials met the threshold within {ROUNDING:.0e}, where the order of sums decides"
        )
        return trace
    differing = sum(int((own[n] != trace.spikes[n]).sum()) for n in own)
    raise UnsupportedError(
        f"{source}: {name}",
        "a graph that spikes as the module does",
        f"the first difference in step {step}, {differing:,} in all",
        "pass an nn.Sequential of its layers, or a checkpoint with a net.yaml",
    )


SUMS = 1e-9
"""Share of a sum by which another order of its terms may move it."""


def check_returned(
    graph: Graph, trace: Trace, own: dict[str, Spikes], returned: Sequence[Returned], chosen: Sequence[Chosen],
    source: str,
) -> None:  # fmt: skip
    """Raise UnsupportedError where the scores of the graph's outputs are others than what the module returned, up to
    the order of sums, in samples that spike alike."""
    if not chosen:
        return
    samples = len(next(iter(trace.spikes.values())))
    alike = np.ones(samples, bool)
    for name, spikes in own.items():
        alike &= (spikes == trace.spikes[name]).all(axis=(1, 2))
    outputs = graph.of_kind(Output)
    for one, output in zip(chosen, outputs, strict=True):
        (theirs,) = (item.values for item in returned if item.path == one.path)
        wanted = theirs.sum(axis=0) if one.whole else theirs[0]
        mine = scores(graph, trace, output).astype(np.float64)
        room = SUMS * (reach(output, read(graph, trace, output)) + (1.0 if output.readout.in_each_step else 0.0))
        if "argmax" in one.ends:
            classes = np.broadcast_to(wanted, (samples, 1)).astype(int)
            differs = np.take_along_axis(mine + room, classes, 1)[:, 0] < (mine - room).max(axis=1)
        else:
            for end in reversed(one.ends):
                mine, room = applied(end, mine), SUMS * (2.0 + np.abs(mine))
            shape = mine.shape == wanted.shape
            differs = (np.abs(mine - wanted) > room).any(axis=1) if shape else np.ones(samples, bool)
        if (differs & alike).any():
            sample = int(np.flatnonzero(differs & alike)[0])
            name = f"what the forward returns{f' as {one.path}' if one.path else ''}"
            raise UnsupportedError(
                f"{source}: {name}",
                "scores that are what the module returns",
                f"{_shown(mine[sample])} for {_shown(wanted[sample])}",
                "choose readout=... to read the last layer's spikes or potentials instead",
            )


def _shown(values: Reals) -> str:
    return f"[{', '.join(f'{value:.6g}' for value in values[:4])}{', ...' if values.size > 4 else ''}]"
