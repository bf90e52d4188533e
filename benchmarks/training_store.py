"""What benchmarks/training.py keeps: the results file, and a folder of the trained networks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from training_judge import TARGET

from tern2lava.train import checkpoint
from tern2lava.writing import write_file


@dataclass(eq=False)
class Store:
    """The results file: a record for each finished network, with the settings it was trained with, and one for the
    seeds of each method together. Without a path nothing is written."""

    path: Path | None
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    over_seeds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            found = json.loads(self.path.read_text())
            self.records, self.over_seeds = found["networks"], found.get("over_seeds", {})

    def get(self, key: str, settings: dict[str, Any]) -> dict[str, Any] | None:
        """The record, if there is one of these settings."""
        found = self.records.get(key)
        return found if found is not None and found["settings"] == settings else None

    def together(self, key: str, settings: dict[str, Any], seeds: list[int]) -> dict[str, Any] | None:
        """The record of a method's seeds together, if there is one of these settings and seeds."""
        found = self.over_seeds.get(key)
        right = found is not None and found["settings"] == settings and found["seeds"] == seeds
        return found if right else None

    def write(self) -> None:
        """Replaces the file at once."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content: dict[str, Any] = {
                "command": "uv run python benchmarks/training.py", "torch": torch.__version__, "target": TARGET,
                "networks": self.records, "over_seeds": self.over_seeds,
            }  # fmt: skip
            write_file(
                self.path, lambda path: path.write_text((json.dumps(content, indent=1) + "\n"), encoding="utf-8")
            )


@dataclass(frozen=True)
class Kept:
    """Trained networks in a folder (None: none are kept), each under its settings."""

    folder: Path | None

    def _path(self, key: str, settings: dict[str, Any]) -> Path | None:
        text = json.dumps(settings, sort_keys=True)
        name = f"{key.replace('/', '-')}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.pt"
        return self.folder / name if self.folder else None

    def get(self, key: str, settings: dict[str, Any]) -> tuple[dict[str, Tensor], float] | None:
        """(state_dict, seconds that its training took) where this network is kept."""
        path = self._path(key, settings)
        if path is None or not path.exists():
            return None
        found = checkpoint.load(path)
        return found["state"], found["seconds"]

    def put(self, key: str, settings: dict[str, Any], state: dict[str, Tensor], seconds: float) -> None:
        """Keeps a network."""
        path = self._path(key, settings)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.save(path, {"state": state, "seconds": seconds})
