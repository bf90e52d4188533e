"""Training state on disk, written whole or not at all, and read back without running what it holds."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from tern2lava.errors import InputError
from tern2lava.writing import write_file


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes a state of tensors and plain values with torch.save, whole or not at all; InputError where it cannot."""
    import io

    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_file(path, lambda aside: aside.write_bytes(buffer.getvalue()))


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote (or a plain state_dict); InputError for any other file."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError, AttributeError) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise InputError(path, f"requires a readable checkpoint; found {reason}; save it again") from None
    if not isinstance(state, dict):
        raise InputError(path, f"requires a state_dict; found a {type(state).__name__}; save model.state_dict()")
    return state
