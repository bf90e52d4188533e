"""A traced graph held against its module's own run: every spike of every neuron layer, in pieces of the steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Graph, Output
from tern2lava.compiler.ir.shapes import Bools, Reals, Spikes, size
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.trace.ends import applied
from tern2lava.frontends.modules.trace.outputs import Chosen
from tern2lava.frontends.modules.trace.returned import Returned
from tern2lava.sim.data.readout import needs_states, reach, read, scores
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference.real import NeuronState, RealRun

ROUNDING = 1e-9
"""Distance from the threshold, relative to it, within which float64 sums in another order may fall on either side."""


def check_spikes(
    graph: Graph, inputs: dict[str, Reals], own: dict[str, Spikes], source: str, notes: list[str], values: int
) -> Trace:
    """The graph's own run. Raises UnsupportedError where the module's spikes `own` (per neuron node (batch, steps,
    neurons)) are others than the graph's.

    A first difference where the potential meets its threshold within ROUNDING is noted, for the order of sums decides
    there. `values` of the graph are held at once.
    """
    batch, steps = next(iter(inputs.values())).shape[:2]
    length = max(1, values // max(1, batch * sum(size(shape) for shape in shapes(graph).values())))
    run, states = RealRun(graph, batch), needs_states(graph)
    traces = []
    noted = False
    for begin in range(0, steps, length):
        near: dict[str, list[Bools]] = {name: [] for name in own}

        def observe(name: str, state: NeuronState, met: Reals, near: dict[str, list[Bools]] = near) -> None:
            if name in near:
                unit = np.abs(state.threshold) + np.abs(met) + 1e-300
                near[name].append(np.abs(met - state.threshold) <= ROUNDING * unit)

        piece = slice(begin, begin + length)
        trace = run.advance({name: v[:, piece] for name, v in inputs.items()}, states=states, observe=observe)
        traces.append(trace)
        if noted:
            continue
        differs = {name: spikes[:, piece] != trace.spikes[name] for name, spikes in own.items()}
        found = [(int(d.any(axis=(0, 2)).argmax()), name) for name, d in differs.items() if d.any()]
        if not found:
            continue
        step, name = min(found, key=lambda pair: pair[0])
        if near[name][step][differs[name][:, step]].all():
            notes.append(
                f"{name}: in the check potentials met the threshold within {ROUNDING:.0e}, where the order of sums "
                f"decides; of that run nothing is compared behind step {begin + step}"
            )
            noted = True
            continue
        raise UnsupportedError(
            f"{source}: {name}",
            "a graph that spikes as the module does",
            f"the first difference in step {begin + step}, in {int(differs[name][:, step].sum()):,} of its neurons",
            "pass an nn.Sequential of its layers, or a checkpoint with a net.yaml",
        )
    return Trace(
        spikes={name: np.concatenate([t.spikes[name] for t in traces], axis=1) for name in traces[0].spikes},
        v={name: np.concatenate([t.v[name] for t in traces], axis=1) for name in traces[0].v},
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
