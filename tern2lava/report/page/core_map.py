"""The cores of a report and the routes between them, as the page draws them: columns of numbers, like cores once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tern2lava.compiler.image.core_image import CoreImage, decode_core
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.mapper.placement.slots import router_positions
from tern2lava.compiler.mapper.routing.link_loads import DIRECTIONS, LinkLoads, link_loads
from tern2lava.compiler.mapper.routing.traffic import ASSUMED_RELAY_RATE
from tern2lava.hw_profiles import Profile
from tern2lava.report.model import Report

RESOURCES = ("neurons", "synapse_bits", "in_axons", "out_axons")
"""What a core has only so much of, by its key in `cores`."""
MOST_ROUTES = 60_000
"""Routes between single cores that a page holds, about 4 bytes each; of more it tells the sums only."""
LINKS = 12
HOST = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Wires:
    """Every route of a mapped network, as equal-length arrays. source: position of the core in the report, HOST for
    inputs; population: its index in `names`; target: position of the core; spikes: per step."""

    names: tuple[str, ...]
    source: Ints
    population: Ints
    target: Ints
    spikes: np.ndarray[Any, np.dtype[np.float64]]
    loads: LinkLoads


def cores_block(report: Report, profile: Profile, wires: Wires) -> dict[str, Any]:
    """The cores: `kinds` are the different uses (populations, then a number for each of RESOURCES and of BITS), `kind`
    says which each core is; `id` is its number on the target, from which its place follows."""
    index = {row.name: at for at, row in enumerate(report.populations)}
    kinds: dict[tuple[Any, ...], int] = {}
    kind = []
    for core in report.cores:
        use = tuple(getattr(core, key)[0] for key in RESOURCES)
        bits = (core.axon_bits, core.parameter_bits, core.state_bits, core.image_bits)
        key = (tuple(index[name] for name in core.populations), *use, *bits)
        kind.append(kinds.setdefault(key, len(kinds)))
    first = report.cores[0] if report.cores else None
    return {
        "max": [getattr(first, key)[1] for key in RESOURCES] if first is not None else [0] * len(RESOURCES),
        "kinds": [[list(key[0]), *key[1:]] for key in kinds],
        "kind": kind,
        "id": _steps([core.id for core in report.cores]),
        "mesh": _mesh(profile),
        "router": _router_loads(report, profile, wires.loads),
    }


def routes_block(report: Report, wires: Wires) -> dict[str, Any]:
    """What is sent where: sums by population, the most loaded links, and (of at most MOST_ROUTES) each core's targets,
    [population, first target, step to the next ...]."""
    flows: dict[int, list[float]] = defaultdict(lambda: [0.0, 0])
    for population, spikes in zip(wires.population.tolist(), wires.spikes.tolist(), strict=True):
        flows[population][0] += spikes
        flows[population][1] += 1
    cores: list[list[list[int]]] | None = None
    if wires.source.size <= MOST_ROUTES:
        cores = [[] for _ in range(len(report.cores) + 1)]
        order = np.lexsort((wires.target, wires.population, wires.source))
        rows = np.stack([wires.source, wires.population, wires.target], axis=1)[order]
        cuts = np.flatnonzero((np.diff(rows[:, :2], axis=0) != 0).any(axis=1)) + 1
        for part in np.split(rows, cuts) if rows.size else []:
            targets = sorted(set(part[:, 2].tolist()))
            cores[int(part[0, 0])].append([int(part[0, 1]), *_steps(targets)])
    return {
        "count": int(wires.source.size),
        "names": list(wires.names),
        "flows": [[name, _short(flows[name][0]), flows[name][1]] for name in sorted(flows)],
        # The inputs' own, from the host, stand last.
        "cores": cores,
        "links": _top_links(wires.loads),
    }


def find_wires(
    report: Report, profile: Profile, images: Sequence[bytes], host: bytes, rates: Mapping[str, float] | None = None
) -> Wires:
    """The routes in core images. rates: measured spikes per neuron and step by population; without them every neuron
    spikes at the rate that the mapping assumed."""
    position = {core.id: at for at, core in enumerate(report.cores)}
    names: dict[str, int] = {row.name: at for at, row in enumerate(report.populations)}
    relays = {row.name for row in report.populations if row.relay}
    assumed = report.mapping.rate or 0.0
    rows: list[tuple[int, int, int, float]] = []
    common: dict[tuple[Box, Box], int] = {}
    for at, data in [*enumerate(images), (HOST, host)]:
        image: CoreImage = decode_core(data, synapses=False)
        groups = []
        for group in image.groups:
            number = names.setdefault(group.name, len(names))
            rate = ASSUMED_RELAY_RATE if group.name in relays else assumed
            groups.append((number, group.box, rate if rates is None else rates.get(group.name, assumed)))
        for route in image.routes:
            number, box, rate = groups[route.group]
            pair = (box, route.box)
            if pair not in common:
                common[pair] = box.common(route.box)
            rows.append((at, number, position[route.core], common[pair] * rate))
    table = np.array(rows, np.float64).reshape(-1, 4)
    source, population, target = table[:, :3].astype(np.int64).T
    ids = np.array([core.id for core in report.cores] or [0], np.int64)
    # Inputs enter at the first router of the first chip.
    begin = np.where(source == HOST, 0, ids[source])
    return Wires(
        names=tuple(names), source=source, population=population, target=target, spikes=table[:, 3],
        loads=link_loads(profile, begin, ids[target], table[:, 3]),
    )  # fmt: skip


def _mesh(profile: Profile) -> dict[str, int]:
    """How cores are numbered on the target."""
    system = profile.system
    return {
        "chips": system.chips, "chip_cols": system.chip_cols.value, "rows": system.mesh_rows.value,
        "cols": system.mesh_cols.value, "slots": system.cores_per_router.value, "per_chip": system.cores_per_chip,
    }  # fmt: skip


def _router_loads(report: Report, profile: Profile, loads: LinkLoads) -> list[float]:
    """Spikes per step that enter each core's router."""
    if not report.cores:
        return []
    row, col, _ = router_positions(profile, np.array([core.id for core in report.cores], np.int64))
    row, col = row - loads.origin[0], col - loads.origin[1]
    height, width = loads.routers.shape
    inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    found = loads.routers[np.clip(row, 0, height - 1), np.clip(col, 0, width - 1)]
    return [_short(value) for value in np.where(inside, found, 0.0).tolist()]


def _top_links(loads: LinkLoads) -> list[list[Any]]:
    """[router it leaves, direction, spikes per step] of the most loaded links, the most loaded first."""
    flat = loads.links.reshape(-1)
    found = []
    for at in np.argsort(-flat, kind="stable")[:LINKS].tolist():
        direction, row, col = np.unravel_index(at, loads.links.shape)
        if flat[at] > 0:
            place = f"{int(row) + loads.origin[0]},{int(col) + loads.origin[1]}"
            found.append([place, DIRECTIONS[int(direction)], _short(float(flat[at]))])
    return found


def _steps(numbers: list[int]) -> list[int]:
    """The first number and the step to each next one."""
    return [*numbers[:1], *(after - before for before, after in pairwise(numbers))]


def _short(value: float) -> float:
    """A number as it is shown: four digits."""
    return float(f"{value:.4g}")
