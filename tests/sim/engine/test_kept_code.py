"""Machine code kept between processes: whole and of these sources and this signature, or made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tern2lava.sim.engine.kept_code import KeptCode


def kept(tmp_path: Path, stamp: str = "a" * 64) -> KeptCode:
    return KeptCode(str(tmp_path), "conv.sums-12.py311", stamp)


def test_code_comes_back_for_its_own_signature_and_sources_alone(tmp_path: Path) -> None:
    kept(tmp_path).save(("int64", 1), {"code": b"machine"})
    kept(tmp_path).save(("int8", 1), {"code": b"another"})
    assert kept(tmp_path).load(("int64", 1)) == {"code": b"machine"}
    assert kept(tmp_path).load(("int8", 1)) == {"code": b"another"}
    assert kept(tmp_path).load(("int16", 1)) is None
    assert kept(tmp_path, "b" * 64).load(("int64", 1)) is None


def test_code_of_another_signature_is_not_taken_under_the_name_of_this(tmp_path: Path) -> None:
    kept(tmp_path).save("one", 1)
    kept(tmp_path).save("two", 2)
    one, two = kept(tmp_path)._path("one")[0], kept(tmp_path)._path("two")[0]
    one.replace(two)
    assert kept(tmp_path).load("two") is None


@pytest.mark.parametrize("cut", [0, 1, 40, 70, -1])
def test_code_that_was_cut_off_or_changed_is_made_anew(tmp_path: Path, cut: int) -> None:
    kept(tmp_path).save("key", list(range(100)))
    path = kept(tmp_path)._path("key")[0]
    content = path.read_bytes()
    path.write_bytes(content[:cut])
    assert kept(tmp_path).load("key") is None
    path.write_bytes(content[:cut] + bytes([content[cut] ^ 1]) + content[cut:][1:])
    assert kept(tmp_path).load("key") is None
    path.write_bytes(content)
    assert kept(tmp_path).load("key") == list(range(100))


def test_code_of_former_sources_is_removed_and_other_functions_keep_theirs(tmp_path: Path) -> None:
    (tmp_path / "conv.sums-12.py311.nbi").write_text("numba's own")
    (tmp_path / "conv.sums-12.py311.1.nbc").write_text("numba's own")
    (tmp_path / "conv.sums-123.py311.1.nbc").write_text("another function's")
    kept(tmp_path, "b" * 64).save("key", 1)
    kept(tmp_path).save("key", 1)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["conv.sums-12.py311.aaaaaaaaaaaa." + left[0].split(".")[-2] + ".nbc", "conv.sums-123.py311.1.nbc"]


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    nowhere = KeptCode(str(tmp_path / "file"), "f", "a" * 64)
    nowhere.save("key", 1)
    assert nowhere.load("key") is None
