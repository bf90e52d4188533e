"""Regular files of bounded size are opened; all else is refused in one line, at once."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from tern2lava.files.opening import FileError, Kind, begins, open_file, read_bytes, read_text

THING = Kind("a thing", 100, missing="make one", larger="shorten it")


def refused(path: str | Path) -> str:
    with pytest.raises(FileError) as caught:
        read_bytes(path, THING)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_read_whole_and_by_parts(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(100)))
    assert read_bytes(path, THING) == bytes(range(100))
    with open_file(path, THING) as file:
        assert file.size == 100
        assert file.read_exactly(5, 97) == bytes((97, 98, 99))
        assert file.read(3) == b"\0\1\2"
        assert file.seek(-2, os.SEEK_END) == 98
        assert file.read() == bytes((98, 99))
        assert file.buffered().readline() == bytes(range(11))
    assert file.closed


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert refused(tmp_path / "socket").endswith("requires a thing; found a socket; name a file")
    assert refused(tmp_path / "pipe").endswith("a thing; found a pipe; write its content to a file and name that")
    assert refused(tmp_path).endswith("requires a thing; found a folder; name a file")
    for device in ("/dev/zero", "/dev/null", "/dev/tty"):
        if os.path.exists(device):
            assert refused(device) == f"{device}: requires a thing; found a device; name a file"


def test_a_pipe_that_takes_the_files_place_after_the_look_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    looked = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(os, "stat", lambda *_, **__: looked)
    done = threading.Event()

    def read() -> None:
        assert "found a pipe" in refused(path)
        done.set()

    threading.Thread(target=read, daemon=True).start()
    assert done.wait(10)


def test_missing_and_forbidden_files_and_names_that_are_none(tmp_path: Path) -> None:
    assert refused(tmp_path / "none").endswith("none: requires a thing; found none there; make one")
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file" / "in").endswith("requires a thing; found none there; make one")
    assert "requires a file that can be read; found File name too long" in refused("a" * 5000)
    for name in ("a\0b", "\ud800"):
        assert "requires a file that can be read; found a name that no file can have" in refused(name)
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links" in refused(tmp_path / "loop")


def test_a_larger_file_is_refused_with_both_numbers_however_little_of_it_lies_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    assert refused(path).endswith("requires a thing of at most 100 bytes; found 1,099,511,627,776 bytes; shorten it")


def test_a_file_that_is_cut_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(50))
    with open_file(path, THING) as file:
        os.truncate(path, 20)
        assert file.read_exactly(20, 0) == bytes(20)
        with pytest.raises(FileError, match="stays as it is while it is read; found its end before byte 50"):
            file.read_exactly(50, 0)
        os.truncate(path, 90)
        assert len(file.read_exactly(90, 0)) == 50


def test_text_is_utf_8_without_nuls(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content, found in ((b"\xef\xbb\xbfa\xc3\xa4", "aä"), (b"", "")):
        path.write_bytes(content)
        assert read_text(path, THING) == found
    for content, why in (
        (b"ab\xff", "requires a thing in UTF-8; found another byte at 2"),
        (b"ab\xed\xa0\x80", "requires a thing in UTF-8; found another byte at 2"),
        (b"ab\0", "requires a thing of text alone; found a NUL at character 2"),
    ):
        path.write_bytes(content)
        with pytest.raises(FileError, match=why):
            read_text(path, THING)


def test_a_signature_is_looked_for_in_files_only(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    os.mkfifo(tmp_path / "pipe")
    assert begins(tmp_path / "a", b"ab")
    assert not begins(tmp_path / "a", b"abcd")
    assert not any(begins(path, b"\0") for path in (tmp_path, tmp_path / "pipe", tmp_path / "none", "/dev/zero"))


def test_what_to_do_can_be_said_by_the_caller() -> None:
    error = FileError("a", "a thing", "none", "make one", missing=True).instead("compile again")
    assert (str(error), error.missing) == ("a: requires a thing; found none; compile again", True)
