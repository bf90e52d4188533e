"""The list of slow tests names tests that are there, and leaves fast ones in every room of the package."""

from __future__ import annotations

import ast
from pathlib import Path

from slow import FILES, TESTS, is_slow

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "tern2lava"
# Rooms whose tests have another name than they; the demonstration shows networks of the zoo.
ELSEWHERE = {"cli": "test_startup.py", "demo": "zoo", "sim/lava/procs": "sim/lava"}


def functions_of(file: str) -> set[str]:
    """Names of the tests in a file, as pytest has them below tests/."""
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    return {f"{file}::{n.name}" for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name[:5] == "test_"}


def test_every_slow_test_is_there() -> None:
    assert [file for file in sorted(FILES) if not (HERE / file).is_file()] == []
    assert [name for name in sorted(TESTS) if name not in functions_of(name.partition("::")[0])] == []
    assert [name for name in sorted(TESTS) if name.partition("::")[0] in FILES] == []


def test_every_room_of_the_package_has_fast_tests() -> None:
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}):
        room = folder.relative_to(PACKAGE).as_posix()
        place = HERE / ELSEWHERE.get(room, room)
        # A folder in a room is tested with the room, where it has no tests of its own.
        place = place if place.exists() else place.parent
        files = [place] if place.is_file() else sorted(place.rglob("test_*.py"))
        names = [name for file in files for name in functions_of(file.relative_to(HERE).as_posix())]
        assert [name for name in names if not is_slow(name)], f"{room} has no fast tests"
