"""Ctrl-C (SIGINT) and SIGTERM on the command line: raised as KeyboardInterrupt, except where a step must be whole.

The command line listens; in Python an interruption is Python's own, and `held` and `wrote` change nothing.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MOMENT = 0.02  # seconds


@dataclass
class _Heard:
    """What a process knows: whether it listens, signals in their order, steps that must be whole, whether one of these
    put a signal off, and what was written whole."""

    listening: bool = False
    signals: list[int] = field(default_factory=list)
    steps: int = 0
    put_off: bool = False
    written: list[Path] = field(default_factory=list)


_heard = _Heard()


def listen() -> None:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt in the main thread, from now on and for one command.

    A signal that who started the process has had ignored (nohup, a job in the background of a shell) stays ignored.
    """
    global _heard
    _heard = _Heard(listening=True)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)
    usual = sys.unraisablehook

    def raise_later(unraisable: Any) -> None:
        """An interruption in a callback that cannot raise would be printed and lost: it comes again, a moment later."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt) and _heard.signals:
            # Raised here, it would be lost again.
            signal.signal(signal.SIGALRM, _again)
            signal.setitimer(signal.ITIMER_REAL, _MOMENT)
        else:
            usual(unraisable)

    sys.unraisablehook = raise_later


def stop_listening() -> None:
    """Let a further signal end the process at once."""
    for number in SIGNALS:
        if signal.getsignal(number) is _on_signal:
            signal.signal(number, signal.SIG_DFL)


def _on_signal(number: int, frame: FrameType | None) -> None:
    _heard.signals.append(number)
    if _heard.steps:
        _heard.put_off = True
        return
    raise KeyboardInterrupt


def _again(number: int, frame: FrameType | None) -> None:
    if _heard.steps:
        _heard.put_off = True
        return
    raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[None]:
    """A step that an interruption does not divide: one that comes within it is raised at its end."""
    heard = _heard
    heard.steps += 1
    try:
        yield
    finally:
        heard.steps -= 1
        if heard.put_off and not heard.steps:
            heard.put_off = False
            raise KeyboardInterrupt


def wrote(path: Path) -> None:
    """Note that `path` stands whole on disk, for `state`."""
    if _heard.listening and path not in _heard.written:
        _heard.written.append(path)


def received() -> int | None:
    """The first signal that came; None: none."""
    return _heard.signals[0] if _heard.signals else None


def state() -> str:
    """What an interrupted command leaves, as the end of a sentence."""
    names = [path.name for path in _heard.written]
    if not names:
        return "nothing was written"
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")
    return f"{shown} {'is' if len(names) == 1 else 'are'} written, whole; nothing else was"
