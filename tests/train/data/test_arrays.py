from pathlib import Path

import numpy as np
import pytest

from archive import save_npz
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.train.data import load_dataset


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
