"""The line on a terminal that says what a command is doing, how much of it is done, and how long that still takes."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tern2lava.cli.verbose import LOG
from tern2lava.compiler.progress import COUNTED, UNEVEN, bare, time_left
from tern2lava.counts import count
from tern2lava.effort import SAID_EVERY

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from tern2lava.compiler.progress import Progress

_LEAST_BAR, _MOST_BAR = 4, 30


def duration(seconds: float) -> str:
    """Seconds as minutes:seconds or hours:minutes:seconds."""
    whole = int(seconds)
    minutes = f"{whole // 60 % 60}:{whole % 60:02d}"
    return minutes if whole < 3600 else f"{whole // 3600}:{minutes:0>5}"


@dataclass
class _Stage:
    """A stage: when and at which count it was first heard of, and the last that was told of it."""

    began: float
    first: int
    done: int = 0
    total: int = 0
    told: float = 0.0


@dataclass
class StageLine:
    """The line, from what a Progress was told. A stage to which a command returns, for further samples say, goes on.

    clock: seconds.
    """

    clock: Callable[[], float] = time.monotonic
    name: str = ""
    stages: dict[str, _Stage] = field(default_factory=dict)

    def tell(self, stage: str, done: int, total: int) -> None:
        """A Progress."""
        now = self.clock()
        key = stage.partition(", epoch ")[0]
        at = self.stages.get(key)
        if at is None or done < at.done:
            at = self.stages[key] = _Stage(began=now, first=done)
        if (done, total) != (at.done, at.total) or not at.told:
            at.done, at.total, at.told = done, total, now
        self.name = stage

    def parts(self) -> tuple[str, str, str, str, float | None]:
        """Name, what is counted, time elapsed and time left in this stage, and the share that is done, if known."""
        at = self.stages.get(self.name.partition(", epoch ")[0])
        if at is None:
            return "", "", "", "", None
        now, noun = self.clock(), COUNTED.get(bare(self.name))
        counted = ""
        if at.total:
            counted = f"{at.done:,} of {count(at.total, noun)}" if noun else f"{at.done:,} of {at.total:,}"
        elif at.done and noun:
            counted = count(at.done, noun)
        left = None
        if at.total and bare(self.name) not in UNEVEN:
            left = time_left(at.done - at.first, at.total - at.first, at.told - at.began, now - at.told)
        share = at.done / at.total if at.total else None
        return (
            self.name, counted, f"{duration(now - at.began)} elapsed",
            "" if left is None else f"about {duration(left)} left", share,
        )  # fmt: skip

    def text(self, width: int) -> tuple[str, int, int]:
        """The line, at most `width` cells, and where in it the part of a bar that is done begins and ends. Of what does
        not fit the bar goes first, then the elapsed time, then the end of the stage's name."""
        name, counted, elapsed, left, share = self.parts()
        for words in ([counted, elapsed, left], [counted, left], [left]):
            said = "  ".join(word for word in words if word)
            room = width - len(name) - len(said) - (2 if said else 0)
            if room >= 0:
                break
        else:
            return f"{name[: max(0, width - len(said) - 2)]}  {said}"[:width], 0, 0
        if share is None or room < _LEAST_BAR + 2 or elapsed not in said:
            return f"{name}  {said}".rstrip(), 0, 0
        bar = min(room - 2, _MOST_BAR)
        full = round(bar * min(1.0, share))
        return f"{name}  {'━' * full}{'─' * (bar - full)}  {said}", len(name) + 2, len(name) + 2 + full

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        line, begin, end = self.text(options.max_width - 1)
        text = Text(line, no_wrap=True, overflow="ignore")
        text.stylize("bold green", begin, end)
        yield text


@contextmanager
def progress_bar(quiet: bool, every: float = SAID_EVERY) -> Iterator[Progress | None]:
    """A Progress shown as one line on stderr that goes away at the end; where stderr is no terminal, a line that says
    where the command is after each `every` seconds. None when quiet. Where -v was given, a line for each stage instead.
    """
    if LOG.isEnabledFor(logging.INFO):
        stages = _Stages()
        try:
            yield stages.tell
        finally:
            stages.end()
        return
    if quiet:
        yield None
        return
    line = StageLine()
    if not sys.stderr.isatty():
        with _said_every(every, line):
            yield line.tell
        return
    from rich.console import Console
    from rich.live import Live

    with Live(line, console=Console(stderr=True), transient=True, redirect_stdout=False, refresh_per_second=8) as live:

        def tell(stage: str, done: int, total: int) -> None:
            new = stage != line.name
            line.tell(stage, done, total)
            if new:
                live.refresh()

        yield tell


class _Stages:
    """Logs each stage, as it is left for another, with what was counted and the seconds since it was entered."""

    def __init__(self) -> None:
        self.line = StageLine()
        self.began = time.monotonic()

    def tell(self, stage: str, done: int, total: int) -> None:
        """A Progress."""
        if stage != self.line.name:
            self.end()
            self.began = time.monotonic()
        self.line.tell(stage, done, total)

    def end(self) -> None:
        """Log the stage that was told last."""
        name, counted, *_ = self.line.parts()
        if name:
            words = f"{name}: {counted}" if counted else name
            LOG.info("%s, %.2f s", words, time.monotonic() - self.began)


@contextmanager
def _said_every(seconds: float, line: StageLine) -> Iterator[None]:
    """Print a StageLine's words on stderr after each `seconds`."""
    ended = threading.Event()

    def say() -> None:
        while not ended.wait(seconds):
            words = "  ".join(word for word in line.parts()[:4] if word)
            # A closed stderr is no reason to end what still works.
            with suppress(OSError, ValueError):
                print(f"tern2lava: {words or 'still running'}", file=sys.stderr, flush=True)

    thread = threading.Thread(target=say, daemon=True)
    # A system that gives no thread may well give what the command itself needs.
    with suppress(RuntimeError):
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.ident is not None:
            thread.join()
