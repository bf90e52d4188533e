"""The terminal's tables as HTML, for notebooks. Every text is escaped: names come from files."""

from __future__ import annotations

import io
from html import escape

from rich.console import Console, Group, RenderableType
from rich.text import Text

from tern2lava.report.sheet import Heading, Labelled, Paragraph, Sheet

_CELL = "padding:2px 10px 2px 0;vertical-align:top;border:0;"
_TABLE = '<table style="border-collapse:collapse;margin:8px 0;">'
# By words of a style, readable on white and on black.
_STYLES = {"bold": "font-weight:600;", "green": "color:#1a7f37;", "red": "color:#cf222e;", "yellow": "color:#9a6700;"}


def html(renderable: RenderableType) -> str:
    """`renderable` as an HTML fragment: tables as tables, texts as paragraphs, anything else as it prints."""
    if isinstance(renderable, Group):
        return "".join(html(part) for part in renderable.renderables)
    if isinstance(renderable, Sheet):
        return _table(renderable)
    if isinstance(renderable, Labelled):
        rows = (_row((label, "left"), (text, "left"), style=style) for label, text, style in renderable.lines)
        return f"{_TABLE}<tbody>{''.join(rows)}</tbody></table>"
    if isinstance(renderable, Heading):
        return f"<h4>{escape(renderable.text)}</h4>"
    if isinstance(renderable, Paragraph):
        name, rest = renderable.text[: len(renderable.name)], renderable.text[len(renderable.name) :]
        return _paragraph((f"<b>{escape(name)}</b>" if name else "") + escape(rest), renderable.style)
    if isinstance(renderable, (str, Text)):
        return _paragraph(escape(str(renderable)), "" if isinstance(renderable, str) else str(renderable.style))
    return f"<pre>{escape(_printed(renderable))}</pre>"


def document(title: str, body: RenderableType) -> str:
    """The fragment of an object that a notebook shows: its heading and what `body` says."""
    return f'<div class="tern2lava"><h4 style="margin:4px 0">{escape(title)}</h4>{html(body)}</div>'


def _table(table: Sheet) -> str:
    parts = [_TABLE]
    if table.title is not None:
        style = "text-align:left;font-weight:600;caption-side:top;"
        parts.append(f'<caption style="{style}">{escape(table.title)}</caption>')
    heads = "".join(_cell("th", column.title, column.justify) for column in table.columns)
    parts.append(f'<thead><tr style="border-bottom:1px solid #8884;">{heads}</tr></thead><tbody>')
    for row in table.rows:
        cells = zip(row.cells, table.columns, strict=True)
        shown = "".join(_cell("td", cell.text, column.justify, cell.style) for cell, column in cells)
        parts.append(f'<tr style="background:none;{_css(row.style)}">{shown}</tr>')
    parts.append("</tbody></table>")
    if table.caption:
        parts.append(f'<p style="margin:0 0 8px;font-style:italic;">{escape(table.caption)}</p>')
    return "".join(parts)


def _row(*cells: tuple[str, str], style: str) -> str:
    shown = "".join(_cell("td", text, side) for text, side in cells)
    return f'<tr style="background:none;{_css(style)}">{shown}</tr>'


def _cell(tag: str, text: str, side: str, style: str = "") -> str:
    return f'<{tag} style="{_CELL}text-align:{side};{_css(style)}">{escape(text)}</{tag}>'


def _paragraph(inner: str, style: str) -> str:
    return f'<p style="margin:4px 0;{_css(style)}">{inner}</p>' if inner else ""


def _css(style: str) -> str:
    return "".join(_STYLES.get(word, "") for word in style.split())


def _printed(value: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=120, color_system=None).print(value)
    return out.getvalue().rstrip()
