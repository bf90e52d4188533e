"""A bundle whose images and integers agree with each other and not with the network: its thresholds were moved after
the passes, as a wrong rounding would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from network import network as layers
from tern2lava.bundle import write_bundle
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Graph, Population, Readout
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.hw_profiles import load_profile

INPUTS, HIDDEN, CLASSES, STEPS = 16, 20, 4, 10


def network(readout: Readout = Readout.SPIKE_COUNT) -> Graph:
    """Two layers of neurons that keep their potential, threshold 1 and weights of -1, 0 and 1: h, then y."""
    rng = np.random.default_rng(1)
    weights = (rng.integers(-1, 2, (out, count)) for out, count in ((HIDDEN, INPUTS), (CLASSES, HIDDEN)))
    return layers(*weights, names=("h", "y"), output="out", steps=STEPS, readout=readout, threshold=frozen(1.0))


def samples(count: int = 6, steps: int = STEPS, rate: float = 0.5) -> dict[str, Array]:
    """Random spikes for `network`, with labels."""
    spikes = np.random.default_rng(2).random((count, steps, INPUTS)) < rate
    return {"spikes": spikes.astype(np.uint8), "labels": np.arange(count) % CLASSES}


def write_lossy(folder: Path, add: Mapping[str, int]) -> Path:
    """A bundle of `network` for "tiny" in `folder`, the integer threshold of each population of `add` that much higher
    than it should be."""
    compiled = build(network(), load_profile("tiny"))
    program = compiled.lowered.program
    nodes = [
        replace(node, threshold=frozen(node.threshold + add[node.name], np.int64))
        if isinstance(node, Population) and node.name in add
        else node
        for node in program.nodes
    ]
    changed = program.with_nodes(nodes)
    mapped = map_program(changed, compiled.profile)
    write_bundle(replace(compiled, lowered=compiled.lowered.with_program(changed), mapped=mapped), folder)
    return folder
