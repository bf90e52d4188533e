"""Counting the events of a run over the wiring of core images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import Reals, Spikes, size
from tern2lava.sim.events.counts import CoreSteps, Events, LayerEvents
from tern2lava.sim.events.wiring import HOST, Wiring

# Bytes of what cores do that are held at a time.
HELD_BYTES = 64 << 20


class Counter:
    """Events of a run as its pieces come in. A value other than 0 is a spike."""

    def __init__(self, program: Graph, wiring: Wiring) -> None:
        self.wiring = wiring
        nodes: list[Input | Population] = [*program.of_kind(Input), *program.of_kind(Population)]
        self.layers = {node.name: LayerEvents(name=node.name, neurons=size(node.shape)) for node in nodes}
        self.neurons = np.zeros(wiring.cores)
        for seat in wiring.seats:
            self.neurons[seat.core] += seat.neuron.size
        self.samples = self.steps = 0

    def add(self, inputs: Mapping[str, Spikes], spikes: Mapping[str, Spikes]) -> Iterator[CoreSteps]:
        """Count a piece: inputs (samples, steps, *shape), spikes (samples, steps, neurons) by population. What each
        core does in the hardware timesteps of its samples, some samples at a time."""
        samples, self.steps = next(iter(inputs.values())).shape[:2]
        self.samples += samples
        each = max(1, HELD_BYTES // (40 * self.timesteps * max(1, self.wiring.cores)))
        for begin in range(0, samples, each):
            part = {name: values[begin : begin + each] for name, values in {**inputs, **spikes}.items()}
            active = {
                name: (values.reshape(*values.shape[:2], -1) != 0).astype(np.float64) for name, values in part.items()
            }
            yield self._counted(active)

    def _counted(self, active: Mapping[str, Reals]) -> CoreSteps:
        """Count what spiked, (samples, steps, neurons) by input and population."""
        wiring, starts = self.wiring, self.wiring.starts

        def window(begin: int) -> slice:
            """The hardware timesteps of all steps of what makes its first in timestep `begin`, from 0."""
            return slice(begin, begin + (self.steps - 1) * wiring.slowdown + 1, wiring.slowdown)

        samples = len(next(iter(active.values())))
        spikes, leaving, arriving, nonzero, stored = (
            np.zeros((samples, self.timesteps, wiring.cores)) for _ in range(5)
        )
        across, along = np.zeros((2, samples, self.timesteps))
        for name, values in active.items():
            self.layers[name] = self.layers[name].plus(spikes=float(values.sum()))
        for seat in wiring.seats:
            fired = active[seat.population][:, :, seat.neuron].sum(axis=2)
            spikes[:, window(seat.start), seat.core] += fired
        for route in wiring.routes:
            each = active[route.source][:, :, route.neuron] @ route.fan
            begin = starts.get(route.source, 0)
            sent, met = window(begin), window(begin + 1 + route.delay)
            if route.core != HOST:
                leaving[:, sent, route.core] += each[..., 0]
            arriving[:, met, route.to] += each[..., 0]
            nonzero[:, met, route.to] += each[..., 1]
            stored[:, met, route.to] += each[..., 2]
            for links, passed in ((across, route.across), (along, route.along)):
                np.maximum(links[:, sent], passed * (each[..., 0] > 0), out=links[:, sent])
            messages, there, all_of_them = (float(total) for total in each.sum(axis=(0, 1)))
            self.layers[route.source] = self.layers[route.source].plus(
                messages=messages, local=messages if route.across + route.along == 0 else 0.0,
                across=messages * route.across, along=messages * route.along,
            )  # fmt: skip
            self.layers[route.target] = self.layers[route.target].plus(nonzero=there, stored=all_of_them)
        flat = [found.reshape(-1, wiring.cores) for found in (spikes, leaving, arriving, nonzero, stored)]
        return CoreSteps(
            neurons=self.neurons, spikes=flat[0], leaving=flat[1], arriving=flat[2], nonzero=flat[3], stored=flat[4],
            across=across.reshape(-1), along=along.reshape(-1), rest=wiring.slowdown > 1,
        )  # fmt: skip

    @property
    def timesteps(self) -> int:
        """Hardware timesteps of a sample."""
        return (self.steps - 1) * self.wiring.slowdown + 1 + self.wiring.further

    def result(self) -> Events:
        """What was counted so far."""
        return Events(
            samples=self.samples, steps=self.steps, timesteps=self.timesteps, cores=self.wiring.cores,
            chips=self.wiring.chips, layers=tuple(self.layers.values()), measured=True,
        )  # fmt: skip
