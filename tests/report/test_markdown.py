"""Tables as Markdown: names from files make no markup of their own."""

from __future__ import annotations

import pytest
from rich.console import Group
from rich.text import Text

from tern2lava.report.markdown import escaped, markdown
from tern2lava.report.sheet import Heading, Labelled, Paragraph, sheet


def test_a_table_has_its_title_columns_rows_and_caption() -> None:
    table = sheet("Cores", ("Name", "Count"))
    table.add_row("lif1", "12")
    table.add_row("Total", "12", style="bold")
    table.caption = "of two"
    assert markdown(table) == (
        "**Cores**\n\n| Name | Count |\n| :-- | --: |\n| lif1 | 12 |\n| **Total** | **12** |\n\nof two\n"
    )


def test_lines_headings_and_labels_are_paragraphs_headings_and_lists() -> None:
    lines = Labelled(10)
    lines.add("Execution", "VERIFIED", "green")
    lines.add("", "and more", "")
    found = markdown(Group(Heading("One"), Paragraph("in bold", "bold"), lines, "", Text("plain")))
    assert found == "### One\n\n**in bold**\n\n- **Execution**: VERIFIED\n  - and more\n\nplain\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("</script><img src=x>", "&lt;/script&gt;&lt;img src=x&gt;"),
        ("[link](http://x)", "\\[link\\](http://x)"),
        ("*bold* `code` _under_ ~~gone~~", "\\*bold\\* \\`code\\` \\_under\\_ \\~\\~gone\\~\\~"),
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("1. no list", "1\\. no list"),
        ("-0.5 and 1.5", "-0.5 and 1.5"),
        ("two\nlines", "two lines"),
        ("@someone", "@\u2060someone"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_markup_in_names_is_shown_as_it_is(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_what_is_no_part_of_a_report_is_an_error() -> None:
    with pytest.raises(TypeError, match="none of the parts"):
        markdown(Group(3))  # type: ignore[arg-type]
