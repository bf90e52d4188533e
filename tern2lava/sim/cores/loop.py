"""Neuron groups of core images that feed each other, executed hardware timestep by hardware timestep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tern2lava.compiler.image.core_image import CoreImage
from tern2lava.compiler.ir.shapes import Ints, Spikes
from tern2lava.sim.cores.machine import CoreMachine
from tern2lava.sim.cores.routes import Gather, Place
from tern2lava.sim.reference.integer import spike_type

if TYPE_CHECKING:
    from tern2lava.sim.cores.result import Result


class Loop:
    """Groups `members` of `images`. outside: by axon range, the gather of what reaches it from other groups; gathers
    that groups inside feed too are split, those feeds being followed in every step."""

    def __init__(
        self, images: list[CoreImage], members: tuple[Place, ...], found: tuple[Gather, ...],
        of_axons: dict[tuple[int, int], int],
    ) -> None:  # fmt: skip
        self.members = members
        self.slowdown = images[0].slowdown
        self.images = {c: _part(images[c], [g for d, g in members if d == c]) for c in sorted({c for c, _ in members})}
        self.starts = {
            (c, g): 0 if group.local is None else group.local.start
            for c, image in enumerate(images)
            for g, group in enumerate(image.groups)
        }
        self.outside: dict[str, int] = {}
        self.ranges: dict[int, list[tuple[str, Gather, Ints]]] = {}
        inside = set(members)
        for c, (part, kept) in self.images.items():
            self.ranges[c] = []
            for a, axons in zip(kept, part.axons, strict=True):
                gather = found[of_axons[c, a]]
                name = f"{c}.{a}"
                if any(feed.source not in inside for feed in gather.feeds):
                    if any(feed.source in inside for feed in gather.feeds):
                        raise AssertionError(f"axon range {name} sees one population, which is in the loop or is not")
                    self.outside[name] = of_axons[c, a]
                self.ranges[c].append((name, gather, axons.axon_of()))

    def run(
        self, given: dict[str, Spikes], samples: int, steps: int, states: bool, driven: Mapping[Place, Spikes]
    ) -> Iterator[Result]:
        """What each group does, given what reaches the loop from outside, (samples, steps, volume) by axon range, and
        what its members send in the place of their spikes (driven)."""
        from tern2lava.sim.cores.result import Result

        machines = {c: CoreMachine(part, samples, steps) for c, (part, _) in self.images.items()}
        groups = {member: machines[member[0]] for member in self.members}
        first: dict[Place, slice] = {}
        for c, machine in machines.items():
            own = [g for d, g in self.members if d == c]
            first |= {(c, g): slice(*machine.neuron_ends[i : i + 2]) for i, g in enumerate(own)}
        results: dict[Place, Result] = {}
        for c, g in self.members:
            span = first[c, g]
            shape = (samples, steps, span.stop - span.start)
            local = self.images[c][0].groups[[h for d, h in self.members if d == c].index(g)].local
            assert local is not None
            u, v = (np.zeros(shape, np.int64), np.zeros(shape, np.int64)) if states else (None, None)
            results[c, g] = Result((c, g), np.zeros(shape, spike_type(local)), u, v)
        emitted: dict[int, Spikes] = {
            c: np.zeros((samples, machine.neurons), machine.spike_type) for c, machine in machines.items()
        }
        for t in range(1, (steps - 1) * self.slowdown + 1 + max(self.starts[m] for m in self.members) + 1):
            before = {member: emitted[member[0]][:, first[member]] for member in self.members}
            for member in before.keys() & driven.keys():
                k = self._step_of(member, t - 1, steps)
                before[member] = np.zeros_like(before[member]) if k is None else driven[member][:, k]
            now = {}
            for c, machine in machines.items():
                now[c] = machine.step(t, self._arriving(c, t, before, given, samples, steps, machine))
            emitted = now
            for member in groups:
                k = self._step_of(member, t, steps)
                if k is not None:
                    span, result = first[member], results[member]
                    result.spikes[:, k] = emitted[member[0]][:, span]
                    if result.u is not None and result.v is not None:
                        result.u[:, k], result.v[:, k] = machines[member[0]].u[:, span], machines[member[0]].v[:, span]
        yield from results.values()

    def _step_of(self, place: Place, t: int, steps: int) -> int | None:
        """Which step a group makes in hardware timestep t; None: it rests."""
        k, late = divmod(t - self.starts[place] - 1, self.slowdown)
        return k if late == 0 and 0 <= k < steps else None

    def _arriving(
        self, c: int, t: int, before: dict[Place, Spikes], given: dict[str, Spikes], samples: int, steps: int,
        machine: CoreMachine,
    ) -> Ints:  # fmt: skip
        """Spikes on the axons of core `c` in hardware timestep t, (samples, axons)."""
        parts = []
        for name, gather, axon_of in self.ranges[c]:
            seen = np.zeros((samples, gather.volume), np.int64)
            if name in given:
                k = self._step_of(gather.feeds[0].source, t - 1, steps)
                if k is not None:
                    seen += given[name][:, k]
            else:
                for feed in gather.feeds:
                    seen[:, feed.place] += before[feed.source][:, feed.neuron]
            if axon_of.size and axon_of[-1] + 1 < axon_of.size:
                summed = np.zeros((samples, int(axon_of[-1]) + 1), np.int64)
                np.add.at(summed.T, axon_of, seen.T)
                seen = summed
            parts.append(seen)
        return np.concatenate(parts, axis=1) if parts else np.zeros((samples, machine.axons), np.int64)


def _part(image: CoreImage, groups: list[int]) -> tuple[CoreImage, list[int]]:
    """The image with some of its groups alone, and which axon ranges it keeps."""
    blocks = [b for b, block in enumerate(image.blocks) if block.group in groups]
    kept = [a for a, axons in enumerate(image.axons) if axons.block in blocks]
    return replace(
        image,
        groups=tuple(image.groups[g] for g in groups),
        blocks=tuple(replace(image.blocks[b], group=groups.index(image.blocks[b].group)) for b in blocks),
        axons=tuple(replace(image.axons[a], block=blocks.index(image.axons[a].block)) for a in kept),
        routes=(),
    ), kept
