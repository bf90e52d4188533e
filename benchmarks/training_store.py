"""What benchmarks/training.py keeps: a record for each finished network, with the settings it was trained with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tern2lava.writing import write_file


@dataclass(eq=False)
class Store:
    """The results file. Without a path nothing is written. Several runs of one file, each of its own seeds, go on
    beside each other: what another has written since is kept."""

    path: Path | None
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.records = self._stored()

    def _stored(self) -> dict[str, dict[str, Any]]:
        if self.path is None or not self.path.exists():
            return {}
        found: dict[str, dict[str, Any]] = json.loads(self.path.read_text())["networks"]
        return found

    def get(self, key: str, settings: dict[str, Any]) -> dict[str, Any] | None:
        """The record, if there is one of these settings."""
        found = self.records.get(key)
        return found if found is not None and found["settings"] == settings else None

    def write(self) -> None:
        """Replaces the file at once."""
        if self.path is not None:
            self.records = self._stored() | self.records
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content: dict[str, Any] = {
                "command": "uv run python benchmarks/training.py", "torch": torch.__version__, "networks": self.records,
            }  # fmt: skip
            text = json.dumps(content, indent=1) + "\n"
            write_file(self.path, lambda path: path.write_text(text, encoding="utf-8"))
