"""The input of a run that is to be recorded: an npz file, named arrays, or one array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.files.npz import open_npz
from tern2lava.sim.data.given import named_arrays, whole_array
from tern2lava.sim.reading.oracle import is_oracle_key


def read_arrays(data: Any) -> tuple[dict[str, Array], Array | None]:
    """(input arrays (samples, steps, *shape) by name, labels or None) of an npz file, named arrays or one array.

    Raises InputError for what holds no such arrays.
    """
    where = str(data) if isinstance(data, str | Path) else "data"
    if isinstance(data, str | Path):
        with open_npz(data) as npz:
            # Names and shapes first: of arrays that the run has no use for none is read.
            wanted = [name for name in npz if not is_oracle_key(name)]
            for name in wanted:
                if name != "labels":
                    _check(f"{where}: {name}", npz[name].shape, npz[name].dtype)
            data = {name: npz.read(name) for name in wanted}
    arrays = named_arrays(data, lambda name: not is_oracle_key(name), where)
    labels = arrays.pop("labels", None)
    inputs: dict[str, Array] = {name: whole_array(value, f"{where}: {name}") for name, value in arrays.items()}
    for name, values in inputs.items():
        _check(f"{where}: {name}", values.shape, values.dtype)
    if not inputs or len({values.shape[:2] for values in inputs.values()}) > 1:
        found = ", ".join(f"{name} {values.shape}" for name, values in inputs.items()) or "nothing"
        raise InputError(where, f"requires inputs of the same samples and steps; found {found}; name one array spikes")
    return inputs, None if labels is None else whole_array(labels, f"{where}: labels")


def _check(where: str, shape: tuple[int, ...], dtype: Any) -> None:
    if len(shape) < 3 or 0 in shape or dtype.kind not in "biuf":
        raise InputError(
            where, f"requires (samples, steps, *shape) of numbers; found {shape} of {dtype}; give every step of every "
            "sample",
        )  # fmt: skip
