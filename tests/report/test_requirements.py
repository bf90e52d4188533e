"""What --require says: the verdicts without which the exit code is 1."""

from __future__ import annotations

import pytest

from tern2lava.errors import InputError
from tern2lava.report.requirements import Requirements, parse_requirements


@pytest.mark.parametrize(
    ("text", "execution", "arithmetic", "reading", "ranges", "images"),
    [
        (None, True, 0.01, None, False, True),
        ("execution,arithmetic=0.1%,reading", True, 0.001, True, False, False),
        ("arithmetic", False, 0.01, False, False, False),
        ("arithmetic=0", False, 0.0, False, False, False),
        ("arithmetic=0%", False, 0.0, False, False, False),
        (" reading , execution ", True, None, True, False, False),
        ("ranges, execution", True, None, False, True, False),
        ("images", False, None, False, False, True),
        ("arithmetic = 12.5 %", False, 0.125, False, False, False),
        ("arithmetic=250%", False, 2.5, False, False, False),
    ],
)
def test_verdicts_are_required_as_named(
    text: str | None, execution: bool, arithmetic: float | None, reading: bool | None, ranges: bool, images: bool
) -> None:
    wanted = Requirements(execution=execution, arithmetic=arithmetic, reading=reading, ranges=ranges, images=images)
    assert parse_requirements(text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found ''"),
        ("execution,", "found ''"),
        ("everything", "found 'everything'"),
        ("arithmetic=0.5", "write 0.5%"),
        ("arithmetic=", "in percent"),
        ("arithmetic=-1%", "in percent"),
        ("arithmetic=nan%", "in percent"),
        ("arithmetic=inf%", "in percent"),
        ("arithmetic=1_0%", "in percent"),
        ("arithmetic=a\nfew%", "in percent"),
        ("ranges=0", "requires no number for ranges; found 'ranges=0'"),
        ("reading=1%", "requires no number for reading; found 'reading=1%'"),
        ("execution,execution", "requires each verdict once; found execution twice"),
    ],
)
def test_what_is_no_requirement_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_requirements(text)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
