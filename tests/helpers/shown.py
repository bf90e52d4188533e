"""What a table shows at a width, and what must hold of everything that is shown."""

from __future__ import annotations

import io
import re
from collections import Counter

from rich.console import Console, RenderableType

WIDE = 4000
NARROW = (80, 160)
# Words that a number without meaning is printed as, and numbers that nobody reads: 6.1e+298.
_NONSENSE = re.compile(r"(?<![\w.])[+-]?(?:nan|inf|None|\d[\d.,]*e\+\d+)(?!\w)|Traceback")
_LINE = re.compile(r"[─━]+")


def shown(what: RenderableType, width: int) -> str:
    """The text of `what` on a console of this many columns."""
    console = Console(width=width, file=io.StringIO(), record=True, legacy_windows=False)
    console.print(what)
    return console.export_text()


def check_text(text: str, width: int) -> None:
    """Fail where a line is wider than the console or holds a number without meaning."""
    for line in text.splitlines():
        if line.startswith(("Bundle written to ", "All of it: ", "What this rests on: ")):
            continue  # A path is kept whole, so that it can be copied.
        assert len(line.rstrip()) <= width, line
        assert not _NONSENSE.search(line), line
        assert "…" not in line, line


def check_shown(what: RenderableType) -> str:
    """The text of `what` where nothing has to be folded; fail unless narrow consoles show every word and number of it
    whole and as often, wherever they stand: none is cut, no column left out. (Headings may stand there more often.)"""
    whole = shown(what, WIDE)
    check_text(whole, WIDE)
    for width in NARROW:
        text = shown(what, width)
        check_text(text, width)
        assert not (lost := _words(whole) - _words(text)), f"{width} columns lose {dict(lost)}:\n{text}"
    return whole


def _words(text: str) -> Counter[str]:
    return Counter(word.rstrip(":") for word in text.split() if not _LINE.fullmatch(word))
