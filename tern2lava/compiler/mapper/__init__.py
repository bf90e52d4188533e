"""Mapping a program onto cores: tiles, packing, placement, routes, images."""
