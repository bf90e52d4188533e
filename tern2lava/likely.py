"""What somebody who misspelt a word is likely to have meant; every such hint is made here."""

from __future__ import annotations

from collections.abc import Iterable

_LEAST = 0.6
"""How alike two words have to be (difflib's ratio: 2 x letters in common / letters of both). Chosen."""
_LONGEST = 80


def meant(found: object, known: Iterable[str]) -> str:
    """ "did you mean loihi2? " where a word of `known` is spelt much like `found`, else "": the beginning of a hint."""
    if not isinstance(found, str) or not 1 < len(found) <= _LONGEST:
        return ""
    # Imported where something is misspelt only.
    from difflib import get_close_matches

    words = {word.lower(): word for word in known}
    near = get_close_matches(found.lower(), words, n=1, cutoff=_LEAST)
    return f"did you mean {words[near[0]]}? " if near else ""
