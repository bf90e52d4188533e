"""Data held against the bundle: another number of steps, axes that were swapped, labels that are no class, padding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossy import CLASSES, INPUTS, STEPS, network, samples, write_lossy
from tern2lava import api
from tern2lava.compiler.options import Options
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.sim.data.fitting import fitted
from tern2lava.sim.data.spike_file import SpikeData, make_spikes

GRAPH = network()


def data(count: int, steps: int) -> SpikeData:
    return make_spikes(samples(count, steps), GRAPH)


def refused(found: SpikeData, **options: Any) -> str:
    with pytest.raises(InputError) as raised:
        fitted(found, GRAPH, STEPS, where="x.npz", **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_the_steps_compiled_for_are_taken_as_they_are() -> None:
    right = data(3, STEPS)
    assert fitted(right, GRAPH, STEPS) is right
    # Both orders are plausible: the data are what the docs say they are.
    square = data(STEPS, STEPS)
    assert fitted(square, GRAPH, STEPS) is square


def test_a_network_that_names_no_steps_takes_any() -> None:
    assert fitted(data(3, 7), GRAPH, 0).steps == 7


def test_other_steps_are_refused_with_what_can_be_done() -> None:
    more = refused(data(3, 20))
    assert more == (
        "x.npz: requires samples of 10 steps, which the network is compiled for; found 3 samples of 20 steps; pass "
        "--any-steps (any_steps=True) to run it as it is"
    )
    assert refused(data(3, 20), pad=True) == more
    fewer = refused(data(3, 7))
    assert "pass --pad (pad=True) to add steps of zeros, or --any-steps (any_steps=True)" in fewer
    assert fitted(data(3, 20), GRAPH, STEPS, any_steps=True).steps == 20
    assert fitted(data(3, 7), GRAPH, STEPS, any_steps=True).steps == 7


@pytest.mark.parametrize("other", [3, 25])
@pytest.mark.parametrize("pad", [False, True])
def test_samples_and_steps_that_look_swapped_are_named(other: int, pad: bool) -> None:
    said = refused(data(STEPS, other), pad=pad)
    assert "requires samples of 10 steps, which the network is compiled for" in said
    assert fitted(data(STEPS, other), GRAPH, STEPS, any_steps=True).steps == other


def test_padding_adds_steps_of_zeros_to_every_slice() -> None:
    short = data(5, 7)
    padded = fitted(short, GRAPH, STEPS, pad=True)
    assert padded.steps == STEPS
    values = padded.values()["x"]
    assert values.shape == (5, STEPS, INPUTS)
    assert np.array_equal(values[:, :7], short.values()["x"])
    assert not values[:, 7:].any()
    part = padded.slice(2, 4)
    assert (part.samples, part.steps) == (2, STEPS)
    assert np.array_equal(part.values()["x"], values[2:4])


@pytest.mark.parametrize(("label", "said"), [(-1, "-1"), (CLASSES, str(CLASSES)), (1 << 40, "1,099,511,627,776")])
def test_labels_that_are_no_output_are_refused_with_their_sample(label: int, said: str) -> None:
    arrays = samples(6)
    arrays["labels"] = np.where(np.arange(6) == 4, label, arrays["labels"])
    text = refused(make_spikes(arrays, GRAPH))
    assert f"x.npz: labels: requires labels of 0 to 3, the network's outputs; found {said} for sample 4;" in text


def test_simulate_and_verify_hold_data_against_the_bundle(tmp_path: Path) -> None:
    folder = write_lossy(tmp_path / "b", {})
    for run in (api.simulate, lambda *a, **k: api.verify(*a, backend="reference", **k)):
        for wrong in (samples(3, 12), SpikeData(inputs={"x": samples(3, 12)["spikes"]})):
            with pytest.raises(
                InputError,
                match="data: requires samples of 10 steps, which the network is.*; found 3 samples of 12 steps",
            ):
                run(folder, wrong)
        with pytest.raises(InputError, match="found 9 for sample 0"):
            run(folder, samples(3) | {"labels": np.array([9, 0, 0])})
    one = replace(NORMAL, shard_values=1)
    short = samples(3, 7)
    by_hand = np.pad(short["spikes"], [(0, 0), (0, 3), (0, 0)])
    wanted = api.simulate(folder, short | {"spikes": by_hand}, effort=one)
    found = api.simulate(folder, short, pad=True, effort=one)
    assert np.array_equal(found.trace.spikes["y"], wanted.trace.spikes["y"])
    assert np.array_equal(found.scores, wanted.scores)
    report = api.verify(folder, short, backend="reference", pad=True, effort=one)
    assert report.verification is not None
    assert report.verification.steps == STEPS


def test_steps_asked_for_when_compiling_are_those_of_the_bundle(tmp_path: Path) -> None:
    api.compile(GRAPH, "tiny", out=tmp_path / "b", options=Options(steps=14))
    assert api.simulate(tmp_path / "b", samples(3, 14)).scores.shape == (3, CLASSES)
    with pytest.raises(
        InputError, match="data: requires samples of 14 steps, which the network is.*; found 3 samples of 10 steps"
    ):
        api.simulate(tmp_path / "b", samples(3, STEPS))
