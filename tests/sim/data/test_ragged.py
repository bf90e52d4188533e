"""Samples of different lengths: named, and padded with steps of zeros where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes import whole
from tern2lava.compiler.ir.graph import Graph, Input, Level, Output
from tern2lava.errors import InputError
from tern2lava.sim.data.ragged import padded
from tern2lava.sim.data.spike_file import load_spikes, make_spikes

LENGTHS = (3, 7, 4)
PARTS = [np.random.default_rng(n).integers(0, 2, (n, 2, 3)).astype(np.uint8) for n in LENGTHS]
GRAPH = Graph(
    level=Level.INTEGER, nodes=(Input(name="x", shape=(2, 3)), Output(name="y", inputs=("x",))), steps=9
)  # fmt: skip


def is_padded(values: Any, steps: int) -> bool:
    """Whether every sample is there, and zeros after it."""
    assert values.shape == (3, steps, 2, 3)
    return all(
        np.array_equal(row[: len(part)], part) and not row[len(part) :].any()
        for row, part in zip(values, PARTS, strict=True)
    )


def objects() -> Any:
    array = np.empty(3, object)
    array[:] = PARTS
    return array


@pytest.mark.parametrize("given", [PARTS, tuple(PARTS), objects(), [part.tolist() for part in PARTS]])
def test_a_list_of_samples_is_padded_where_asked_for(given: Any) -> None:
    with pytest.raises(InputError, match="spikes: requires samples of one number of steps; found 3 to 7"):
        make_spikes({"spikes": given}, GRAPH)
    assert is_padded(make_spikes({"spikes": given}, GRAPH, steps=9, pad=True).inputs["x"], 9)
    # A sample longer than the network's steps keeps them; whether they may run is decided elsewhere.
    assert is_padded(make_spikes({"spikes": given}, GRAPH, steps=5, pad=True).inputs["x"], 7)


def test_samples_of_one_length_need_no_padding() -> None:
    same = [PARTS[1], PARTS[1][::-1]]
    assert np.array_equal(whole(make_spikes({"spikes": same}, GRAPH).inputs["x"]), np.stack(same))


@pytest.mark.parametrize("flat", [False, True])
def test_a_file_holds_ragged_samples_one_after_another_with_their_lengths(tmp_path: Path, flat: bool) -> None:
    joined = np.concatenate(PARTS)
    joined = joined.reshape(len(joined), -1) if flat else joined
    np.savez(tmp_path / "x.npz", spikes=joined, lengths=np.array(LENGTHS), labels=np.arange(3))
    with pytest.raises(InputError, match="pad them with steps of zeros"):
        load_spikes(tmp_path / "x.npz", GRAPH)
    data = load_spikes(tmp_path / "x.npz", GRAPH, steps=9, pad=True)
    assert is_padded(whole(data.inputs["x"]).reshape(3, 9, 2, 3), 9)
    assert (data.samples, data.steps) == (3, 9)


def test_lengths_beside_whole_arrays_change_nothing() -> None:
    padded = np.stack([PARTS[1], PARTS[1]])
    data = make_spikes({"spikes": padded, "lengths": np.array([7, 3])}, GRAPH)
    assert np.array_equal(whole(data.inputs["x"]), padded)


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([3, 7], "requires lengths that add up to the 14 steps of the spikes; found 10"),
        ([3, 7, 4, 0], "requires the steps of each sample as whole numbers; found"),
        ([[3], [7], [4]], "requires the steps of each sample as whole numbers; found"),
        ([3.0, 7.0, 4.0], "requires the steps of each sample as whole numbers; found"),
    ],
)
def test_lengths_that_do_not_fit_are_one_line(lengths: Any, said: str) -> None:
    with pytest.raises(InputError) as raised:
        make_spikes({"spikes": np.concatenate(PARTS), "lengths": np.array(lengths)}, GRAPH, pad=True)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "requires one sample at least; found none"),
        ([PARTS[0], PARTS[1][:, :1]], "requires samples with steps of one shape; found (1, 3), (2, 3)"),
        ([PARTS[0], "text"], "sample 1: requires numbers (steps, *shape); found <U4 of shape ()"),
        ([PARTS[0], [[1, 2], [3]]], "sample 1: requires one array of numbers; found a list"),
        (
            [PARTS[0], np.array([{}, []], object)],
            "sample 1: requires numbers (steps, *shape); found object of",
        ),
    ],
)
def test_samples_that_are_no_arrays_are_one_line(given: Any, said: str) -> None:
    with pytest.raises(InputError) as raised:
        make_spikes({"spikes": given}, GRAPH, pad=True)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_objects_in_a_file_are_not_unpickled_and_the_way_out_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", spikes=objects())
    with pytest.raises(InputError, match=r"spikes: requires arrays of numbers; found Python objects, never unpickled"):
        load_spikes(tmp_path / "x.npz", GRAPH, pad=True)


def test_padding_cannot_make_little_data_huge() -> None:
    samples = [np.zeros((1, 64), np.uint8)] * 10_000 + [np.zeros((100_000, 64), np.uint8)]
    with pytest.raises(
        InputError, match=r"padding makes no larger than 50 times .*found samples of 1 to 100,000 steps"
    ):
        padded(samples, 0, True, "x")
