"""A matrix of codes as one self-contained, checked byte string: for files and transport.

0   2 bytes   T2
2   u8        version, 1
3   u8        number of the codec
4   u32       rows
8   u32       columns
12  u32       CRC-32 of the 12 bytes before and of the codec's bytes
16            the codec's bytes
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from tern2lava.compiler.image.codecs import CODECS, STORAGE, Codec
from tern2lava.compiler.ir.shapes import Codes
from tern2lava.errors import InputError

HEADER_BYTES = 16
_HEADER = struct.Struct("<2sBBII")
_MAGIC, _VERSION = b"T2", 1
# More codes than this are refused before anything is allocated: few bytes can stand for many zeros.
MOST_CODES = 1 << 28


@dataclass(frozen=True)
class Stream:
    """A stream whose checksum is right."""

    codec: Codec
    rows: int
    columns: int
    payload: bytes

    def codes(self) -> Codes:
        """All codes, int8 (rows, columns)."""
        return self.codec.decode(self.payload, self.rows, self.columns)

    def row(self, row: int) -> Codes:
        """One row, int8 (columns,), found without decoding the others."""
        return self.codec.decode_row(self.payload, self.rows, self.columns, row)


def write_stream(codes: Codes, codec: str = STORAGE.name) -> bytes:
    """`codes` (rows, columns) in a codec, by name, with header and checksum."""
    chosen = CODECS.get(codec)
    payload = chosen.encode(codes)
    head = _HEADER.pack(_MAGIC, _VERSION, chosen.number, *codes.shape)
    return head + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head))) + payload


def read_stream(data: bytes, name: str = "weight stream", most_codes: int = MOST_CODES) -> Stream:
    """The stream in `data`. Raises InputError where it is none, is damaged or cut short, or holds over `most_codes`."""
    if len(data) < HEADER_BYTES or data[:2] != _MAGIC:
        raise InputError(name, f"{len(data)} bytes that do not start as a weight stream")
    _, version, number, rows, columns = _HEADER.unpack_from(data)
    (checksum,) = struct.unpack_from("<I", data, _HEADER.size)
    if checksum != zlib.crc32(data[HEADER_BYTES:], zlib.crc32(data[: _HEADER.size])):
        raise InputError(name, "the checksum does not match; the stream is damaged or cut short")
    if version != _VERSION or number not in CODECS.by_number:
        raise InputError(name, f"version {version}, codec {number}; this program reads version {_VERSION}")
    if rows * columns > most_codes:
        raise InputError(name, f"{rows} x {columns} codes, more than the {most_codes:,} that may be read")
    return Stream(CODECS.by_number[number], rows, columns, data[HEADER_BYTES:])
