"""Memory words and the three text formats in which tools for FPGAs read them (docs/mem-format.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Ints


@dataclass(frozen=True, kw_only=True)
class Words:
    """Memory words of `width` bits (a multiple of 8), each as an unsigned integer, by address."""

    width: int
    values: list[int]

    @property
    def digits(self) -> list[str]:
        """The words in hexadecimal digits, the most significant first."""
        return [f"{value:0{self.width // 4}x}" for value in self.values]


def pack_codes(codes: Ints, bits: int, word: int) -> Words:
    """Codes (rows, columns) of `bits` bits in two's complement, from the lowest bit of a word on, as many as it holds
    whole; each row begins with a new word, and what is left of a word is 0."""
    each = word // bits
    rows, columns = codes.shape
    padded = np.zeros((rows, -(-columns // each) * each), np.int64)
    padded[:, :columns] = codes & ((1 << bits) - 1)
    values = []
    for fields in padded.reshape(-1, each).tolist():
        value = 0
        for field in reversed(fields):
            value = value << bits | field
        values.append(value)
    return Words(width=word, values=values)


def pack_values(values: Ints) -> Words:
    """Integers in two's complement, one a word, which is as many bytes wide as the largest of them needs."""
    flat = np.asarray(values, np.int64).reshape(-1).tolist()
    bits = max(max(value, ~value).bit_length() + 1 for value in flat)
    width = -(-bits // 8) * 8
    return Words(width=width, values=[value & ((1 << width) - 1) for value in flat])


def mem(words: Words) -> str:
    """A word a line, for $readmemh of Verilog and for Vivado."""
    return "\n".join(words.digits) + "\n"


def coe(words: Words) -> str:
    """A memory initialisation file of Xilinx."""
    return "memory_initialization_radix=16;\nmemory_initialization_vector=\n" + ",\n".join(words.digits) + ";\n"


def intel_hex(words: Words) -> str:
    """Intel HEX with a word a record and addresses that count words, as Quartus reads it; words above 0xffff follow a
    record of the upper half of the address."""
    lines = []
    for address, value in enumerate(words.values):
        if address and not address & 0xFFFF:
            lines.append(_record(0, 4, (address >> 16).to_bytes(2, "big")))
        lines.append(_record(address & 0xFFFF, 0, value.to_bytes(words.width // 8, "big")))
    return "\n".join([*lines, _record(0, 1, b"")]) + "\n"


def _record(address: int, kind: int, data: bytes) -> str:
    content = bytes([len(data), *address.to_bytes(2, "big"), kind, *data])
    return ":" + (content + bytes([-sum(content) & 0xFF])).hex().upper()


FORMATS: dict[str, Callable[[Words], str]] = {"mem": mem, "coe": coe, "hex": intel_hex}
