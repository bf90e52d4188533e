import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from archive import save_npz
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.train.data import digits, hold_out, limit, load_dataset
from tern2lava.train.idxfile import read_idx


def idx(array: Array) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_images(folder: Path, zipped: bool) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 12), ("t10k", 5)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.integers(0, 10, count, dtype=np.uint8)
    for name, array in arrays.items():
        data = idx(array)
        (folder / (name + (".gz" if zipped else ""))).write_bytes(gzip.compress(data) if zipped else data)
    return arrays


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_are_read_plain_and_gzipped(tmp_path: Path, zipped: bool) -> None:
    arrays = write_images(tmp_path, zipped)
    data = load_dataset("mnist", tmp_path)
    assert np.array_equal(data.train_x[:, 0], arrays["train-images-idx3-ubyte"])
    assert np.array_equal(data.test_y, arrays["t10k-labels-idx1-ubyte"])
    assert (data.shape, data.top, data.classes) == ((1, 28, 28), 255, 10)


GOOD = idx(np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (GOOD[:-1], "file: requires 6 bytes, as it declares; found 5"),
        (GOOD + b"\0", "file: requires 6 bytes, as it declares; found more"),
        (b"\0\0\x0d\x02" + GOOD[4:], "file: requires an idx file of 2-d uint8; found one that starts with 00000d02"),
        (GOOD[:6], "file: requires an idx file of 2-d uint8; found one that starts with"),
        (
            b"\0\0\x08\x02" + struct.pack(">2I", 1 << 31, 1 << 31),
            r"file: requires 1 to 1,073,741,824 bytes; found a declared shape of \(2147483648, 2147483648\)",
        ),
        (b"", "file: requires an idx file of 2-d uint8; found one that starts with"),
    ],
)
def test_a_broken_idx_file_is_refused_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_idx(path, 2)


def test_a_truncated_gzip_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gzip.compress(idx(np.zeros((99, 99), np.uint8)))[:-20])
    with pytest.raises(
        InputError,
        match=r"file\.gz: requires an idx file that is whole; found damage",
    ):
        read_idx(tmp_path / "file.gz", 2)
    with pytest.raises(InputError, match="requires train-images-idx3-ubyte or .*; found neither"):
        load_dataset("fashion-mnist", tmp_path)
    with pytest.raises(InputError, match="--data-dir"):
        load_dataset("mnist")
    with pytest.raises(InputError, match="requires digits, fashion-mnist, mnist"):
        load_dataset("cifar")


def test_images_and_labels_of_different_number_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, False)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(
        InputError,
        match="requires one label for each image, below the classes; found 5 images and 4 labels",
    ):
        load_dataset("mnist", tmp_path)


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


def test_hold_out_takes_test_samples_from_the_training_part_alone() -> None:
    data = digits()
    held = hold_out(data, 0.2)
    assert len(held.train_y) + len(held.test_y) == len(data.train_y)
    both = np.concatenate([held.train_x, held.test_x]).reshape(len(data.train_y), -1)
    assert np.array_equal(np.sort(both.sum(1)), np.sort(data.train_x.reshape(len(data.train_y), -1).sum(1)))
    assert limit(data, 7, 3).train_x.shape[0] == 7
