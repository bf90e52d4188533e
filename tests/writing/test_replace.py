"""What is written where: links, devices, long names, full disks, what reaches the disk before it is renamed."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tern2lava import interruption
from tern2lava.errors import InputError
from tern2lava.writing import change_files, durable, leftovers, write_file, write_folder


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def some(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "a").write_text("a")
    (folder / "inner" / "b").write_text("b")


def any_folder(folder: Path) -> None:
    pass


@pytest.mark.parametrize("exists", [False, True])
def test_everything_is_on_the_disk_before_it_is_renamed_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    told: list[tuple[str, str]] = []
    fsync, rename, exchange = os.fsync, os.rename, durable.exchange

    def watch(descriptor: int) -> None:
        told.append(("flush", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)

    def renamed(how: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def rename(source: Any, target: Any) -> Any:
            told.append(("rename", str(source)))
            return how(source, target)

        return rename

    monkeypatch.setattr(os, "rename", renamed(rename))
    monkeypatch.setattr(durable, "exchange", renamed(exchange))
    if exists:
        (tmp_path / "place").mkdir()
        some(tmp_path / "place")
    write_folder(tmp_path / "place", some, any_folder)
    aside = [what for how, what in told if how == "rename"][-1]
    at = len(told) - 1 - told[::-1].index(("rename", aside))
    flushed = [Path(what).relative_to(aside).as_posix() for how, what in told[:at] if how == "flush"]
    assert sorted(flushed) == [".", "a", "inner", "inner/b"]
    assert flushed.index("inner/b") < flushed.index("inner") < flushed.index(".")
    assert told[at + 1 :] == [("flush", str(tmp_path))]


def test_a_file_is_on_the_disk_before_it_is_renamed_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    fsync, rename = os.fsync, os.replace

    def watch(descriptor: int) -> None:
        told.append(f"flush {Path(os.readlink(f'/proc/self/fd/{descriptor}')).suffix}")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)

    def renamed(source: Any, target: Any) -> None:
        told.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "replace", renamed)
    write_file(tmp_path / "x.txt", lambda path: path.write_text("x"))
    assert told == ["flush .txt", "rename", "flush "]


def test_many_files_are_flushed_by_threads_and_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(durable, "flush", flushed.append)
    files = [tmp_path / str(k) for k in range(40)]
    durable.flush_all(files)
    assert sorted(flushed) == sorted(files)

    class NoThreads:
        def __init__(self, count: int) -> None:
            raise RuntimeError("can't start new thread")

    flushed.clear()
    monkeypatch.setattr(durable, "ThreadPoolExecutor", NoThreads)
    durable.flush_all(files)
    assert flushed == files


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_at_the_flush_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "file", lambda path: path.write_text("old"))
    write_folder(tmp_path / "folder", some, any_folder)
    before = names(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    acts: tuple[Callable[[], None], ...] = (
        lambda: write_file(tmp_path / "file", lambda path: path.write_text("new")),
        lambda: write_folder(tmp_path / "folder", lambda folder: None, any_folder),
        lambda: change_files(tmp_path / "folder", {"a": b"new"}, any_folder),
    )
    for act in acts:
        with pytest.raises(InputError, match="No space left on device"):
            act()
        assert names(tmp_path) == before
    assert (tmp_path / "file").read_text() == "old"
    assert (tmp_path / "folder" / "a").read_text() == "a"


def test_through_a_link_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    write_file(tmp_path / "there" / "file", lambda path: path.write_text("old"))
    write_folder(tmp_path / "there" / "folder", lambda folder: None, any_folder)
    for name in ("file", "folder"):
        (tmp_path / name).symlink_to(tmp_path / "there" / name)
    write_file(tmp_path / "file", lambda path: path.write_text("new"))
    write_folder(tmp_path / "folder", some, any_folder)
    assert (tmp_path / "file").is_symlink()
    assert (tmp_path / "folder").is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "new"
    assert (tmp_path / "there" / "folder" / "a").read_text() == "a"


def test_a_library_that_locks_what_it_writes_can_write_it(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")

    def fill(path: Path) -> None:
        with path.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as HDF5 does
            stream.write("locked")

    write_file(tmp_path / "file", fill)
    assert (tmp_path / "file").read_text() == "locked"


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="requires a file; found something else"):
        write_file(Path(os.devnull), lambda path: path.write_text(""))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="requires a file; found something else"):
        write_file(tmp_path / "pipe", lambda path: path.write_text(""))
    assert not Path(os.devnull).is_file()


def test_a_name_that_just_fits_fits_beside_too(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".npz", "ä" * 125 + ".npz"):
        write_file(tmp_path / name, lambda path: path.write_text("whole"))
        assert (tmp_path / name).read_text() == "whole"
    write_folder(tmp_path / ("y" * 255), some, any_folder)


def test_parents_that_were_made_go_away_where_nothing_came_of_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No space"):
        write_file(tmp_path / "a" / "b" / "file", full)
    with pytest.raises(InputError, match="No space"):
        write_folder(tmp_path / "a" / "b" / "folder", full, any_folder)
    assert names(tmp_path) == []


def test_what_must_not_be_replaced_is_looked_at_again_once_it_is_claimed(tmp_path: Path) -> None:
    write_folder(tmp_path / "place", some, any_folder)
    looks = []

    def check(folder: Path) -> None:
        looks.append(folder)
        if len(looks) == 3:
            raise InputError(folder, "another since")

    with pytest.raises(InputError, match="another since"):
        write_folder(tmp_path / "place", some, check)
    assert names(tmp_path) == ["place", "place/a", "place/inner", "place/inner/b"]


def test_without_locks_leftovers_stay_and_writing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / ".x.0123abcd.tern2lava-new"
    left.write_text("half")
    monkeypatch.setattr(leftovers, "_lock", lambda descriptor: False)
    write_file(tmp_path / "x", lambda path: path.write_text("x"))
    write_folder(tmp_path / "y", some, any_folder)
    write_folder(tmp_path / "y", some, any_folder)
    assert left.exists()
    monkeypatch.undo()
    write_file(tmp_path / "x", lambda path: path.write_text("x"))
    assert not left.exists()


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_what_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    file, folder = tmp_path / "a.npz", tmp_path / "b"
    for _ in range(2):
        write_file(file, lambda aside: aside.write_text("new"))
        write_folder(folder, lambda aside: (aside / "x").write_text("new"), lambda _: None)
        file.chmod(mode)
        folder.chmod(0o700 | mode)
    write_file(file, lambda aside: aside.write_text("newer"))
    write_folder(folder, lambda aside: (aside / "x").write_text("newer"), lambda _: None)
    assert (file.stat().st_mode & 0o777, file.read_text()) == (mode, "newer")
    assert (folder.stat().st_mode & 0o777, (folder / "x").read_text()) == (0o700 | mode, "newer")


def test_an_interruption_while_a_run_tidies_up_leaves_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, before = leftovers.remove, {number: signal.getsignal(number) for number in interruption.SIGNALS}

    def interrupted(path: Path) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        usual(path)

    monkeypatch.setattr(leftovers, "remove", interrupted)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    interruption.listen()
    try:
        with pytest.raises(KeyboardInterrupt):
            write_file(tmp_path / "a.npz", lambda aside: aside.write_text("new"))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        monkeypatch.setattr(interruption, "_heard", interruption._Heard())
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
