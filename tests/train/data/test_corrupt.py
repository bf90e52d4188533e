import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest

from places import ROOT
from tern2lava.compiler.ir.shapes import Bytes
from tern2lava.errors import InputError
from tern2lava.train.data import digits
from tern2lava.train.data.corrupt import CHUNK, CORRUPTIONS, NOISE, STRENGTHS, corrupt, corrupted


@pytest.fixture(scope="module")
def images() -> Bytes:
    flat = np.full((CHUNK + 40, 1, 12, 14), 128, np.uint8)
    flat[:, :, 4:8, 5:9] = 200
    return flat


@pytest.mark.parametrize("strength", STRENGTHS)
def test_noise_has_its_mean_and_its_standard_deviation(strength: int) -> None:
    grey = np.full((CHUNK + 40, 1, 12, 14), 50, np.uint8)
    sigma = NOISE[0] * 100 / 100
    change = corrupt(grey, "noise", 1, top=100, seed=strength).astype(int) - 50
    assert abs(change.mean()) < 5 * sigma / change.size**0.5
    assert change.std() == pytest.approx((sigma**2 + 1 / 12) ** 0.5, rel=0.02)
    assert abs(np.corrcoef(change[:-1].ravel(), change[1:].ravel())[0, 1]) < 0.03
    strong = corrupt(grey, "noise", strength, top=100, seed=0).astype(int) - 50
    assert 0.6 < np.quantile(strong, 0.8413) / NOISE[strength - 1] < 1.2
    assert (strong.min() >= -50) & (strong.max() <= 50)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_blur_is_the_binomial_filter_of_its_strength(images: Bytes, strength: int) -> None:
    row = np.array([1.0])
    for _ in range(2 * strength):
        row = np.convolve(row, [0.5, 0.5])
    blurred = corrupt(images, "blur", strength, top=255)
    wide = np.pad(images[0, 0].astype(float), strength)
    expected = np.array(
        [[(wide[y : y + len(row), x : x + len(row)] * np.outer(row, row)).sum() for x in range(14)] for y in range(12)]
    )
    assert np.abs(blurred[0, 0] - expected).max() <= 0.5
    assert (blurred == blurred[:1]).all()


@pytest.mark.parametrize("strength", STRENGTHS)
def test_translation_moves_each_image_by_its_strength_in_one_of_eight_directions(strength: int) -> None:
    dots = np.zeros((400, 2, 12, 14), np.uint8)
    dots[:, :, 6, 7] = 9
    moved = corrupt(dots, "translation", strength, top=16, seed=1)
    found = {tuple((np.argwhere(image[0])[0] - (6, 7)).tolist()) for image in moved}
    steps = [(a * strength, b * strength) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
    assert found == set(steps)
    assert (moved[:, 0] == moved[:, 1]).all()
    full = corrupt(np.full((50, 1, 12, 14), 3, np.uint8), "translation", strength, top=16)
    assert (full == 0).any((1, 2, 3)).all()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_corruption_follows_its_seed_and_the_samples_before_a_limit_stay(kind: str) -> None:
    data = digits()
    first, again = (corrupted(data, kind, 3, seed=5).test_x for _ in range(2))
    assert np.array_equal(first, again)
    assert first.dtype == np.uint8
    assert first.shape == data.test_x.shape
    assert first.max() <= data.top
    assert np.array_equal(corrupt(data.test_x[:9], kind, 3, top=data.top, seed=5), first[:9])
    assert (kind == "blur") == np.array_equal(first, corrupted(data, kind, 3, seed=6).test_x)
    assert not np.array_equal(first, data.test_x)
    assert np.array_equal(corrupted(data, kind, 3).train_x, data.train_x)
    assert hashlib.sha256(first.tobytes()).hexdigest()[:16] == DIGESTS[kind]


@pytest.mark.parametrize(
    ("shape", "kind", "strength", "says"),
    [
        ((2, 1, 8, 8), "fog", 1, "corruption: requires one of noise, blur, translation; found 'fog'"),
        ((2, 1, 8, 8), "blur", 6, "strength: requires a strength of 1 to 5; found 6"),
        ((2, 8, 8), "blur", 1, r"images: requires uint8 of \(samples, channels, height, width\)"),
        ((2, 1, 3, 8), "translation", 3, "larger than 3 pixels"),
    ],
)
def test_what_is_no_image_or_no_corruption_is_refused(
    shape: tuple[int, ...], kind: str, strength: int, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        corrupt(np.zeros(shape, np.uint8), kind, strength, top=16)


def test_samples_with_a_time_axis_are_no_images() -> None:
    data = digits()
    with pytest.raises(InputError, match="images: requires samples without a time axis; found digits, which has one"):
        corrupted(replace(data, time=True), "blur", 1)


def test_the_page_has_every_corruption_and_the_strengths_of_the_noise() -> None:
    page = (ROOT / "docs" / "training-data.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page.partition("| corruption |")[2].partition("\n\n")[0], re.M))
    assert set(rows) == set(CORRUPTIONS)
    assert ", ".join(map(str, NOISE)) + " % of the largest" in rows["noise"]


DIGESTS = {"noise": "9629a0877c718ef1", "blur": "b560ebe5b8eb1e44", "translation": "c2abfd22ef176f52"}
