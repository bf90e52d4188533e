"""Values that an input does not take are named with their place, and so are integers that lost their sign."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes import whole
from tern2lava.compiler.ir.graph import Graph, Input, Level, Output
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.sim.data.spike_file import load_spikes, make_spikes


def graph(low: int, high: int) -> Graph:
    nodes = (Input(name="x", shape=(4,), levels=(low, high)), Output(name="y", inputs=("x",)))
    return Graph(level=Level.INTEGER, nodes=nodes)


def said(values: Any, low: int, high: int) -> str:
    with pytest.raises(InputError) as raised:
        make_spikes({"spikes": values}, graph(low, high))
    text = str(raised.value)
    assert "\n" not in text
    assert f"requires whole numbers from {low} to {high}; " in text
    return text.partition("; ")[2]


def signed() -> Any:
    values = np.zeros((2, 3, 4), np.int64)
    values[1, 2, 3], values[1, 2, 0], values[0, 0, 1] = -1, -1, 1
    return values


@pytest.mark.parametrize(("kind", "bits"), [(np.uint8, 8), (np.uint16, 16), (np.uint32, 32), (np.uint64, 64)])
def test_minus_one_without_its_sign_is_named(kind: type, bits: int) -> None:
    text = said(signed().astype(kind), -1, 1)
    assert text == (
        f"found {2**bits - 1} in sample 1, step 2, likely -1 that was wrapped in {bits} bits; store the data as int32"
    )


def test_a_wrapped_value_is_named_in_wider_and_in_real_types_too() -> None:
    for kind in (np.int64, np.float32):
        assert "likely -1 that was wrapped in 8 bits" in said(signed().astype(np.uint8).astype(kind), -1, 1)


def test_a_large_value_that_became_negative_is_named() -> None:
    values = np.full((1, 1, 4), 200).astype(np.int8)
    assert "found -56 in sample 0, step 0, likely 200 that was wrapped in 8 bits" in said(values, 0, 200)


def test_an_input_without_negative_values_says_that_it_takes_none() -> None:
    text = said(signed().astype(np.uint8), 0, 1)
    assert "perhaps -1 that was wrapped in 8 bits or a brightness; this input takes neither" in text


@pytest.mark.parametrize(
    ("value", "name"), [(np.nan, "nan"), (np.inf, "inf"), (0.5, "0.5"), (7.0, "7.0"), (1e300, "1e+300")]
)
def test_what_is_no_spike_is_named_without_a_guess(value: float, name: str) -> None:
    values = np.zeros((2, 3, 4))
    values[1, 0, 2] = value
    assert said(values, 0, 1) == f"found {name} in sample 1, step 0; encode the data as spikes first"


def test_other_values_beside_a_wrapped_one_are_no_wrapping() -> None:
    values = signed().astype(np.uint8)
    values[0, 0, 0] = 100
    assert said(values, -1, 1) == "found 100 in sample 0, step 0; encode the data as spikes first"


def test_booleans_are_spikes() -> None:
    assert whole(make_spikes({"spikes": np.ones((1, 2, 4), bool)}, graph(0, 1)).inputs["x"]).sum() == 8


def test_values_of_a_large_file_are_named_without_a_place(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", spikes=signed().astype(np.uint8))
    data = load_spikes(tmp_path / "x.npz", graph(-1, 1), effort=replace(NORMAL, file_bytes=10))
    assert data.values(0, 1)["x"].sum() == 1
    with pytest.raises(InputError, match="found 255, likely -1"):
        data.values(1, 2)
