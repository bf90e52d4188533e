"""Writing a net.yaml that is to be filled in, where no file is yet."""

from __future__ import annotations

from pathlib import Path

from tern2lava.errors import InputError
from tern2lava.frontends.inspect.draft.text import draft_net
from tern2lava.frontends.inspect.facts import Inspection
from tern2lava.writing import write_file


def write_draft(checkpoint: Path, found: Inspection, place: Path, weights: str | None = None) -> None:
    """Write the draft for `checkpoint`, of which `found` is known, to `place`. Raises InputError where something is
    there already, for what was filled in would be lost. weights: as for read_checkpoint."""
    if place.exists() or place.is_symlink():
        raise InputError(place, "requires a new file; found one there; choose another name, or remove it")
    text = draft_net(checkpoint, found, weights)
    write_file(place, lambda aside: aside.write_text(text, "utf-8"))
