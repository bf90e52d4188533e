"""Seals: a JSON text that ends with the SHA-256 of all that stands before it.

A seal is against accidents, edits and files of another bundle. Whoever changes a text on purpose can seal it again.
"""

from __future__ import annotations

import re
from hashlib import sha256

_END = "\n}"
_SEAL = re.compile(rb',\n "digest": "([0-9a-f]{64})"\n}\n\Z')
SHOWN = 12
"""Digits of a digest that are shown to a reader."""


def seal(text: str) -> str:
    """`text`, a JSON object of one key or more indented by 1, with its SHA-256 in hexadecimal as the last key "digest".

    The digest is that of the text's UTF-8 without the new key, from the first brace to the last.
    """
    body = text.rstrip("\n")
    if not body.endswith(_END) or body == "{" + _END:
        raise ValueError("requires an object that is indented and has a key")
    digest = sha256(body.encode("utf-8")).hexdigest()
    return f'{body.removesuffix(_END)},\n "digest": "{digest}"{_END}\n'


def is_sealed(data: bytes) -> bool:
    """Whether `data` ends as `seal` ends a text; it may have been changed since."""
    return _SEAL.search(data[-100:]) is not None


def unsealed(data: bytes) -> tuple[bytes, str] | None:
    """The text that was sealed and its digest; None where any byte of `data` is another than `seal` wrote."""
    found = _SEAL.search(data[-100:])
    if found is None:
        return None
    body = data[: len(data) - len(found.group())] + _END.encode()
    digest = found.group(1).decode()
    return (body, digest) if sha256(body).hexdigest() == digest else None


def digest_of(data: bytes) -> str:
    """The digest of a text that `seal` wrote. Raises ValueError for any other."""
    found = unsealed(data)
    if found is None:
        raise ValueError("requires a sealed text")
    return found[1]


def short(digest: str | None) -> str:
    """A digest as a reader is shown it: its first digits."""
    return "none" if digest is None else digest[:SHOWN]
