"""What is written piece by piece is the npz file of the whole."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tern2lava.errors import InputError
from tern2lava.sim.data.npz_writer import Record
from tern2lava.sim.data.trace import Trace


def test_pieces_become_one_array_each(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spikes, v = rng.integers(-1, 2, (7, 3, 4)).astype(np.int8), rng.integers(-99, 99, (7, 3, 4))
    with Record(tmp_path) as record:
        for span in (slice(0, 3), slice(3, 4), slice(4, 7)):
            # Not contiguous, as the engine's traces are.
            wide = np.repeat(spikes[span], 2, axis=2)[:, :, ::2]
            record.append_trace(Trace(spikes={"a": wide}, v={"a": v[span]}, u={"a": -v[span]}), True)
        record.append("scores", v[:, 0])
        record.save(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as found:
        assert set(found) == {"spikes.a", "v.a", "u.a", "scores"}
        for name, expected in (("spikes.a", spikes), ("v.a", v), ("u.a", -v), ("scores", v[:, 0])):
            assert found[name].dtype == expected.dtype
            np.testing.assert_array_equal(found[name], expected)
    assert os.listdir(tmp_path) == ["out.npz"]


def test_states_are_left_out_where_they_are_not_asked_for(tmp_path: Path) -> None:
    values = np.zeros((1, 2, 3), np.int64)
    with Record(tmp_path) as record:
        record.append_trace(Trace(spikes={"a": values}, v={"a": values}, u={"a": values}), False)
        record.save(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as found:
        assert list(found) == ["spikes.a"]


def test_nothing_is_left_without_save(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Record(tmp_path) as record:
            record.append("a", np.zeros(5))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not os.listdir(tmp_path)


def test_a_folder_that_takes_nothing_is_named(tmp_path: Path) -> None:
    with (
        Record(tmp_path / "absent") as record,
        pytest.raises(
            InputError, match="absent: requires a folder that can be written; found No such file or directory"
        ),
    ):
        record.append("a", np.zeros(5))


def test_memory_holds_one_piece(tmp_path: Path) -> None:
    piece = np.zeros((1, 1 << 20), np.uint8)
    tracemalloc.start()
    with Record(tmp_path) as record:
        for _ in range(32):
            record.append("a", piece)
        record.save(tmp_path / "out.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * piece.nbytes
    with np.load(tmp_path / "out.npz") as found:
        assert found["a"].shape == (32, 1 << 20)
