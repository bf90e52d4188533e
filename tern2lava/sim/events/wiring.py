"""Who sends what to whom over which links, read from core images: what a run is counted over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.image.core_image import CoreImage, SynapseBlock, decode_core
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.linear import target_shape
from tern2lava.compiler.ir.shapes import Ints, Reals, frozen, size
from tern2lava.compiler.mapper.placement.slots import router_positions
from tern2lava.hw_profiles import Profile
from tern2lava.sim.verify.adjoint import votes

HOST = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Route:
    """Spikes of neurons `neuron` of population `source` on core `core` (HOST for inputs) that go to synapses of
    population `target` on core `to` (positions of the images). fan (neurons, 3): what a spike of each of these neurons
    is: one message, the synapses with a weight other than 0 that it meets there, and all of its list, zeros included.
    across, along: links passed in a row and in a column of routers; delay: steps that it waits beyond one."""

    source: str
    target: str
    core: int
    to: int
    neuron: Ints
    fan: Reals
    across: int
    along: int
    delay: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Seat:
    """Neurons `neuron` of a population that lie on core `core`; start: the hardware timestep before its first."""

    population: str
    core: int
    neuron: Ints
    start: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Wiring:
    """Cores (by the number of images), chips that hold one of them, the neurons on each and their routes; slowdown:
    hardware timesteps of a step of the network."""

    cores: int
    chips: int
    seats: tuple[Seat, ...]
    routes: tuple[Route, ...]
    slowdown: int = 1

    @property
    def starts(self) -> dict[str, int]:
        """The start of each population."""
        return {seat.population: seat.start for seat in self.seats}

    @property
    def further(self) -> int:
        """Hardware timesteps that a sample takes after the last step of its input, until the last population had all
        its steps and the last spike has arrived."""
        starts = self.starts
        return max([*starts.values(), *(starts.get(r.source, 0) + 1 + r.delay for r in self.routes)], default=0)


def wiring_of(images: Sequence[bytes], host_image: bytes, profile: Profile) -> Wiring:
    """The wiring of core images on their target. A zero that a target stores counts as stored, but in a crossbar, whose
    cells without a synapse are none. Raises InputError for damaged images."""
    cores = [decode_core(data, f"image of core {k}") for k, data in enumerate(images)]
    host = decode_core(host_image, "host image")
    position = {image.core: k for k, image in enumerate(cores)}
    fans = [[_fan(block, profile) for block in image.blocks] for image in cores]
    numbers = np.array([image.core for image in cores], np.int64)
    row, col, chip = router_positions(profile, numbers)
    first = tuple(int(axis[0]) for axis in router_positions(profile, np.zeros(1, np.int64))[:2])
    seats, routes = [], []
    for k, image in enumerate([*cores, host]):
        at = k if k < len(cores) else HOST
        begin = first if at == HOST else (int(row[k]), int(col[k]))
        for group in image.groups:
            if group.local is not None:
                neuron = group.box.flat()
                seats.append(Seat(population=group.name, core=k, neuron=neuron, start=group.local.start))
        for route in image.routes:
            to = position[route.core]
            neuron, fan = _sent(image, route.group, route.axons, cores[to], fans[to])
            axons = cores[to].axons[route.axons]
            block = cores[to].blocks[axons.block]
            routes.append(
                Route(
                    source=image.groups[route.group].name, target=cores[to].groups[block.group].name, core=at, to=to,
                    neuron=neuron, fan=fan, across=abs(begin[1] - int(col[to])),
                    along=abs(begin[0] - int(row[to])), delay=block.local.delay,
                )
            )  # fmt: skip
    return Wiring(
        cores=len(cores), chips=len(set(chip.tolist())), seats=tuple(seats), routes=tuple(routes),
        slowdown=host.slowdown,
    )  # fmt: skip


def _sent(
    image: CoreImage, group: int, axons: int, target: CoreImage, fans: list[tuple[Reals, Reals]]
) -> tuple[Ints, Reals]:
    """The neurons that a route carries, and the fan of each."""
    read = target.axons[axons]
    neuron, _, place = np.intersect1d(
        image.groups[group].box.flat(), read.box.flat(), assume_unique=True, return_indices=True
    )
    axon = read.axon_of()[place]
    nonzero, stored = fans[read.block]
    return neuron, np.stack([np.ones(axon.size), nonzero[axon], stored[axon]], axis=1)


def _fan(block: SynapseBlock, profile: Profile) -> tuple[Reals, Reals]:
    """Synapses behind each axon of a block: those whose weight is not 0, and all that are stored."""
    gain = block.local.gain.reshape(-1, *([1] * (block.local.weight.ndim - 1))) if block.local.gain.ndim else 1
    there = (block.local.weight != 0) & (np.asarray(gain) != 0)
    nonzero = _behind(block.local, there)
    stored = nonzero if profile.crossbar is not None else _behind(block.local, np.ones_like(there))
    return nonzero, stored


def _behind(local: Projection, counted: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Reals:
    if local.geometry is None:
        return np.asarray(counted.sum(axis=0), np.float64)
    plain = Projection(name=local.name, inputs=local.inputs, weight=frozen(counted, np.int8), geometry=local.geometry)
    found: Reals = votes(plain, np.ones((1, size(target_shape(local)))), size(local.geometry.in_shape))[0]
    return found
