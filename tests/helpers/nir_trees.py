"""Trees of NIR files, and their neurons stepped as nir's docstrings say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Graph
from tern2lava.frontends.nir.read import read_tree

Array = NDArray[Any]
DT = 1e-4


def nir_tree(nodes: dict[str, dict[str, Any]], edges: list[tuple[str, str]], **root: Any) -> dict[str, Any]:
    """The tree of a NIR file."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return value if isinstance(value, str | list) else np.asarray(value)

    graph = {"type": "NIRGraph", "nodes": plain(nodes), "edges": [list(edge) for edge in edges], **root}
    return {"version": "1.0.8", "node": graph}


def chain(*nodes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The tree of nodes that follow each other, from `input` to `output`."""
    names = [name for name, _ in nodes]
    return nir_tree(dict(nodes), list(pairwise(names)))


def read(tree: dict[str, Any], **options: Any) -> Graph:
    return read_tree(tree, "test", "test", **options)


def source(*shape: int) -> tuple[str, dict[str, Any]]:
    return ("input", {"type": "Input", "shape": np.array(shape)})


def sink(*shape: int) -> tuple[str, dict[str, Any]]:
    return ("output", {"type": "Output", "shape": np.array(shape)})


def lif(n: int, rng: np.random.Generator, **fields: Any) -> dict[str, Any]:
    """A LIF of n neurons with all its fields different."""
    return {
        "type": "LIF", "tau": rng.uniform(5, 40, n) * DT, "r": rng.uniform(5, 20, n), "v_leak": rng.normal(0, 0.05, n),
        "v_threshold": rng.uniform(0.4, 0.8, n), "v_reset": rng.normal(-0.05, 0.05, n), **fields,
    }  # fmt: skip


def cuba(n: int, rng: np.random.Generator) -> dict[str, Any]:
    own = lif(n, rng)
    return {
        **{key: own[key] for key in ("r", "v_leak", "v_threshold", "v_reset")}, "type": "CubaLIF",
        "tau_mem": own["tau"], "tau_syn": rng.uniform(3, 20, n) * DT, "w_in": rng.uniform(2, 9, n),
    }  # fmt: skip


def euler(node: dict[str, Any], x: Array) -> tuple[Array, Array]:
    """(spikes, potentials) (steps, neurons) of a NIR neuron, written down from nir's docstrings."""
    i: Array = np.zeros(x.shape[1])
    v: Array = np.zeros(x.shape[1])
    spikes, potentials = [], []
    for now in x:
        i = i + DT / node["tau_syn"] * (-i + node["w_in"] * now) if "tau_syn" in node else now
        if node["type"] in ("IF", "I"):
            v = v + DT * node["r"] * i
        else:
            tau = node["tau_mem"] if "tau_mem" in node else node["tau"]
            v = v + DT / tau * ((node["v_leak"] - v) + node["r"] * i)
        z = v > node["v_threshold"] if "v_threshold" in node else np.zeros(v.shape, bool)
        v = np.where(z, node.get("v_reset", 0.0), v)
        spikes.append(z)
        potentials.append(v)
    return np.array(spikes), np.array(potentials)


def recurrent(rng: np.random.Generator) -> tuple[dict[str, Any], Callable[[Array], Array]]:
    """(tree of a population that reads itself through an Affine, its spikes on x (steps, 3) by hand)."""
    node, weight = lif(5, rng, v_leak=np.zeros(5), v_reset=np.zeros(5)), rng.normal(0.5, 0.6, (5, 3))
    back, bias = rng.normal(0, 0.5, (5, 5)), rng.normal(0, 0.05, 5)
    tree = nir_tree(
        {
            "input": source(3)[1], "fc": {"type": "Linear", "weight": weight}, "lif": node,
            "rec": {"type": "Affine", "weight": back, "bias": bias}, "output": sink(5)[1],
        },
        [("lif", "rec"), ("rec", "lif"), ("input", "fc"), ("fc", "lif"), ("lif", "output")],
    )  # fmt: skip

    def by_hand(x: Array) -> Array:
        v, s = np.zeros(5), np.zeros(5)
        result = []
        for now in x:
            current = weight @ now + back @ s + bias
            v = v + DT / node["tau"] * (-v + node["r"] * current)
            s = (v > node["v_threshold"]).astype(float)
            v = np.where(s > 0, 0.0, v)
            result.append(s)
        return np.array(result)

    return tree, by_hand
