"""Numbers with their nouns, for every sentence that counts something."""

from __future__ import annotations

_PLURALS = {"axis": "axes", "epoch": "epochs", "index": "indices", "matrix": "matrices"}


def count(number: int, noun: str) -> str:
    """`number` with its noun in the singular or plural: 1 sample, 1,000 samples, 0 entries, 2 passes."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a noun or of a phrase that ends in one."""
    *before, last = noun.split(" ")
    if last in _PLURALS:
        last = _PLURALS[last]
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = f"{last[:-1]}ies"
    else:
        last += "es" if last.endswith(("s", "x", "z", "ch", "sh")) else "s"
    return " ".join([*before, last])
