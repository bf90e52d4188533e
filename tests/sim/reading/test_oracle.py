"""The recorded run of a spike file: what it may hold, and each refusal in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes import there, whole
from tern2lava.compiler.ir.graph import Dense, Graph, Input, Level, Neuron, Output
from tern2lava.compiler.ir.shapes import Array
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.sim.reading.oracle import load_oracle, make_oracle
from tern2lava.sim.reading.pack import pack, unpack

SAMPLES, STEPS = 3, 5


def graph() -> Graph:
    weight = np.eye(8)
    return Graph(level=Level.IMPORTED, steps=STEPS, nodes=(
        Input(name="x", shape=(8,)),
        Dense(name="w", inputs=("x",), weight=weight),
        Neuron(name="hidden", inputs=("w",), shape=(2, 2, 2)),
        Dense(name="w2", inputs=("hidden",), weight=weight),
        Neuron(name="out", inputs=("w2",), shape=(8,)),
        Output(name="output", inputs=("out",)),
    ))  # fmt: skip


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "spikes": np.ones((SAMPLES, STEPS, 8), np.uint8),
        "spikes.hidden": rng.integers(0, 2, (SAMPLES, STEPS, 2, 2, 2)),
        "spikes.out": rng.integers(0, 2, (SAMPLES, STEPS, 8)).astype(np.float32),
        "v.out": rng.random((SAMPLES, STEPS, 8), np.float32),
        "v_when": np.array("before"),
        "scores": rng.random((SAMPLES, 8)),
        "dtype": np.array("float32"),
        "framework": np.array("snntorch"),
    }


def test_all_keys_are_read_from_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays())
    found = load_oracle(tmp_path / "x.npz", graph(), SAMPLES, STEPS)
    assert found is not None
    assert (found.dtype, found.framework, found.before) == ("float32", "snntorch", frozenset({"out"}))
    np.testing.assert_array_equal(whole(found.spikes["hidden"]), arrays()["spikes.hidden"].reshape(SAMPLES, STEPS, 8))
    np.testing.assert_array_equal(whole(found.v["out"]), arrays()["v.out"])
    np.testing.assert_array_equal(there(found.scores), arrays()["scores"])
    part = found.slice(1, 3)
    np.testing.assert_array_equal(whole(part.spikes["out"]), arrays()["spikes.out"][1:3])
    np.testing.assert_array_equal(there(part.scores), arrays()["scores"][1:3])


def test_large_arrays_stay_in_their_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays())
    found = load_oracle(tmp_path / "x.npz", graph(), SAMPLES, STEPS, replace(NORMAL, file_bytes=64))
    assert found is not None
    assert not isinstance(found.spikes["hidden"], np.ndarray)
    np.testing.assert_array_equal(
        whole(found.slice(1, 3).spikes["hidden"]), arrays()["spikes.hidden"].reshape(3, 5, 8)[1:3]
    )


def test_a_file_of_input_alone_has_no_recorded_run() -> None:
    assert make_oracle({"spikes": np.zeros((SAMPLES, STEPS, 8)), "dtype": np.array("float32")}, graph(), 3, 5) is None


def test_potentials_of_one_population_may_say_otherwise() -> None:
    found = make_oracle({**arrays(), "v_when.out": np.array("after")}, graph(), SAMPLES, STEPS)
    assert found is not None
    assert found.before == frozenset()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("spikes.lif1", np.zeros((3, 5, 8)), "data: spikes.lif1: requires names of populations; found none of that "
                                             "name, they are hidden, out; rename the arrays"),
        ("spikes.out", np.zeros((3, 4, 8)), r"data: spikes.out: requires shape \(3, 5, 8\).*found \(3, 4, 8\)"),
        ("spikes.hidden", np.zeros((3, 5, 9)), r"requires shape \(3, 5, 2, 2, 2\).*found \(3, 5, 9\)"),
        ("spikes.out", np.full((3, 5, 8), 0.5), "requires spikes of -1, 0 and 1; found 0.5"),
        ("spikes.out", np.full((3, 5, 8), "a"), "requires numbers; found <U1"),
        ("scores", np.full((3, 8), np.nan), "scores: requires numbers; found NaN or infinite ones"),
        ("scores", np.full((3, 8), -np.inf), "scores: requires numbers; found NaN or infinite ones"),
        ("v.out", np.full((3, 5, 8), np.nan), "v.out: requires finite numbers; found NaN"),
        ("v_when", np.array("later"), "data: v_when: requires before or after; found later; say whether v.out"),
        ("v_when", np.zeros(1), "data: v_when: requires a word; found float64"),
        ("v_when.lif1", np.array("after"), "v_when.lif1: requires names of populations"),
        ("dtype", np.array("int8"), "data: dtype: requires one of float64, float32"),
        ("scores", np.zeros((3, 5, 8)), r"data: scores: requires shape \(3, classes\) of numbers; found \(3, 5, 8\)"),
        ("scores", np.zeros((4, 8)), r"data: scores: requires shape \(3, classes\).*found \(4, 8\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(key: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make_oracle({**arrays(), key: value}, graph(), SAMPLES, STEPS)
    assert "\n" not in str(caught.value)


def test_potentials_need_the_word_when() -> None:
    given = arrays()
    del given["v_when"]
    with pytest.raises(InputError, match="v_when: requires before or after; found nothing"):
        make_oracle(given, graph(), SAMPLES, STEPS)


def test_a_packed_run_comes_back_and_is_smaller() -> None:
    rng = np.random.default_rng(1)
    given: dict[str, Array] = {
        "spikes": rng.integers(0, 2, (4, 50, 99)).astype(np.uint8),
        "spikes.a": rng.integers(0, 2, (4, 50, 3, 5)).astype(np.int8),
        "spikes.b": rng.integers(-1, 2, (4, 50, 31)).astype(np.int8),
        "inputs": rng.integers(0, 9, (4, 50, 2)).astype(np.int32),
        "scores": rng.random((4, 3)),
        "dtype": np.array("float32"),
    }
    packed = pack(given)
    found = unpack(packed)
    assert set(found) == set(given)
    for name, values in given.items():
        np.testing.assert_array_equal(found[name], values)
    size = {name: sum(a.nbytes for key, a in packed.items() if key.endswith(name)) for name in ("spikes", "spikes.b")}
    assert size["spikes"] < given["spikes"].nbytes / 7
    assert size["spikes.b"] < given["spikes.b"].nbytes / 3


def test_a_packed_run_that_ends_early_is_refused() -> None:
    packed = pack({"spikes": np.ones((4, 50, 99), np.uint8)})
    with pytest.raises(ValueError, match="spikes: 10 bytes for shape"):
        unpack({**packed, "bits.spikes": packed["bits.spikes"][:10]})
