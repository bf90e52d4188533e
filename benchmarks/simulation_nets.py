"""The networks of benchmarks/simulation.py: random ternary weights, neurons without leak that reset to zero."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import ConvGeometry, frozen, size
from tern2lava.compiler.ir.slices import synapse_count

Array = Any


@dataclass(frozen=True, eq=False, kw_only=True)
class Net:
    """A network of the benchmark. thresholds: one per layer, in units of a weight; a spike needs more. leak: the share
    of a membrane that is lost in a step."""

    name: str
    graph: Graph
    steps: int
    thresholds: tuple[int, ...]
    leak: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.graph.of_kind(Input)[0].shape)

    @property
    def operations(self) -> int:
        """Synaptic operations of one sample."""
        return sum(synapse_count(p) for p in self.graph.of_kind(Projection)) * self.steps

    @property
    def output(self) -> str:
        return str(self.graph.of_kind(Output)[0].inputs[0])

    def spikes(self, batch: int, rate: float = 0.1) -> Array:
        """Random input spikes (batch, steps, *shape) uint8, the same for every contender."""
        return (np.random.default_rng(1).random((batch, self.steps, *self.shape)) < rate).astype(np.uint8)

    def leaky(self) -> Net:
        """The same network with membranes that keep 15/16 in a step."""
        decay = frozen(4096 // 16, np.int64)
        nodes = [replace(n, decay_v=decay) if isinstance(n, Population) else n for n in self.graph.nodes]
        return replace(self, graph=self.graph.with_nodes(nodes), leak=1 / 16)


def _population(name: str, source: str, shape: tuple[int, ...], start: int, threshold: int) -> Population:
    zero = frozen(0, np.int64)
    return Population(
        name=name, inputs=(source,), shape=shape, start=start, decay_u=frozen(4096, np.int64), decay_v=zero, bias=zero,
        threshold=frozen(64 * threshold, np.int64), reset=Reset.ZERO, reset_amount=zero, v_init=zero, lsb=frozen(1.0),
    )  # fmt: skip


def network(name: str, layers: list[tuple[str, int, int]], shape: tuple[int, ...], steps: int) -> Net:
    """A network of ("dense" or "conv3", outputs, threshold) layers with random ternary weights."""
    rng = np.random.default_rng(0)
    nodes: list[Any] = [Input(name="x", shape=shape)]
    source = "x"
    for index, (kind, out, threshold) in enumerate(layers, 1):
        geometry = None
        count: tuple[int, ...] = (size(shape),)
        target: tuple[int, ...] = (out,)
        if kind == "conv3":
            count, target = (shape[0], 3, 3), (out, shape[1] - 2, shape[2] - 2)
            geometry = ConvGeometry(
                in_shape=(shape[0], shape[1], shape[2]), out_shape=(target[0], target[1], target[2]), stride=(1, 1),
                padding=(0, 0, 0, 0), dilation=(1, 1), groups=1,
            )  # fmt: skip
        codes = frozen(rng.integers(-1, 2, (out, *count)).astype(np.int8))
        nodes.append(
            Projection(name=f"w{index}", inputs=(source,), weight=codes, gain=frozen(64, np.int64), geometry=geometry)
        )
        source, shape = f"n{index}", target
        nodes.append(_population(source, f"w{index}", shape, index, threshold))
    nodes.append(Output(name="out", inputs=(source,)))
    graph = Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=tuple(nodes), source=name)
    return Net(name=name, graph=graph, steps=steps, thresholds=tuple(threshold for _, _, threshold in layers))


def mlp() -> Net:
    return network("MLP 784-512-10 x 100", [("dense", 512, 20), ("dense", 10, 12)], (784,), 100)


def convolution() -> Net:
    layers = [("conv3", 16, 2), ("conv3", 32, 12), ("dense", 10, 60)]
    return network("conv 28x28 16c3-32c3-fc10 x 32", layers, (1, 28, 28), 32)
