import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import save_npz
from places import ROOT
from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.errors import InputError
from tern2lava.train.data import load_dataset
from tern2lava.train.data.filterbank import OCTAVE, WINDOW
from tern2lava.train.data.spoken import BANDS, HOP, frames, levels, thresholds
from tern2lava.train.experiment import chosen
from tern2lava.train.experiment_file import read_experiment


def recordings() -> dict[str, Any]:
    """Two digits by two speakers, seven takes each: tones of another pitch for each digit, from 700 samples on."""
    digit, speaker, take = (axis.ravel() for axis in np.meshgrid(range(2), range(2), range(7), indexing="ij"))
    sound = [
        np.rint(9000 * np.sin(2 * np.pi * (500 + 1000 * d + 10 * s) * np.arange(700 + 200 * t) / 8000)).astype(np.int16)
        for d, s, t in zip(digit, speaker, take, strict=True)
    ]
    start = np.cumsum([0, *map(len, sound)])
    return {
        "samples": np.concatenate(sound), "start": start, "digit": digit, "speaker": speaker, "take": take,
        "rate": 8000,
    }  # fmt: skip


def test_takes_below_five_are_the_test_samples_and_spikes_follow_the_pitch(tmp_path: Path) -> None:
    save_npz(tmp_path / "fsdd.npz", **recordings())
    data = load_dataset("spoken-digits", tmp_path, steps=12)
    assert (data.time, data.steps, data.shape, data.top, data.classes) == (True, 12, (BANDS,), 15, 10)
    assert (len(data.train_y), len(data.test_y)) == (2 * 2 * 2, 2 * 2 * 5)
    assert data.train_x.max() == 15
    pitch = data.test_x.sum(1).argmax(1)
    low, high = pitch[data.test_y == 0], pitch[data.test_y == 1]
    assert low.max() < high.min()


def test_a_speaker_is_left_out_whole_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    save_npz(tmp_path / "fsdd.npz", **recordings())
    data = load_dataset("spoken-digits", tmp_path, steps=4, speaker=1)
    assert (len(data.train_y), len(data.test_y)) == (14, 14)
    with pytest.raises(InputError, match=r"data\.speaker: requires one of the speakers 0, 1, and others; found 7"):
        load_dataset("spoken-digits", tmp_path, steps=4, speaker=7)


def test_the_example_experiment_takes_the_official_split_as_spikes(tmp_path: Path) -> None:
    save_npz(tmp_path / "fsdd.npz", **recordings())
    experiment = read_experiment(ROOT / "examples" / "train_spoken_digits.yaml")
    data = chosen(experiment.data, experiment.training, tmp_path)
    assert data.train_x.shape == (8, 40, 3 * BANDS)
    assert data.train_x.max() == data.top == 1


def test_the_first_samples_hold_every_digit(tmp_path: Path) -> None:
    save_npz(tmp_path / "fsdd.npz", **recordings())
    assert set(load_dataset("spoken-digits", tmp_path, steps=2, speaker=0).train_y[:6]) == {0, 1}


def middle(sound: Array, length: int) -> Array:
    """`length` samples around the middle of `sound`, silence where it has none."""
    wide = np.concatenate([np.zeros(length, np.int16), sound, np.zeros(length, np.int16)])
    begin = length + (len(sound) - length) // 2 if len(sound) >= length else length - (length - len(sound)) // 2
    return wide[begin : begin + length]


@pytest.mark.parametrize("length", [1, 255, 511, 512, 513, 640, 641, 3000])
def test_frames_are_those_of_the_middle_or_of_the_whole_within_silence(length: int) -> None:
    sound = np.arange(1, length + 4, dtype=np.int16)
    start: Ints = np.array([3, 3 + length])
    found = frames(sound, start, 4)
    stretch = middle(sound[3:], 3 * HOP + WINDOW)
    assert found.shape == (1, 4, WINDOW)
    for step in range(4):
        assert np.array_equal(found[0, step], stretch[step * HOP : step * HOP + WINDOW])


def test_levels_are_fifteenths_of_the_range_below_the_loudest_and_thresholds_three_of_them() -> None:
    bands: Ints = 700 - OCTAVE * np.array([0, 1, 2, 7, 8, 14, 15, 20]).reshape(1, 1, 8)
    assert levels(bands).ravel().tolist() == [15, 14, 13, 8, 7, 1, 0, 0]
    expected = [[1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0]]
    assert thresholds(bands).reshape(3, 8).tolist() == expected
    assert (levels(np.stack([bands[0], bands[0] - 99])) == levels(bands)).all()
    assert levels(np.stack([bands[0], bands[0] - OCTAVE], 1)).max(2).tolist() == [[15, 14]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"samples": np.zeros(9)}, r"samples: requires int16 of one axis; found float64 of \(9,\)"),
        ({"start": np.arange(5)}, r"start: requires 29 whole numbers; found int64 of \(5,\)"),
        ({"start": np.zeros(29, int)}, "start: requires places that ascend within the"),
        ({"start": np.arange(29) << 40}, "start: requires places that ascend within the"),
        ({"digit": np.full(28, 11)}, "requires digits from 0 to 9 at a rate of 8000; found 11 to 11"),
        ({"rate": 16_000}, "requires digits from 0 to 9 at a rate of 8000; found .* at 16000"),
        ({"take": np.full(28, 9)}, "requires takes from 5 on and below; found none"),
        ({"speaker": np.zeros((2, 14), int)}, r"speaker: requires 28 whole numbers; found int64 of \(2, 14\)"),
    ],
)
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    save_npz(tmp_path / "fsdd.npz", **recordings() | change)
    with pytest.raises(InputError, match=says):
        load_dataset("spoken-digits", tmp_path, steps=3)


def test_a_file_that_lacks_arrays_or_is_missing_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fsdd\.npz: requires the recordings as npz; found none there; make it"):
        load_dataset("spoken-digits", tmp_path)
    save_npz(tmp_path / "fsdd.npz", samples=np.zeros(3, np.int16))
    with pytest.raises(
        InputError, match="found no start, digit, speaker, take, rate; make it as docs/training-data.md"
    ):
        load_dataset("spoken-digits", tmp_path)
    with pytest.raises(
        InputError, match=r"spoken-digits: requires the folder of its files; found none; add --data-dir"
    ):
        load_dataset("spoken-digits")


def test_too_many_steps_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    save_npz(tmp_path / "fsdd.npz", **recordings())
    with pytest.raises(InputError, match=r"training\.steps: requires samples of at most 4,294,967,296 bytes together"):
        load_dataset("spoken-digits", tmp_path, steps=1 << 24)


def test_the_code_of_the_page_makes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "training-data.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "wave" in block]
    folder = tmp_path / "free-spoken-digit-dataset" / "recordings"
    folder.mkdir(parents=True)
    found = recordings()
    for n in range(28):
        name = f"{found['digit'][n]}_{'ab'[found['speaker'][n]]}_{found['take'][n]}.wav"
        with wave.open(str(folder / name), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(found["samples"][found["start"][n] : found["start"][n + 1]].astype("<i2").tobytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "page", "exec"), {})
    (tmp_path / "own").mkdir()
    save_npz(tmp_path / "own" / "fsdd.npz", **found)
    ours, theirs = (load_dataset("spoken-digits", folder, steps=3) for folder in (tmp_path, tmp_path / "own"))
    assert np.array_equal(ours.train_x, theirs.train_x)
    assert np.array_equal(ours.test_y, theirs.test_y)
