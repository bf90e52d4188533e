"""The terminal's tables as Markdown, for pull requests. Every text is escaped: names come from files."""

from __future__ import annotations

import re

from rich.console import Group, RenderableType
from rich.text import Text

from tern2lava.report.sheet import Heading, Labelled, Paragraph, Sheet

# What GitHub reads as markup inside a line, or at its beginning.
_MARKUP = re.compile(r"([\\`*_\[\]#!|~<>@$&])|^()([-=+])(?=[-=+\s]|$)|^(\d+)([.)])(?=\s|$)")


def markdown(renderable: RenderableType) -> str:
    """`renderable` as Markdown: tables as tables, titles in bold, texts as paragraphs; ends with a line break."""
    return "\n\n".join(part for part in _parts(renderable) if part) + "\n"


def _parts(renderable: RenderableType) -> list[str]:
    if isinstance(renderable, Group):
        return [part for each in renderable.renderables for part in _parts(each)]
    if isinstance(renderable, Sheet):
        title = f"**{escaped(renderable.title)}**" if renderable.title else ""
        return [title, _table(renderable), escaped(renderable.caption)]
    if isinstance(renderable, Labelled):
        # A row without a label goes on with the row before it.
        return ["\n".join(_labelled(label, text) for label, text, _ in renderable.lines)]
    if isinstance(renderable, Heading):
        return [f"### {escaped(renderable.text)}"]
    if isinstance(renderable, Paragraph):
        bold = len(renderable.text) if "bold" in renderable.style.split() else len(renderable.name)
        strong, rest = renderable.text[:bold].rstrip(), renderable.text[bold:]
        return [" ".join(filter(None, (f"**{escaped(strong)}**" if strong else "", escaped(rest))))]
    if isinstance(renderable, (str, Text)):
        return [escaped(str(renderable))]
    raise TypeError(f"a {type(renderable).__name__} is none of the parts of a report")


def escaped(text: str) -> str:
    """`text` with a backslash before what is markup, "<", ">" and "&" as entities, and after "@" a joiner of no width,
    so that nobody is called."""

    def mark(found: re.Match[str]) -> str:
        if found[1] is not None:
            return {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@\u2060"}.get(found[1], f"\\{found[1]}")
        return f"{found[2]}\\{found[3]}" if found[3] is not None else f"{found[4]}\\{found[5]}"

    return _MARKUP.sub(mark, " ".join(text.split()))


def _labelled(label: str, text: str) -> str:
    return f"- **{escaped(label)}**: {escaped(text)}" if label else f"  - {escaped(text)}"


def _table(table: Sheet) -> str:
    lines = [[escaped(column.title) for column in table.columns]]
    lines.append([":--" if column.justify == "left" else "--:" for column in table.columns])
    for row in table.rows:
        bold = "bold" in row.style.split()
        cells = (escaped(cell.text) for cell in row.cells)
        lines.append([f"**{cell}**" if bold and cell else cell for cell in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
