"""Hardware profiles: what each target can hold, every number with its unit, source and kind."""

from tern2lava.hw_profiles.profile import Profile, load_profile, profile_names

__all__ = ["Profile", "load_profile", "profile_names"]
