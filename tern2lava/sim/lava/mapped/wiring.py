"""What core images say of a Lava network: a core with its ports, and a connection for each route. Imports no Lava.

Read from the bytes of the images alone. Written apart from the other readers of routes (sim/cores/machine.py,
sim/cores/routes.py), so that executions do not share a mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import networkx
import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.image.core_image import CORE, HOST, Axons, CoreImage, Group, decode_core
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Level, Node
from tern2lava.compiler.ir.shapes import Ints, size
from tern2lava.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class Connection:
    """A route: neurons `sent` of group `group` of core `source` (None: the host) reach, in the order of `sent`, axons
    `axon` of axon range `axons` of core `target`. source and target are places among the images."""

    source: int | None
    group: int
    target: int
    axons: int
    sent: Ints
    axon: Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class Wiring:
    """Core images and their connections. levels: least and largest value of each group of the host."""

    cores: tuple[CoreImage, ...]
    host: CoreImage
    levels: tuple[tuple[int, int], ...]
    connections: tuple[Connection, ...]

    @property
    def slowdown(self) -> int:
        """Hardware timesteps of a step of the network."""
        return self.host.slowdown

    def source_group(self, connection: Connection) -> Group:
        """The group whose spikes take the connection."""
        image = self.host if connection.source is None else self.cores[connection.source]
        return image.groups[connection.group]

    def into(self, core: int, axons: int) -> list[Connection]:
        """The connections that end in an axon range."""
        return [each for each in self.connections if (each.target, each.axons) == (core, axons)]

    def out_of(self, core: int | None, group: int) -> list[Connection]:
        """The connections that begin in a group."""
        return [each for each in self.connections if (each.source, each.group) == (core, group)]

    def core_graph(self, core: int) -> Graph:
        """What a core holds as an INTEGER graph: input aK and projection bK for its axon range K, population gK for its
        group K. An input has the values that the routes can bring."""
        image = self.cores[core]
        inputs: list[Node] = []
        projections: list[Node] = []
        for number, axons in enumerate(image.axons):
            local = image.blocks[axons.block].local
            inputs.append(Input(name=f"a{number}", shape=(axons.count,), levels=self._levels(core, number)))
            projections.append(replace(local, name=f"b{number}", inputs=(f"a{number}",)))
        populations: list[Node] = []
        for number, group in enumerate(image.groups):
            assert group.local is not None
            names = tuple(f"b{k}" for k, axons in enumerate(image.axons) if image.blocks[axons.block].group == number)
            populations.append(replace(group.local, name=f"g{number}", inputs=names))
        nodes = (*inputs, *projections, *populations)
        return Graph(level=Level.INTEGER, arithmetic=image.arithmetic, nodes=nodes, slowdown=image.slowdown)

    def apart(self) -> list[tuple[int | None, int]]:
        """One group, (core or None for the host, group), of each network that no route connects with the others."""
        joined: networkx.Graph[tuple[int | None, int]] = networkx.Graph()
        joined.add_nodes_from((None, number) for number in range(len(self.host.groups)))
        joined.add_nodes_from((c, g) for c, image in enumerate(self.cores) for g in range(len(image.groups)))
        for each in self.connections:
            image = self.cores[each.target]
            reached = image.blocks[image.axons[each.axons].block].group
            joined.add_edge((each.source, each.group), (each.target, reached))
        return [next(iter(each)) for each in networkx.connected_components(joined)]

    def start_of(self, connection: Connection) -> int:
        """The start of the population whose spikes take the connection; inputs start at 0."""
        local = self.source_group(connection).local
        return 0 if local is None else local.start

    def _levels(self, core: int, axons: int) -> tuple[int, int]:
        """Least and largest value of one axon of a range."""
        count = np.zeros(self.cores[core].axons[axons].count, np.int64)
        low, high = 0, 1
        for connection in self.into(core, axons):
            np.add.at(count, connection.axon, 1)
            local = self.source_group(connection).local
            least, most = self.levels[connection.group] if local is None else emitted_range(local)
            low, high = min(low, least), max(high, most)
        most_meet = max(1, int(count.max(initial=0)))
        return low * most_meet, high * most_meet


def read_wiring(images: Sequence[bytes], host_image: bytes, levels: Sequence[tuple[int, int]]) -> Wiring:
    """The wiring in the bytes of core images and the host's. levels: least and largest value of each input.

    Raises InputError where an image is damaged, where a neuron lies on no core or on two, and where a route leads
    nowhere, to axons of another population, or twice to the same ones.
    """
    cores = tuple(decode_core(data, f"image of core {k}") for k, data in enumerate(images))
    host = decode_core(host_image, "host image")
    if host.kind != HOST or any(image.kind != CORE for image in cores):
        raise InputError("core images", "requires images of cores and one of the host; found others; compile again")
    if any(image.slowdown != host.slowdown for image in cores):
        raise InputError(
            "core images", "requires one number of hardware timesteps a step; found several; compile again"
        )
    _check_neurons(cores)
    place = {image.core: k for k, image in enumerate(cores)}
    if len(place) != len(cores):
        raise InputError("core images", "requires one image for each core; found two for one; compile again")
    connections: list[Connection] = []
    seen: set[tuple[int | None, int, int, int]] = set()
    for source, image in [*enumerate(cores), (None, host)]:
        for route in image.routes:
            name = "the host" if source is None else f"core {image.core}"
            where = f"route from {name} to core {route.core}"
            target = place.get(route.core)
            if target is None or route.axons >= len(cores[target].axons):
                raise InputError(where, "requires a core and axons that are there; found others; compile again")
            axons = cores[target].axons[route.axons]
            group = image.groups[route.group]
            if axons.source != group.number or axons.box != route.box:
                raise InputError(where, "requires axons of the population it leaves; found others'; compile again")
            key = (source, route.group, target, route.axons)
            if key in seen:
                raise InputError(where, "requires one route from a group to an axon range; found two; compile again")
            seen.add(key)
            sent, axon = arrivals(group.box, axons)
            connections.append(
                Connection(
                    source=source, group=route.group, target=target, axons=route.axons, sent=sent, axon=axon
                )
            )  # fmt: skip
    return Wiring(cores=cores, host=host, levels=tuple(levels), connections=tuple(connections))


def arrivals(sent: Box, axons: Axons) -> tuple[Ints, Ints]:
    """Which neurons of a group's box an axon range sees, and at which of its axons each arrives."""
    seen = axons.box.flat()
    axon_of_neuron = np.full(size(axons.box.shape), -1, np.int64)
    channels, height, width = axons.box.extent if len(axons.box.shape) == 3 else (axons.box.volume, 1, 1)
    if axons.window == (1, 1):
        axon_of_neuron[seen] = np.arange(seen.size)
    else:
        # Axons are numbered by channel, row and column of windows.
        channel, row, column = np.unravel_index(np.arange(seen.size), (channels, height, width))
        rows, columns = height // axons.window[0], width // axons.window[1]
        axon_of_neuron[seen] = (channel * rows + row // axons.window[0]) * columns + column // axons.window[1]
    reached = axon_of_neuron[sent.flat()]
    return np.flatnonzero(reached >= 0), reached[reached >= 0]


def _check_neurons(cores: Sequence[CoreImage]) -> None:
    """InputError where a neuron lies on no core or on two."""
    found: dict[str, Ints] = {}
    for image in cores:
        for group in image.groups:
            count = found.setdefault(group.name, np.zeros(size(group.box.shape), np.int64))
            if count.size != size(group.box.shape):
                raise InputError(group.name, "requires one size in all images; found two; compile again")
            count[group.box.flat()] += 1
    for name, count in found.items():
        wrong = np.flatnonzero(count != 1)
        if wrong.size:
            raise InputError(
                name, f"requires each neuron on one core; found neuron {wrong[0]} on {count[wrong[0]]}; compile again"
            )
