"""A container of layers in a known order, held against its own run: every spike of two samples over all their steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from tern2lava.compiler.ir.shapes import Array, Reals, Shape, Spikes
from tern2lava.effort import Effort
from tern2lava.frontends.modules.known_modules import Loaded, fresh_copy
from tern2lava.frontends.modules.trace.check import check_spikes

DENSITY = 0.4
"""Share of ones in the first sample; the second has the largest value everywhere, which makes most neurons fire."""


def hold_ordered(
    module: torch.nn.Module, loaded: Loaded, given: tuple[str, Shape], levels: tuple[int, int], source: str,
    effort: Effort,
) -> Loaded:  # fmt: skip
    """`loaded`, with notes on what the comparison could not tell. Raises UnsupportedError at the first step in which a
    layer of the module spikes otherwise than the graph."""
    name, shape = given
    graph = loaded.graph
    rng = np.random.default_rng(0)
    full = (graph.steps, *shape)
    drawn: Array = rng.integers(levels[0], levels[1] + 1, full) if levels != (0, 1) else rng.random(full) < DENSITY
    inputs = {name: np.stack([drawn.astype(np.float64), np.full(full, float(levels[1]))])}
    try:
        own = _own_spikes(fresh_copy(module), loaded, inputs[name])
    except Exception as error:
        why = " ".join(str(error).split())[:160]
        told = [f"its own run, which the graph is held against, fails ({type(error).__name__}: {why})"]
    else:
        told = []
        check_spikes(graph, inputs, own, source, told, effort.checked_values)
    return replace(loaded, graph=graph.with_nodes(graph.nodes, notes=(*graph.notes, *told))) if told else loaded


def _own_spikes(module: torch.nn.Module, loaded: Loaded, values: Reals) -> dict[str, Spikes]:
    """Spikes (samples, steps, neurons) of each population, as the module computes them in float64."""
    found: dict[str, list[torch.Tensor]] = {node: [] for node in loaded.names.values()}
    parts = dict(module.named_modules())
    for path, node in loaded.names.items():

        def keep(part: Any, args: Any, output: Any, kept: list[torch.Tensor] = found[node]) -> None:
            kept.append(output[0] if isinstance(output, tuple) else output)

        parts[path].register_forward_hook(keep)
    samples, steps = values.shape[:2]
    x = torch.from_numpy(values).transpose(0, 1).contiguous()
    with torch.no_grad():
        if loaded.call == "time_first":
            module(x)
        else:
            state: tuple[Any, ...] = ()
            for step in x:
                result = module(step, *state)
                handed = isinstance(result, tuple) and type(module).__module__.startswith("norse.")
                state = (result[1],) if handed else ()
    joined = {node: torch.stack(kept).reshape(steps, samples, -1) for node, kept in found.items()}
    return {node: spikes.transpose(0, 1).numpy().astype(np.int8) for node, spikes in joined.items()}
