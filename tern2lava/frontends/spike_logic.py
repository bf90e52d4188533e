"""Maxima and products of spikes of 0 and 1: neurons of their own that fire where enough of their inputs do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tern2lava.compiler.ir.graph import Delay, Flatten, Identity, Input, Neuron, Node, Reset, SparseLinear
from tern2lava.compiler.ir.shapes import size
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError

if TYPE_CHECKING:
    from tern2lava.frontends.builder import GraphBuilder


def gives_spikes(builder: GraphBuilder, name: str) -> bool:
    """Whether a node gives out 0 and 1 alone: neurons and inputs, and what only moves or delays these."""
    node = _node(builder, name)
    while isinstance(node, Identity | Flatten | Delay) or _moves(node):
        node = _node(builder, node.inputs[0])
    # Neurons that a delay or a loop reads may be promised: what they are is not known yet.
    if isinstance(node, Neuron):
        return node.threshold_low is None and not node.integrates
    return isinstance(node, Input) and node.levels == (0, 1)


def require_spikes(builder: GraphBuilder, source: str, where: object, what: str) -> None:
    """Raise UnsupportedError where `what` (an OR, an AND) would be one of other numbers than 0 and 1."""
    if not gives_spikes(builder, source):
        kind = type(_node(builder, source)).__name__
        raise UnsupportedError(
            str(where), f"{what} of spikes of 0 and 1, which neurons with a threshold compute",
            f"{what} of what {source} ({kind}) gives out",
            "move it behind the neurons (which changes the network)",
        )  # fmt: skip


def _node(builder: GraphBuilder, name: str) -> Node:
    return next(node for node in builder.nodes if node.name == name)


def _moves(node: Node) -> bool:
    """Whether each output of a node is one of its inputs, or 0."""
    return isinstance(node, SparseLinear) and bool(
        (node.values == 1).all() and np.unique(node.rows).size == node.rows.size
    )


def fire_above(
    builder: GraphBuilder, name: str, sources: Sequence[str], where: object, threshold: float, what: str
) -> None:
    """Neurons without memory that fire where the sum of `sources` exceeds `threshold`; `what` says why."""
    shape = builder.shape[sources[0]]
    neurons = Neuron(
        name=name, inputs=tuple(sources), shape=shape, alpha_v=np.zeros(()), threshold=np.full((), threshold),
        reset=Reset.ZERO,
    )  # fmt: skip
    builder.add(neurons, where)
    builder.notes.append(
        f"{name}: {what}, a population of {count(size(shape), 'neuron')} that adds one hardware timestep"
    )
