"""The inert pickle machine: right on honest pickles, harmless on hostile ones."""

from __future__ import annotations

import builtins
import contextlib
import os
import pickle
import time
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.errors import InputError
from tern2lava.frontends.files.checkpoint import read_checkpoint
from tern2lava.frontends.files.pickle_reader import Global, Record, read_pickle

KEYS = st.text() | st.integers(-(2**63), 2**63)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(PLAIN, st.integers(0, 5))
def test_plain_data_comes_back_as_pickle_itself_gives_it(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    if protocol < 3 and b"_codecs" in data:
        return  # bytes are then a call, which stays a record
    if protocol < 3 and _has_empty_bytes(value):
        return
    assert read_pickle(BytesIO(data), "x") == value


def _has_empty_bytes(value: Any) -> bool:
    if isinstance(value, bytes):
        return True
    if isinstance(value, dict):
        return any(map(_has_empty_bytes, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_empty_bytes, value))


def test_an_object_becomes_a_record_of_its_class_and_state() -> None:
    record = read_pickle(BytesIO(pickle.dumps(Path("a/b"))), "x")
    assert isinstance(record, Record)
    assert record.kind.startswith("pathlib")
    nested = read_pickle(BytesIO(pickle.dumps(OrderedDict(a=len))), "x")
    assert nested.items == [("a", Global("builtins", "len"))]


class Call:
    """Pickles as a call of `function`, as an attacker's file would hold it."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.args


def payloads(marker: Path) -> dict[str, Any]:
    touch = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    system = Call(os.system, f"touch {marker}")
    return {
        "os.system": system,
        "builtins.eval": Call(builtins.eval, touch),
        "builtins.exec": Call(builtins.exec, touch),
        "nested in a tensor's arguments": {"w": Call(torch._utils._rebuild_parameter, system, True, OrderedDict())},
        "nested twice": [Call(getattr, Call(__import__, "os"), "system"), {"a": [(system,)]}],
        "as the callee": Call(map, system, [1]),
        "as a mapping": {"state_dict": OrderedDict(w=Call(builtins.eval, touch))},
    }


@pytest.mark.parametrize("name", list(payloads(Path("x"))))
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_a_malicious_file_runs_nothing(name: str, form: str, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pt"
    payload = payloads(marker)[name]
    if form == "pickle":
        path.write_bytes(pickle.dumps(payload))
    else:
        torch.save([payload, torch.ones(2)], path, _use_new_zipfile_serialization=form == "zip")
    try:
        read_checkpoint(path)
    except InputError:
        assert form == "pickle"
    assert not marker.exists()


def test_the_payloads_of_these_tests_do_bite_in_pickle_itself(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for name, payload in payloads(marker).items():
        if name == "as the callee":
            continue
        with contextlib.suppress(Exception):
            pickle.loads(pickle.dumps(payload))
        assert marker.exists(), name
        marker.unlink()


def test_a_state_set_on_a_named_function_changes_no_function() -> None:
    before = dict(vars(read_pickle))
    read_pickle(BytesIO(b"\x80\x02ctern2lava.frontends.pickled\nread_pickle\n}U\x01aK\x01sb."), "x")
    assert vars(read_pickle) == before


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "requires a pickle with an end"),
        (b"\x80\x02K\x01", "requires a (pickle with an end|whole pickle)"),
        (b"\x80\x02.", "requires a whole pickle; found damage"),
        (b"t.", "mark is missing"),
        (b"K\x01K\x02s.", "requires a whole pickle; found damage"),
        (b"(K\x01d.", "key without a value"),
        (b"]K\x01K\x02s.", "requires a whole pickle; found damage"),
        (b"\x82\x01.", "requires a pickle of tensors and plain values; found EXT1"),
        (b"\xff.", "requires a whole pickle; found damage"),
        (b"h\x05.", "requires a whole pickle; found damage"),
    ],
)
def test_a_damaged_pickle_is_one_clear_line(data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        read_pickle(BytesIO(data), "file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # a memo of 2^31 entries
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytes of length 2^63
        b"\x80\x02]" + b"2" * 1000 + b".",
        b"(" * 100_000 + b"t" * 100_000 + b".",  # a tuple 100,000 deep
        b"}" + b"(" * 50_000 + b"t" * 50_000 + b"Ns.",  # the same as a key
    ],
)
def test_a_bomb_costs_no_memory_worth_mention(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        read_pickle(BytesIO(bomb), "file")
    except InputError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 << 20


def test_too_many_opcodes_are_refused() -> None:
    with pytest.raises(InputError, match="opcodes"):
        read_pickle(BytesIO(b"N0" * 1_500_000 + b"N."), "file")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_never_do_more_than_raise_an_input_error(data: bytes) -> None:
    with contextlib.suppress(InputError):
        read_pickle(BytesIO(data), "file")


def test_a_huge_number_as_a_key_costs_no_time() -> None:
    number = b"\x8b" + (1_000_000).to_bytes(4, "little") + b"\x01" * 1_000_000
    begin = time.process_time()
    read_pickle(BytesIO(number + b"q\x01}" + b"h\x01Ns" * 30_000 + b"."), "file")
    assert time.process_time() - begin < 3
