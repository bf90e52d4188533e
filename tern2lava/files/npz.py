"""An npz file: its arrays by name, what each is told before its numbers are read, the numbers whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from tern2lava.errors import one_line
from tern2lava.files.npy import MAGIC, NpyHeader, pieces, read_body, read_header
from tern2lava.files.opening import GIB, MIB, FileError, Kind, open_file
from tern2lava.files.zip_archive import Archive

NPZ = Kind("an npz file", 1024 * GIB, larger="split it into files of fewer samples")
UNPACKED, RATIO = 64 * MIB, 200
"""Bytes that arrays which are read whole may unpack to: UNPACKED, or RATIO times what they take in the file where that
is more. Float32 weights in {-a, 0, a} unpack to 20 to 60 times, with 99 % of zeros to 150 times; zeros to 1,000."""


class Npz(Mapping[str, NpyHeader]):
    """The arrays of an npz file: a mapping of their headers, and their numbers where they are asked for.

    The file stays open until the Npz is closed or let go.
    """

    def __init__(self, archive: Archive) -> None:
        self.path, self.archive = archive.path, archive
        self._members: dict[str, str] = {}
        for name in archive.entries:
            known = name.removesuffix(".npy")
            if known in self._members:
                raise FileError(
                    self.path, "a name of its own for each array", f"two called '{one_line(known[:80])}'",
                    "save it again with one",
                )  # fmt: skip
            self._members[known] = name
        self._headers: dict[str, NpyHeader] = {}

    def __getitem__(self, name: str) -> NpyHeader:
        """The header of an array. Raises KeyError where there is none, FileError where it is damaged."""
        if name not in self._headers:
            with self.archive.open(self._members[name]) as stream:
                self._headers[name] = read_header(stream, self.where(name), self.archive.size(self._members[name]))
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def where(self, name: str) -> str:
        """What errors call an array."""
        return one_line(f"{self.path}: {name[:200]}")

    def member(self, name: str) -> str:
        """The name of the array's entry in the zip file."""
        return self._members[name]

    def packed(self, name: str) -> int:
        """Bytes that an array takes in the file."""
        return self.archive.packed(self._members[name])

    def read(self, name: str, most: int | None = None) -> NDArray[Any]:
        """A whole array of at most `most` bytes; without it of at most UNPACKED, or RATIO times its size in the file.

        Raises FileError, before any memory is taken where the array is larger.
        """
        self.bound(name, most)
        with self.stream(name) as stream:
            return read_body(stream, self[name], self.where(name))

    def bound(self, name: str, most: int | None = None) -> None:
        """Raise FileError where an array is larger than `read` would take."""
        header = self[name]
        allowed = max(UNPACKED, RATIO * self.packed(name)) if most is None else most
        if header.size > allowed:
            raise FileError(
                self.where(name), f"an array of at most {allowed:,} bytes, {RATIO} times what it takes in the file"
                if most is None else f"an array of at most {allowed:,} bytes",
                f"{header.size:,}", "save it uncompressed, with np.savez" if most is None else "save what is needed",
            )  # fmt: skip

    def stream(self, name: str) -> IO[bytes]:
        """The bytes of an array's numbers, in the order of the file."""
        header = self[name]
        stream = self.archive.open(self._members[name])
        stream.read(header.begin)
        return stream

    def pieces(self, name: str, each: int | None = None) -> Iterator[NDArray[Any]]:
        """The numbers of an array, flat and in the order of the file, some 4 MiB at a time, or `each` numbers."""
        header = self[name]
        most = 4 * MIB if each is None else each * max(1, header.dtype.itemsize)
        with self.stream(name) as stream:
            yield from pieces(stream, header, self.where(name), most)

    def close(self) -> None:
        self.archive.close()

    def __enter__(self) -> Npz:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


_SIGNATURES = (
    (MAGIC, "one bare array"), (b"\x89HDF", "an HDF5 file"), (b"\x1f\x8b", "a gzip file"), (b"\x80", "a pickle"),
    (b"PAR1", "a Parquet file"), (b"MATLAB", "a MATLAB file"), (b"\x89PNG", "a picture"),
)  # fmt: skip


def told(start: bytes) -> str:
    """What a file that begins with `start` is, as far as that tells."""
    known = next((what for signature, what in _SIGNATURES if start.startswith(signature)), None)
    if known is not None or not start:
        return known or "an empty file"
    text = start.decode("ascii", "replace")
    if all(character.isprintable() or character.isspace() for character in text) and start.isascii():
        return f"text that begins with {one_line(text[:20].strip())!r}"
    return "other bytes"


def open_npz(path: str | Path, kind: Kind = NPZ, *, where: object = None) -> Npz:
    """The npz file at `path`; of its arrays nothing is read yet. Raises FileError for what is none."""
    file = open_file(path, kind, where=where)
    try:
        start = file.read_exactly(64, 0)
        if not start.startswith(b"PK"):
            raise FileError(file.where, kind.what, told(start), "save it with np.savez(..., spikes=array)")
        return Npz(Archive(file))
    except BaseException:
        file.close()
        raise


def read_npz(
    path: str | Path, kind: Kind = NPZ, *, most: int | None = None, where: object = None
) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file by name, together of at most `most` bytes; without it of at most UNPACKED, or RATIO
    times the file's size. Raises FileError, before any array is read where they are larger."""
    with open_npz(path, kind, where=where) as npz:
        return read_all(npz, most)


def read_all(npz: Npz, most: int | None = None) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file, as read_npz has them."""
    total = sum(npz[name].size for name in npz)
    allowed = max(UNPACKED, RATIO * npz.archive.file.size) if most is None else most
    if total > allowed:
        raise FileError(
            npz.path, f"arrays of at most {allowed:,} bytes together, {RATIO} times the file's size"
            if most is None else f"arrays of at most {allowed:,} bytes together",
            f"{total:,}", "write the file again without what is not needed",
        )  # fmt: skip
    return {name: npz.read(name, allowed) for name in npz}
