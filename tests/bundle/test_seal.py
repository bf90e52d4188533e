"""A sealed text is taken only as it was sealed, byte by byte."""

from __future__ import annotations

import hashlib
import json

import pytest

from tern2lava.bundle.seal import digest_of, is_sealed, seal, unsealed

TEXT = json.dumps({"name": "a", "found": [1, {"b": "}\n"}]}, indent=1) + "\n"


def test_the_digest_is_the_sha256_of_the_text_without_it() -> None:
    found = json.loads(seal(TEXT))
    assert found.pop("digest") == hashlib.sha256(TEXT.rstrip("\n").encode()).hexdigest()
    assert json.dumps(found, indent=1) + "\n" == TEXT
    assert list(json.loads(seal(TEXT))) == ["name", "found", "digest"]


def test_a_sealed_text_gives_back_what_was_sealed() -> None:
    for text in (TEXT, TEXT.rstrip("\n"), json.dumps({"ä": "\u2603"}, indent=1, ensure_ascii=False)):
        data = seal(text).encode("utf-8")
        assert unsealed(data) == (text.rstrip("\n").encode("utf-8"), digest_of(data))


def test_every_bit_of_a_sealed_text_is_held() -> None:
    data = seal(TEXT).encode()
    for at in range(len(data)):
        for bit in range(8):
            changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            assert unsealed(changed) is None, (at, bit)


def test_a_sealed_text_that_is_longer_or_shorter_is_not_taken() -> None:
    data = seal(TEXT).encode()
    for changed in (data[:-1], data[1:], data + b"\n", b" " + data, data[:40] + data[41:], b"", data + data):
        assert unsealed(changed) is None
    assert is_sealed(b" " + data)
    assert not is_sealed(data + b"\n")
    # A digest in capitals is the same number and another text.
    assert unsealed(data[:-68] + data[-68:].upper()) is None


@pytest.mark.parametrize("text", ["", "{\n}", "[]", "{}", "1"])
def test_what_is_no_object_with_a_key_is_not_sealed(text: str) -> None:
    with pytest.raises(ValueError, match="requires an object"):
        seal(text)
    with pytest.raises(ValueError, match="requires a sealed text"):
        digest_of(text.encode())
