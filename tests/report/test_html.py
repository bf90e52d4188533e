"""What a notebook shows: the terminal's tables as HTML, whole, well formed and escaped."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Group
from rich.panel import Panel
from rich.text import Text

import tern2lava
from lossy import network, samples
from tern2lava.report.html import html
from tern2lava.report.layout import Cell
from tern2lava.report.sheet import Heading, Labelled, Paragraph, Sheet, text_column
from tern2lava.report.terminal import certificate_table, core_table

VOID = {"br", "hr", "img", "meta", "input"}


class Outline(HTMLParser):
    """Texts of cells and paragraphs by tag, and whether every tag was closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in VOID
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_report_shows_every_cell_of_the_terminals_tables() -> None:
    held = tern2lava.compile(network(), "tiny")
    report = tern2lava.verify(held, samples(), backend="reference")
    assert report.verification is not None
    for found in (report._repr_html_(), held._repr_html_()):
        outline = Outline(found)
        for table in (certificate_table(report), core_table(report)):
            assert {column.title for column in table.columns} <= set(outline.texts)
            assert {cell.text for row in table.rows for cell in row.cells} - {""} <= set(outline.texts)
        for verdict in report.verification.verdicts:
            assert verdict.sentence in outline.texts
        assert outline.attributes <= {"style", "class"}
    alone = Outline(report.verification._repr_html_())
    assert report.verification.verdicts[0].sentence in alone.texts
    rows = tern2lava.what_if(network(), ["tiny", "loihi2"])
    assert {"tiny", "loihi2", "Cores"} <= set(Outline(rows._repr_html_()).texts)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '" onload="alert(1)', "a&b<i>", "[red]x[/red]", "</td>"])
def test_names_of_a_network_are_shown_as_they_are_and_never_as_markup(name: str) -> None:
    graph = network()
    nodes = [
        replace(node, name=name if node.name == "h" else node.name,
                inputs=tuple(name if source == "h" else source for source in node.inputs))
        for node in graph.nodes
    ]  # fmt: skip
    held = tern2lava.compile(replace(graph.with_nodes(nodes), source=name), "tiny")
    report = tern2lava.verify(held, samples(), backend="reference")
    outline = Outline(report._repr_html_())
    assert name in outline.texts
    assert any(text == f"{name} on tiny" for text in outline.texts)
    assert set(outline.tags) <= {"div", "h4", "p", "b", "table", "caption", "thead", "tbody", "tr", "th", "td", "pre"}
    assert outline.attributes <= {"style", "class"}


def test_each_kind_of_renderable_is_escaped() -> None:
    table = Sheet("<t>", [text_column("<b>head")], caption="<c>")
    table.add_row(Cell("<cell>", "bold red"))
    labelled = Labelled(3)
    labelled.add("<label>", "<said>", "green")
    other = Panel("<panel>")
    found = html(
        Group(Text("<text>"), Heading("<part>"), Paragraph("<p>", name="<n>"), "<str>", "", table, labelled, other)
    )
    outline = Outline(found)
    assert [text for text in outline.texts if text.startswith("<")] == [
        "<text>", "<part>", "<n>", "<p>", "<str>", "<t>", "<b>head", "<cell>", "<c>", "<label>", "<said>",
    ]  # fmt: skip
    assert any("<panel>" in text for text in outline.texts)
    assert "font-weight:600;color:#cf222e;" in found
