"""Integer programs with one number made wrong, drawn from a generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Ints, broadcast, frozen


def _bumped(values: Any, shape: tuple[int, ...], rng: np.random.Generator, whole: int = 0) -> Ints:
    """`values` with one more or less in one neuron; within 0 to `whole` where that is given."""
    found = np.array(broadcast(np.asarray(values), shape), np.int64)
    place = tuple(int(rng.integers(n)) for n in shape)
    by = int(rng.choice([-1, 1]))
    if whole:
        by = 1 if found[place] == 0 else -1 if found[place] == whole else by
    found[place] += by
    result: Ints = frozen(found)
    return result


def _parameter(name: str, decay: bool = False) -> Callable[..., Population]:
    def change(rng: np.random.Generator, graph: Graph, population: Population) -> Population:
        assert graph.arithmetic is not None
        whole = 1 << graph.arithmetic.decay_bits if decay else 0
        changes: dict[str, Any] = {name: _bumped(getattr(population, name), population.shape, rng, whole)}
        return replace(population, **changes)

    return change


def _reset(rng: np.random.Generator, graph: Graph, population: Population) -> Population:
    others = [reset for reset in Reset if reset is not population.reset]
    return replace(population, reset=others[int(rng.integers(len(others)))])


def _wire(rng: np.random.Generator, graph: Graph, population: Population) -> Projection:
    return graph.projection(population.inputs[int(rng.integers(len(population.inputs)))])


def _code(rng: np.random.Generator, graph: Graph, population: Population) -> Projection:
    wire = _wire(rng, graph, population)
    weight = np.array(wire.weight)
    place = tuple(int(rng.integers(n)) for n in weight.shape)
    weight[place] = int(rng.choice([code for code in (-1, 0, 1) if code != weight[place]]))
    return replace(wire, weight=frozen(weight))


def _gain(rng: np.random.Generator, graph: Graph, population: Population) -> Projection:
    """The unit of one channel: its gain is twice what it was."""
    wire = _wire(rng, graph, population)
    gain = np.array(np.broadcast_to(wire.gain, (len(wire.weight),)), np.int64)
    gain[int(rng.integers(len(gain)))] *= 2
    return replace(wire, gain=frozen(gain))


def _delay(rng: np.random.Generator, graph: Graph, population: Population) -> Projection:
    wire = _wire(rng, graph, population)
    return replace(wire, delay=wire.delay + 1)


MISTAKES: dict[str, Callable[..., Population | Projection]] = {
    "threshold by 1": _parameter("threshold"), "weight code": _code, "bias by 1": _parameter("bias"),
    "bias of the current by 1": _parameter("bias_u"), "decay of the potential by 1": _parameter("decay_v", True),
    "decay of the current by 1": _parameter("decay_u", True), "reset amount by 1": _parameter("reset_amount"),
    "reset": _reset, "first potential by 1": _parameter("v_init"), "unit of a channel": _gain, "delay by 1": _delay,
}  # fmt: skip


def mistaken(graph: Graph, population: Population, kind: str, rng: np.random.Generator) -> Graph:
    """`graph` with a mistake of this kind in `population` or in a projection into it."""
    changed = MISTAKES[kind](rng, graph, population)
    return graph.with_nodes(changed if node.name == changed.name else node for node in graph.nodes)
