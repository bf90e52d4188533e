import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError, MissingPackageError
from tern2lava.train.data import cifar, load_dataset
from tern2lava.train.data.cifar import CLASSES

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def jpeg(picture: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def flat(red: int, green: int, blue: int, side: int = 32) -> Array:
    picture: Array = np.broadcast_to(np.array([red, green, blue], np.uint8), (side, side, 3)).copy()
    return picture


def write(folder: Path, **change: bytes) -> None:
    """Two training images and a test image of each class, the class in their red; `change` by the name, _ for /."""
    entries = {
        f"{part}/{name}/{n}.jpg": jpeg(flat(20 * label, 100 + n, 50))
        for label, name in enumerate(CLASSES)
        for part, count in (("train", 2), ("test", 1))
        for n in range(count)
    }
    with zipfile.ZipFile(folder / "cifar10-jpeg75.zip", "w") as archive:
        for name, data in (entries | {key.replace("_", "/") + ".jpg": data for key, data in change.items()}).items():
            archive.writestr(name, data)


def test_every_image_has_its_colours_and_its_label_and_the_first_are_of_several_classes(tmp_path: Path) -> None:
    write(tmp_path)
    data = load_dataset("cifar10-jpeg75", tmp_path)
    assert (data.name, data.shape, data.top, data.classes) == ("cifar10-jpeg75", (3, 32, 32), 255, 10)
    assert sorted(data.test_y) == list(range(10))
    for x, y in ((data.train_x, data.train_y), (data.test_x, data.test_y)):
        assert np.abs(x[:, 0].mean((1, 2)) - 20 * y).max() < 4
        assert np.abs(x[:, 2].astype(int) - 50).max() < 8
        assert len(set(y[:6])) > 3


def test_the_file_is_decoded_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    first = load_dataset("cifar10-jpeg75", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(cifar, "_images", lambda *_: pytest.fail("decoded again"))
        assert load_dataset("cifar10-jpeg75", tmp_path) is first
    write(tmp_path, train_cat_9=jpeg(flat(60, 0, 0)))
    assert len(load_dataset("cifar10-jpeg75", tmp_path).train_y) == 21


def broken(picture: bytes) -> bytes:
    return picture[: len(picture) // 2]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "train_cat_7",
            jpeg(flat(1, 2, 3, side=16)),
            "requires JPEGs of 32 x 32, RGB; found 16 x 16, RGB in 'train/cat/7",
        ),
        ("train_cat_7", jpeg(np.zeros((32, 32), np.uint8)), "found 32 x 32, L in 'train/cat/7.jpg'"),
        ("train_cat_7", b"none", "found damage"),
        ("test_dog_7", broken(jpeg(np.arange(3072).astype(np.uint8).reshape(32, 32, 3))), "found damage"),
        ("train_cat_7", bytes(1 << 17), "requires entries of at most 65,536 bytes; found 131,072"),
        ("train_cow_7", jpeg(flat(1, 2, 3)), "requires images train/CLASS/NAME.jpg of CIFAR-10's ten classes; found"),
    ],
)
def test_a_file_of_other_images_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    write(tmp_path, **{name: content})
    with pytest.raises(InputError, match=says):
        load_dataset("cifar10-jpeg75", tmp_path)


def test_a_missing_file_an_empty_one_and_a_missing_package_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"cifar10-jpeg75\.zip: requires the images as a zip file; found none there"):
        load_dataset("cifar10-jpeg75", tmp_path)
    with zipfile.ZipFile(tmp_path / "cifar10-jpeg75.zip", "w"):
        pass
    with pytest.raises(InputError, match=r"requires images train/CLASS/NAME\.jpg; found none"):
        load_dataset("cifar10-jpeg75", tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingPackageError, match=r"Pillow.*--extra images"):
        load_dataset("cifar10-jpeg75", tmp_path)
