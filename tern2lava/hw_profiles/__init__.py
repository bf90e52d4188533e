"""Hardware profiles: what each target can hold, every number with its unit, source and kind."""

from tern2lava.hw_profiles.loader import load_profile, profile_names
from tern2lava.hw_profiles.profile import Profile

__all__ = ["Profile", "load_profile", "profile_names"]
