"""The constant arrays of the C code: each of the least type, equal ones once, and the bytes of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.export.c.ctypes import CType, least, number, rows


@dataclass
class Tables:
    """Constant arrays in the order in which they were asked for; `total`: the bytes of all of them."""

    text: list[str] = field(default_factory=list)
    total: int = 0
    known: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def add(self, name: str, values: Ints, kind: CType | None = None, said: str = "") -> str:
        """The name of an array of these values (those of an equal one that is there): `name`, said in a comment."""
        flat = np.asarray(values, np.int64).reshape(-1)
        flat = flat if flat.size else np.zeros(1, np.int64)
        chosen = kind or least(int(flat.min()), int(flat.max()))
        key = (chosen.name, flat.tobytes())
        if key not in self.known:
            self.known[key] = name
            self.total += chosen.bytes * flat.size
            if said:
                self.text.append(f"/* {said} */")
            self.text += [f"static const {chosen.name} {name}[{flat.size}] = {{", *rows(flat.tolist()), "};", ""]
        return self.known[key]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a population in an expression: a number, or an array by channel (c) or neuron (i)."""

    text: str
    low: int
    high: int
    by_channel: bool = False

    @property
    def constant(self) -> int | None:
        """The number where it is one for all neurons."""
        return self.low if self.low == self.high else None

    @property
    def largest(self) -> int:
        """The largest magnitude."""
        return max(-self.low, self.high)


def parameter(tables: Tables, name: str, values: Ints, shape: Sequence[int], kind: CType) -> Parameter:
    """How a parameter with `values` (neurons,) is written: compared and added in the type `kind`."""
    flat = np.asarray(values, np.int64).reshape(-1)
    low, high = int(flat.min()), int(flat.max())
    if low == high:
        return Parameter(number(low), low, high)
    area = flat.size // shape[0]
    by_channel = area > 1 and bool((flat.reshape(shape[0], area) == flat.reshape(shape[0], area)[:, :1]).all())
    array = tables.add(name, flat[::area] if by_channel else flat)
    return Parameter(f"({kind.name}){array}[{'c' if by_channel else 'i'}]", low, high, by_channel)
