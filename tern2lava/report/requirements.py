"""What is required of a verification: which verdicts must hold, and how many spikes may differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tern2lava.errors import InputError
from tern2lava.likely import meant

# Share of the float model's spikes that may be missing or extra where nothing else is said.
DEFAULT_SHARE = 0.01
NAMES = ("execution", "arithmetic", "reading", "ranges", "images")
WAYS = "write for example execution,arithmetic=0.1%,reading"


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """execution: every execution equals the integers. arithmetic: the largest share of the float model's spikes that
    may be missing or extra in integers (0.01 is 1 %; None: nothing is required). reading: the float model was compared
    with the framework's own run and agrees; None: where such a run is given. ranges: no accumulator overflowed or left
    the range that its certificate states. images: the core images are proven to be the integers for every input."""

    execution: bool = True
    arithmetic: float | None = DEFAULT_SHARE
    reading: bool | None = None
    ranges: bool = False
    images: bool = True


def parse_requirements(text: str | None) -> Requirements:
    """The Requirements in words such as "execution,arithmetic=0.1%,reading"; None: the default.

    What is not named is not required. `arithmetic` alone allows 1 %, `arithmetic=0` no difference at all. Raises
    InputError for a word that is none of these, a number without its %, or the same word twice.
    """
    if text is None:
        return Requirements()
    found: dict[str, str | None] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in NAMES:
            near = meant(name, NAMES)
            raise InputError("require", f"requires verdicts by name; found {part.strip()!r}; {near}{WAYS}")
        if name in found:
            raise InputError("require", f"requires each verdict once; found {name} twice; {WAYS}")
        if equals and name != "arithmetic":
            raise InputError("require", f"requires no number for {name}; found {part.strip()!r}; {WAYS}")
        found[name] = value if equals else None
    arithmetic = None
    if "arithmetic" in found:
        given = found["arithmetic"]
        arithmetic = DEFAULT_SHARE if given is None else _share(given)
    return Requirements(
        execution="execution" in found,
        arithmetic=arithmetic,
        reading="reading" in found,
        ranges="ranges" in found,
        images="images" in found,
    )


def _share(text: str) -> float:
    """A percentage such as "0.1%" as a share, 0.001."""
    number = text.removesuffix("%").strip()
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0) or "_" in number:
        raise InputError(
            "require",
            f"requires a share for arithmetic; found 'arithmetic={text}'; write the spikes that may differ in "
            "percent, as 0.1%",
        )
    if value and not text.endswith("%"):
        raise InputError(
            "require",
            f"requires a share for arithmetic; found 'arithmetic={text}'; write {number}% (of the float "
            "model's spikes)",
        )
    return value / 100
