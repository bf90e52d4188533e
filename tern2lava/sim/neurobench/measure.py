"""NeuroBench's numbers of a network on data, counted as the package counts them (docs/neurobench.md).

Read in neurobench 2.3: metrics/static/connection_sparsity.py, metrics/workload/activation_sparsity.py,
metrics/workload/synaptic_operations.py with metrics/utils/layers/. Nothing of it is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Neuron
from tern2lava.compiler.ir.shapes import Reals, Spikes, size
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count
from tern2lava.sim.neurobench.layers import Entering, Layer, layers_of

# Bytes of values between layers that are held at a time.
HELD_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class LayerOperations:
    """Operations of one layer over all samples: multiplications with accumulation, accumulations, and in one sample all
    that there would be if no value and no weight were zero."""

    layer: str
    macs: int
    acs: int
    dense: int


@dataclass(frozen=True, kw_only=True)
class Measured(Shown):
    """NeuroBench's numbers of a network on `samples` of `steps` steps.

    connection_sparsity: zeros among the weights of all layers, as a share, rounded to four places as NeuroBench does;
    activation_sparsity: the share of neurons and steps without a spike; operations: of each layer.
    """

    samples: int
    steps: int
    connection_sparsity: float | None
    activation_sparsity: float
    operations: tuple[LayerOperations, ...]

    def _shown(self) -> str:
        return f"{count(self.samples, 'sample')}, {self.effective_acs:,.0f} ACs, {self.effective_macs:,.0f} MACs"

    @property
    def effective_acs(self) -> float:
        """A sample on average."""
        return sum(row.acs for row in self.operations) / self.samples

    @property
    def effective_macs(self) -> float:
        """A sample on average."""
        return sum(row.macs for row in self.operations) / self.samples

    @property
    def dense(self) -> int:
        """Of a sample."""
        return sum(row.dense for row in self.operations)


@dataclass(eq=False)
class _Sum:
    """Operations of a layer so far."""

    macs: int = 0
    acs: int = 0


@dataclass(eq=False)
class Meter:
    """Counts as pieces of a run come in."""

    graph: Graph
    samples: int = 0
    steps: int = 0
    active: int = 0
    places: int = 0
    layers: tuple[Layer, ...] = ()
    sums: dict[str, _Sum] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layers = layers_of(self.graph)
        self.sums = {layer.name: _Sum() for layer in self.layers}
        self.entering = Entering(self.graph)
        self.neurons = self.graph.of_kind(Neuron)

    def add(self, inputs: Mapping[str, Spikes], spikes: Mapping[str, Spikes]) -> None:
        """Count a piece: inputs (samples, steps, *shape), spikes (samples, steps, neurons) by population."""
        samples, self.steps = next(iter(inputs.values())).shape[:2]
        each = self._together()
        for begin in range(0, samples, each):
            span = slice(begin, begin + each)
            part = {name: values[span] for name, values in inputs.items()}
            fired = {node.name: spikes[node.name][span] for node in self.neurons if node.name in spikes}
            values = self.entering.values(part, fired)
            for layer in self.layers:
                self._count(layer, values[layer.name])
            for name in fired:
                self.active += int(np.count_nonzero(fired[name]))
                self.places += fired[name].size
        self.samples += samples

    def _together(self) -> int:
        """Samples whose values between layers are held at a time."""
        wide = sum(size(node.shape) for node in self.neurons) + sum(layer.effective.size for layer in self.layers)
        return max(1, HELD_BYTES // (16 * max(1, self.steps * wide)))

    def _count(self, layer: Layer, values: Reals) -> None:
        """Values (samples, steps, n) of 0, 1 and -1 alone are accumulated in that step of that sample, others are
        multiplied first."""
        here = (values != 0).astype(np.float64) @ layer.effective
        spiking = (np.abs(values) * (np.abs(values) != 1) == 0).all(axis=2)
        self.sums[layer.name].acs += int(here[spiking].sum())
        self.sums[layer.name].macs += int(here[~spiking].sum())

    def result(self) -> Measured:
        """What was counted so far, of one sample at least."""
        weights = sum(layer.weights for layer in self.layers)
        zeros = sum(layer.zeros for layer in self.layers)
        return Measured(
            samples=self.samples, steps=self.steps,
            # NeuroBench divides in float32.
            connection_sparsity=round(float(np.float32(zeros) / np.float32(weights)), 4) if weights else None,
            activation_sparsity=(self.places - self.active) / self.places if self.places else 0.0,
            operations=tuple(
                LayerOperations(
                    layer=layer.name, macs=self.sums[layer.name].macs, acs=self.sums[layer.name].acs,
                    dense=self.steps * int(layer.synapses.sum()),
                )
                for layer in self.layers
            ),
        )  # fmt: skip


def measure(graph: Graph, pieces: Iterable[tuple[Mapping[str, Spikes], Mapping[str, Spikes]]]) -> Measured:
    """The numbers of an IMPORTED graph over pieces of a run, each (inputs, spikes) as Meter.add takes them."""
    meter = Meter(graph)
    for inputs, spikes in pieces:
        meter.add(inputs, spikes)
    return meter.result()
