import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.train.data import load_dataset
from tern2lava.train.data.idxfile import read_idx


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
    with pytest.raises(InputError, match="requires a known data set; found 'cifar'; choose digits, fashion-mnist"):
        load_dataset("cifar")


def test_images_and_labels_of_different_number_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, False)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(
        InputError,
        match="requires one label for each image, below the classes; found 5 images and 4 labels",
    ):
        load_dataset("mnist", tmp_path)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28)])
def test_mnist_is_read_from_one_npz_where_there_are_no_idx_files(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x, y = np.arange(3 * 784).astype(np.uint8).reshape(3, *shape), np.array([7, 1, 2], np.uint8)
    np.savez(tmp_path / "mnist.npz", train_x=x, train_y=y, test_x=x[:2], test_y=y[:2])
    data = load_dataset("mnist", tmp_path)
    assert (data.name, data.shape, data.top, data.classes) == ("mnist", (1, 28, 28), 255, 10)
    assert np.array_equal(data.test_x.reshape(2, 784), x[:2].reshape(2, 784))
    write_images(tmp_path, False)
    assert len(load_dataset("mnist", tmp_path).train_y) == 12


def test_an_npz_of_other_images_is_not_mnist(tmp_path: Path) -> None:
    x, y = np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 2])
    np.savez(tmp_path / "mnist.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    with pytest.raises(InputError, match=r"mnist\.npz: requires images of 28 x 28 in 10 classes; found .*\(8, 8\)"):
        load_dataset("mnist", tmp_path)
