"""Codecs of weight codes in synapse blocks, by name and by number (as written in core images).

A codec turns a matrix of codes, one row for each input axon, into bytes and back; its `size` is exact. To add one,
write a module with the functions of `Codec` and register it in CODECS under a number that is free.
"""

from __future__ import annotations

from types import ModuleType

from tern2lava.compiler.image.codecs import (
    axon_pairs,
    base3,
    bit_planes,
    bitmap,
    loihi_lists,
    packed2,
    rans,
    raw8,
    rice,
)
from tern2lava.compiler.image.codecs.codec import Codec, no_bound
from tern2lava.errors import InputError
from tern2lava.hw_profiles.profile import ENCODINGS, Encoding
from tern2lava.registry import Registry


class CodecRegistry(Registry[Codec]):
    """Codecs by name, each with a number of its own. A profile may allow the encoding of one that a core can hold."""

    def __init__(self) -> None:
        super().__init__("codec")
        self.by_number: dict[int, Codec] = {}

    def add(self, entry: Codec) -> Codec:
        """`entry`, registered. Raises InputError where its name or number is taken, or the number is no byte."""
        taken = self.by_number.get(entry.number)
        if taken is not None or not 0 <= entry.number <= 255:
            why = f"is that of {taken.name}" if taken else "is no byte"
            raise InputError(f"codec {entry.name}", f"number {entry.number} {why}; choose one that is free, up to 255")
        super().add(entry)
        self.by_number[entry.number] = entry
        if entry.in_cores and entry.encoding not in ENCODINGS:
            ENCODINGS.add(Encoding(entry.encoding))
        return entry

    def remove(self, name: str) -> None:
        """Forget a codec, and its encoding where no other has it."""
        entry = self.get(name)
        super().remove(name)
        del self.by_number[entry.number]
        if entry.in_cores and all(other.encoding != entry.encoding for other in self):
            ENCODINGS.remove(entry.encoding)


def _codec(number: int, encoding: str, module: ModuleType, *, ternary: bool = True) -> Codec:
    name = module.__name__.rsplit(".", 1)[1]
    return Codec(
        number, name, encoding, ternary, module.size, module.encode, module.decode, module.decode_row,
        getattr(module, "least_bits", no_bound),
    )  # fmt: skip


CODECS = CodecRegistry()
for _entry in (
    _codec(0, "dense", packed2),
    _codec(1, "dense", raw8, ternary=False),
    _codec(2, "base3", base3),
    _codec(3, "bitmap", bitmap),
    _codec(4, "golomb", rice),
    _codec(5, "rans", rans),
    # Long groups, for files and transport.
    Codec(
        6, "rans_storage", "storage", True, rans.size_for_storage, rans.encode_for_storage, rans.decode,
        rans.decode_row, in_cores=False,
    ),
    Codec(
        7, "loihi", "lists", True, loihi_lists.size, loihi_lists.encode, loihi_lists.decode, loihi_lists.decode_row,
        in_cores=False, lists=True,
    ),
    _codec(8, "bit_planes", bit_planes, ternary=False),
    _codec(9, "axon_pairs", axon_pairs),
):  # fmt: skip
    CODECS.add(_entry)

# What synapse lists are stored in, codes that are not ternary where a profile names no encoding for them, and codes in
# files.
LISTS: Codec = CODECS.get("loihi")
PLAIN: Codec = CODECS.get("raw8")
STORAGE: Codec = CODECS.get("rans_storage")

__all__ = ["CODECS", "LISTS", "PLAIN", "STORAGE", "Codec"]
