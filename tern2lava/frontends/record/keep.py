"""A few samples of a module's own run, recorded as it is compiled: what the float model is held against where the user
gives no run of the framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Neuron
from tern2lava.compiler.ir.shapes import Array, Ints, Spikes, size
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import Tern2LavaError

if TYPE_CHECKING:
    import torch

    from tern2lava.frontends.modules.known_modules import Loaded

DENSITIES = (0.1, 0.25, 0.5, 0.8)
"""Shares of input spikes of the candidates, in turn."""


def keep_run(
    module: torch.nn.Module, loaded: Loaded, effort: Effort = NORMAL
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """(arrays of effort.own_samples recorded samples as api.record gives them, without potentials, notes).

    The input is random, of several densities; of effort.own_candidates samples those are kept that make the
    most populations spike. Nothing is kept where the run fails, which a note says.
    """
    from tern2lava.frontends.record.record import record_module

    graph = loaded.graph
    spikes = graph.steps * sum(size(n.shape) for n in graph.of_kind(Neuron))
    count = max(1, min(effort.own_candidates, effort.candidate_spikes // max(1, spikes)))
    inputs = _inputs(graph, count, static=loaded.call == "static")
    try:
        found = record_module(module, _torch_shapes(graph, inputs, module), loaded=loaded, effort=effort)
    except Tern2LavaError as error:
        return {}, (f"no run of the module is kept in the bundle, its recording failed: {error}",)
    populations = [name for name in found if name.startswith("spikes.")]
    chosen = _most_populations({name: found[name] for name in populations}, effort.own_samples)
    arrays = {name: values[chosen] for name, values in inputs.items()}
    arrays |= {name: found[name][chosen] for name in populations}
    if "scores" in found:
        arrays["scores"] = found["scores"][chosen]
    arrays |= {name: found[name] for name in ("dtype", "framework") if name in found}
    silent = [name.removeprefix("spikes.") for name in populations if not arrays[name].any()]
    if not silent:
        return arrays, ()
    return arrays, (f"{', '.join(silent)}: no spike in the {len(chosen)} recorded samples that the bundle keeps",)


def _inputs(graph: Graph, count: int, static: bool) -> dict[str, Spikes]:
    """Random values of every Input, (samples, steps, *shape); static: the same in every step."""
    rng = np.random.default_rng(0)
    found = {}
    for node in graph.of_kind(Input):
        shape = (count, 1 if static else graph.steps, *node.shape)
        low, high = node.levels
        if (low, high) == (0, 1):
            density = np.resize(DENSITIES, count).reshape(-1, *([1] * (len(shape) - 1)))
            values: Spikes = (rng.random(shape) < density).astype(np.uint8)
        else:
            values = rng.integers(low, high + 1, shape).astype(np.int32)
        found[node.name] = np.repeat(values, graph.steps, axis=1) if static else values
    return found


def _torch_shapes(graph: Graph, inputs: dict[str, Spikes], module: Any) -> dict[str, Spikes]:
    """The inputs as the module reads them: one-dimensional layers read (channels, length), held as (channels, 1,
    length)."""
    held = {note.split(":", 1)[0] for note in graph.notes if "is held as" in note}
    return {name: values[..., 0, :] if name in held else values for name, values in inputs.items()}


def _most_populations(spikes: dict[str, Array], samples: int) -> Ints:
    """Numbers of `samples` samples, in order: one after the other that which makes the most further populations spike,
    then those of other densities."""
    fires = np.stack([values.reshape(len(values), -1).any(axis=1) for values in spikes.values()], axis=1)
    chosen: list[int] = []
    covered = np.zeros(fires.shape[1], bool)
    while len(chosen) < min(samples, len(fires)):
        gain = (fires & ~covered).sum(axis=1)
        gain[chosen] = -1
        best = int(gain.argmax())
        chosen.append(best)
        covered |= fires[best]
    return np.asarray(sorted(chosen))
