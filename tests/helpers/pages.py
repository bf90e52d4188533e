"""A report's page with hostile names, for its tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import tern2lava
from lossy import network, samples
from tern2lava.api import CompiledNetwork

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"
"""A name that would end a script and begin another, were it not escaped."""


def hostile_network() -> CompiledNetwork:
    """The network of lossy.py on "tiny", called HOSTILE as its hidden population is, on several cores, verified without
    Lava."""
    graph = network()
    nodes = [
        replace(node, name=HOSTILE if node.name == "h" else node.name,
                inputs=tuple(HOSTILE if source == "h" else source for source in node.inputs))
        for node in graph.nodes
    ]  # fmt: skip
    graph = replace(graph.with_nodes(nodes), source=HOSTILE)
    held = tern2lava.compile(graph, "tiny", map_options=tern2lava.MapOptions(max_neurons_per_core=8))
    tern2lava.verify(held, samples(), backend="reference")
    return held


def written(held: CompiledNetwork, path: Path, *, sample: int | None = None) -> str:
    """The text of the page of `held`, with a sample of lossy.py's where one is asked for, written to `path`."""
    if sample is None:
        tern2lava.report(held, html=path)
    else:
        tern2lava.report(held, html=path, data=samples(), sample=sample)
    return path.read_text(encoding="utf-8")
