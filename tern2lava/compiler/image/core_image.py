"""Core images: the one binary form of what a core holds (docs/image-format.md), written and read here.

An image holds neuron groups (a box of a population with its parameters), axon ranges (a box of a source population,
each neuron one input axon) with the synapse block they lead to, the blocks with their packed codes, and the routes that
the group's spikes take. A host image holds the inputs and their routes only. Nothing else is needed to execute.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tern2lava.compiler.image.block_header import geometry_of, header_at, header_of
from tern2lava.compiler.image.code_rows import code_rows, from_code_rows, rows_shape
from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.image.codecs.loihi_entries import ENCODINGS, MAX_PER_ENTRY
from tern2lava.compiler.image.codecs.stream import MOST_CODES
from tern2lava.compiler.image.layout import codes_groups, integer_width
from tern2lava.compiler.image.records import MAX_NEURONS, Reader, Writer
from tern2lava.compiler.image.synapse_lists import decode_slice, encode_slice, plan_lists
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Ints, broadcast, conv_out, frozen, size
from tern2lava.errors import InputError

MAGIC = b"T2LC"
VERSION, SLOW_VERSION, LISTED_VERSION = 3, 4, 5
CORE, HOST = 0, 1
_HEADER = "4sHHIIII8B"
_RESETS = (Reset.ZERO, Reset.SUBTRACT, Reset.NONE)
_PARAMETERS = ("decay_u", "decay_v", "bias_u", "bias", "threshold", "reset_amount", "v_init")
_LOW, _ADAPTIVE = ("threshold_low",), ("decay_a", "gain_a")
HAS_LOW, HAS_ADAPTATION, REARMS, RELAYS, HAS_EXTRA, ROUNDS = 1, 2, 4, 8, 16, 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Neurons of one population on this core. number: the population's index among all that emit spikes, inputs first
    to last as the network defines them. local: the population cut to the box, None for an input on the host."""

    name: str
    number: int
    box: Box
    local: Population | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Axons:
    """One input axon for each neuron of `box` of the source population, or where it is pooled for each `window` (y, x)
    of neurons, whose spikes add up in the axon; they lead to synapse block `block`."""

    source: int
    box: Box
    block: int
    window: tuple[int, int] = (1, 1)

    @property
    def count(self) -> int:
        """Number of axons."""
        return self.box.volume // (self.window[0] * self.window[1])

    def axon_of(self) -> Ints:
        """The axon of each neuron of the box, in the box's order."""
        if self.window == (1, 1):
            return np.arange(self.box.volume)
        channels, height, width = self.box.extent
        py, px = self.window
        number = np.arange(self.count).reshape(channels, height // py, width // px)
        return number.repeat(py, axis=1).repeat(px, axis=2).reshape(-1)


@dataclass(frozen=True, eq=False, kw_only=True)
class SynapseBlock:
    """Synapses from a range of axons to group `group`: `local` maps the axons (flattened) to the group's neurons.
    encodings, per_entry: of the entries of synapse lists, where the codec is `loihi`."""

    group: int
    codec: str
    local: Projection
    encodings: tuple[str, ...] = ENCODINGS
    per_entry: int = MAX_PER_ENTRY


@dataclass(frozen=True, eq=False, kw_only=True)
class Route:
    """Spikes of those neurons of group `group` that lie in `box` go to axon range `axons` of core `core`."""

    group: int
    core: int
    axons: int
    box: Box


@dataclass(frozen=True, eq=False, kw_only=True)
class CoreImage:
    """What one core (or the host, which emits the inputs) holds. core: its number on the target; slowdown: hardware
    timesteps of a step of the network."""

    kind: int
    core: int
    arithmetic: Arithmetic
    groups: tuple[Group, ...]
    axons: tuple[Axons, ...]
    blocks: tuple[SynapseBlock, ...]
    routes: tuple[Route, ...]
    slowdown: int = 1


def encode_core(image: CoreImage) -> bytes:
    """The bytes of an image, in the oldest version that holds it. Raises InputError for values that its fields cannot
    hold."""
    out = Writer()
    a = image.arithmetic
    version = _version(image)
    try:
        out.pack(
            _HEADER, MAGIC, version, image.kind, image.core, len(image.groups),
            len(image.axons), len(image.routes), a.decay_bits, a.state_bits, a.threshold_bits, a.threshold_shift,
            a.bias_bits, a.bias_max_exp, a.gain_shift, a.gain_max_shift,
        )  # fmt: skip
        if version > VERSION:
            out.pack("H", image.slowdown)
        for group in image.groups:
            _write_group(out, group)
        for axons in image.axons:
            out.pack("IIHH", axons.source, axons.block, *axons.window)
            out.box(axons.box)
        for route in image.routes:
            out.pack("III", route.group, route.core, route.axons)
            out.box(route.box)
        out.pack("I", len(image.blocks))
        for block in image.blocks:
            _write_block(out, block)
    except (struct.error, OverflowError) as error:
        raise InputError(f"core {image.core}", f"a value does not fit its field of the image ({error})") from None
    return bytes(out.data) + struct.pack("<I", zlib.crc32(out.data))


def _version(image: CoreImage) -> int:
    """The oldest version that holds an image: steps of several hardware timesteps came with one, lists of indices with
    the next."""
    boxes = [each.box for records in (image.groups, image.axons, image.routes) for each in records]
    if any(box.kept for box in boxes):
        return LISTED_VERSION
    return VERSION if image.slowdown == 1 else SLOW_VERSION


def decode_core(data: bytes, name: str = "core image", *, synapses: bool = True) -> CoreImage:
    """The image in `data`, without its blocks unless `synapses`. Raises InputError where the checksum or any record
    that is read is not as docs/image-format.md says."""
    if len(data) < struct.calcsize("<" + _HEADER) + 4 or data[:4] != MAGIC:
        raise InputError(name, f"{len(data)} bytes that do not start as a core image")
    (checksum,) = struct.unpack("<I", data[-4:])
    if checksum != zlib.crc32(data[:-4]):
        raise InputError(name, "the checksum does not match; the image is damaged or cut short")
    read = Reader(data[:-4], name)
    _, version, kind, core, groups, axons, routes, *widths = struct.unpack(
        "<" + _HEADER, read.take(struct.calcsize("<" + _HEADER))
    )
    if version not in (VERSION, SLOW_VERSION, LISTED_VERSION) or kind not in (CORE, HOST):
        raise read.fail(f"version {version}, kind {kind}; this program reads versions {VERSION} to {LISTED_VERSION}")
    listed = version == LISTED_VERSION
    slowdown = _read_slowdown(read, version)
    if not (1 <= widths[1] <= 62 and widths[0] + widths[1] <= 62):
        raise read.fail(f"an arithmetic of {widths[1]} state bits and {widths[0]} decay bits")
    arithmetic = Arithmetic(
        decay_bits=widths[0], state_bits=widths[1], threshold_bits=widths[2], threshold_shift=widths[3],
        bias_bits=widths[4], bias_max_exp=widths[5], gain_shift=widths[6], gain_max_shift=widths[7],
    )  # fmt: skip
    image = CoreImage(
        kind=kind, core=core, arithmetic=arithmetic, slowdown=slowdown,
        groups=tuple(_read_group(read, kind, listed) for _ in range(groups)),
        axons=tuple(_read_axons(read, listed) for _ in range(axons)),
        routes=tuple(_read_route(read, listed) for _ in range(routes)),
        blocks=tuple(_read_block(read) for _ in range(read.unpack("I")[0])) if synapses else (),
    )  # fmt: skip
    if synapses:
        read.finish()
        _check(image, read)
    return image


def _read_slowdown(read: Reader, version: int) -> int:
    """Hardware timesteps of a step, which images of version 3 do not say, for it is one."""
    if version == VERSION:
        return 1
    slowdown: int = read.unpack("H")[0]
    if slowdown < (1 if version == LISTED_VERSION else 2):
        raise read.fail(f"a step of {slowdown} hardware timesteps in version {version}")
    return slowdown


@dataclass(frozen=True)
class Sections:
    """Bytes of an image by what they hold: neurons with their parameters; axon ranges and routes; synapse blocks; the
    rest (header, counts, checksum)."""

    neurons: int
    axons: int
    blocks: int
    rest: int


def sections(data: bytes, name: str = "core image") -> Sections:
    """How the bytes of an image divide, without decoding its synapses. Raises InputError as `decode_core`."""
    read = Reader(data[:-4], name)
    _, version, kind, _, groups, axons, routes, *_ = read.unpack(_HEADER)
    _read_slowdown(read, version)
    listed = version == LISTED_VERSION
    first = read.at
    for _ in range(groups):
        _read_group(read, kind, listed)
    neurons = read.at - first
    for _ in range(axons):
        _read_axons(read, listed)
    for _ in range(routes):
        _read_route(read, listed)
    wires = read.at - first - neurons
    read.unpack("I")
    return Sections(neurons, wires, len(data) - 4 - read.at, read.at - neurons - wires + 4)


def cut_population(population: Population, box: Box) -> Population:
    """The population's neurons in `box` as a population of their own, of shape (neurons,)."""

    def inside(value: Ints) -> Ints:
        if value.size == 1:
            return frozen(value.reshape(()), np.int64)
        spread = broadcast(value, population.shape)
        picked = box.select(spread) if box.shape == population.shape else spread.reshape(-1)[box.flat()]
        flat = picked.reshape(-1)
        return frozen(flat[0] if (flat == flat[0]).all() else flat, np.int64)

    names = _PARAMETERS + (_LOW if population.threshold_low is not None else ())
    names += _ADAPTIVE if population.gain_a is not None else ()
    values: dict[str, Any] = {name: inside(getattr(population, name)) for name in names}
    values["extra"] = {name: inside(value) for name, value in population.extra.items()}
    return Population(
        name=population.name, shape=(box.volume,), reset=population.reset, lsb=frozen(1.0), start=population.start,
        refractory=population.refractory, rearm=population.rearm, levels=population.levels,
        decays=population.decays, **values,
    )  # fmt: skip


def _write_group(out: Writer, group: Group) -> None:
    out.text(group.name)
    out.pack("I", group.number)
    out.box(group.box)
    if group.local is not None:
        local = group.local
        low, adaptive = local.threshold_low is not None, local.gain_a is not None
        relay = local.levels is not None
        flags = low * HAS_LOW | adaptive * HAS_ADAPTATION | local.rearm * REARMS | relay * RELAYS
        flags |= bool(local.extra) * HAS_EXTRA | (local.decays is Decays.NEAREST) * ROUNDS
        out.pack("IBHB", local.start, _RESETS.index(local.reset), local.refractory, flags)
        for name in _PARAMETERS + (_LOW if low else ()) + (_ADAPTIVE if adaptive else ()):
            out.integers(_by_channel(getattr(local, name), group.box))
        if local.levels is not None:
            out.pack("ii", *local.levels)
        if local.extra:
            out.pack("B", len(local.extra))
            for name, value in local.extra.items():
                out.text(name)
                out.integers(_by_channel(value, group.box))


def _by_channel(values: Ints, box: Box) -> Ints:
    """One value for each index of the box's first axis where they differ along no other, else `values`."""
    if values.size == box.volume and len(box.extent) > 1:
        rows = values.reshape(box.extent[0], -1)
        if (rows == rows[:, :1]).all():
            return rows[:, 0]
    return values


def _read_group(read: Reader, kind: int, listed: bool) -> Group:
    name = read.text()
    (number,) = read.unpack("I")
    box = read.box(listed=listed)
    if kind == HOST:
        return Group(name=name, number=number, box=box, local=None)
    start, reset, refractory, flags = read.unpack("IBHB")
    if reset >= len(_RESETS):
        raise read.fail(f"reset mode {reset}")
    if flags & ~(HAS_LOW | HAS_ADAPTATION | REARMS | RELAYS | HAS_EXTRA | ROUNDS):
        raise read.fail(f"neuron flags {flags}")
    decays = Decays.NEAREST if flags & ROUNDS else Decays.TRUNCATE
    values: dict[str, Any] = {"refractory": refractory, "rearm": bool(flags & REARMS), "decays": decays}
    for key in _PARAMETERS + (_LOW if flags & HAS_LOW else ()) + (_ADAPTIVE if flags & HAS_ADAPTATION else ()):
        values[key] = _read_parameter(read, key, box)
    if flags & RELAYS:
        low, high = read.unpack("ii")
        kept = flags != RELAYS or refractory or _RESETS[reset] is not Reset.NONE
        if kept or not low <= 0 <= high or any(values[key].any() for key in ("bias_u", "bias", "v_init")):
            raise read.fail(f"a relay of sums from {low} to {high} that is more than a relay")
        values["levels"] = (low, high)
    if flags & HAS_EXTRA:
        (count,) = read.unpack("B")
        values["extra"] = {}
        for _ in range(count):
            key = read.text()
            values["extra"][key] = _read_parameter(read, key, box)
    local = Population(
        name=name, shape=(box.volume,), reset=_RESETS[reset], lsb=frozen(1.0), start=start, **values
    )  # fmt: skip
    return Group(name=name, number=number, box=box, local=local)


def _read_parameter(read: Reader, key: str, box: Box) -> Ints:
    """A parameter of the neurons in `box`: one value, or one for each channel or neuron."""
    array = read.integers()
    if array.size not in (1, box.extent[0], box.volume):
        raise read.fail(f"{array.size} values of {key} for {box.volume} neurons")
    if 1 < array.size < box.volume:
        array = array.repeat(box.volume // array.size)
    return frozen(array.reshape(()) if array.size == 1 else array)


def _read_axons(read: Reader, listed: bool) -> Axons:
    source, block, py, px = read.unpack("IIHH")
    box = read.box(listed=listed)
    if (py, px) != (1, 1):
        extent = box.extent
        if min(py, px) < 1 or len(extent) != 3 or extent[1] % py or extent[2] % px:
            raise read.fail(f"windows of {py} x {px} that do not tile {box.text()}")
    return Axons(source=source, block=block, box=box, window=(py, px))


def _read_route(read: Reader, listed: bool) -> Route:
    group, core, axons = read.unpack("III")
    return Route(group=group, core=core, axons=axons, box=read.box(listed=listed))


def _write_block(out: Writer, block: SynapseBlock) -> None:
    local, codec = block.local, CODECS.get(block.codec)
    codes = local.weight
    low, high = int(codes.min()), int(codes.max())
    ternary = codec.ternary and not codec.lists
    if low < -128 or high > 127 or (ternary and (low < -1 or high > 1)):
        raise InputError(local.name, f"codes from {low} to {high} do not fit codec {codec.name}")
    gain = local.gain.reshape(-1)
    if codec.lists:
        payload = encode_slice(local, plan_lists(local, block.encodings, block.per_entry))
    else:
        payload = codec.encode(code_rows(codes.astype(np.int8, copy=False), codes_groups(local)))
    width = integer_width(gain)
    head = header_of(local, codec.number, width, len(payload), block.group).encode()
    out.words(head + np.ascontiguousarray(gain, f"<i{width}").tobytes() + payload)


def _read_block(read: Reader) -> SynapseBlock:
    first = read.at
    try:
        head, end = header_at(read.data, first)
    except ValueError as error:
        raise read.fail(f"a block with {error}") from None
    read.take(end - first)
    sizes = [size(head.in_shape), size(head.out_shape), *head.kernel, *head.stride, *head.padding, *head.dilation]
    good = max(sizes) <= MAX_NEURONS and min(head.in_shape + head.out_shape) >= 1 and head.delay < 1 << 16
    if head.codec not in CODECS.by_number or not good:
        raise read.fail(f"a block of codec {head.codec}, sizes up to {max(sizes):,}")
    geometry, codec, bits = geometry_of(head), CODECS.by_number[head.codec], head.bits
    if geometry is not None:
        _check_geometry(geometry, head.kernel, read)
    oc, ic = head.out_shape[0], head.in_shape[0]
    shape = (oc, ic) if geometry is None else (oc, ic // geometry.groups, *head.kernel)
    count = size(shape)
    if not 0 < count <= MOST_CODES:
        raise read.fail(f"{count} codes in a block, {MOST_CODES:,} at most")
    width = head.gain_width
    gain = np.frombuffer(read.take(width * (oc if head.by_row else 1)), f"<i{width}").astype(np.int64)
    like = Projection(
        name="block", weight=np.broadcast_to(np.int8(0), shape), geometry=geometry, delay=head.delay, bits=bits,
        gain=frozen(gain if head.by_row else gain.reshape(())),
    )  # fmt: skip
    payload = read.take(head.payload)
    read.fill(first)
    if codec.lists:
        if count > MAX_NEURONS:
            raise read.fail(f"synapse lists of {count} weights of {bits} bits")
        codes: Array = decode_slice(payload, like)
    else:
        groups = codes_groups(like)
        codes = from_code_rows(codec.decode(payload, *rows_shape(shape, groups)), shape, groups)
    local = replace(like, weight=frozen(codes, np.int8))
    return SynapseBlock(group=head.group, codec=codec.name, local=local)


def _check_geometry(g: ConvGeometry, kernels: tuple[int, ...], read: Reader) -> None:
    positive = min(*kernels, *g.stride, *g.dilation, g.groups, *g.in_shape, *g.out_shape) >= 1
    good = positive and g.in_shape[0] % g.groups == 0 and g.out_shape[0] % g.groups == 0
    for axis, kernel in enumerate(kernels):
        if not good:
            break
        pad = g.padding[2 * axis] + g.padding[2 * axis + 1]
        length = conv_out(g.in_shape[axis + 1], kernel, g.stride[axis], pad, g.dilation[axis])
        good = length == g.out_shape[axis + 1] and pad < MAX_NEURONS
    if not good:
        raise read.fail("a convolution whose shapes do not belong together")


def _check(image: CoreImage, read: Reader) -> None:
    """That the records of an image refer to each other and agree in size."""
    for axons in image.axons:
        if axons.block >= len(image.blocks):
            raise read.fail(f"axons of block {axons.block} of {len(image.blocks)}")
        geometry = image.blocks[axons.block].local.geometry
        seen = image.blocks[axons.block].local.weight.shape[1] if geometry is None else size(geometry.in_shape)
        if axons.count != seen:
            raise read.fail(f"{axons.count} axons of a block with {seen} inputs")
    for block in image.blocks:
        if block.group >= len(image.groups):
            raise read.fail(f"a block of group {block.group} of {len(image.groups)}")
        g = block.local.geometry
        rows = block.local.weight.shape[0] if g is None else size(g.out_shape)
        if rows != image.groups[block.group].box.volume:
            raise read.fail(f"a block of {rows} outputs into {image.groups[block.group].box.volume} neurons")
    for route in image.routes:
        if route.group >= len(image.groups):
            raise read.fail(f"a route of group {route.group} of {len(image.groups)}")
        if size(route.box.shape) != size(image.groups[route.group].box.shape):
            raise read.fail(
                f"a route that sees {route.box.shape} where the population is {image.groups[route.group].box.shape}"
            )
