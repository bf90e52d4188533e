"""Where the project's own files are, for tests that read documents, examples and benchmarks."""

from __future__ import annotations

from pathlib import Path

HELPERS = Path(__file__).resolve().parent
ROOT = HELPERS.parents[1]
