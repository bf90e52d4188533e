"""-v: what each stage did and how long it took, on stderr, by the logger "tern2lava" of the standard library."""

from __future__ import annotations

import logging
import sys
import time
from typing import Annotated, Any

import typer

LOG = logging.getLogger("tern2lava")


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]
    """Lines on stderr with the seconds since the command began; a closed stderr is no reason to end."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.began = time.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        words = " ".join(record.getMessage().split())
        return f"tern2lava: {time.monotonic() - self.began:7.2f} s  {words}"

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass


def _listen(ctx: typer.Context, asked: bool) -> bool:
    """Have the logger speak until the command ends."""
    if asked and not any(isinstance(handler, _Handler) for handler in LOG.handlers):
        handler, level = _Handler(), LOG.level
        LOG.addHandler(handler)
        LOG.setLevel(logging.INFO)
        LOG.info("%s", _about())

        def end() -> None:
            LOG.info("the command took %.2f s", time.monotonic() - handler.began)
            LOG.removeHandler(handler)
            LOG.setLevel(level)

        ctx.call_on_close(end)
    return asked


def _about() -> str:
    from importlib.metadata import version

    return f"tern2lava {version('tern2lava')}, Python {'.'.join(map(str, sys.version_info[:3]))}"


Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Say on stderr what each stage did and the seconds it took.", callback=_listen,
        expose_value=False,
    ),
]  # fmt: skip


def option() -> Any:
    """The option, to be one of each command."""
    apart = typer.Typer(add_completion=False)

    @apart.command()
    def command(verbose: Verbose = False) -> None:
        pass

    return next(param for param in typer.main.get_command(apart).params if param.name == "verbose")
