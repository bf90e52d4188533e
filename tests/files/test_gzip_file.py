"""Of a gzip file no more is unpacked than is asked for."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from tern2lava.files.gzip_file import read_packed
from tern2lava.files.opening import FileError, Kind

IMAGES = Kind("a file of images", 1 << 30)


@pytest.mark.parametrize("name", ["a", "a.gz"])
def test_a_part_is_what_was_written(name: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    for begin, count in ((0, 100), (7, 5000), (5000, 1000), (9000, 5)):
        assert read_packed(tmp_path / name, IMAGES, count, begin) == content[begin : begin + count]


def test_a_bomb_costs_what_is_asked_for(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.gz", "wb") as stream:
        for _ in range(200):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    assert len(read_packed(tmp_path / "a.gz", IMAGES, 1000)) == 1000
    assert len(read_packed(tmp_path / "a.gz", IMAGES, 1000, begin=50 << 20)) == 1000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-20], lambda data: data[:20] + b"?" + data[21:], lambda _: b"no"]
)
def test_damage_is_one_line(damage: object, tmp_path: Path) -> None:
    assert callable(damage)
    (tmp_path / "a.gz").write_bytes(damage(gzip.compress(bytes(range(256)) * 20)))
    with pytest.raises(FileError, match=r"a\.gz: requires a file of images that is whole; found damage"):
        read_packed(tmp_path / "a.gz", IMAGES, 6000)
