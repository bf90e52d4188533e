"""Channels in units of their own: the same real network, and finer integers for those that do not reach far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tern2lava import api
from tern2lava.compiler.ir.graph import Add, Delay, Dense, Graph, Input, Level, Neuron, Output, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes import by_samples
from tern2lava.compiler.passes.balance import balanced
from tern2lava.compiler.passes.fold_scale import fold_scale
from tern2lava.compiler.passes.pipeline import lower_until
from tern2lava.sim.reference.real import run_float

STEPS, INPUTS, NEURONS = 60, 40, 16


def graph() -> Graph:
    """A recurrent layer with scales from 2^-6 to 1 in the channels of its inputs, but for which they are alike."""
    rng = np.random.default_rng(3)
    scales = np.exp2(-np.arange(NEURONS) * 6 / (NEURONS - 1))[:, None]
    weight = rng.integers(-1, 2, (NEURONS, INPUTS)) * scales * 0.2
    loop = rng.integers(-1, 2, (NEURONS, NEURONS)) * 0.17
    nodes: tuple[Any, ...] = (
        Input(name="x", shape=(INPUTS,)),
        Dense(name="w", inputs=("x",), weight=frozen(weight)),
        Dense(name="r", inputs=("late",), weight=frozen(loop)),
        Delay(name="late", inputs=("n",), steps=1),
        Add(name="sum", inputs=("w", "r")),
        Neuron(
            name="n", inputs=("sum",), shape=(NEURONS,), alpha_v=frozen(0.93), threshold=frozen(0.5),
            reset=Reset.SUBTRACT, reset_amount=frozen(0.5), bias=frozen(rng.normal(0.03, 0.01, NEURONS)),
        ),
        Output(name="y", inputs=("n",)),
    )  # fmt: skip
    return Graph(level=Level.IMPORTED, steps=STEPS, nodes=nodes)


def spikes(seed: int, samples: int = 24) -> Any:
    return (np.random.default_rng(seed).random((samples, STEPS, INPUTS)) < 0.15).astype(np.uint8)


def test_the_real_network_stays_the_same() -> None:
    real = fold_scale(lower_until(graph(), Level.TERNARY))
    neuron = real.neuron("n")
    reach = np.exp2(np.arange(NEURONS, dtype=np.float64))
    found = balanced(real, neuron, reach)
    assert found is not None
    other, units = found
    assert set(np.log2(units)) == set(np.rint(np.log2(reach / np.median(reach))))
    np.testing.assert_array_equal(other.neuron("n").unit * np.ones(NEURONS), neuron.unit * units)
    x = spikes(1)
    mine, theirs = run_float(real, {"x": x}), run_float(other, {"x": x})
    np.testing.assert_array_equal(mine.spikes["n"], theirs.spikes["n"])
    np.testing.assert_allclose(mine.v["n"], theirs.v["n"] * units, rtol=1e-12)
    assert mine.spikes["n"].any()


def test_channels_that_reach_equally_far_have_no_units_of_their_own() -> None:
    real = fold_scale(lower_until(graph(), Level.TERNARY))
    assert balanced(real, real.neuron("n"), np.full(NEURONS, 7.0)) is None
    assert balanced(real, real.neuron("n"), np.zeros(NEURONS)) is None


def test_fewer_spikes_change_and_certificates_speak_of_these_units() -> None:
    options = Options(ranges="calibrated", allow_rounding=1.0)
    found = api.compile(graph(), "loihi2", calibrate=spikes(2), options=options)
    choice = found.lowered.choices[0]
    assert choice.real is not None
    assert choice.changed is not None
    assert choice.changed_before is not None
    assert choice.changed < choice.changed_before / 4
    assert np.ptp(np.log2(found.lowered.real.neuron("n").unit * np.ones(NEURONS))) > 1
    x = spikes(5)
    real = run_float(found.lowered.real, {"x": x})
    np.testing.assert_array_equal(real.spikes["n"], run_float(found.lowered.imported, {"x": x}).spikes["n"])
    proof = api.verify(found, x, backend="reference").verification
    assert proof is not None
    assert proof.verdict("ranges").status == "equal"


def test_no_candidate_is_taken_whose_roundings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = api.compile(graph(), "loihi2", options=Options(allow_rounding=1.0)).lowered.choices[0]
    monkeypatch.setattr(by_samples, "_loss", lambda search, chosen: 1.01)
    options = Options(ranges="calibrated", allow_rounding=1.0)
    choice = api.compile(graph(), "loihi2", calibrate=spikes(2), options=options).lowered.choices[0]
    assert choice.real is None
    assert choice.unit == plain.unit
