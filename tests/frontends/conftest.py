"""Fixtures of the front ends' tests: other people's networks, and files written from text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nets() -> Path:
    """Folder of other people's trained networks: $TERN2LAVA_NETS or ../shared/nets; skips where it is absent."""
    default = Path(__file__).resolve().parents[3] / "shared" / "nets"
    folder = Path(os.environ.get("TERN2LAVA_NETS", default))
    if not folder.is_dir():
        pytest.skip("other people's networks are not here (set TERN2LAVA_NETS)")
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes text or bytes to a named file in a fresh folder and gives its path."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file
