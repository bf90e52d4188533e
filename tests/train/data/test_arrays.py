from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import save_npz
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.train.config import DataKeys, TrainingKeys
from tern2lava.train.data import load_dataset
from tern2lava.train.experiment import chosen


def arrays() -> dict[str, Array]:
    x = np.arange(24, dtype=np.uint8).reshape(4, 6)
    return {"train_x": x, "train_y": np.array([0, 1, 2, 1]), "test_x": x[:2], "test_y": np.array([2, 0])}


def test_any_npz_data_set_is_read(tmp_path: Path) -> None:
    save_npz(tmp_path / "mine.npz", **arrays())
    data = load_dataset("mine.npz", tmp_path)
    assert (data.name, data.shape, data.top, data.classes) == ("mine", (6,), 23, 3)
    save_npz(tmp_path / "mine.npz", **arrays(), top=100)
    assert load_dataset(str(tmp_path / "mine.npz")).top == 100


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"test_x": np.zeros((2, 5), np.uint8)}, "test_x"),
        ({"train_x": np.zeros((4, 6))}, r"train_x: requires uint8 of \(samples, \*shape\); found float64 of \(4, 6\)"),
        ({"train_y": np.array([0, 1, -1, 1])}, "train_y: requires labels from 0 to 999; found -1 to 1"),
        ({"test_y": np.array([1])}, "test_y"),
        ({"top": np.array(3)}, "train_x: requires values up to top, 3; found 23"),
        (
            {"top": np.array(["a"])},
            "top: requires one whole number; found <U1",
        ),
        ({"time": np.array(2)}, r"time: requires 1 or 0, .*; found 2"),
        ({"time": np.array(1)}, r"train_x: requires uint8 of \(samples, steps, \*shape\); found uint8 of \(4, 6\)"),
    ],
)
def test_an_npz_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Array], says: str) -> None:
    save_npz(tmp_path / "mine.npz", **arrays() | change)
    with pytest.raises(InputError, match=says):
        load_dataset("mine.npz", tmp_path)


def test_an_npz_without_the_arrays_or_that_is_none_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(
        InputError,
        match=r"other\.npz: requires train_x, train_y, test_x, test_y; found no train_x, train_y, test_x, test_y",
    ):
        load_dataset("other.npz", tmp_path)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(
        InputError,
        match=r"broken\.npz: requires a whole zip file",
    ):
        load_dataset("broken.npz", tmp_path)


def test_an_npz_may_have_the_names_of_kerass_mnist(tmp_path: Path) -> None:
    found = arrays()
    save_npz(tmp_path / "mine.npz", **{"_".join(reversed(name.split("_"))): found[name] for name in found})
    assert np.array_equal(load_dataset("mine.npz", tmp_path).test_y, found["test_y"])


def with_time(spikes: Array, **more: Any) -> dict[str, Any]:
    y = np.arange(len(spikes)) % 2
    return {"train_x": spikes, "train_y": y, "test_x": spikes[:2], "test_y": y[:2], **more}


@pytest.mark.parametrize("kind", [np.uint8, np.bool_])
def test_a_key_tells_a_time_axis_and_no_shape_does(tmp_path: Path, kind: type) -> None:
    spikes: Array = (np.arange(4 * 3 * 5 * 6) % 2).reshape(4, 3, 5, 6).astype(kind)
    save_npz(tmp_path / "own.npz", **with_time(spikes, time=True))
    save_npz(tmp_path / "plain.npz", **with_time(spikes.astype(np.uint8)))
    for data in (load_dataset("own.npz", tmp_path), load_dataset("plain.npz", tmp_path, time=True)):
        assert (data.time, data.steps, data.shape, data.top) == (True, 3, (5, 6), 1)
        assert data.train_x.dtype == np.uint8
        assert np.array_equal(data.train_x, spikes)
    data = load_dataset("plain.npz", tmp_path)
    assert (data.time, data.steps, data.shape) == (False, None, (3, 5, 6))
    with pytest.raises(InputError, match=r"own\.npz: time: requires 1 or 0, as data\.time says .* \(False\); found 1"):
        load_dataset("own.npz", tmp_path, time=False)


def test_a_data_set_that_takes_no_time_is_told_who_does() -> None:
    with pytest.raises(InputError, match=r"data\.time: requires a data set that takes it, NAME\.npz; found digits"):
        load_dataset("digits", time=True)


@pytest.mark.parametrize(
    ("time", "training", "says"),
    [
        (True, {"steps": 3}, r"training\.encoding: requires none, since the data have a time axis; found rate"),
        (False, {"encoding": "none"}, r"training\.encoding: requires another than none, .*; found none; .*data\.time"),
        (True, {"encoding": "none", "steps": 8}, r"training\.steps: requires the steps of the data, 3; found 8"),
    ],
)
def test_steps_and_encoding_of_an_experiment_fit_the_data(
    tmp_path: Path, time: bool, training: dict[str, Any], says: str
) -> None:
    save_npz(tmp_path / "own.npz", **with_time(np.zeros((4, 3, 5), np.uint8)))
    keys = DataKeys(name="own.npz", time=time)
    with pytest.raises(InputError, match=says):
        chosen(keys, TrainingKeys.model_validate(training), tmp_path)
