"""The site takes nothing from a network: a page that would load a script, style, font or picture ends the build."""

from __future__ import annotations

import re
from typing import Any

from mkdocs.exceptions import PluginError

_LOADED = re.compile(
    r"<(?:script|img|source|iframe|video|audio)\b[^>]*?\b(?:src|srcset)=\"?(?:https?:)?//[^\s\">]+"
    r"|<link\b(?![^>]*\brel=\"?canonical)[^>]*?\bhref=\"?(?:https?:)?//[^\s\">]+"
)


def loaded(html: str) -> list[str]:
    """The elements of a page that load something from elsewhere."""
    return _LOADED.findall(html)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The page as it is. Raises PluginError where it loads something from elsewhere."""
    if found := loaded(output):
        raise PluginError(f"{page.file.src_uri}: requires that nothing is loaded from elsewhere; found {found[0]}")
    return output
