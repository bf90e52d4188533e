"""The random numbers of compiled searches, the same everywhere from a seed."""

from __future__ import annotations

import numpy as np
from numba import njit


def first_state(seed: int) -> np.uint64:
    """A state other than 0 for each seed."""
    state: np.uint64 = np.uint64((seed * 2654435761 + 88172645463325252) % (1 << 64) or 1)
    return state


@njit(cache=True)  # type: ignore[untyped-decorator]
def following(state: np.uint64) -> np.uint64:
    """The state after one: xorshift64 (G. Marsaglia, J. Stat. Soft. 8(14), 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state
