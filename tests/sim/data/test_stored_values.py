"""Large spike files are read slice by slice, and give what they would give if they were read whole."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes import whole
from tern2lava.compiler.ir.graph import Graph, Input, Level, Output
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.sim.data import spike_file as spikes
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.data.stored_values import StoredValues

SPIKES = np.random.default_rng(0).integers(0, 2, (9, 4, 2, 3)).astype(np.uint8)


def graph(**options: Any) -> Graph:
    return Graph(level=Level.INTEGER, nodes=(Input(name="x", shape=(2, 3), **options), Output(name="y", inputs=("x",))))


def load_spikes(path: Path, graph: Graph) -> SpikeData:
    """The data of a file of which every array is large, read in pieces of 100 bytes."""
    return spikes.load_spikes(path, graph, effort=replace(NORMAL, file_bytes=1, read_bytes=100))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.int64, np.float32])
def test_slices_are_those_of_the_whole_array(tmp_path: Path, save: Any, dtype: Any) -> None:
    save(tmp_path / "data.npz", spikes=SPIKES.astype(dtype), labels=np.arange(9))
    data = load_spikes(tmp_path / "data.npz", graph())
    assert isinstance(data.inputs["x"], StoredValues)
    assert (data.samples, data.steps, data.inputs["x"].shape) == (9, 4, SPIKES.shape)
    # In order, again from the start, with a gap, beyond the end, nothing, all.
    for begin, end in ((0, 2), (2, 5), (0, 1), (6, 8), (7, 99), (5, 5), (0, 9)):
        part = data.slice(begin, end)
        assert part.inputs["x"].dtype == np.uint8
        np.testing.assert_array_equal(whole(part.inputs["x"]), SPIKES[begin:end])
        assert part.labels is not None
        assert part.labels.tolist() == list(range(9))[begin:end]
    np.testing.assert_array_equal(data.values()["x"], SPIKES)


def test_flat_steps_take_the_inputs_shape(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", spikes=SPIKES.reshape(9, 4, 6))
    np.testing.assert_array_equal(load_spikes(tmp_path / "data.npz", graph()).values(3, 5)["x"], SPIKES[3:5])


def test_values_that_are_wrong_are_told_when_they_are_reached(tmp_path: Path) -> None:
    wrong = SPIKES.copy()
    wrong[7, 0, 0, 0] = 2
    np.savez(tmp_path / "data.npz", spikes=wrong)
    data = load_spikes(tmp_path / "data.npz", graph())
    assert data.slice(0, 7).samples == 7
    with pytest.raises(InputError, match=r"data\.npz: spikes: requires whole numbers from 0 to 1"):
        data.slice(7, 9)
    np.savez(tmp_path / "narrow.npz", spikes=SPIKES[..., :2])
    with pytest.raises(InputError, match=r"requires steps of shape .* found \(2, 2\)"):
        load_spikes(tmp_path / "narrow.npz", graph())


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, spikes=np.repeat(SPIKES, 50, axis=0))
    stored = bytearray(path.read_bytes())
    stored[len(stored) // 2] ^= 255
    path.write_bytes(stored)
    with pytest.raises(InputError) as caught:
        load_spikes(path, graph()).values()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_memory_holds_one_slice(tmp_path: Path) -> None:
    one = np.zeros((64, 4096), np.uint8)
    np.savez_compressed(tmp_path / "data.npz", spikes=np.broadcast_to(one, (40, *one.shape)))
    wide = Graph(level=Level.INTEGER, nodes=(Input(name="x", shape=(4096,)), Output(name="y", inputs=("x",))))
    tracemalloc.start()
    data = load_spikes(tmp_path / "data.npz", wide)
    for begin in range(0, 40, 2):
        assert data.slice(begin, begin + 2).samples == 2
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Two slices at most (one made, one given up) and what is read at a time; the array has 40 samples.
    assert peak < 6 * one.nbytes + (4 << 20) < 40 * one.nbytes
