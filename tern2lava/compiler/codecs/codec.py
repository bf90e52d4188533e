"""What a codec is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tern2lava.compiler.ir import Array


@dataclass(frozen=True)
class Codec:
    """number: its id in core images. encoding: the name by which profiles allow it. ternary: it holds {-1, 0, 1} only.

    size(count, nonzero) is the exact number of bytes for that many codes, of which `nonzero` are not 0; encode(codes)
    makes them; decode(data, count) raises InputError on bytes that no codes encode to.
    """

    number: int
    name: str
    encoding: str
    ternary: bool
    size: Callable[[int, int], int]
    encode: Callable[[Array], bytes]
    decode: Callable[[bytes, int], Array]
