"""Miscompilations: core images with one thing wrong, as a compiler with a bug would write them, checksums included."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tern2lava.compiler.image.core_image import Axons, CoreImage, Group, SynapseBlock, encode_core
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Decays, Population, Reset
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.errors import Tern2LavaError

Rng = np.random.Generator
Bytes = list[bytes]


@dataclass(frozen=True)
class Chosen:
    """One image of all, the host's last."""

    images: list[CoreImage]
    place: int

    @property
    def image(self) -> CoreImage:
        return self.images[self.place]


class NoPlaceError(Exception):
    """These images have nothing that can go wrong in this way."""


def mutants(images: list[CoreImage], data: Bytes, kind: str, rng: Rng) -> Bytes:
    """The bytes of all images, the host's last, with one mistake of this kind. Raises NoPlaceError."""
    if kind == "byte":
        return _changed_byte(data, rng)
    for _ in range(40):
        place = int(rng.integers(len(images)))
        try:
            changed = KINDS[kind](Chosen(images, place), rng)
            result = list(data)
            result[place] = encode_core(changed)
        except (NoPlaceError, Tern2LavaError):
            continue
        if result[place] != data[place]:
            return result
    raise NoPlaceError


def _changed_byte(data: Bytes, rng: Rng) -> Bytes:
    """Any byte of any image, its checksum made anew."""
    place = int(rng.integers(len(data)))
    raw = bytearray(data[place][:-4])
    raw[int(rng.integers(len(raw)))] ^= int(rng.integers(1, 256))
    result = list(data)
    result[place] = bytes(raw) + zlib.crc32(raw).to_bytes(4, "little")
    return result


def _pick(items: tuple[Any, ...], rng: Rng) -> int:
    if not items:
        raise NoPlaceError
    return int(rng.integers(len(items)))


def _put(items: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return (*items[:index], value, *items[index + 1 :])


def _block(change: Callable[[SynapseBlock, Rng], SynapseBlock]) -> Callable[[Chosen, Rng], CoreImage]:
    def changed(at: Chosen, rng: Rng) -> CoreImage:
        blocks = at.image.blocks
        index = _pick(blocks, rng)
        return replace(at.image, blocks=_put(blocks, index, change(blocks[index], rng)))

    return changed


def _weight(change: Callable[[Array, Rng], Array]) -> Callable[[Chosen, Rng], CoreImage]:
    def changed(block: SynapseBlock, rng: Rng) -> SynapseBlock:
        weight = change(np.array(block.local.weight), rng)
        return replace(block, local=replace(block.local, weight=frozen(weight, np.int8)))

    return _block(changed)


def _wrong_sign(weight: Array, rng: Rng) -> Array:
    places = np.argwhere(weight)
    if not len(places):
        raise NoPlaceError
    at = tuple(places[int(rng.integers(len(places)))])
    weight[at] = -weight[at]
    return weight


def _lost_synapse(weight: Array, rng: Rng) -> Array:
    places = np.argwhere(weight)
    if not len(places):
        raise NoPlaceError
    weight[tuple(places[int(rng.integers(len(places)))])] = 0
    return weight


def _swapped(axis: int) -> Callable[[Array, Rng], Array]:
    """Two axons or input channels (axis 1), two neurons or output channels (axis 0)."""

    def changed(weight: Array, rng: Rng) -> Array:
        if weight.shape[axis] < 2:
            raise NoPlaceError
        one, other = rng.choice(weight.shape[axis], 2, replace=False)
        index = np.arange(weight.shape[axis])
        index[[one, other]] = other, one
        return weight.take(index, axis)

    return changed


def _shifted_kernel(weight: Array, rng: Rng) -> Array:
    if weight.ndim == 2:
        return np.roll(weight, 1, int(rng.integers(2)))
    if max(weight.shape[2:]) == 1:
        raise NoPlaceError
    axis = 2 if weight.shape[3] == 1 else int(rng.integers(2, 4))
    return np.roll(weight, int(rng.choice([-1, 1])), axis)


def _dropped_row(weight: Array, rng: Rng) -> Array:
    """The last neuron, axon, channel or row of the kernel has no synapses."""
    np.moveaxis(weight, int(rng.integers(weight.ndim)), 0)[-1] = 0
    return weight


def _delay(block: SynapseBlock, rng: Rng) -> SynapseBlock:
    return replace(block, local=replace(block.local, delay=abs(block.local.delay + int(rng.choice([-1, 1])))))


def _gain(block: SynapseBlock, rng: Rng) -> SynapseBlock:
    local = block.local
    gain = np.broadcast_to(local.gain, local.weight.shape[:1]).copy()
    gain[int(rng.integers(gain.size))] *= 2
    return replace(block, local=replace(local, gain=frozen(gain)))


def _padding(block: SynapseBlock, rng: Rng) -> SynapseBlock:
    geometry = block.local.geometry
    if geometry is None:
        raise NoPlaceError
    axis, step = int(rng.integers(2)), int(rng.choice([-1, 1]))
    padding = list(geometry.padding)
    padding[2 * axis] += step
    padding[2 * axis + 1] -= step
    if min(padding) < 0:
        raise NoPlaceError
    moved = replace(geometry, padding=(padding[0], padding[1], padding[2], padding[3]))
    return replace(block, local=replace(block.local, geometry=moved))


def _neurons(change: Callable[[Group, Rng], Group]) -> Callable[[Chosen, Rng], CoreImage]:
    def changed(at: Chosen, rng: Rng) -> CoreImage:
        groups = at.image.groups
        index = _pick(groups, rng)
        if groups[index].local is None:
            raise NoPlaceError
        return replace(at.image, groups=_put(groups, index, change(groups[index], rng)))

    return changed


def _parameter(*names: str) -> Callable[[Chosen, Rng], CoreImage]:
    """One neuron's value is by one off."""

    def changed(group: Group, rng: Rng) -> Group:
        assert group.local is not None
        there = [name for name in names if getattr(group.local, name) is not None]
        if not there:
            raise NoPlaceError
        name = str(rng.choice(there))
        value = np.broadcast_to(getattr(group.local, name), (group.box.volume,)).copy()
        value[int(rng.integers(value.size))] += int(rng.choice([-1, 1]))
        return replace(group, local=_with(group.local, **{name: frozen(value)}))

    return _neurons(changed)


def _adaptation(at: Chosen, rng: Rng) -> CoreImage:
    if not any(group.local is not None and group.local.gain_a is not None for group in at.image.groups):
        raise NoPlaceError
    return _parameter("gain_a", "decay_a")(at, rng)


def _with(local: Population, **values: Any) -> Population:
    return replace(local, **values)


def _mode(group: Group, rng: Rng) -> Group:
    local = group.local
    assert local is not None
    changes: list[dict[str, Any]] = [
        {"start": local.start + 1}, {"refractory": local.refractory + 1}, {"rearm": not local.rearm},
        {"reset": next(reset for reset in Reset if reset is not local.reset)},
        {"decays": next(decays for decays in Decays if decays is not local.decays)},
    ]  # fmt: skip
    if local.levels is not None:
        changes += [{"levels": None}, {"levels": (local.levels[0], local.levels[1] - 1)}] * 3
    return replace(group, local=_with(local, **changes[int(rng.integers(len(changes)))]))


def _moved(box: Box, rng: Rng) -> Box:
    axis, step = int(rng.integers(len(box.shape))), int(rng.choice([-1, 1]))
    lo, hi = list(box.lo), list(box.hi)
    lo[axis] += step
    hi[axis] += step
    if lo[axis] < 0 or hi[axis] > box.shape[axis]:
        raise NoPlaceError
    return Box(box.shape, tuple(lo), tuple(hi))


def _moved_neurons(group: Group, rng: Rng) -> Group:
    return replace(group, box=_moved(group.box, rng))


def _axons(at: Chosen, rng: Rng) -> CoreImage:
    """An axon range sees other neurons, leads to another block, or is of another population."""
    axons = at.image.axons
    index = _pick(axons, rng)
    old: Axons = axons[index]
    changes = (
        lambda: replace(old, box=_moved(old.box, rng)),
        lambda: replace(old, block=int(rng.integers(len(at.image.blocks)))),
        lambda: replace(old, source=old.source + 1),
    )
    return replace(at.image, axons=_put(axons, index, changes[int(rng.integers(3))]()))


def _route(at: Chosen, rng: Rng) -> CoreImage:
    """A route is lost, doubled, or ends elsewhere."""
    routes = at.image.routes
    index = _pick(routes, rng)
    old = routes[index]
    other = at.images[int(rng.integers(len(at.images) - 1))]
    changes: tuple[Callable[[], tuple[Any, ...]], ...] = (
        lambda: (*routes[:index], *routes[index + 1 :]),
        lambda: (*routes, old),
        lambda: _put(routes, index, replace(old, core=other.core)),
        lambda: _put(routes, index, replace(old, axons=old.axons + 1)),
        lambda: _put(routes, index, replace(old, box=_moved(old.box, rng))),
        lambda: _put(routes, index, replace(old, group=int(rng.integers(len(at.image.groups))))),
    )
    return replace(at.image, routes=changes[int(rng.integers(len(changes)))]())


KINDS: dict[str, Callable[[Chosen, Rng], CoreImage]] = {
    "wrong sign": _weight(_wrong_sign),
    "lost synapse": _weight(_lost_synapse),
    "wrong axon": _axons,
    "swapped axon or channel in": _weight(_swapped(1)),
    "swapped neuron or channel out": _weight(_swapped(0)),
    "delay": _block(_delay),
    "gain": _block(_gain),
    "decay": _parameter("decay_u", "decay_v"),
    "threshold": _parameter("threshold", "threshold_low"),
    "adaptation": _adaptation,
    "bias, reset or start value": _parameter("bias", "bias_u", "reset_amount", "v_init"),
    "reset, start, refractory, rearming or rounding": _neurons(_mode),
    "route": _route,
    "neurons moved": _neurons(_moved_neurons),
    "shifted kernel": _weight(_shifted_kernel),
    "dropped last row": _weight(_dropped_row),
    "padding off by one": _block(_padding),
}
ALL = (*KINDS, "byte")
