"""Names of networks become names of C that are told apart, and texts that stay inside their comments."""

from __future__ import annotations

import re

import pytest

from tern2lava.errors import InputError
from tern2lava.export.c.names import checked_prefix, comment, identifiers


def test_identifiers_are_of_letters_digits_and_single_underscores_and_unlike_each_other() -> None:
    names = ["a.b", "a b", "A/B", "a_b_2", "for", "7", "", "_", "日本", "é", "x" * 99, "x" * 98 + "y", "__a__b__"]
    found = identifiers(names)
    assert [found[name] for name in names[:4]] == ["a_b", "a_b_2", "a_b_3", "a_b_2_2"]
    assert len(set(found.values())) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", each) and len(each) < 32 for each in found.values())


@pytest.mark.parametrize(
    "text",
    ["*/ int x; /*", "**//", "/*/", "*", "/", "//", "a\\", "a\nb", "??/", "???/", "\0", "\u202e", "\x7f", "*/*/"],
)
def test_a_comment_ends_where_it_should_whatever_is_said_in_it(text: str) -> None:
    shown = comment(text)
    whole = f"/* {shown} */"
    assert whole.index("*/") == len(whole) - 2
    assert "/*" not in whole[2:]
    assert "//" not in f"/*{shown}*/"[1:-1].replace("*/", "")
    assert "??" not in shown
    assert re.fullmatch(r"[ -\[\]-~]*", shown)
    assert f"/*{shown}*/".index("*/") == len(shown) + 2


@pytest.mark.parametrize("prefix", ["digits", "a", "my_net2", "while"])
def test_a_prefix_is_any_word_in_lower_case(prefix: str) -> None:
    assert checked_prefix(prefix) == prefix


@pytest.mark.parametrize(
    "prefix",
    ["", "A", "2a", "a__b", "_a", "a_", "a-b", "é", "int32", "uint_fast8", "size", "step", "add_x", "n" * 25, 3],
)
def test_other_prefixes_and_those_of_c_s_own_types_are_refused(prefix: object) -> None:
    with pytest.raises(InputError, match="prefix: requires up to 24 lower-case letters"):
        checked_prefix(prefix)
