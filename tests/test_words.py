"""What the package says of itself: its docstrings are sentences with a noun, a number and a unit."""

from __future__ import annotations

import re
from pathlib import Path

import tern2lava

PACKAGE = Path(tern2lava.__file__).parent


def test_no_docstring_begins_with_nothing_and_no_quantity_is_called_so_many() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {match[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for match in re.finditer(r'"""Nothing;|\bso\s(?:\s*#\s)?many\b', path.read_text(), re.IGNORECASE)
    ]
    assert found == []
