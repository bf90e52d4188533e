"""Whatever is killed before whichever file operation: what was there or the new one is there, whole, and the next run
cleans up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from ended import is_killed, start
from tern2lava.errors import InputError
from tern2lava.writing import change_files, durable, leftovers, recover, replace, write_file, write_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

FILES = ("a.txt", "b.txt", "inner/c.txt", "inner/deep/d.txt")


def fill(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"{text} {name}")

    return write


def any_folder(folder: Path) -> None:
    pass


def content(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def whole(text: str) -> dict[str, str]:
    return {name: f"{text} {name}" for name in sorted(FILES)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@dataclass(frozen=True)
class Scene:
    """before(place) makes what is there, act(place) replaces it; what may be found after a kill, the last being what
    `act` makes. exchange: whether the file system can exchange two names; links: whether it has hard links."""

    before: Callable[[Path], object]
    act: Callable[[Path], object]
    found: tuple[dict[str, str] | str | None, ...]
    exchange: bool = True
    links: bool = True


def old_folder(place: Path) -> None:
    place.mkdir()
    fill("old")(place)


def new_folder(place: Path) -> None:
    write_folder(place, fill("new"), any_folder)


def changed(place: Path) -> None:
    change_files(place, {"a.txt": b"changed", "b.txt": b"both"}, any_folder)


CHANGED = whole("old") | {"a.txt": "changed", "b.txt": "both"}
SCENES = {
    "a folder in the place of another": Scene(old_folder, new_folder, (whole("old"), whole("new"))),
    "the same by two renames": Scene(old_folder, new_folder, (whole("old"), whole("new")), exchange=False),
    "a folder in the place of an empty one": Scene(lambda place: place.mkdir(), new_folder, ({}, whole("new"))),
    "a folder that is new": Scene(lambda place: None, new_folder, (None, whole("new"))),
    "files of a folder": Scene(old_folder, changed, (whole("old"), CHANGED)),
    "the same without links and by two renames": Scene(
        old_folder, changed, (whole("old"), CHANGED), exchange=False, links=False
    ),
    "a file in the place of another": Scene(
        lambda place: place.write_text("old"),
        lambda place: write_file(place, lambda path: path.write_text("new")),
        ("old", "new"),
    ),
    "a file that is new": Scene(
        lambda place: None, lambda place: write_file(place, lambda path: path.write_text("new")), (None, "new")
    ),
}  # fmt: skip


def look(place: Path) -> dict[str, str] | str | None:
    if not place.exists():
        return None
    return content(place) if place.is_dir() else place.read_text()


def prepare(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    if not scene.exchange:
        monkeypatch.setattr(durable, "exchange", lambda one, other: False)
    if not scene.links:
        monkeypatch.setattr(os, "link", no_links)


def no_links(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("name", list(SCENES))
def test_a_kill_before_any_file_operation_leaves_the_old_or_the_new_and_the_next_run_cleans_up(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = SCENES[name]
    prepare(scene, monkeypatch)
    seen = []
    for at in count():
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / "mine").write_text("")
        place = folder / "place"
        scene.before(place)
        killed = is_killed(lambda place=place: scene.act(place), at)  # type: ignore[misc]
        recover(place)
        seen.append(look(place))
        assert seen[-1] in scene.found, f"killed before operation {at}"
        if at % 3 == 0 or not killed:
            # Another run into the same folder cleans up as well.
            write_file(folder / "other", lambda path: path.write_text(""))
            assert names(folder) == (["mine", "other"] if look(place) is None else ["mine", "other", "place"])
        scene.act(place) if look(place) != scene.found[-1] else None
        assert look(place) == scene.found[-1]
        write_file(folder / "other", lambda path: path.write_text(""))
        assert names(folder) == ["mine", "other", "place"]
        if not killed:
            break
    assert len(seen) > 8
    assert seen[0] == scene.found[0]
    assert seen[-1] == scene.found[-1]
    assert all(seen.count(each) for each in scene.found)


@pytest.mark.parametrize("name", list(SCENES))
def test_of_two_runs_at_once_both_end_well_or_one_says_that_the_other_writes_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = SCENES[name]
    prepare(scene, monkeypatch)
    monkeypatch.setattr(leftovers, "WAIT_SECONDS", 0.05)
    refusals: list[str] = []
    for at in count():
        folder = tmp_path / str(at)
        folder.mkdir()
        place = folder / "place"
        scene.before(place)
        child = start(lambda place=place: scene.act(place), at, signal.SIGSTOP)  # type: ignore[misc]
        _, status = os.waitpid(child, os.WUNTRACED)
        stopped = os.WIFSTOPPED(status)
        try:
            scene.act(place)
        except InputError as error:
            refusals.append(str(error))
        if stopped:
            os.kill(child, signal.SIGCONT)
            _, status = os.waitpid(child, 0)
        assert os.WIFEXITED(status)
        assert os.WEXITSTATUS(status) == 0
        assert look(place) == scene.found[-1], f"stopped before operation {at}"
        assert names(folder) == ["place"]
        if not stopped:
            break
    # Files of a folder are changed while it is claimed; folders are made before.
    assert len(refusals) < at / 2 or scene.act is changed
    assert all("another run that is writing there" in each for each in refusals), refusals


def test_a_file_written_into_a_folder_beside_which_there_is_no_room_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(replace, "claimed_folder", no_room)
    for at in count():
        place = tmp_path / str(at)
        old_folder(place)
        killed = is_killed(lambda place=place: changed(place), at)  # type: ignore[misc]
        found = {name: text for name, text in content(place).items() if not leftovers.is_leftover(Path(name).parts[0])}
        assert found in (whole("old"), whole("old") | {"a.txt": "changed"}, CHANGED)
        changed(place)
        assert content(place) == CHANGED
        if not killed:
            break
    assert at > 8


def test_what_a_live_run_writes_is_not_taken_for_a_leftover(tmp_path: Path) -> None:
    def during(path: Path) -> None:
        path.write_text("mine")
        leftovers.settle(tmp_path)
        write_file(tmp_path / "other", lambda other: other.write_text("other"))
        assert path.read_text() == "mine"

    write_file(tmp_path / "file", during)
    assert (tmp_path / "file").read_text() == "mine"
    assert names(tmp_path) == ["file", "other"]


def test_files_of_the_user_that_look_alike_stay(tmp_path: Path) -> None:
    mine = [".build.lock", ".build.0123abcd.partial", "build.0123abcd.tern2lava-new", ".build.xyz.tern2lava-new"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    write_file(tmp_path / "build", lambda path: path.write_text(""))
    assert names(tmp_path) == sorted([*mine, "build"])
