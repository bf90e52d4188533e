"""JSON is what json reads of it, or one line that says what is wrong, for little memory and time."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.files.json_text import MAX_CONTAINERS, MAX_DEPTH, MAX_VALUES, parse_json, read_json
from tern2lava.files.opening import FileError

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.floats(allow_infinity=False)
PLAIN = st.recursive(
    LEAVES.filter(lambda value: value == value),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(PLAIN, st.sampled_from([None, 1]))
def test_plain_values_come_back(value: Any, indent: int | None) -> None:
    for ascii_only in (True, False):
        try:
            text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
        except UnicodeEncodeError:
            continue
        assert parse_json(text, "x") == value


def nested(depth: int, open: str, close: str) -> str:
    return open * depth + "0" + close * depth


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (nested(MAX_DEPTH + 1, "[", "]"), "requires a JSON file of at most 64 levels; found more; nest fewer"),
        (nested(100_000, '{"a":', "}"), "at most 64 levels"),
        (nested(400_000, '[{"a":[],"b":', "}]"), r"at most 500,000 lists and objects|at most 64 levels"),
        ("[" + "[]," * 500_000 + "0]", "requires a JSON file of at most 500,000 lists and objects; found 500,001"),
        ("[" + "{}," * 500_000 + "0]", "requires a JSON file of at most 500,000 lists and objects; found 500,001"),
        ('{"a": 1, "b": {"a": 1, "c": 2, "a": 3}}', "requires a JSON file with each key once; found 'a' twice"),
        ('{"a": NaN}', "requires a JSON file of finite numbers; found NaN; write a number"),
        ("[-Infinity]", "requires a JSON file of finite numbers; found -Infinity"),
        ("[1e999]", "requires a JSON file of finite numbers; found 1e999"),
        ("9" * 500_000, "whole numbers of at most 64 bits; found one of 500,000 digits"),
        ("-" + "9" * 5000, "whole numbers of at most 64 bits; found one of 5,001 digits"),
        ("[18446744073709551616]", "whole numbers of at most 64 bits; found 18446744073709551616"),
        ("0." + "9" * 500_000, "requires a JSON file with numbers of at most 400 characters; found one of 500,002"),
        ('{"a": 1', r"requires a JSON file that is whole; found damage \(Expecting"),
        ("", "requires a JSON file that is whole"),
        (b'["\xff"]', "requires a JSON file in UTF-8; found another byte at 2"),
        ('["\x01"]', "that is whole; found damage .Invalid control character"),
        ("[\0]", "requires a JSON file of text alone; found a NUL"),
    ],
)
def test_what_is_wrong_is_one_line(text: str | bytes, why: str) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    begin = time.process_time()
    with pytest.raises(FileError, match=why) as caught:
        parse_json(data, "x.json")
    assert time.process_time() - begin < 5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_largest_and_deepest_are_read() -> None:
    assert parse_json(nested(MAX_DEPTH, "[", "]"), "x")
    assert len(parse_json("[" + "[]," * (MAX_CONTAINERS - 2) + "[]]", "x")) == MAX_CONTAINERS - 1
    assert parse_json(json.dumps(["[" * 1000 + '"\\' + "{" * 1000]), "x") == ["[" * 1000 + '"\\' + "{" * 1000]


@pytest.mark.parametrize(
    "text", ["[" + "{}," * 3_000_000 + "0]", "[" + '"ab",' * 3_000_000 + "0]", "[" + "1.5," * 5_000_000 + "0]"]
)
def test_texts_that_would_take_much_memory_are_refused_before(text: str) -> None:
    tracemalloc.start()
    with pytest.raises(FileError, match=rf"at most ({MAX_VALUES:,} values|{MAX_CONTAINERS:,} lists and objects)"):
        parse_json(text, "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.text('[]{}":,0123eE.-\\u tfn', max_size=80).map(str.encode))
def test_any_bytes_end_in_what_json_reads_or_in_one_line(data: bytes) -> None:
    try:
        found = parse_json(data, "x")
    except FileError:
        return
    assert found == json.loads(data.decode("utf-8-sig"))


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, 2.5, null]}')
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, None]}
    with pytest.raises(FileError, match=r"b.json: requires a JSON file; found none there"):
        read_json(tmp_path / "b.json")
