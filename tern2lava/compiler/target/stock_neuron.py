"""Which roundings of decays a target's neurons have."""

from __future__ import annotations

from tern2lava.compiler.ir.graph import Decays, Population
from tern2lava.hw_profiles import Profile


def decays_allowed(profile: Profile | None, population: Population) -> tuple[Decays, ...]:
    """How decays of `population` may become whole on `profile` (None: on any target)."""
    return (Decays.TRUNCATE,)
