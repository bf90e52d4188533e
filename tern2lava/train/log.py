"""The loss terms of every epoch as JSON lines, and as TensorBoard events where asked for."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from tern2lava.extras import require
from tern2lava.writing import write_file


class Log:
    """log.jsonl in a folder, one line for each epoch of each stage, written whole with every epoch.

    epoch: the last epoch whose state is kept: a resumed stage goes on after it, and lines of later ones, which a run
    wrote that was ended before it kept their states, are left out.
    """

    def __init__(self, folder: Path, stage: str, tensorboard: bool, epoch: int = 0) -> None:
        self.stage = stage
        self.path = folder / "log.jsonl"
        self.lines = [line for line in _lines(self.path) if not _is_later(line, stage, epoch)]
        self.writer: Any = None
        if tensorboard:
            require("tensorboard")
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder / "tensorboard" / stage))

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.writer is not None:
            self.writer.close()

    def write(self, epoch: int, terms: dict[str, float]) -> None:
        """Adds the loss terms of an epoch. Raises InputError where the file cannot be written."""
        self.lines.append(json.dumps({"stage": self.stage, "epoch": epoch, **terms}) + "\n")
        write_file(self.path, lambda path: path.write_text("".join(self.lines), encoding="utf-8"))
        if self.writer is not None:
            for name, value in terms.items():
                self.writer.add_scalar(name, value, epoch)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a folder's log.jsonl that are whole, none where there is none."""
    found = []
    for line in _lines(folder / "log.jsonl"):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and {"stage", "epoch"} <= set(value):
            found.append(value)
    return found


def _lines(path: Path) -> list[str]:
    """The lines of a log, none where there is none."""
    try:
        return path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, ValueError):
        return []


def _is_later(line: str, stage: str, epoch: int) -> bool:
    """Whether a line is of a later epoch of the stage, or of none at all."""
    try:
        found = json.loads(line)
        return bool(found["stage"] == stage and found["epoch"] > epoch)
    except (ValueError, KeyError, TypeError):
        return True
