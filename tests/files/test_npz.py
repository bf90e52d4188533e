"""An npz file's arrays are read as numpy wrote them, and what would take more memory than it may is refused before."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archive import save_npz
from tern2lava.files.npz import open_npz, read_npz
from tern2lava.files.opening import FileError
from tern2lava.files.zip_archive import MAX_DIRECTORY


def peak_of(action: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        action()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(tmp_path: Path, save: Callable[..., None]) -> None:
    arrays = {
        "a": np.arange(12.0).reshape(3, 4),
        "b": np.asfortranarray(np.eye(3, dtype=np.int16)),
        "w": np.array("hi"),
    }
    save(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    with open_npz(tmp_path / "a.npz") as npz:
        assert npz["a"].shape == (3, 4)
        assert "c" not in npz
        np.testing.assert_array_equal(np.concatenate(list(npz.pieces("a"))), np.arange(12.0))


def test_an_array_that_unpacks_to_more_than_it_may_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, a=np.zeros(100_000_000, np.uint8), b=np.zeros(3))

    def refused() -> None:
        with open_npz(path) as npz:
            np.testing.assert_array_equal(npz.read("b"), np.zeros(3))
            with pytest.raises(FileError, match=r"a: requires an array of at most 67,108,864 bytes.*found 100,000,000"):
                npz.read("a")
            with pytest.raises(FileError, match=r"a: requires an array of at most 1,000 bytes; found 100,000,000"):
                npz.read("a", 1000)
        with pytest.raises(FileError, match=r"arrays of at most 67,108,864 bytes together.*; found 100,000,024"):
            read_npz(path)

    assert peak_of(refused) < 4 << 20
    with open_npz(path) as npz:
        assert npz.read("a", 100_000_000).shape == (100_000_000,)


def test_pieces_hold_memory_for_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, a=np.zeros(100_000_000, np.uint8))

    def count() -> None:
        with open_npz(path) as npz:
            assert sum(len(part) for part in npz.pieces("a")) == 100_000_000

    assert peak_of(count) < 24 << 20


def zip_of(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, content in entries:
            archive.writestr(name, content)
    return stream.getvalue()


def array(values: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(values))
    return stream.getvalue()


def overlapping() -> bytes:
    """Many entries that all lead to one and the same run of bytes."""
    one = zip_of([("a.npy", array(np.zeros(100_000)))])
    at, size = one.index(b"PK\x01\x02"), len(one)
    entry = one[at : one.index(b"PK\x05\x06")]
    names = [b"%05d" % n for n in range(10_000)]
    directory = b"".join(entry.replace(b"a.npy", name) for name in names)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, len(names), len(names), len(directory), at, 0)
    assert size > at
    return one[:at] + directory + end


def encrypted() -> bytes:
    data = bytearray(zip_of([("a.npy", array([1.0]))]))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


def flipped() -> bytes:
    data = bytearray(zip_of([("a.npy", array(np.arange(1000)))], zipfile.ZIP_STORED))
    data[600] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "requires an npz file; found an empty file; save it with"),
        (b"a,b\n1,2\n", "requires an npz file; found text that begins with 'a,b 1,2'; save it with"),
        (b"\x89HDF\r\n\x1a\n", "requires an npz file; found an HDF5 file"),
        (b"\x80\x04\x95", "requires an npz file; found a pickle"),
        (b"\x1f\x8b\x08\x00", "requires an npz file; found a gzip file"),
        (bytes(range(40)), "requires an npz file; found other bytes"),
        (array([1, 2]), "requires an npz file; found one bare array; save it with"),
        (zip_of([("a.npy", array([1])), ("a.npy", array([2]))]), "a name of its own for each entry; found two called"),
        (zip_of([("a.npy", array([1])), ("a", array([2]))]), "a name of its own for each array; found two called 'a'"),
        (overlapping(), "requires entries no larger than the file"),
        (encrypted(), "found a.npy encrypted or in a rare compression"),
        (flipped(), "requires whole entries; found a.npy damaged .*CRC"),
        (zip_of([("a.npy", array([1] * 100))], zipfile.ZIP_LZMA), "found a.npy encrypted or in a rare compression"),
        (zip_of([("a.npy", array([1] * 100))])[:-30], "requires a whole zip file"),
        (zip_of([("a.npy", b"text")]), "a: requires an array in npy's form; found other bytes"),
        (zip_of([("a.npy", b"")]), "a: requires an array in npy's form"),
    ],
)
def test_a_damaged_or_hostile_file_is_one_line(data: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    with pytest.raises(FileError, match=why) as caught:
        read_npz(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_long_list_of_entries_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    entry = zip_of([("x" * 54, b"")])
    entry = entry[entry.index(b"PK\x01\x02") : entry.index(b"PK\x05\x06")]
    directory = entry * (MAX_DIRECTORY // len(entry) + 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 0, 0)
    path.write_bytes(directory + end)

    def refused() -> None:
        with pytest.raises(FileError, match=r"whose list of entries takes at most 4,194,304 bytes; found 4,19"):
            open_npz(path)

    assert peak_of(refused) < 4 << 20


def test_ten_thousand_arrays_are_read(tmp_path: Path) -> None:
    save_npz(tmp_path / "a.npz", **{f"{n}": np.zeros(1, np.uint8) for n in range(10_000)})
    assert len(read_npz(tmp_path / "a.npz")) == 10_000
