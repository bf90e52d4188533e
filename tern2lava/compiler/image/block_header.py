"""The head of a synapse block's record in a core image: as few bytes as its numbers need (docs/image-format.md).

Two bytes of fields and u16 group, then unsigned numbers in LEB128 (seven bits a byte, lowest first, the highest bit
says that another byte follows). A head counts as synaptic memory, and a block may hold a few hundred codes only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import ConvGeometry

# About what a head takes; for estimates only.
TYPICAL_BYTES = 20
_MOST_BYTES = 5


@dataclass(frozen=True)
class BlockHeader:
    """conv: a convolution, else dense, whose shapes are (axons, 1, 1) and (neurons, 1, 1) and whose kernel is 1 x 1.
    gain_width: bytes of a gain value. payload: bytes of codes."""

    conv: bool
    codec: int
    bits: int
    by_row: bool
    gain_width: int
    group: int
    delay: int
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    payload: int
    kernel: tuple[int, ...] = (1, 1)
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0, 0, 0)
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1

    @property
    def square(self) -> bool:
        """Whether kernel, stride, padding and dilation are alike along both axes and at all sides."""
        return all(len(set(v)) == 1 for v in (self.kernel, self.stride, self.padding, self.dilation))

    def encode(self) -> bytes:
        """The bytes. Raises OverflowError for a number that its field cannot hold."""
        if not 1 <= self.bits <= 8 or self.delay >> 16:
            raise OverflowError(f"codes of {self.bits} bits, a delay of {self.delay} steps")
        square, width = self.square, self.gain_width.bit_length() - 1
        form = self.conv | self.by_row << 1 | width << 2 | (self.bits - 1) << 4 | square << 7
        numbers = [self.delay, *self.in_shape, *self.out_shape]
        for values in (self.kernel, self.stride, self.padding, self.dilation):
            numbers += values[:1] if square else values
        head = form.to_bytes(1, "little") + self.codec.to_bytes(1, "little") + self.group.to_bytes(2, "little")
        return head + b"".join(map(number_bytes, [*numbers, self.groups, self.payload]))


def header_of(local: Projection, codec: int, gain_width: int, payload: int, group: int = 0) -> BlockHeader:
    """The head of the block that stores `local` in `payload` bytes of codes."""
    fields = local.bits, local.gain.ndim > 0, gain_width, group, local.delay
    g = local.geometry
    if g is None:
        neurons, axons = local.weight.shape
        return BlockHeader(False, codec, *fields, (axons, 1, 1), (neurons, 1, 1), payload)
    return BlockHeader(
        True, codec, *fields, g.in_shape, g.out_shape, payload, tuple(local.weight.shape[2:]), g.stride, g.padding,
        g.dilation, g.groups,
    )  # fmt: skip


def number_bytes(value: int) -> bytes:
    """An unsigned number in LEB128. Raises OverflowError above 35 bits and below 0."""
    if not 0 <= value < 1 << 7 * _MOST_BYTES:
        raise OverflowError(f"{value} is no number from 0 to 2^{7 * _MOST_BYTES} - 1")
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number_at(data: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends) of the LEB128 number at byte `at`. Raises ValueError where there is none: cut short, over
    35 bits, or in more bytes than it needs."""
    value = 0
    for index in range(_MOST_BYTES):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 127) << 7 * index
        if byte < 128:
            if byte == 0 and index:
                break
            return value, at + index + 1
    raise ValueError(f"no number at byte {at}")


def header_at(data: bytes, at: int) -> tuple[BlockHeader, int]:
    """(head, where it ends) of the block record at byte `at`. Raises ValueError for bytes that no head encodes to."""
    if at + 4 > len(data):
        raise ValueError(f"no head at byte {at}")
    form, codec, group = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4], "little")
    at += 4

    def numbers(count: int) -> tuple[int, ...]:
        nonlocal at
        values = []
        for _ in range(count):
            value, at = number_at(data, at)
            values.append(value)
        return tuple(values)

    square = bool(form & 128)
    (delay,), in_shape, out_shape = numbers(1), numbers(3), numbers(3)
    kernel, stride, padding, dilation = (numbers(1) * n if square else numbers(n) for n in (2, 2, 4, 2))
    groups, payload = numbers(2)
    found = BlockHeader(
        bool(form & 1), codec, (form >> 4 & 7) + 1, bool(form & 2), 1 << (form >> 2 & 3), group, delay, in_shape,
        out_shape, payload, kernel, stride, padding, dilation, groups,
    )  # fmt: skip
    plain = found == replace(found, kernel=(1, 1), stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1)
    if delay >> 16 or square != found.square or not (found.conv or (plain and in_shape[1:] == out_shape[1:] == (1, 1))):
        raise ValueError("a head that no block has")
    return found, at


def geometry_of(header: BlockHeader) -> ConvGeometry | None:
    """The geometry of a convolution's block, None of a dense one. Nothing is checked."""
    if not header.conv:
        return None
    in_c, in_h, in_w = header.in_shape
    out_c, out_h, out_w = header.out_shape
    top, bottom, left, right = header.padding
    return ConvGeometry(
        in_shape=(in_c, in_h, in_w), out_shape=(out_c, out_h, out_w), stride=(header.stride[0], header.stride[1]),
        padding=(top, bottom, left, right), dilation=(header.dilation[0], header.dilation[1]), groups=header.groups,
    )  # fmt: skip
