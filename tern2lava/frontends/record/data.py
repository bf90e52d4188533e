"""The input of a run that is to be recorded: an npz file, named arrays, or one array."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.sim.data.given import named_arrays, whole_array
from tern2lava.sim.reading.oracle import is_oracle_key


def read_arrays(data: Any) -> tuple[dict[str, Array], Array | None]:
    """(input arrays (samples, steps, *shape) by name, labels or None) of an npz file, named arrays or one array.

    Raises InputError for what holds no such arrays.
    """
    where = str(data) if isinstance(data, str | Path) else "data"
    if isinstance(data, str | Path):
        try:
            with np.load(data, allow_pickle=False) as archive:
                data = {name: archive[name] for name in archive.files if not is_oracle_key(name)}
        except FileNotFoundError:
            raise InputError(where, "requires an npz file; found none there; check the path") from None
        except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
            raise InputError(
                where, f"requires a readable npz file; found {error}; save it again with np.savez"
            ) from None
    arrays = named_arrays(data, lambda name: not is_oracle_key(name), where)
    labels = arrays.pop("labels", None)
    inputs: dict[str, Array] = {name: whole_array(value, f"{where}: {name}") for name, value in arrays.items()}
    for name, values in inputs.items():
        if values.ndim < 3 or 0 in values.shape or values.dtype.kind not in "biuf":
            raise InputError(
                f"{where}: {name}", f"requires (samples, steps, *shape) of numbers; found {values.shape} of "
                f"{values.dtype}; give every step of every sample"
            )  # fmt: skip
    if not inputs or len({values.shape[:2] for values in inputs.values()}) > 1:
        found = ", ".join(f"{name} {values.shape}" for name, values in inputs.items()) or "nothing"
        raise InputError(where, f"requires inputs of the same samples and steps; found {found}; name one array spikes")
    return inputs, None if labels is None else whole_array(labels, f"{where}: labels")
