"""Hardware profiles: what each target can hold, every number with its unit, source and kind."""

from tern2lava.hw_profiles.loader import (
    NO_CHIP,
    known_profiles,
    load_profile,
    parse_profile,
    profile_files,
    profile_names,
)
from tern2lava.hw_profiles.profile import Profile

__all__ = [
    "NO_CHIP",
    "Profile",
    "known_profiles",
    "load_profile",
    "parse_profile",
    "profile_files",
    "profile_names",
]
