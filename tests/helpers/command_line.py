"""The command line run in the process of the tests."""

from __future__ import annotations

import sys
from typing import NamedTuple, Protocol

import pytest

from tern2lava.__main__ import main


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Run(Protocol):
    """Runs `tern2lava` with these words."""

    def __call__(self, *words: object) -> Done: ...


def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool = False) -> Run:
    """The entry point of the command line. terminal: stderr passes for one."""

    def run(*words: object) -> Done:
        if terminal:
            monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.delenv("COLUMNS", raising=False)
        monkeypatch.setattr(sys, "argv", ["tern2lava", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as done:
            code = int(done.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run
