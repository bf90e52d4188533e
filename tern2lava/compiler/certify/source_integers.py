"""Neurons whose source computes in integers already (ir.Neuron.quantum): how those integers become ours, unchanged."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Neuron, Population
from tern2lava.compiler.ir.shapes import Reals


def quantum_unit(neuron: Neuron) -> float | None:
    """Membrane units to one ternary unit with which `neuron` computes in its source's integers; None if in no such."""
    if neuron.quantum is None or np.any(neuron.quantum != neuron.quantum.reshape(-1)[0]):
        return None
    return float(1.0 / neuron.quantum.reshape(-1)[0])


def strict_threshold(neuron: Neuron, unit: float) -> Reals:
    """The largest integer that makes no spike: for whole v * unit, v compare threshold iff v * unit > it."""
    scaled = neuron.threshold * unit
    return np.asarray(np.floor(scaled) if neuron.compare is Compare.GT else np.ceil(scaled) - 1)


def membrane_unit(neuron: Neuron, population: Population) -> float:
    """Membrane units to one ternary unit in the integers that `neuron` became."""
    return float(np.max(neuron.unit / population.lsb))
