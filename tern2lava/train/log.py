"""The loss terms of every epoch as JSON lines, and as TensorBoard events where asked for."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from tern2lava.errors import InputError
from tern2lava.extras import require


class Log:
    """log.jsonl in a folder, one line for each epoch of each stage; a resumed stage goes on in the same file."""

    def __init__(self, folder: Path, stage: str, tensorboard: bool) -> None:
        self.stage = stage
        self.path = folder / "log.jsonl"
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
        """Adds the loss terms of an epoch."""
        try:
            with self.path.open("a") as stream:
                stream.write(json.dumps({"stage": self.stage, "epoch": epoch, **terms}) + "\n")
        except OSError as error:
            raise InputError(
                self.path,
                f"requires a file that can be written; found {error.strerror}; free space or choose another "
                "folder with -o",
            ) from None
        if self.writer is not None:
            for name, value in terms.items():
                self.writer.add_scalar(name, value, epoch)
