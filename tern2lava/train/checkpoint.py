"""Training state on disk, written whole or not at all, and read back without running what it holds."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from tern2lava.errors import InputError
from tern2lava.files.npz import UNPACKED
from tern2lava.files.opening import GIB, Kind, open_file
from tern2lava.files.zip_archive import Archive
from tern2lava.writing import write_file

STATE = Kind("a checkpoint", 64 * GIB, larger="save the network alone, without the optimiser")
RATIO = 4
"""Times its size that a file may unpack to, unless UNPACKED is more: torch stores tensors as they are."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes a state of tensors and plain values with torch.save, whole or not at all; InputError where it cannot."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_file(path, lambda aside: aside.write_bytes(buffer.getvalue()))


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote (or a plain state_dict); InputError for any other file."""
    try:
        with open_file(path, STATE) as file:
            if file.read_exactly(2, 0) == b"PK":
                archive = Archive(file)
                unpacked = sum(map(archive.size, archive.names))
                if unpacked > max(UNPACKED, RATIO * file.size):
                    raise InputError(
                        path, f"requires entries that unpack to a like size; found {unpacked:,} bytes from "
                        f"{file.size:,}, as in a zip bomb; save it again",
                    )  # fmt: skip
                file.seek(0)
            state = torch.load(io.BufferedReader(file), weights_only=True, map_location="cpu")
    except (
        OSError,
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        IndexError,
    ) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise InputError(path, f"requires a readable checkpoint; found {reason}; save it again") from None
    if not isinstance(state, dict):
        raise InputError(path, f"requires a state_dict; found a {type(state).__name__}; save model.state_dict()")
    return state
