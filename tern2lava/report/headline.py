"""The first lines of a report: what was compiled, for which target, and how far that target's numbers are published."""

from __future__ import annotations

from tern2lava.counts import count
from tern2lava.report.model import Report

HELD = {
    "core.neurons": "neurons",
    "core.synapse_memory": "synapse memory",
    "core.in_axons": "input axons",
    "core.out_axons": "output axons",
}
"""What a core holds, by the profile's keys, and the words for it."""


def assumed_keys(report: Report) -> list[str]:
    """The keys of the profile whose numbers are assumed, in its order (see Profile.assumptions)."""
    return [text.partition(" = ")[0].partition(": ")[2] for text in report.assumptions]


def modelled(report: Report) -> str:
    """The target in words: "as modelled for loihi2 (synapse memory assumed)" where a number of it is not published."""
    keys = assumed_keys(report)
    if not keys:
        return f"for {report.target}"
    held = [words for key, words in HELD.items() if key in keys]
    said = "all that a core holds" if len(held) == len(HELD) else ", ".join(held) or count(len(keys), "number")
    return f"as modelled for {report.target} ({said} assumed)"


def headline(report: Report) -> str:
    """What was compiled, for what, and what it takes."""
    neurons = sum(row.neurons for row in report.populations)
    return (
        f"{report.source or 'graph'} {modelled(report)}: {count(neurons, 'neuron')} on "
        f"{count(len(report.cores), 'core')} of {count(report.chips, 'chip')}"
    )


def assumed_line(report: Report) -> str:
    """How many numbers of the target are assumed, and where each has its reason; "" where none is."""
    number = len(report.assumptions)
    if not number:
        return ""
    verb = "is" if number == 1 else "are"
    return (
        f"{count(number, 'number')} of {report.target} {verb} assumed, not published: tern2lava profiles "
        f"{report.target}"
    )
