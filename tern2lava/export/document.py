"""What each format can say, as Markdown: the second half of docs/exports.md."""

from __future__ import annotations

from tern2lava.export.exporters import EXPORTERS, Exporter
from tern2lava.export.features import FEATURES

HEADING = "## What each format says"


def exports_reference() -> str:
    """The section on what each format says, which ends docs/exports.md: a table of features and formats, and the words
    of every refusal."""
    exporters = EXPORTERS.registered()
    rows = [
        "| a network with | " + " | ".join(f"`{each.name}`" for each in exporters) + " |",
        "|---" * (len(exporters) + 1) + "|",
        *(
            f"| {what} | " + " | ".join(_cell(each, name) for each in exporters) + " |"
            for name, what in FEATURES.items()
        ),
    ]
    parts = [HEADING, "\n".join(rows), "## Refusals"]
    for each in exporters:
        if each.refuses:
            words = "\n".join(f"| {FEATURES[name]} | {words} |" for name, words in each.refuses.items())
            parts.append(f"### `{each.name}`\n\n| a network with | is refused with these words |\n|---|---|\n{words}")
    return "\n\n".join(parts) + "\n"


def _cell(exporter: Exporter, feature: str) -> str:
    return "refused" if feature in exporter.refuses else "yes"
