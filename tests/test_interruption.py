"""What interrupts a command, and which steps an interruption does not divide."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tern2lava import interruption
from tern2lava.__main__ import refused_by_system


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in interruption.SIGNALS]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before:
        signal.signal(number, handler)
    interruption._heard = interruption._Heard()


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_is_raised_where_it_comes_but_within_a_step_only_at_its_end(number: signal.Signals) -> None:
    interruption.listen()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert interruption.received() == number
    done = []

    def steps() -> None:
        with interruption.held():
            with interruption.held():
                signal.raise_signal(number)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        steps()
    assert done == ["inner", "outer"]


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    interruption.listen()
    signal.raise_signal(signal.SIGTERM)
    assert interruption.received() is None


def test_an_interruption_that_a_callback_swallows_comes_again() -> None:
    class Left:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    interruption.listen()

    def drop() -> None:
        left = Left()
        del left
        gc.collect()
        time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        drop()


def test_the_line_says_what_was_written(tmp_path: Path) -> None:
    interruption.listen()
    assert interruption.state() == "nothing was written"
    interruption.wrote(tmp_path / "a")
    assert interruption.state() == "a is written, whole; nothing else was"
    for name in "abcdef":
        interruption.wrote(tmp_path / name)
    assert interruption.state() == "a, b, c, d and 2 more are written, whole; nothing else was"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(24, "Too many open files", "x"), "x: requires more than the system gives; found Too many open files"),
        (RuntimeError("can't start new thread"), "the system: requires another thread; found none to be had"),
        (FileNotFoundError(2, "No usable temporary directory found in [...]"), "requires a folder for temporary files"),
        (FileNotFoundError(2, "No such file or directory"), ""),
        (RuntimeError("of our own"), ""),
    ],
)
def test_what_the_system_refuses_is_told_from_our_own_errors(error: Exception, said: str) -> None:
    assert said in refused_by_system(error)
    assert bool(said) == bool(refused_by_system(error))
