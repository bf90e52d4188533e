"""Putting parts on cores."""
