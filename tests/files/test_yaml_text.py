"""YAML is plain data, or one line with its place that says what is wrong, for little memory and time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.files.opening import FileError
from tern2lava.files.yaml_text import parse_yaml, read_yaml

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(PLAIN, st.sampled_from([True, False, None]))
def test_plain_values_come_back(value: Any, flow: bool | None) -> None:
    assert parse_yaml(yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True), "x").data == value


def test_a_time_of_day_is_a_text_and_no_number_in_base_60() -> None:
    found = parse_yaml("a: 1:30:00\nb: -190:20:30.15\nc: 12:59\nd: 0x1F\ne: 1_000\nf: 1.5e+3", "x").data
    assert found == {"a": "1:30:00", "b": "-190:20:30.15", "c": "12:59", "d": 31, "e": 1000, "f": 1500.0}


BILLION = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BILLION, r"x:1: requires plain YAML; found an anchor or alias \(& or \*\); write the value out"),
        ("a: &a [*a]", "x:1: requires plain YAML; found an anchor or alias"),
        ("<<: *a\nb: 1", "x:1: requires plain YAML; found an anchor or alias"),
        ("a:\n  b: 1\n  b: 2", r"x:3: a\.b: requires each key once; found it twice; remove one"),
        ("? [1, 2]\n: 3", "x:1: requires words as keys; found another value"),
        ("a: " + "[" * 100_000, "x:1: requires at most 20 levels; found more; nest fewer"),
        ("\n".join(" " * i + "a:" for i in range(400)), "requires at most 20 levels"),
        ("a: [" + "1, " * 300_000 + "1]", "requires at most 20,000 keys and values; found more"),
        ("[" + "[], " * 20_001 + "]", "requires at most 20,000 keys and values; found more"),
        ("- a\n" * 100_000, "requires at most 20,000 keys and values; found more"),
        ("a: " + "9" * 500_000, "x:1: a: requires numbers of at most 64 characters; found one of 500,000"),
        ("a: 0." + "9" * 9_000, "x:1: a: requires numbers of at most 64 characters; found one of 9,002"),
        ("a: 0x" + "F" * 9_000, "x:1: a: requires numbers of at most 64 characters"),
        ("a: " + "b" * 500_000, "x:1: requires keys and values of at most 10,000 characters; found one of 500,000"),
        ("a: 1" + ":30" * 100_000, "x:1: requires keys and values of at most 10,000 characters; found one of 300,001"),
        (
            "a:\n\tb: 1",
            r"x:2: requires valid YAML; found character '.t' that .*; indent with blanks",
        ),
        ("a: 1\n---\nb: 2", "x:2: requires valid YAML; found another document; keep one document in a file"),
        ("fire: >=", "x:1: requires valid YAML; found expected chomping .*; write comparisons as words"),
        ("a: [1", "x:1: requires valid YAML; .*; mend that line"),
        ("a:\n- 18446744073709551616", r"x:2: a\[0\]: requires whole numbers of at most 64 bits"),
        (
            "a: !!int seven",
            "x:1: requires plain YAML; found a tag (!!int); leave it out".replace("(", "[(]").replace(")", "[)]"),
        ),
        ("- !!python/object/apply:os.system [echo]", "x:1: requires plain YAML; found a tag [(]!!python"),
        ("a: !mine 3", "x:1: requires plain YAML; found a tag [(]!mine"),
        ("a: b: c", "x:1: requires valid YAML; found mapping values are not allowed here"),
        ("a: 1\n--- \nb: 2", "x:2: requires valid YAML"),
        ("%YAML 9.9\n---\na: 1", "x:1: requires valid YAML; found incompatible YAML document"),
        ("a: \x07", "requires valid YAML"),
        ("a: [1", "x:1: requires valid YAML; found expected"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(text: str, why: str) -> None:
    begin = time.process_time()
    with pytest.raises(FileError, match=why) as caught:
        parse_yaml(text, "x")
    assert time.process_time() - begin < 5
    assert "\n" not in str(caught.value)


def test_a_long_number_in_base_60_is_a_text() -> None:
    text = "1" + ":30" * 3_000
    begin = time.process_time()
    assert parse_yaml(f"a: {text}", "x").data == {"a": text}
    assert time.process_time() - begin < 5


@settings(max_examples=150, deadline=None)
@given(st.text("ab:-?[]{}&*!|>'\"%@#, \n\t0159.e~", max_size=40))
def test_any_text_ends_in_plain_data_or_in_one_line(text: str) -> None:
    try:
        found = parse_yaml(text, "x").data
    except FileError:  # one line by its making
        return
    assert found is None or isinstance(found, dict | list | str | int | float | bool)


def test_lines_of_keys_are_known_and_errors_named_by_them(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb:\n  - c: 2\n")
    file = read_yaml(path)
    assert str(file.error(("b", 0, "c"), "why")) == f"{path}:3: b[0].c: why"
    assert str(file.error(("b", 0, "d", "e"), "why")) == f"{path}:3: b[0].d.e: why"
    assert file.name == "a.yaml"
