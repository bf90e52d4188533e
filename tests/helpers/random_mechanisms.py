"""Random INTEGER networks of random_programs whose populations have mechanisms and whose states overflow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from random_programs import Builder
from tern2lava.compiler.certify.ranges import summed_input
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Population, Reset
from tern2lava.compiler.ir.shapes import frozen

KINDS = ("plain", "refractory", "signed", "signed and refractory", "rearm", "adaptive", "relay")


def mechanisms(graph: Graph, rng: np.random.Generator) -> Graph:
    """`graph` with a mechanism for most of its populations, and states of a few bits."""
    bits = int(rng.choice([6, 8, 24]))
    for node in graph.of_kind(Population):
        changed = changes(graph, node, str(rng.choice(KINDS)), rng)
        nodes = [replace(node, **changed) if each is node else each for each in graph.nodes]
        graph = graph.with_nodes(nodes)
    return replace(graph, arithmetic=Arithmetic(state_bits=bits))


def changes(graph: Graph, node: Population, kind: str, rng: np.random.Generator) -> dict[str, Any]:
    """Fields that give a population a mechanism."""
    one = frozen(rng.integers(1, 5, node.shape), np.int64)
    soft = {"reset": Reset.SUBTRACT}
    match kind:
        case "refractory":
            return {"refractory": int(rng.integers(1, 4)), "reset": Reset.ZERO}
        case "signed":
            return {"threshold_low": frozen(-one)}
        case "signed and refractory":
            return {"threshold_low": frozen(np.array(-2)), "refractory": 1}
        case "rearm":
            return soft | {"rearm": True}
        case "adaptive":
            return soft | {"gain_a": one, "decay_a": frozen(rng.integers(0, 4097), np.int64)}
        case "relay" if not loops(graph, node):
            low, high = summed_input(graph, node.inputs, node.shape)
            none, whole = frozen(0, np.int64), frozen(4096, np.int64)
            return {
                "levels": (min(0, int(low.min())), max(0, int(high.max()))), "decay_u": whole, "decay_v": whole,
                "bias": none, "bias_u": none, "threshold": none, "reset_amount": none, "v_init": none,
                "reset": Reset.NONE, "decays": Decays.TRUNCATE,
            }  # fmt: skip
    return {}


def loops(graph: Graph, node: Population) -> bool:
    """Whether a population hears itself, or one that has no place before it."""
    order = [each.name for each in graph.nodes if isinstance(each, Input | Population)]
    sources = [graph.projection(name).inputs[0] for name in node.inputs]
    return any(order.index(source) >= order.index(node.name) for source in sources)


def drawn_network(seed: int) -> Graph:
    """A random network with mechanisms, by its seed."""
    rng = np.random.default_rng(seed)
    return mechanisms(Builder(rng, channel_gain=True).graph(), rng)
