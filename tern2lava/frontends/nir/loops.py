"""Where spikes wait a step in a recurrent NIR graph, which says nothing of the order within a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import networkx

from tern2lava.errors import UnsupportedError
from tern2lava.frontends.nir.file import NEURONS, Edge, NirGraph

ROOT = ("",)


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order in which nodes can be built: `forward` names every node once, each behind its inputs but for `late`
    edges, which close loops. `waiting` edges carry what was sent one step before."""

    forward: tuple[str, ...]
    late: tuple[Edge, ...]
    waiting: frozenset[Edge]


def order_nodes(graph: NirGraph, delays: Mapping[str, tuple[int, int]]) -> Order:
    """The order of `graph`, `delays` naming the fewest and most steps of its Delay nodes.

    An edge closes a loop where its target lies on every way from the inputs to its source (a back edge of a reducible
    flow graph; Hecht and Ullman, SIAM J. Comput. 1, 1972). Around such a loop without a Delay, spikes wait one step
    where they leave the last neurons before the edge: frameworks feed back the spikes of the step before. Raises
    UnsupportedError for a loop that can be entered at two places, for then which edge waits is anyone's guess.
    """
    delayed = frozenset(name for name, (least, _) in delays.items() if least > 0)
    digraph = networkx.DiGraph()
    digraph.add_nodes_from(graph.nodes)
    digraph.add_edges_from(graph.edges)
    entries = [name for name in graph.nodes if not graph.sources(name)]
    flow = digraph.copy()
    flow.add_edges_from((ROOT, name) for name in entries)
    reached = networkx.descendants(flow, ROOT) if entries else set()
    unreachable = [name for name in graph.nodes if name not in reached]
    if unreachable:
        raise UnsupportedError(
            unreachable[0], "nodes that can be reached from an input", "a loop on its own", "remove it, or feed it"
        )
    above = networkx.immediate_dominators(flow, ROOT)

    def dominates(node: str, other: object) -> bool:
        while other != ROOT:
            if other == node:
                return True
            other = above[other]
        return False

    for loop in networkx.strongly_connected_components(digraph):
        mixed = [name for name in sorted(loop) if len(loop) > 1 and _mixed(delays.get(name))]
        if mixed:
            raise UnsupportedError(
                mixed[0], "a Delay in a loop of no steps for all values, or of one and more for all", "some of 0",
                "say the delays of 0 as one step, which the loop takes anyway, where that is meant",
            )  # fmt: skip
    late = tuple(edge for edge in graph.edges if dominates(edge[1], edge[0]))
    forward = digraph.copy()
    forward.remove_edges_from(late)
    try:
        order = tuple(networkx.lexicographical_topological_sort(forward, key=list(graph.nodes).index))
    except networkx.NetworkXUnfeasible:
        loop = " -> ".join(edge[0] for edge in networkx.find_cycle(forward))
        raise UnsupportedError(
            loop,
            "a loop to be entered at one node, so that it is clear which edge waits a step",
            "a loop entered at two nodes",
            "put a Delay of one step into it",
        ) from None
    quick = forward.copy()
    quick.remove_edges_from([edge for edge in graph.edges if edge[1] in delayed])
    waiting: set[Edge] = set()
    for edge in late:
        waiting |= _waiting(graph, edge, edge[1], quick, delayed)
    return Order(forward=order, late=late, waiting=frozenset(waiting))


def _mixed(delays: tuple[int, int] | None) -> bool:
    return delays is not None and delays[0] == 0 < delays[1]


def _waiting(graph: NirGraph, edge: Edge, entry: str, quick: networkx.DiGraph, delayed: frozenset[str]) -> set[Edge]:
    """The edges, at or before the late `edge`, on which spikes wait: those that leave neurons or fan out."""
    source = edge[0]
    if source in delayed:
        return set()
    if graph.nodes[source].kind not in NEURONS and len(graph.targets(source)) == 1 and source != entry:
        return {
            found
            for before in graph.sources(source)
            if before != source
            for found in _waiting(graph, (before, source), entry, quick, delayed)
        }
    # A loop that has a Delay on all its ways waits there.
    return {edge} if networkx.has_path(quick, entry, source) else set()
