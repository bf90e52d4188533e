"""Codecs of weight codes in synapse blocks, by number (as written in core images) and by name.

A codec turns a matrix of codes, one row for each input axon, into bytes and back; its `size` is exact. To add one:
write a module with the functions of `Codec`, give it a new number, and append it to CODECS.
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
from tern2lava.compiler.image.codecs.codec import Codec


def _codec(number: int, name: str, encoding: str, module: ModuleType, *, ternary: bool = True) -> Codec:
    return Codec(
        number, name, encoding, ternary, module.size, module.encode, module.decode, module.decode_row
    )  # fmt: skip


LISTS = 7
CODECS: dict[int, Codec] = {
    codec.number: codec
    for codec in (
        _codec(0, "packed2", "dense", packed2),
        _codec(1, "raw8", "dense", raw8, ternary=False),
        _codec(2, "base3", "base3", base3),
        _codec(3, "bitmap", "bitmap", bitmap),
        _codec(4, "rice", "golomb", rice),
        _codec(5, "rans", "rans", rans),
        # Long groups, for files and transport; no profile allows it in a core.
        Codec(
            6, "rans_storage", "storage", True, rans.size_for_storage, rans.encode_for_storage, rans.decode,
            rans.decode_row,
        ),
        _codec(LISTS, "loihi", "lists", loihi_lists),
        _codec(8, "bit_planes", "bit_planes", bit_planes, ternary=False),
        _codec(9, "axon_pairs", "axon_pairs", axon_pairs),
    )
}  # fmt: skip
BY_NAME: dict[str, Codec] = {codec.name: codec for codec in CODECS.values()}

__all__ = ["BY_NAME", "CODECS", "LISTS", "Codec"]
