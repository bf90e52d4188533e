"""Twelve networks compile on every target to what they compiled to before: images, program, certificate and report.

The fingerprints (tests/helpers/fingerprints.py) were recorded with the versions that uv.lock pins. Moving code moves
none of them. A commit that means to move one rewrites the file and says why in its message:

    TERN2LAVA_GOLDEN=write uv run pytest tests/test_fingerprints.py
"""

from __future__ import annotations

import os

import pytest

from fingerprints import differences, of_sample, read_golden, write_golden
from sample_nets import SAMPLES
from tern2lava.hw_profiles import profile_names


@pytest.mark.parametrize("target", profile_names())
@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_that_a_network_compiles_to_has_moved(name: str, target: str) -> None:
    found = of_sample(name, target)
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        write_golden(name, target, found)
    moved = differences(name, target, read_golden().get(name, {}).get(target, {}), found)
    assert not moved, "\n".join(moved)
