"""One neuro-core executed from its image: spikes on its input axons in, spikes of its neurons out, step by step."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.image.core_image import CORE, CoreImage
from tern2lava.compiler.ir.linear import accumulate, per_neuron
from tern2lava.compiler.ir.shapes import Ints, Spikes
from tern2lava.errors import InputError
from tern2lava.sim.reference.integer import PopulationState


class CoreMachine:
    """State of a core for a batch of samples.

    The core's input axons are numbered range by range in the order of the image, its neurons group by group; `axons`
    and `neurons` are their numbers. Weights are those decoded from the image's bytes; the equations are those of
    sim.reference.integer.
    """

    def __init__(self, image: CoreImage, batch: int = 1, steps: int | None = None) -> None:
        """steps: each group makes that many steps after its start, None for ever."""
        assert image.kind == CORE
        self.image = image
        self.batch = batch
        self.steps = steps
        self.groups = []
        for group in image.groups:
            assert group.local is not None
            self.groups.append(PopulationState(group.local, image.arithmetic, batch))
        self.axon_ends = np.cumsum([0] + [axons.count for axons in image.axons])
        self.neuron_ends = np.cumsum([0] + [group.box.volume for group in image.groups])
        self.axons = int(self.axon_ends[-1])
        self.neurons = int(self.neuron_ends[-1])
        delays = [image.blocks[axons.block].local.delay for axons in image.axons]
        # int8, int32 where relays send their sums.
        relays = any(state.population.levels is not None for state in self.groups)
        self.spike_type: type[np.int8] | type[np.int32] = np.int32 if relays else np.int8
        self._waiting: list[deque[Ints]] = [deque() for _ in delays]
        self._delays = delays
        self._gains = [per_neuron(block.local.gain, block.local) for block in image.blocks]

    def step(self, t: int, arriving: Ints) -> Spikes:
        """Spikes (batch, neurons) of hardware timestep t, given `arriving` (batch, axons): what was emitted in the step
        before. Groups rest outside their window and between their steps."""
        image = self.image
        sums = [np.zeros(state.u.shape, np.int64) for state in self.groups]
        for index, axons in enumerate(image.axons):
            x = arriving[:, self.axon_ends[index] : self.axon_ends[index + 1]]
            if self._delays[index]:
                waiting = self._waiting[index]
                waiting.append(x.copy())
                if len(waiting) <= self._delays[index]:
                    continue
                x = waiting.popleft()
            if x.any():
                block = image.blocks[axons.block]
                sums[block.group] += accumulate(block.local, x).astype(np.int64) * self._gains[axons.block]
        spikes: Spikes = np.zeros((self.batch, self.neurons), self.spike_type)
        for index, state in enumerate(self.groups):
            if self.step_of(index, t) is not None:
                spikes[:, self.neuron_ends[index] : self.neuron_ends[index + 1]] = state.step(sums[index])
        return spikes

    def step_of(self, group: int, t: int) -> int | None:
        """Which step, from 0, a group makes in hardware timestep t; None: it rests, before its start, behind its window
        or between two steps."""
        local = self.image.groups[group].local
        assert local is not None
        k, late = divmod(t - local.start - 1, self.image.slowdown)
        return k if late == 0 and k >= 0 and (self.steps is None or k < self.steps) else None

    @property
    def v(self) -> Ints:
        """Membrane potentials (batch, neurons)."""
        return np.concatenate([state.v for state in self.groups], axis=1)

    @property
    def u(self) -> Ints:
        """Synaptic currents (batch, neurons)."""
        return np.concatenate([state.u for state in self.groups], axis=1)


@dataclass(frozen=True, eq=False)
class Link:
    """Spikes of neurons `neuron` of image `source` arrive at axons `axon` of image `target`, each at its own; with
    `first`, those of neuron[first[k] : first[k + 1]] add up at axon[k]."""

    source: int
    target: int
    neuron: Ints
    axon: Ints
    first: Ints | None = None

    def bring(self, sent: Spikes, arriving: Ints) -> None:
        """Adds what image `source` sent, (batch, neurons), to what arrives at `target`, (batch, axons)."""
        spikes = sent[:, self.neuron]
        # Added, not assigned: a spike that arrives twice counts twice.
        if self.first is not None:
            spikes = np.add.reduceat(spikes, self.first, axis=1, dtype=np.int64)
        arriving[:, self.axon] += spikes


def links(images: list[CoreImage]) -> list[Link]:
    """Every route of the images as index arrays; `source` and `target` are positions in `images`.

    Neurons count through the source image's groups, axons through the target image's ranges. Raises InputError where a
    route leads to a core or axon range that is not there, or one for another population.
    """
    position = {image.core: index for index, image in enumerate(images) if image.kind == CORE}
    if len(position) != sum(image.kind == CORE for image in images):
        raise InputError("core images", "two images for one core")
    first_axons = [np.cumsum([0] + [axons.count for axons in image.axons]).tolist() for image in images]
    result = []
    for source, image in enumerate(images):
        first_neuron = np.cumsum([0] + [group.box.volume for group in image.groups])
        for route in image.routes:
            where = f"route of core {image.core} to core {route.core}"
            target = position.get(route.core)
            if target is None or route.axons >= len(images[target].axons):
                raise InputError(where, "leads to a core or axon range that no image has")
            group, axons = image.groups[route.group], images[target].axons[route.axons]
            if axons.source != group.number or axons.box != route.box:
                raise InputError(where, "leads to axons of another population or range")
            first_axon = first_axons[target][route.axons]
            sent, seen = group.box.flat(), route.box.flat()
            _, neuron, place = np.intersect1d(sent, seen, assume_unique=True, return_indices=True)
            neuron, axon, first = first_neuron[route.group] + neuron, first_axon + axons.axon_of()[place], None
            if axons.window != (1, 1):
                order = np.argsort(axon, kind="stable")
                axon, first = np.unique(axon[order], return_index=True)
                neuron = neuron[order]
            result.append(Link(source, target, neuron, axon, first))
    return result
