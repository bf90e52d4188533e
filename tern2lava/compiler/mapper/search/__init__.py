"""Whole mappings to choose from, by objective."""
