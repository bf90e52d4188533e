"""Spikes of the integer program counted against those of the float model, population by population."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Neuron, Output, Readout
from tern2lava.compiler.ir.shapes import size
from tern2lava.sim.data.readout import predictions, scores
from tern2lava.sim.data.trace import Trace


@dataclass(frozen=True, kw_only=True)
class SpikeCounts:
    """How one population spikes in the float model (F) and in integers (I), over samples x steps x neurons.

    missing: spikes of F that I does not make; extra: spikes of I that F does not make. A signed spike of the other
    sign is one of each. read_as_potential: only readouts of membrane potentials read it, so that it need not spike.
    """

    population: str
    neuron_steps: int
    float_spikes: int
    integer_spikes: int
    missing: int
    extra: int
    read_as_potential: bool = False

    @property
    def differing(self) -> int:
        """missing + extra."""
        return self.missing + self.extra

    @property
    def share(self) -> float:
        """(missing + extra) / max(1, spikes of the float model)."""
        return self.differing / max(1, self.float_spikes)

    @property
    def died(self) -> bool:
        """Whether it spikes in the float model and never in integers."""
        return self.float_spikes > 0 and self.integer_spikes == 0

    @property
    def silent(self) -> bool:
        """Whether it never spikes in either, though something reads its spikes."""
        return self.float_spikes == 0 and self.integer_spikes == 0 and not self.read_as_potential


def count_spikes(imported: Graph, real: Trace, program: Trace) -> tuple[SpikeCounts, ...]:
    """SpikeCounts of every population of `imported`: `real` is its own trace, `program` that of the integers."""
    result = []
    for name, wanted in real.spikes.items():
        found = program.spikes[name]
        node = imported[name]
        if isinstance(node, Neuron) and node.integrates:
            # It has no spikes: those of its integers, at the largest threshold that there is, go nowhere.
            found = wanted
        differs = found != wanted
        result.append(
            SpikeCounts(
                population=name,
                neuron_steps=wanted.shape[0] * wanted.shape[1] * size(wanted.shape[2:]),
                float_spikes=int(np.count_nonzero(wanted)),
                integer_spikes=int(np.count_nonzero(found)),
                missing=int(np.count_nonzero(differs & (wanted != 0))),
                extra=int(np.count_nonzero(differs & (found != 0))),
                read_as_potential=_read_as_potential(imported, name),
            )
        )
    return tuple(result)


def added(parts: Iterable[SpikeCounts]) -> SpikeCounts:
    """The counts of one population over several parts of the data."""
    first, *rest = parts
    total = first
    for part in rest:
        total = SpikeCounts(
            population=first.population,
            neuron_steps=total.neuron_steps + part.neuron_steps,
            float_spikes=total.float_spikes + part.float_spikes,
            integer_spikes=total.integer_spikes + part.integer_spikes,
            missing=total.missing + part.missing,
            extra=total.extra + part.extra,
            read_as_potential=first.read_as_potential,
        )
    return total


def changed_decisions(imported: Graph, real: Trace, program_graph: Graph, program: Trace) -> int | None:
    """Samples whose predicted class in integers is not the float model's; None where the output has one neuron, which
    decides nothing."""
    wanted, found = scores(imported, real), scores(program_graph, program)
    if wanted.shape[1] < 2:
        return None
    return int(np.count_nonzero(predictions(found) != predictions(wanted)))


def _read_as_potential(imported: Graph, name: str) -> bool:
    """Whether `name` is read, and only by Outputs that form their scores from membrane potentials."""
    readers = imported.consumers(name)
    return bool(readers) and all(
        isinstance(reader, Output) and reader.readout is not Readout.SPIKE_COUNT for reader in readers
    )
