"""npz files of arrays that are named by a mapping, whose values numpy's types would take for savez's own options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def save_npz(path: Path, **arrays: Any) -> None:
    """An npz file of `arrays`."""
    np.savez(path, **arrays)
