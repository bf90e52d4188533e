"""docs/zoo.md has the tables of the registry."""

from __future__ import annotations

import os
import re

from places import ROOT
from tern2lava.zoo import ZOO
from tern2lava.zoo.listing import page

DOCUMENT = ROOT / "docs" / "zoo.md"
HEADING = "| network | what |"


def test_the_page_has_the_tables_of_the_registry() -> None:
    introduction, heading, rest = DOCUMENT.read_text("utf-8").partition(HEADING)
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        DOCUMENT.write_text(introduction + page(), encoding="utf-8")
        _, heading, rest = DOCUMENT.read_text("utf-8").partition(HEADING)
    assert heading + rest == page(), "docs/zoo.md: run this test with TERN2LAVA_GOLDEN=write"
    assert re.findall(r"^\| `([\w-]+)` \| \d", page(), re.MULTILINE) == list(ZOO.names())


def test_the_code_of_the_page_runs() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    exec(compile(code, "docs/zoo.md", "exec"), {})
