"""One layer or node of an HDF5 network file, its fields read with care."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.frontends.files.hdf5 import Leaf


@dataclass(frozen=True, eq=False, kw_only=True)
class Hdf5Node:
    """A node of a network file: its name for messages, its kind in the file's own words, and the fields stored."""

    name: str
    kind: str
    fields: dict[str, Leaf] = field(default_factory=dict)

    def array(self, key: str, *, infinite: bool = False) -> Reals:
        """The numbers of a field in float64; InputError where they are none, or not finite (`infinite` allows inf)."""
        value = self.fields.get(key)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
            raise InputError(f"{self.name}.{key}", f"requires numbers; found {_what(value)}; export the network again")
        bad = np.isnan(value) if infinite else ~np.isfinite(value)
        if value.dtype.kind == "f" and bad.any():
            raise InputError(
                f"{self.name}.{key}",
                f"requires finite numbers; found {np.count_nonzero(bad):,} of {count(value.size, 'number')} NaN "
                "or infinite; repair the network",
            )
        if value.size == 0:
            raise InputError(f"{self.name}.{key}", "requires one number at least; found none; export the network again")
        return value.astype(np.float64)

    def stored(self, key: str) -> np.dtype[Any]:
        """The type in which a field is stored."""
        value = self.fields[key]
        assert isinstance(value, np.ndarray)
        return value.dtype

    def whole(self, key: str, default: int | None = None) -> tuple[int, ...]:
        """The integers of a field (one or several); `default` where the field is absent."""
        if key not in self.fields and default is not None:
            return (default,)
        value = self.array(key).reshape(-1)
        if value.size > 8 or np.any(value != np.rint(value)) or np.any(np.abs(value) > 1 << 30):
            raise InputError(
                f"{self.name}.{key}",
                f"requires small whole numbers; found {_what(self.fields[key])}; export the network again",
            )
        return tuple(int(n) for n in value)

    def one(self, key: str, default: int) -> int:
        """The one integer of a field; `default` where the field is absent."""
        found = self.whole(key, default)
        if len(found) != 1:
            raise InputError(
                f"{self.name}.{key}", f"requires one number; found {list(found)}; export the network again"
            )
        return found[0]


def _what(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}" if value.size > 1 else f"{value.reshape(-1).tolist()}"
    return "absent" if value is None else repr(value)[:60]
