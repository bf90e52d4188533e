"""The line on a terminal: counts with their nouns, elapsed time as elapsed, time left as left and only where known."""

from __future__ import annotations

import io
import sys
import threading
import time

import pytest

from tern2lava.cli.progress import StageLine, duration, progress_bar
from tern2lava.compiler.progress import COUNTED, UNEVEN, bare, time_left


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def line(clock: Clock) -> StageLine:
    return StageLine(clock=clock)


def said(line: StageLine, width: int = 100) -> str:
    text, begin, end = line.text(width)
    assert len(text) <= width
    assert set(text[begin:end]) <= {"━"}
    return " ".join(word for word in text.split() if not set(word) <= {"━", "─"})


def test_elapsed_time_is_called_elapsed_and_nothing_is_said_to_be_left_before_something_is_done(
    line: StageLine, clock: Clock
) -> None:
    line.tell("core images", 0, 8)
    clock.now += 65
    assert said(line) == "core images 0 of 8 cores 1:05 elapsed"


def test_what_is_left_follows_from_what_was_counted_and_counts_down(line: StageLine, clock: Clock) -> None:
    line.tell("core images", 0, 8)
    clock.now += 20
    line.tell("core images", 2, 8)
    assert said(line) == "core images 2 of 8 cores 0:20 elapsed about 1:00 left"
    clock.now += 15
    assert said(line) == "core images 2 of 8 cores 0:35 elapsed about 0:45 left"
    clock.now += 46
    assert said(line) == "core images 2 of 8 cores 1:21 elapsed"


def test_counts_that_were_there_before_are_no_basis(line: StageLine, clock: Clock) -> None:
    line.tell("student, epoch 6 of 10", 50, 100)
    clock.now += 10
    line.tell("student, epoch 6 of 10", 60, 100)
    assert said(line) == "student, epoch 6 of 10 60 of 100 batches 0:10 elapsed about 0:40 left"
    line.tell("student, epoch 7 of 10", 60, 100)
    assert said(line) == "student, epoch 7 of 10 60 of 100 batches 0:10 elapsed about 0:40 left"


def test_a_stage_that_is_returned_to_goes_on(line: StageLine, clock: Clock) -> None:
    line.tell("integer reference", 0, 90)
    clock.now += 10
    line.tell("integer reference", 30, 90)
    line.tell("float model", 0, 90)
    assert said(line) == "float model 0 of 90 samples 0:00 elapsed"
    clock.now += 20
    line.tell("integer reference", 30, 90)
    assert said(line).startswith("integer reference 30 of 90 samples 0:30 elapsed")
    clock.now += 10
    line.tell("integer reference", 60, 90)
    assert said(line) == "integer reference 60 of 90 samples 0:40 elapsed about 0:20 left"


def test_candidates_of_an_unknown_number_are_counted_without_an_end(line: StageLine, clock: Clock) -> None:
    line.tell("mlp: other mappings", 0, 0)
    assert said(line) == "mlp: other mappings 0:00 elapsed"
    clock.now += 3
    line.tell("mlp: other mappings", 1, 0)
    assert said(line) == "mlp: other mappings 1 candidate 0:03 elapsed"


def test_stages_of_unlike_parts_tell_no_time_left(line: StageLine, clock: Clock) -> None:
    line.tell("passes", 0, 9)
    clock.now += 5
    line.tell("passes", 5, 9)
    assert said(line) == "passes 5 of 9 passes 0:05 elapsed"
    assert set(UNEVEN) <= set(COUNTED)


@pytest.mark.parametrize("width", range(20, 120))
def test_the_line_keeps_within_any_width_and_the_bar_goes_first(line: StageLine, clock: Clock, width: int) -> None:
    line.tell("hala-point: core images", 0, 140_544)
    clock.now += 4000
    line.tell("hala-point: core images", 70_272, 140_544)
    text, begin, end = line.text(width)
    assert len(text) <= width
    assert "about 1:06:40 left" in text
    assert ("━" in text) == (width >= 91), text
    if width >= 91:
        bar = text.count("━") + text.count("─")
        assert end - begin == text.count("━") == round(bar / 2)
    assert ("elapsed" in text) == (width >= 85), text


def test_only_a_basis_gives_a_time() -> None:
    assert time_left(0, 8, 10.0, 0.0) is None
    assert time_left(4, 0, 10.0, 0.0) is None
    assert time_left(4, 8, 10.0, 0.0) == 10.0
    assert time_left(4, 8, 10.0, 10.5) is None
    assert time_left(8, 8, 10.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "1:00:00"), (7265, "2:01:05")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("stage", "name"),
    [("routes", "routes"), ("loihi2: core images", "core images"), ("student, epoch 3 of 5", "student")],
)
def test_a_stage_is_known_by_its_bare_name(stage: str, name: str) -> None:
    assert bare(stage) == name


def test_where_stderr_is_no_terminal_a_line_says_now_and_then_where_the_command_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    before = threading.active_count()
    with progress_bar(quiet=False, every=0.01) as tell:
        assert tell is not None
        tell("core images", 2, 8)
        until = time.monotonic() + 20
        while stderr.getvalue().count("\n") < 2 and time.monotonic() < until:
            time.sleep(0.01)
    assert stderr.getvalue().splitlines()[0] == "tern2lava: core images  2 of 8 cores  0:00 elapsed"
    assert threading.active_count() == before


def test_a_quiet_or_short_command_says_nothing_and_one_that_gets_no_thread_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress_bar(quiet=True, every=0.001) as tell:
        assert tell is None
    with progress_bar(quiet=False) as tell:
        assert tell is not None
        tell("core images", 2, 8)

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with progress_bar(quiet=False, every=0.001) as tell:
        assert tell is not None
    assert stderr.getvalue() == ""
