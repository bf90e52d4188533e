"""Values that no argument is meant to be: a list of the worst, and a strategy that draws the rest."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st


class Hostile:
    """An object whose every operation raises an error that is not one of Python's own."""

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __iter__(self) -> Any:
        raise RuntimeError("no items")

    def __fspath__(self) -> str:
        raise RuntimeError("no path")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise RuntimeError("no array")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __repr__(self) -> str:
        raise RuntimeError("no text")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


class BytesPath:
    def __fspath__(self) -> bytes:
        return b"folder"


def _objects() -> list[Any]:
    spikes = np.zeros((2, 10, 16))
    found: list[Any] = [
        object(), Hostile(), BytesPath(), int, Path, Exception("x"), ..., NotImplemented, slice(3), range(3),
        frozenset({1}), bytearray(b"ab"), memoryview(b"ab"), iter([1]), {1, 2}, Decimal("NaN"), Fraction(1, 3),
        Path("."), Path("missing/there"), Path("a\0b"), "a" * 5000, "\ud800", "", " ", "loihi9", "NaN", "1", "None",
        10**30, -(10**30), 10**5000, float("nan"), float("inf"), -0.0, np.int64(3), np.float32("nan"), np.bool_(True),
        np.str_("x"), np.datetime64("2020-01-01"), np.zeros(0), np.zeros((0, 4, 16)), spikes[:, :0], spikes[..., :0],
        spikes * np.nan, spikes + 1e300, spikes.astype(complex), np.array([object()] * 3), np.array(b"x"),
        np.array({}), np.ma.masked_all((2, 10, 16)), np.zeros(3, [("a", int)]), np.recarray((2,), dtype=[("x", float)]),
        {"spikes": Hostile()}, {Hostile: 1}, {"spikes": spikes, "labels": Hostile(), "dtype": Hostile()},
        {"spikes": spikes, "scores": spikes, "dtype": Hostile()}, [Hostile()], (Hostile(), Hostile()), [[[Hostile()]]],
        [None], (None, None), {"": ""}, {"h": {"h": 1}}, [b"x"], ["tiny", None], [["tiny"]],
    ]  # fmt: skip
    makers: tuple[tuple[str, Callable[[Any], list[Any]]], ...] = (
        ("torch", lambda torch: [torch.zeros(2), torch.tensor(3), torch.zeros(2, 10, 16, device="meta"), torch.float32,
                                 torch.nn.ReLU(), torch.zeros(2, 10, 16, dtype=torch.complex64), torch.Size([3])]),
        ("pandas", lambda pandas: [pandas.DataFrame({"a": [1, 2]}), pandas.Series(["a"]), pandas.NA]),
        ("scipy.sparse", lambda sparse: [sparse.eye(3).tocsr()]),
    )  # fmt: skip
    for name, make in makers:
        try:
            found += make(importlib.import_module(name))
        except ImportError:
            continue
    return found


OBJECTS = _objects()
"""Values of other libraries and classes, and such as raise errors of their own."""
# Without a slash: a name that a function writes to stays in the folder of the test.
_TEXTS = st.text(st.characters(blacklist_characters="/"), max_size=12)


def junk() -> st.SearchStrategy[Any]:
    """Python's own values and collections of them, most of them wrong for any argument."""
    plain = st.one_of(
        st.none(), st.booleans(), st.integers(), st.integers(-3, 20), st.floats(), st.complex_numbers(), _TEXTS,
        st.binary(max_size=8),
    )  # fmt: skip
    return st.one_of(
        plain,
        st.lists(plain, max_size=4),
        st.lists(st.lists(plain, max_size=3), max_size=3),
        st.tuples(plain, plain),
        st.dictionaries(
            st.one_of(_TEXTS, st.sampled_from(["spikes", "labels", "scores", "h", "x"])), plain, max_size=3
        ),
        st.dictionaries(st.integers(), plain, max_size=2),
    )
