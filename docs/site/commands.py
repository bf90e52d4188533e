"""The reference of the command line, made from the commands themselves: what `--help` prints, as one page."""

from __future__ import annotations

from typing import Any

import typer
from mkdocs.structure.files import File, Files

from tern2lava.cli import app

PAGE = "reference/commands.md"
HEAD = """\
# Commands

What `tern2lava COMMAND --help` prints, made from the commands themselves.
"""


def cell(text: str) -> str:
    """Text for a cell of a table; what looks like an element is shown as it is."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def code(text: str) -> str:
    """Text for a cell that stands between backticks."""
    return " ".join(text.split()).replace("|", "\\|")


def section(name: str, command: Any, context: Any) -> str:
    """A command: what it does, how it is called, its arguments and options, its examples."""
    rows = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    table = ["| | |", "|---|---|", *(f"| `{code(left)}` | {cell(right)} |" for left, right in rows)]
    usage = command.get_usage(context).removeprefix("Usage: ")
    told = [part for part in (command.epilog or "").split("\n\n") if part]
    examples = [part.partition(": ")[2] for part in told if ": tern2lava " in part]
    words = [cell(part) for part in told if ": tern2lava " not in part]
    parts = [f"## {name}", cell(command.help or ""), f"```\n{usage}\n```", "\n".join(table), *words]
    if examples:
        parts += ["Examples:", "```\n" + "\n".join(" ".join(line.split()) for line in examples) + "\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def reference() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(app)
    top = group.make_context("tern2lava", [], resilient_parsing=True)
    sections = [section("tern2lava", group, top)]
    for name in group.list_commands(top):
        command = group.get_command(top, name)
        context = command.make_context(name, [], parent=top, resilient_parsing=True)
        sections.append(section(name, command, context))
    return "\n".join([HEAD, *sections])


def on_files(files: Files, config: Any) -> Files:
    """The files with the page of commands."""
    files.append(File.generated(config, PAGE, content=reference()))
    return files
