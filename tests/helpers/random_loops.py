"""Random networks of populations in a circle, whose spikes wait fewer steps than the circle has synapses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Delay, Dense, Graph, Input, Level, Neuron, Node, Output, Reset
from tern2lava.compiler.ir.shapes import frozen

COUNT, STEPS, SAMPLES = 4, 10, 3
# Of every kind, for some are in no engine alone: what neurons may do between their steps is theirs.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "current": {"alpha_u": frozen(0.5)},
    "soft": {"reset": Reset.SUBTRACT, "reset_amount": frozen(0.75)},
    "refractory": {"refractory": 2},
    "signed": {"threshold_low": frozen(-1.25), "reset": Reset.SUBTRACT},
    "rearm": {"rearm": True, "reset": Reset.SUBTRACT, "reset_amount": frozen(1.0)},
    "adaptive": {
        "reset": Reset.SUBTRACT, "reset_delay": True, "reset_amount": frozen(0.5), "gain_a": frozen(0.5),
        "alpha_a": frozen(0.5), "compare": Compare.GT,
    },
}  # fmt: skip


def draw_loop(seed: int, kind: str | None = None, leak: bool = True) -> tuple[Graph, dict[str, Any]]:
    """An IMPORTED network and its inputs: two or three populations of COUNT neurons in a circle that waits once, with
    further synapses and delays between them; kind: of all its neurons (None: of any); leak: whether potentials may."""
    rng = np.random.default_rng([41, seed])
    number = int(rng.integers(2, 4))
    nodes: list[Node] = [Input(name="x", shape=(COUNT,))]
    feeds: dict[int, list[str]] = {place: [] for place in range(number)}

    def wire(source: str, target: int, waits: int) -> None:
        name = f"w{len(nodes)}"
        if waits:
            nodes.append(Delay(name=f"{name}.late", inputs=(source,), steps=waits))
            source = f"{name}.late"
        codes = rng.integers(-1, 2, (COUNT, COUNT))
        codes[np.arange(COUNT), rng.integers(0, COUNT, COUNT)] = 1
        nodes.append(Dense(name=name, inputs=(source,), weight=frozen(codes, np.float64)))
        feeds[target].append(name)

    wire("x", 0, 0)
    for place in range(number - 1):
        wire(f"p{place}", place + 1, 0)
    wire(f"p{number - 1}", 0, 1)
    for _ in range(int(rng.integers(0, 3))):
        source, target = (int(k) for k in rng.integers(0, number, 2))
        wire(f"p{source}", target, int(rng.integers(0 if source < target else 1, 3)))
    if rng.random() < 0.5:
        wire("x", number - 1, int(rng.integers(0, 2)))
    for place in range(number):
        chosen = KINDS[kind or list(KINDS)[rng.integers(len(KINDS))]]
        values: dict[str, Any] = {
            "threshold": frozen(rng.integers(2, 7, COUNT) / 4),
            "alpha_v": frozen(rng.choice([0.5, 0.75, 1.0]) if leak else 1.0),
            "bias": frozen(rng.integers(0, 2, COUNT) / 4),
        }  # fmt: skip
        nodes.append(Neuron(name=f"p{place}", inputs=tuple(feeds[place]), shape=(COUNT,), **(values | chosen)))
    nodes.append(Output(name="y", inputs=(f"p{number - 1}",)))
    return (
        Graph(level=Level.IMPORTED, nodes=tuple(nodes), source="random", steps=STEPS),
        {"x": rng.integers(0, 2, (SAMPLES, STEPS, COUNT))},
    )
