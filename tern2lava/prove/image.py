"""A core image as its records, decoded from docs/image-format.md; the codes of synapses stay packed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from tern2lava.prove.codecs import LISTS, NAMES, decode
from tern2lava.prove.reader import MOST, MOST_CODES, Box, Codes, Ints, Reader, Shape
from tern2lava.prove.synapse_lists import kernel_of_lists, matrix_of_lists

VERSION, SLOW_VERSION, LISTED_VERSION = 3, 4, 5
HOST = "host"
PARAMETERS = ("decay_u", "decay_v", "bias_u", "bias", "threshold", "reset_amount", "v_init")
ARITHMETIC = (
    "decay_bits", "state_bits", "threshold_bits", "threshold_shift", "bias_bits", "bias_max_exp", "gain_shift",
    "gain_max_shift",
)  # fmt: skip
_RESETS = ("zero", "subtract", "none")
_LOW, _ADAPTIVE, _REARM, _RELAY, _EXTRA, _NEAREST = 1, 2, 4, 8, 16, 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Neurons of population `number`. modes: start, reset, refractory, rearm, levels and decays; values: the integer
    lists by name, each of one value, one for each index of the box's first axis, or one for each neuron."""

    name: str
    number: int
    box: Box
    modes: Mapping[str, object] = field(default_factory=dict)
    values: Mapping[str, Ints] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Axons:
    """Axon range: neurons `box` of population `source`, those of a window sharing an axon, lead to `block`."""

    source: int
    block: int
    window: tuple[int, int]
    box: Box


@dataclass(frozen=True, kw_only=True)
class Route:
    """Spikes of `group` that lie in `box` go to axon range `axons` of core `core`."""

    group: int
    core: int
    axons: int
    box: Box


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """A synapse block. kernel (height, width), strides (y, x), padding (top, bottom, left, right), dilation (y, x);
    gain (1,) or (rows,); stored: the packed codes."""

    conv: bool
    codec: int
    bits: int
    group: int
    delay: int
    in_shape: Shape
    out_shape: Shape
    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int
    gain: Ints
    stored: bytes

    @property
    def shape(self) -> Shape:
        """Of the weight: (neurons, axons), or (channels out, channels in of a group, kernel height, width)."""
        if not self.conv:
            return self.out_shape[0], self.in_shape[0]
        return self.out_shape[0], self.in_shape[0] // self.groups, *self.kernel

    def digest(self) -> bytes:
        """Equal for blocks that have equal codes and gains."""
        key: tuple[object, ...] = (self.conv, self.codec, self.bits, self.shape, self.groups)
        if self.codec == LISTS:
            key += (self.delay, self.in_shape, self.out_shape, self.stride, self.padding, self.dilation)
        return blake2b(repr(key).encode() + self.gain.tobytes() + self.stored, digest_size=20).digest()

    def codes(self) -> Codes:
        """The codes, in `shape`. Raises ValueError for bytes that the codec does not allow."""
        if self.codec == LISTS:
            return kernel_of_lists(self) if self.conv else matrix_of_lists(self)
        out, inner, *kernel = self.shape
        if not self.conv:
            matrix: Codes = decode(self.codec, self.stored, inner, out).T
            return matrix
        rows = decode(self.codec, self.stored, self.in_shape[0], out // self.groups * kernel[0] * kernel[1])
        split = rows.reshape(self.groups, inner, out // self.groups, *kernel)
        kernels: Codes = split.swapaxes(1, 2).reshape(self.shape)
        return kernels


@dataclass(frozen=True, eq=False, kw_only=True)
class Image:
    """What a core holds, or the host (core None). name: for errors; slowdown: hardware timesteps of a step."""

    name: str
    core: int | None
    arithmetic: Mapping[str, int]
    groups: tuple[Group, ...]
    axons: tuple[Axons, ...]
    routes: tuple[Route, ...]
    blocks: tuple[Block, ...]
    slowdown: int


def read_image(data: bytes, name: str) -> Image:
    """The image in `data`. Raises InputError where it is damaged or no image of this version."""
    read = Reader(data[:-4], name)
    if len(data) < 40 or data[:4] != b"T2LC":
        raise read.fail(f"{len(data):,} bytes that begin otherwise")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise read.fail("another checksum, so that it is damaged")
    read.at = 4
    version, kind, core, groups, axons, routes, *widths = read.unpack("HHIIII8B")
    if version not in (VERSION, SLOW_VERSION, LISTED_VERSION) or kind > 1 or (kind == 1 and core):
        raise read.fail(f"version {version}, kind {kind}, core {core}")
    slowdown = 1 if version == VERSION else read.unpack("H")[0]
    lists = version == LISTED_VERSION
    if slowdown < (1 if lists or version == VERSION else 2):
        raise read.fail(f"a step of {slowdown} hardware timesteps in version {version}")
    image = Image(
        name=HOST if kind else f"core {core}", core=None if kind else core,
        arithmetic=dict(zip(ARITHMETIC, widths, strict=True)), slowdown=slowdown,
        groups=tuple(_group(read, host=kind == 1, lists=lists) for _ in range(groups)),
        axons=tuple(_axons(read, lists=lists) for _ in range(axons)),
        routes=tuple(_route(read, lists=lists) for _ in range(routes)),
        blocks=tuple(_block(read) for _ in range(read.unpack("I")[0])),
    )  # fmt: skip
    if read.at != len(read.data):
        raise read.fail(f"{len(read.data) - read.at:,} bytes behind the last block")
    return image


def _group(read: Reader, *, host: bool, lists: bool) -> Group:
    name, (number,), box = read.text(), read.unpack("I"), read.box(lists=lists)
    if host:
        return Group(name=name, number=number, box=box)
    start, reset, refractory, flags = read.unpack("IBHB")
    if reset >= len(_RESETS) or flags > 63 or (flags & _RELAY and flags != _RELAY):
        raise read.fail(f"reset {reset} and flags {flags} of neurons")
    names = PARAMETERS + (("threshold_low",) if flags & _LOW else ())
    names += ("decay_a", "gain_a") if flags & _ADAPTIVE else ()
    values = {key: read.integers() for key in names}
    levels = read.unpack("ii") if flags & _RELAY else None
    if flags & _EXTRA:
        values |= {read.text(): read.integers() for _ in range(read.unpack("B")[0])}
    for key, given in values.items():
        if given.size not in (1, box.extent[0], box.volume):
            raise read.fail(f"{given.size} values of {key} for {box.volume} neurons")
    modes = {
        "start": start, "reset": _RESETS[reset], "refractory": refractory, "rearm": bool(flags & _REARM),
        "levels": levels, "decays": "nearest" if flags & _NEAREST else "truncate",
    }  # fmt: skip
    return Group(name=name, number=number, box=box, modes=modes, values=values)


def _axons(read: Reader, *, lists: bool) -> Axons:
    source, block, y, x = read.unpack("IIHH")
    box = read.box(lists=lists)
    tiles = (y, x) == (1, 1) or (len(box.shape) == 3 and y and x and not box.extent[1] % y and not box.extent[2] % x)
    if not tiles:
        raise read.fail(f"windows of {y} x {x} on {box}")
    return Axons(source=source, block=block, window=(y, x), box=box)


def _route(read: Reader, *, lists: bool) -> Route:
    group, core, axons = read.unpack("III")
    return Route(group=group, core=core, axons=axons, box=read.box(lists=lists))


def _block(read: Reader) -> Block:
    first = read.at
    form, codec, group = read.unpack("BBH")
    alike, conv = bool(form & 128), bool(form & 1)
    delay, in_shape, out_shape = read.number(), read.numbers(3), read.numbers(3)
    kernel, stride, padding, dilation = (read.numbers(1) * n if alike else read.numbers(n) for n in (2, 2, 4, 2))
    groups, length = read.numbers(2)
    positive = min(*in_shape, *out_shape, *kernel, *stride, *dilation, groups) > 0
    if not positive or codec not in NAMES or max(*in_shape, *out_shape, *kernel, *padding) > MOST:
        raise read.fail(f"a block of codec {codec}, {in_shape} to {out_shape}, kernel {kernel}, groups {groups}")
    codes = out_shape[0] * (in_shape[0] // groups) * kernel[0] * kernel[1]
    if codes > MOST_CODES or max(out_shape[1] * kernel[0], out_shape[2] * kernel[1]) > MOST:
        raise read.fail(f"{codes:,} codes, a kernel {kernel} over outputs {out_shape}")
    plain = kernel == stride == dilation == (1, 1) and not any(padding) and groups == 1
    if not conv and not (plain and in_shape[1:] == out_shape[1:] == (1, 1)):
        raise read.fail("a dense block with the geometry of a convolution")
    if in_shape[0] % groups or out_shape[0] % groups:
        raise read.fail(f"{in_shape[0]} and {out_shape[0]} channels in {groups} groups")
    width = 1 << (form >> 2 & 3)
    gain = np.frombuffer(read.take(width * (out_shape[0] if form & 2 else 1)), f"<i{width}").astype(np.int64)
    stored = read.take(length)
    if any(read.take(-(read.at - first) % 8)):
        raise read.fail("a block that is not filled with zeros")
    return Block(
        conv=conv, codec=codec, bits=(form >> 4 & 7) + 1, group=group, delay=delay, in_shape=in_shape,
        out_shape=out_shape, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups,
        gain=gain, stored=stored,
    )  # fmt: skip
