"""Pages of the notebooks of docs/notebooks/: their text, code and outputs, and the notebook itself to take along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def page(notebook: dict[str, Any], name: str) -> str:
    """A notebook as Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            shown = "".join(output["text"] if "text" in output else output["data"]["text/plain"])
            parts.append(f"```\n{shown.rstrip()}\n```")
    return "\n\n".join([*parts, f"This page is a notebook: [{name}]({name}).", ""])


def pages() -> dict[str, str]:
    """Markdown of every notebook by the path of its page."""
    return {f"notebooks/{path.stem}.md": page(json.loads(path.read_text("utf-8")), path.name) for path in NOTEBOOKS}


def on_files(files: Files, config: Any) -> Files:
    """The files with a page for each notebook."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
