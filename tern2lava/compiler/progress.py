"""How what takes long says where it is."""

from __future__ import annotations

from collections.abc import Callable

# Called with a stage's name, what is done of it, and the total; a total of 0 where nobody can know.
Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """A progress that nobody watches."""
