import itertools
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import save_npz
from places import ROOT
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.train.config import DataKeys, TrainingKeys
from tern2lava.train.data import events, load_dataset
from tern2lava.train.data.events import Binning, event_lists
from tern2lava.train.experiment import chosen

WIDTH, HEIGHT = 7, 5


def lists(seed: int = 0, counts: tuple[int, ...] = (40, 0, 1, 25)) -> dict[str, Any]:
    """Events of four samples for each part, one of them empty and one of a single event."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {"width": WIDTH, "height": HEIGHT}
    for part in ("train", "test"):
        number = sum(counts)
        found |= {
            f"{part}.x": rng.integers(0, WIDTH, number).astype(np.uint16),
            f"{part}.y": rng.integers(0, HEIGHT, number).astype(np.uint8),
            f"{part}.p": rng.integers(0, 2, number).astype(bool),
            f"{part}.t": np.concatenate([1000 + np.sort(rng.integers(0, 300, count)) for count in counts]),
            f"{part}.start": np.cumsum([0, *counts]),
            f"{part}.label": np.arange(len(counts)) % 3,
        }
    return found


def by_hand(found: dict[str, Any], part: str, binning: Binning) -> Array:
    """Events counted one by one."""
    size = binning.downsample
    start = found[f"{part}.start"]
    result = np.zeros((len(start) - 1, binning.steps, 2, -(-HEIGHT // size), -(-WIDTH // size)), int)
    for sample in range(len(start) - 1):
        times = found[f"{part}.t"][start[sample] : start[sample + 1]].tolist()
        for n, t in enumerate(times, int(start[sample])):
            passed, whole = t - times[0], times[-1] - times[0] + 1
            step = passed * binning.steps // whole if binning.microseconds is None else passed // binning.microseconds
            if step < binning.steps:
                row, column = int(found[f"{part}.y"][n]) // size, int(found[f"{part}.x"][n]) // size
                result[sample, step, int(found[f"{part}.p"][n]), row, column] += 1
    return np.minimum(result, binning.counts)


@pytest.mark.parametrize("each", [7, 1 << 18])
@pytest.mark.parametrize(
    "binning",
    [
        Binning(steps=4),
        Binning(steps=3, microseconds=50),
        Binning(steps=10, microseconds=40, downsample=2, counts=3),
        Binning(steps=1, downsample=8, counts=255),
    ],
)
def test_events_are_counted_in_their_bins_whatever_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: int, binning: Binning
) -> None:
    monkeypatch.setattr(events, "EACH", each)
    found = lists()
    save_npz(tmp_path / "e.npz", **found)
    data = event_lists(tmp_path / "e.npz", binning)
    assert np.array_equal(data.train_x, by_hand(found, "train", binning))
    assert np.array_equal(data.test_x, by_hand(found, "test", binning))
    assert (data.time, data.steps, data.top, data.classes) == (True, binning.steps, binning.counts, 3)
    assert data.test_y.tolist() == [0, 1, 2, 0]


def test_memory_holds_the_samples_and_a_piece_of_the_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EACH", 1 << 12)
    save_npz(tmp_path / "e.npz", **lists(counts=(200_000, 0, 1, 100_000)))
    tracemalloc.start()
    data = event_lists(tmp_path / "e.npz", Binning(steps=4))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert data.train_x.any()
    assert most < 2_000_000 < (tmp_path / "e.npz").stat().st_size


def test_an_event_on_an_edge_is_the_later_steps_and_one_after_the_end_is_left_out(tmp_path: Path) -> None:
    times = np.array([100, 109, 110, 110, 119, 120, 130])
    one = {"x": np.zeros(7, int), "y": np.zeros(7, int), "p": np.ones(7, int), "t": times}
    arrays = {f"{part}.{key}": value for part in ("train", "test") for key, value in one.items()}
    arrays |= {f"{part}.start": np.array([0, 7]) for part in ("train", "test")}
    arrays |= {f"{part}.label": np.array([0]) for part in ("train", "test")}
    save_npz(tmp_path / "e.npz", width=1, height=1, **arrays)
    data = event_lists(tmp_path / "e.npz", Binning(steps=3, microseconds=10, counts=9))
    assert data.train_x[0, :, 1, 0, 0].tolist() == [2, 3, 1]
    data = event_lists(tmp_path / "e.npz", Binning(steps=3, counts=9))
    assert data.train_x[0, :, 1, 0, 0].tolist() == [4, 2, 1]


def test_an_experiment_bins_by_its_keys_into_its_steps(tmp_path: Path) -> None:
    save_npz(tmp_path / "e.npz", **lists())
    keys = DataKeys.model_validate({"name": "e.npz", "events": {"microseconds": 50, "downsample": 2}})
    data = chosen(keys, TrainingKeys(steps=6, encoding="none"), tmp_path)
    assert data.train_x.shape == (4, 6, 2, 3, 4)
    assert np.array_equal(data.train_x, by_hand(lists(), "train", Binning(steps=6, microseconds=50, downsample=2)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train.x": np.full(66, WIDTH)}, r"train\.x: requires pixels from 0 to 6; found 7 to 7"),
        ({"test.y": np.full(66, -1)}, r"test\.y: requires pixels from 0 to 4; found -1 to -1"),
        ({"train.p": np.full(66, 2)}, r"train\.p: requires polarities of 0 and 1, or -1 and 1; found 2 to 2"),
        ({"train.t": np.arange(66.0)}, r"train\.t: requires whole numbers of one axis; found float64"),
        ({"train.t": np.arange(66)[::-1].copy()}, r"train\.t: requires times that do not sink .* at event 1;"),
        ({"train.t": np.arange(66) << 50}, r"train\.t: requires microseconds from 0 to 2\^50"),
        ({"train.t": np.arange(65)}, r"train\.t: requires as many x, y, p and t"),
        ({"train.start": np.array([0, 40, 40, 41, 67])}, r"train\.start: requires places that ascend from 0 to the 66"),
        ({"train.start": np.array([0, 40, 39, 41, 66])}, r"train\.start: requires places that ascend"),
        ({"train.start": np.array([0, 66])}, r"train\.start: requires a place for each .*; found 2 for 4 labels"),
        ({"train.label": np.full(4, -1)}, r"train\.label: requires labels from 0"),
        ({"width": 0}, "width: requires 1 to 16,384 pixels; found 0"),
        ({"height": np.array([1, 2])}, "height: requires an array of at most 8 bytes"),
        ({"width": 16_384, "height": 16_384}, "requires samples of at most 4,294,967,296 bytes together; found 34,359"),
    ],
)
def test_lists_that_do_not_fit_are_refused_in_one_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    save_npz(tmp_path / "e.npz", **lists() | change)
    with pytest.raises(InputError, match=says):
        load_dataset("e.npz", tmp_path, steps=8)


def test_polarities_may_be_minus_one_and_one_but_not_also_zero(tmp_path: Path) -> None:
    found = lists()
    signs = {f"{part}.p": np.where(found[f"{part}.p"], 1, -1) for part in ("train", "test")}
    save_npz(tmp_path / "signs.npz", **found | signs)
    signed = load_dataset("signs.npz", tmp_path, steps=4)
    assert np.array_equal(signed.train_x, by_hand(found, "train", Binning(steps=4)))
    signs["train.p"][0] = 0
    save_npz(tmp_path / "signs.npz", **found | signs)
    with pytest.raises(InputError, match="requires polarities of 0 and 1, or -1 and 1; found -1 to 1"):
        load_dataset("signs.npz", tmp_path, steps=4)


def test_keys_of_events_need_events_and_lists_that_lack_arrays_name_them(tmp_path: Path) -> None:
    x, y = np.zeros((2, 3), np.uint8), np.array([0, 1])
    np.savez(tmp_path / "plain.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    with pytest.raises(InputError, match=r"data\.events: requires event lists, .*; found none in .*plain\.npz"):
        load_dataset("plain.npz", tmp_path, events={"counts": 2})
    found = lists()
    del found["test.p"], found["width"]
    save_npz(tmp_path / "e.npz", **found)
    with pytest.raises(
        InputError, match=r"e\.npz: requires width, height, train\.x, .*; found no width, test\.p; save"
    ):
        load_dataset("e.npz", tmp_path)
    save_npz(tmp_path / "e.npz", **lists())
    with pytest.raises(InputError, match=r"data\.time: requires true for event lists; found false"):
        load_dataset("e.npz", tmp_path, time=False)


def test_the_code_of_the_page_makes_the_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "training-data.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if ".label" in block]
    found = lists()
    given: dict[str, Any] = {"np": np}
    for part in ("train", "test"):
        start = found[f"{part}.start"]
        given[part] = [
            {key: found[f"{part}.{key}"][begin:end] for key in "xypt"} for begin, end in itertools.pairwise(start)
        ]
        given[f"{part}_labels"] = found[f"{part}.label"]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "page", "exec"), given)
    made = load_dataset("events.npz", tmp_path, steps=4)
    assert np.array_equal(made.train_x[..., :HEIGHT, :WIDTH], by_hand(found, "train", Binning(steps=4)))
