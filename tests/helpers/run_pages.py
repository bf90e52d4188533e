"""Pages whose code runs: the blocks of a Markdown page, one after the other, in one folder and one namespace.

| block | what is done with it |
|---|---|
| python | executed; what it prints is the block without a language that follows |
| console | lines that begin with `$ ` are commands, the others what the command before them prints |
| one with title="FILE" | written to that file |
| any other | shown only |

Commands are those of tern2lava, with `uv run` or without, and `echo $?`. In a shown output `...` stands for any text of
a line, and as a line by itself for any lines.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import shlex
from pathlib import Path
from typing import Any

from command_line import Run

_BLOCK = re.compile(
    r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return [(match["language"], match["text"]) for match in _BLOCK.finditer(text)]


def matches(shown: str, printed: str) -> bool:
    """Whether an output is the one shown; see above for `...`."""
    lines = (r"(?:.*\n)*?" if line == "..." else rf"{_line(line)}\n" for line in shown.splitlines())
    return re.fullmatch("".join(lines), printed) is not None


def _line(shown: str) -> str:
    """The pattern of a line of an output."""
    return ".*?".join(re.escape(part) for part in shown.split("..."))


def _plain(text: str) -> str:
    """What was printed, without the blanks at the ends of lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


class Page:
    """A page, run in the current folder with commands run by `run`."""

    def __init__(self, text: str, run: Run, names: dict[str, Any] | None = None) -> None:
        self.run = run
        self.names = names or {}
        self.code = 0
        self.printed = ""
        self.text = _BLOCK.sub(self._block, text)
        assert self.printed == "", f"what a block prints is not shown: {self.printed}"

    def _block(self, block: re.Match[str]) -> str:
        """A block as it should stand in the page."""
        language, text = block["language"], block["text"]
        if not language:
            shown, self.printed = self.printed, ""
            return block[0] if matches(text, shown) else f"```\n{shown}```"
        assert self.printed == "", f"what a block prints is not shown: {self.printed}"
        if block["title"]:
            Path(block["title"]).write_text(text, "utf-8")
        elif language == "python":
            self.printed = self._python(text)
        elif language == "console":
            return f"```console\n{self._console(text)}```"
        return block[0]

    def _python(self, text: str) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(text, "page", "exec"), self.names)
        return _plain(out.getvalue())

    def _console(self, text: str) -> str:
        parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
        assert not parts[0], f"a block of commands begins with an output: {parts[0]}"
        lines = ""
        for command, shown in zip(parts[1::2], parts[2::2], strict=True):
            printed = self._command(command)
            lines += f"$ {command}\n{shown if matches(shown, printed) else printed}"
        return lines

    def _command(self, command: str) -> str:
        if command == "echo $?":
            return f"{self.code}\n"
        name, *words = shlex.split(command.removeprefix("uv run "), comments=True)
        assert name == "tern2lava", f"no rule here for the command `{command}`"
        done = self.run(*words)
        self.code = done.returncode
        return _plain(done.stdout + done.stderr)


def check_page(path: Path, run: Run, names: dict[str, Any] | None = None) -> None:
    """Run a page and compare what it shows with what was printed; TERN2LAVA_GOLDEN=write writes the page anew."""
    text = path.read_text("utf-8")
    page = Page(text, run, names)
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        path.write_text(page.text, "utf-8")
    else:
        difference = "\n".join(difflib.unified_diff(text.splitlines(), page.text.splitlines(), "shown", "printed", n=1))
        assert not difference, difference
