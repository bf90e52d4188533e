"""Versions of what a bundle's bytes depend on beside tern2lava."""

from __future__ import annotations

import platform
import zlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

# What every compilation computes and writes with: numpy and scipy real numbers and placements, numba what is compiled
# for placements and images, networkx the order of nodes, pyyaml and pydantic texts. h5py, torch and the frameworks
# read and run single sources, mtkahypar and ortools are placements that are asked for by name: these are told of.
ALWAYS = ("numpy", "scipy", "numba", "networkx", "pyyaml", "pydantic")


def versions(libraries: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python, of zlib, which packs arrays, of the packages of ALWAYS and of `libraries`, by name. Those
    that are not installed are left out."""
    found = {"python": platform.python_version(), "zlib": zlib.ZLIB_RUNTIME_VERSION}
    for name in (*ALWAYS, *sorted(set(libraries) - set(ALWAYS))):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
