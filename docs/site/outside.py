"""Pages of the site that lie outside docs/: README as its first page, CONTRIBUTING, CHANGELOG and the measurements.

Links are written as they work in the repository. Here they are turned to where the pages lie in the site, and a page
that a text names without a link, as docs/data.md, is linked.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.md"))
# Path in the repository: path in the site.
OUTSIDE = {
    "README.md": "index.md",
    **{name: name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")},
    **{(path := file.relative_to(ROOT).as_posix()): path for file in RESULTS},
}
_LINK = re.compile(r"(?P<open>\]\(|\b(?:src|srcset|href)=\")(?P<to>[^)\"#:\s]+)(?=[)\"#])")
_NAMED = re.compile(r"(?<!\]\()(?<![\w/\[`\"])(?:docs|benchmarks/results)/[\w./-]+\.md")
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def site_path(path: str) -> str | None:
    """Where a file of the repository lies in the site; None if it does not."""
    return OUTSIDE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)


def source_path(page: str) -> str:
    """Where a page of the site lies in the repository."""
    return next((path for path, site in OUTSIDE.items() if site == page), f"docs/{page}")


def linked(text: str, page: str, known: set[str]) -> str:
    """The Markdown of a page of the site, its links turned and the pages that it names linked."""
    folder, source = posixpath.dirname(page), posixpath.dirname(source_path(page))

    def from_here(path: str) -> str | None:
        site = site_path(path)
        return posixpath.relpath(site, folder or ".") if site in known else None

    def turned(match: re.Match[str]) -> str:
        to = from_here(posixpath.normpath(posixpath.join(source, match["to"])))
        return match["open"] + (match["to"] if to is None else to)

    def named(match: re.Match[str]) -> str:
        to = from_here(match[0])
        return match[0] if to is None else f"[{match[0]}]({to})"

    parts = _CODE.split(text)
    # Every second part is code.
    return "".join(
        part if index % 2 else _NAMED.sub(named, _LINK.sub(turned, part)) for index, part in enumerate(parts)
    )


def on_files(files: Files, config: Any) -> Files:
    """The files of docs/ and those outside."""
    for path, site in OUTSIDE.items():
        files.append(File.generated(config, site, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """A page with links that lead somewhere."""
    return linked(markdown, page.file.src_uri, set(files.src_uris))
