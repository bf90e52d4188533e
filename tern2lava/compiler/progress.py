"""How what takes long says where it is."""

from __future__ import annotations

from collections.abc import Callable

# Called with a stage's name, what is done of it, and the total; a total of 0 where nobody can know.
Progress = Callable[[str, int, int], None]

PREFIX = ": "
"""Between what a stage belongs to (a target, a network) and its name."""
CALIBRATION, CHOICE = "calibration", "integers on samples"
"""Stages in which calibration samples are run, and integers are chosen on them."""
COUNTED = {
    "passes": "pass",
    CALIBRATION: "sample",
    CHOICE: "population",
    "core images": "core",
    "other mappings": "candidate",
    "placement of the best": "candidate",
    "compiling kernels (once)": "kernel",
    "integer reference": "sample",
    "fast engine": "sample",
    "fast engine on the rest": "sample",
    "images core by core": "sample",
    "float model": "sample",
    "core images in Lava": "sample",
    "Lava's process models": "sample",
    "Lava's runtime": "sample",
    "framework's own run": "sample",
    "engine fast": "sample",
    "engine reference": "sample",
    "engine images": "sample",
    "engine ray": "sample",
    "shards on Ray": "sample",
    "teacher": "batch",
    "student": "batch",
}
"""What is counted in each stage that counts, in the singular."""
UNEVEN = ("passes", CHOICE, "compiling kernels (once)")
"""Stages whose parts take such different times that the number done says nothing of the time left."""


def silent(stage: str, done: int, total: int) -> None:
    """A progress that nobody watches."""


def bare(stage: str) -> str:
    """A stage's name without what it belongs to and without the epoch that it is in."""
    return stage.rpartition(PREFIX)[2].partition(", epoch ")[0]


def time_left(done: int, total: int, seconds: float, waited: float) -> float | None:
    """Seconds that a stage still takes if the rest goes as what is done did; None where that is not known.

    done: parts done in `seconds`, of `total`. waited: seconds since then. Not known before the first part is done, nor
    when the next one is overdue: when it takes longer than all that was to come.
    """
    if done <= 0 or total <= 0 or done > total:
        return None
    left = seconds / done * (total - done) - waited
    return left if left >= 0 else None
