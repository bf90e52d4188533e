"""Codecs of weight codes in synapse blocks, by number (as written in core images) and by encoding name.

A codec turns a flat int8 array of codes into bytes and back; its `size` is exact. To add one: write a module with the
functions of `Codec`, give it a new number, and append it to CODECS.
"""

from __future__ import annotations

from tern2lava.compiler.codecs import base3, bitmap, packed2, raw8
from tern2lava.compiler.codecs.codec import Codec

CODECS: dict[int, Codec] = {
    0: Codec(0, "packed2", "dense", True, packed2.size, packed2.encode, packed2.decode),
    1: Codec(1, "raw8", "dense", False, raw8.size, raw8.encode, raw8.decode),
    2: Codec(2, "base3", "base3", True, base3.size, base3.encode, base3.decode),
    3: Codec(3, "bitmap", "bitmap", True, bitmap.size, bitmap.encode, bitmap.decode),
}
BY_NAME: dict[str, Codec] = {codec.name: codec for codec in CODECS.values()}

__all__ = ["BY_NAME", "CODECS", "Codec"]
