"""Spike files: what is read, and every way in which a file can be wrong in one line."""

from __future__ import annotations

import tracemalloc
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import save_npz
from nodes import there, whole
from tern2lava import memory_need
from tern2lava.compiler.ir.graph import Graph, Input, Level, Output
from tern2lava.compiler.ir.shapes import Array
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.sim.data.spike_file import load_spikes, make_spikes

SPIKES = np.random.default_rng(0).integers(0, 2, (5, 4, 2, 3)).astype(np.uint8)


def graph(*inputs: Any) -> Graph:
    nodes = inputs or (Input(name="x", shape=(2, 3)),)
    return Graph(level=Level.INTEGER, nodes=(*nodes, Output(name="y", inputs=(nodes[0].name,))))


def test_spikes_and_labels_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "data.npz", spikes=SPIKES, labels=np.arange(5), other=np.zeros(3))
    data = load_spikes(tmp_path / "data.npz", graph())
    assert np.array_equal(whole(data.inputs["x"]), SPIKES)
    assert data.inputs["x"].dtype == np.uint8
    assert there(data.labels).tolist() == [0, 1, 2, 3, 4]
    assert (data.samples, data.steps) == (5, 4)
    part = data.slice(1, 3)
    assert (part.samples, there(part.labels).tolist()) == (2, [1, 2])
    assert data.first(99).samples == 5


def test_flat_steps_booleans_and_floats_that_are_whole_are_taken() -> None:
    for values in (SPIKES.reshape(5, 4, 6), SPIKES.astype(bool), SPIKES.astype(np.float32), SPIKES.astype(np.int64)):
        data = make_spikes({"spikes": values}, graph())
        assert np.array_equal(whole(data.inputs["x"]), SPIKES)
        assert data.labels is None


def test_several_inputs_have_an_array_each_and_agree_in_samples_and_steps() -> None:
    two = graph(Input(name="left", shape=(2,)), Input(name="right", shape=(3,), levels=(-2, 5)))
    arrays = {"left": np.zeros((3, 4, 2), np.uint8), "right": np.full((3, 4, 3), -2)}
    assert whole(make_spikes(arrays, two).inputs["right"]).min() == -2
    with pytest.raises(InputError, match="data: requires inputs of the same samples and steps; found others"):
        make_spikes(arrays | {"left": np.zeros((3, 5, 2))}, two)
    with pytest.raises(InputError, match="data: requires an array 'right'; found left"):
        make_spikes({"left": arrays["left"]}, two)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"spikes": SPIKES[..., :2]}, "steps of shape (2, 3) (6 values), as the network's input 'x' has; found (2, 2)"),
        ({"spikes": SPIKES[:, :, 0, 0]}, "requires shape (samples, steps, 2, 3), one sample and one step"),
        ({"spikes": SPIKES[:0]}, "found (0, 4, 2, 3)"),
        ({"spikes": SPIKES * 2}, "requires whole numbers from 0 to 1"),
        ({"spikes": SPIKES * 0.5}, "requires whole numbers from 0 to 1"),
        ({"spikes": np.where(SPIKES, np.nan, 0)}, "requires whole numbers from 0 to 1"),
        ({"spikes": SPIKES.astype(str)}, "requires numbers; found <U3"),
        ({"x.values": SPIKES}, "requires an array 'spikes'; found x.values"),
        ({"spikes": SPIKES, "labels": np.arange(4)}, "labels: requires 5 integers, one for each sample; found shape"),
        ({"spikes": SPIKES, "labels": np.ones(5)}, "for each sample; found shape (5,) of float64"),
    ],
)  # fmt: skip
def test_a_wrong_array_is_named_with_what_was_expected(tmp_path: Path, arrays: dict[str, Array], message: str) -> None:
    save_npz(tmp_path / "data.npz", **arrays)
    with pytest.raises(InputError) as raised:
        load_spikes(tmp_path / "data.npz", graph())
    assert message in str(raised.value)
    assert "data.npz" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_are_no_npz_are_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.npz"
    np.savez_compressed(whole, spikes=SPIKES)
    stored = whole.read_bytes()
    np.save(tmp_path / "bare.npy", SPIKES)
    (tmp_path / "truncated.npz").write_bytes(stored[:-30])
    (tmp_path / "damaged.npz").write_bytes(stored[:60] + bytes([stored[60] ^ 255]) + stored[61:])
    (tmp_path / "text.npz").write_text("spikes")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "objects.npz", spikes=np.array([{}, []], dtype=object))
    names = ("missing", "truncated", "damaged", "text", "empty", "objects")
    for name in (*(f"{name}.npz" for name in names), ".", "bare.npy"):
        with pytest.raises(InputError) as raised:
            load_spikes(tmp_path / name, graph())
        assert str(tmp_path) in str(raised.value)
    assert "one bare array" in str(raised.value)


def test_a_claimed_size_is_checked_before_anything_is_allocated(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", SPIKES)
    honest = (tmp_path / "a.npy").read_bytes()
    claim = honest.replace(b"(5, 4, 2, 3), }" + 13 * b" ", b"(50000000000000, 4, 2, 3), }")
    assert len(claim) == len(honest)
    assert claim != honest
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("spikes.npy", claim)
    with pytest.raises(
        InputError, match=r"spikes: requires a shape that memory can hold.*; found \(50000000000000, 4, 2, 3\)"
    ):
        load_spikes(tmp_path / "bomb.npz", graph())


def test_a_name_that_stands_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", SPIKES)
    content = (tmp_path / "a.npy").read_bytes()
    for second, what in (
        ("spikes.npy", "entry; found two called spikes.npy"),
        ("spikes", "array; found two called 'spikes'"),
    ):
        with zipfile.ZipFile(tmp_path / "two.npz", "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            archive.writestr("spikes.npy", content)
            archive.writestr(second, content)
        with pytest.raises(InputError, match=f"two.npz: requires a name of its own for each {what}"):
            load_spikes(tmp_path / "two.npz", graph())


def test_spikes_beside_the_inputs_own_name_are_ambiguous(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", spikes=SPIKES, x=SPIKES)
    with pytest.raises(InputError, match=r"both\.npz: requires 'spikes' or 'x', the input's name; found both"):
        load_spikes(tmp_path / "both.npz", graph())
    assert make_spikes({"x": SPIKES}, graph()).samples == 5
    named = graph(Input(name="spikes", shape=(2, 3)))
    assert make_spikes({"spikes": SPIKES}, named).samples == 5
    two = graph(Input(name="spikes", shape=(2, 3)), Input(name="x", shape=(2, 3)))
    assert make_spikes({"spikes": SPIKES, "x": SPIKES}, two).samples == 5


def test_arrays_of_other_names_are_let_be(tmp_path: Path) -> None:
    save_npz(tmp_path / "more.npz", **{"spikes": SPIKES, "spikes.lif1": SPIKES, "v.lif1": SPIKES, "scores": SPIKES})
    assert load_spikes(tmp_path / "more.npz", graph()).samples == 5


def test_a_file_with_labels_alone_says_what_is_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "labels.npz", labels=np.arange(5))
    with pytest.raises(InputError, match=r"labels\.npz: requires an array 'spikes'; found labels"):
        load_spikes(tmp_path / "labels.npz", graph())


def test_labels_may_be_a_list() -> None:
    found = make_spikes({"spikes": SPIKES, "labels": [0, 1, 2, 3, 4]}, graph())
    assert there(found.labels).tolist() == [0, 1, 2, 3, 4]


def test_labels_that_are_more_than_the_samples_are_not_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "data.npz", spikes=SPIKES, labels=np.zeros(8_000_000, np.int64))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"labels: requires 5 integers, one for each sample; found shape \(8000000,\)"):
        load_spikes(tmp_path / "data.npz", graph())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_large_array_in_fortrans_order_is_read_whole_where_memory_holds_it_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.asfortranarray(np.random.default_rng(1).integers(0, 2, (500, 4, 6), np.uint8))
    np.savez(tmp_path / "data.npz", spikes=values)
    little = replace(NORMAL, file_bytes=1000)
    data = load_spikes(tmp_path / "data.npz", graph(), effort=little)
    assert np.array_equal(data.values(100, 120)["x"].reshape(20, 4, 6), values[100:120])
    monkeypatch.setattr(memory_need, "SMALL", 0)
    monkeypatch.setattr(memory_need, "available", lambda: 25_000)
    with pytest.raises(InputError, match=r"spikes: requires about 24 kB of memory.*; save it in C's order, with np\."):
        load_spikes(tmp_path / "data.npz", graph(), effort=little)
    np.savez(tmp_path / "data.npz", spikes=np.ascontiguousarray(values))
    assert load_spikes(tmp_path / "data.npz", graph(), effort=little).samples == 500
