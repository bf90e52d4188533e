"""Names of a network as names of C, and texts that are safe inside its comments."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from tern2lava.errors import InputError

PREFIX = "tern2lava"
# Some compilers tell names apart by their first 63 characters only; prefix and family take up to 39 of them.
_LENGTH = 24
# What the code's own names begin with; a double underscore parts a family of them from two names behind it.
_FAMILIES = frozenset(
    (
        "add", "advance", "amount", "bias", "classes", "codes", "decay", "first", "gain", "in", "keep", "low", "lowest",
        "m", "main", "number", "offset", "read", "receive", "row", "run", "starts", "step", "sum", "threshold", "times",
        "weights", "zero",
    )
)  # fmt: skip
# Prefixes whose type PREFIX_t is one of C's own.
_TAKEN = re.compile(r"u?int(_fast|_least)?\d+|u?int(ptr|max)|size|ssize|ptrdiff|wchar|max_align|char\d+")


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """For each name an identifier of [a-z0-9_], unlike all others; of a name that says nothing in ASCII, n, n_2 ...

    They are meant to stand behind a prefix, which is why they may be words of C or begin with a digit.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        stem = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_LENGTH].strip("_") or "n"
        chosen, number = stem, 1
        while chosen in taken:
            number += 1
            chosen = f"{stem}_{number}"
        taken.add(chosen)
        found[name] = chosen
    return found


def comment(text: str) -> str:
    """`text` for inside a comment of C: printable ASCII that neither ends nor begins one, nor joins lines."""
    shown = "".join(c if " " <= c <= "~" and c != "\\" else f"<U+{ord(c):04X}>" for c in text)
    for pair in ("*/", "/*", "//", "??"):
        # Twice, for pairs that overlap.
        shown = shown.replace(pair, " ".join(pair)).replace(pair, " ".join(pair))
    return shown if not shown.endswith(("*", "/")) and not shown.startswith(("*", "/")) else f"'{shown}'"


def checked_prefix(prefix: object) -> str:
    """A prefix for all names of the C code. Raises InputError for what none can begin with."""
    text = str(prefix)
    if (
        not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", text)
        or len(text) > _LENGTH
        or _TAKEN.fullmatch(text)
        or text.split("_")[0] in _FAMILIES
    ):
        raise InputError(
            "prefix",
            f"requires up to {_LENGTH} lower-case letters, digits and single underscores, no type or function of the "
            f"code; found {text!r}; write for example --set prefix=digits",
        )
    return text
