"""Cores that no mapping can go below."""
