"""A bundle sealed again after it was edited on purpose, as docs/bundle.md says that seals are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def sealed_text(document: dict[str, Any]) -> bytes:
    """A manifest or report as it lies in a bundle: indented by 1, its SHA-256 as the last key."""
    body = json.dumps({key: value for key, value in document.items() if key != "digest"}, indent=1)
    digest = hashlib.sha256(body.encode("utf-8")).hexdigest()
    return (json.dumps({**json.loads(body), "digest": digest}, indent=1) + "\n").encode("utf-8")


def reseal(
    folder: Path, manifest: Callable[[dict[str, Any]], object] = bool, report: Callable[[dict[str, Any]], object] = bool
) -> str:
    """Let the manifest list the files that are in `folder` now, and the report name it; `manifest` and `report` change
    what each says before that. Returns the new digest."""
    document = json.loads((folder / "manifest.json").read_bytes())
    document["files"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (name := path.relative_to(folder).as_posix()) not in ("manifest.json", "report.json")
        for data in [path.read_bytes()]
    }
    manifest(document)
    text = sealed_text(document)
    (folder / "manifest.json").write_bytes(text)
    said = json.loads((folder / "report.json").read_bytes())
    said["bundle"] = digest = json.loads(text)["digest"]
    report(said)
    (folder / "report.json").write_bytes(sealed_text(said))
    return str(digest)
