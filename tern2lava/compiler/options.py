"""What the user wants of a compilation, apart from what the hardware can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the passes.

    ternarize: "refuse" weights that are not ternary, ternarise them after training ("twn"), or keep them at 8 bits,
    rounded ("int8").
    steps: time steps of a sample, over which the certificate bounds errors and overflow; 0 takes the network's own
    number, or DEFAULT_STEPS where it names none.
    """

    ternarize: Literal["refuse", "twn", "int8"] = "refuse"
    steps: int = 0


DEFAULT_STEPS = 1024
