"""Cutting populations into tiles."""
