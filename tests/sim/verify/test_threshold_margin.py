"""The bound that runs along with the data, and the proof that rests on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drawn import Draw
from network import network
from nodes import node, there
from rounded import decaying
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Decays,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Output,
    Population,
    Reset,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float
from tern2lava.sim.verify.threshold_margin import Band, measure_band

# These tests are about what rounding changes, however much it is.
ANY_ROUNDING = Options(allow_rounding=1.0)


@pytest.mark.parametrize("decays", list(Decays))
def test_potentials_never_part_by_more_than_the_running_bound(
    make_leaky: Draw, lockstep: Callable[..., Any], arithmetic: Arithmetic, decays: Decays
) -> None:
    looked, closest = 0, 0.0
    for seed in range(100, 160):
        graph, inputs = make_leaky(seed)
        for pair in lockstep(decaying(lower(graph, arithmetic), decays), inputs).values():
            valid = pair.agreed & ~pair.saturated
            assert np.all((pair.difference <= pair.bound * (1 + 1e-9) + 1e-9) | ~valid), f"seed {seed}"
            looked += int(valid.sum())
            ratio = np.where(pair.bound > 1e-6, pair.difference / np.maximum(pair.bound, 1e-6), 0)
            closest = max(closest, float(ratio[np.broadcast_to(valid, ratio.shape)].max(initial=0)))
    assert looked > 5_000
    assert closest > 0.5


@pytest.mark.parametrize("decays", list(Decays))
def test_adaptive_potentials_never_part_by_more_than_the_running_bound(
    make_adaptive: Draw, lockstep: Callable[..., Any], arithmetic: Arithmetic, decays: Decays
) -> None:
    looked, closest = 0, 0.0
    for seed in range(80):
        graph, inputs = make_adaptive(seed)
        for pair in lockstep(decaying(lower(graph, arithmetic, ANY_ROUNDING), decays), inputs).values():
            valid = np.broadcast_to(pair.agreed & ~pair.saturated, pair.difference.shape)
            assert np.all((pair.difference <= pair.bound * (1 + 1e-9) + 1e-9) | ~valid), f"seed {seed}"
            looked += int(valid.sum())
            ratio = np.where(pair.bound > 1e-6, pair.difference / np.maximum(pair.bound, 1e-6), 0)
            closest = max(closest, float(ratio[valid].max(initial=0)))
    assert looked > 20_000
    # A bound of half the size would not hold.
    assert closest > 0.75


@pytest.mark.parametrize("decays", list(Decays))
def test_no_adaptive_potential_near_its_threshold_means_equal_spikes(make_adaptive: Draw, decays: Decays) -> None:
    coarse = Arithmetic(
        threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0, gain_max_shift=10
    )
    proven, unproven, differing = 0, 0, 0
    for seed in range(160):
        graph, inputs = make_adaptive(seed)
        inputs = {"x": inputs["x"][:1]}
        lowered = decaying(lower(graph, coarse, ANY_ROUNDING), decays)
        bands = measure_band(lowered.real, lowered.program, inputs)
        wanted, found = run_float(lowered.real, inputs).spikes, integer.run(lowered.program, inputs).spikes
        equal = all(np.array_equal(wanted[name], found[name]) for name in wanted)
        assert all((band.near == 0) == (there(band.closest_eps) > 1) for band in bands)
        if all(band.near == 0 for band in bands) and all(c.no_overflow for c in lowered.certificates):
            proven += 1
            assert equal, f"seed {seed}"
        else:
            unproven += 1
            differing += not equal
    assert proven > 30
    assert unproven > 30
    # To the nearest, errors are half as large.
    assert differing > (3 if decays is Decays.TRUNCATE else 1)


def test_distances_are_counted_in_units_of_the_bound_too(fine: Arithmetic) -> None:
    # v is 1, 1.75, 2.3125 and falls again, over more steps than potentials stay whole numbers; each loses less than a
    # last bit of 2^-20 in every step.
    graph = network([[1.0]], steps=6, threshold=frozen(50.0), alpha_v=frozen(0.75))
    inputs = [1, 1, 1, *[0] * 20]
    band = band_of(graph, inputs, fine)
    lsb = 50.0 / int(node(lower(graph, fine).program, "n", Population).threshold)
    v, lost, closest = 0.0, 0.0, np.inf
    for x in inputs:
        v, lost = 0.75 * v + x, 0.75 * lost + lsb
        closest = min(closest, (50 - v) / lost)
    # float64's own rounding, 1e-9 of a potential, is added to the bound.
    assert band.closest_eps == pytest.approx(closest, rel=3e-3)
    assert band_of(graph, inputs[:8], fine).closest_eps is None
    assert band_of(network([[1.0]], steps=6, threshold=frozen(2.0)), [1, 1], fine).closest_eps is None


@pytest.mark.parametrize("decays", list(Decays))
def test_no_potential_near_its_threshold_means_equal_spikes(make_leaky: Draw, decays: Decays) -> None:
    # Coarse integers: at most 2^6 membrane units to a synapse, so that the proof is neither always nor never there.
    coarse = Arithmetic(
        threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0, gain_max_shift=6
    )
    proven, unproven, differing = 0, 0, 0
    for seed in range(160):
        graph, inputs = make_leaky(seed)
        inputs = {"x": inputs["x"][:1]}
        lowered = decaying(lower(graph, coarse, ANY_ROUNDING), decays)
        bands = measure_band(lowered.real, lowered.program, inputs)
        wanted, found = run_float(lowered.real, inputs).spikes, integer.run(lowered.program, inputs).spikes
        equal = all(np.array_equal(wanted[name], found[name]) for name in wanted)
        if all(band.near == 0 for band in bands) and all(c.no_overflow for c in lowered.certificates):
            proven += 1
            assert equal, f"seed {seed}"
        else:
            unproven += 1
            differing += not equal
    assert proven > 40
    assert unproven > 40
    assert differing > 5


def band_of(graph: Graph, x: list[int], arithmetic: Arithmetic, steps: int = 0) -> Band:
    lowered = lower(graph, arithmetic, Options(steps=steps, allow_rounding=1.0))
    return measure_band(lowered.real, lowered.program, {"x": np.reshape(x, (1, -1, 1))})[0]


def test_potentials_at_their_threshold_are_near_where_anything_is_rounded(fine: Arithmetic) -> None:
    ones = [1, 1, *[0] * 28]
    assert band_of(network([[1.0]], steps=6, threshold=frozen(2.0)), ones, fine).near == 0
    leaky = network([[1.0]], steps=6, threshold=frozen(1.75), alpha_v=frozen(0.75))
    rounded = band_of(leaky, ones, fine)
    assert (rounded.neuron_steps, rounded.near) == (30, 1)
    assert rounded.closest == 0.0
    # Within eight steps no decay cuts anything off, and the code is proven to be right.
    assert band_of(leaky, ones[:8], fine).near == 0


def test_a_lower_threshold_is_watched_too(fine: Arithmetic) -> None:
    graph = network(
        [[-1.0]], steps=6, threshold=frozen(50.0), threshold_low=frozen(-1.75), alpha_v=frozen(0.75), reset=Reset.NONE
    )
    assert band_of(graph, [1, 1, 0, 0], fine).near == 1


def test_distances_are_relative_and_absolute_at_a_threshold_of_zero(fine: Arithmetic) -> None:
    assert band_of(network([[1.0]], steps=6, threshold=frozen(4.0)), [1, 0], fine).closest == 0.75
    assert band_of(network([[1.0]], steps=6, threshold=frozen(0.0), reset=Reset.NONE), [1, 1], fine).closest == 1.0


def test_a_cut_threshold_is_near_once_its_code_can_be_met() -> None:
    # 15 * 64 is the largest threshold; the neuron's own of 100 synapses is cut to it, for 10 steps do not get there.
    coarse = Arithmetic(state_bits=24, threshold_bits=4, threshold_shift=6, gain_max_shift=6)
    graph = network([[1.0]], steps=6, threshold=frozen(100.0), reset=Reset.NONE)
    assert band_of(graph, [1] * 10, coarse, steps=10).near == 0
    # From the 16th step on: whole numbers have no rounding, and what stands at the code itself does not exceed it.
    assert band_of(graph, [1] * 20, coarse, steps=10).near == 5


def test_held_potentials_are_not_near_however_near_they_are(fine: Arithmetic) -> None:
    graph = network(
        [[1.0]],
        steps=6,
        threshold=frozen(1.5),
        alpha_v=frozen(0.75),
        refractory=3,
        reset=Reset.SUBTRACT,
        reset_amount=frozen(0.25),
    )
    # 1, 1.75 spikes and stays 1.5, which is the threshold, for three steps.
    band = band_of(graph, [1, 1, 0, 0, 0], fine)
    assert (band.closest, band.near) == (0.0, 0)


WHOLE = Arithmetic(threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0, gain_max_shift=0)


@pytest.mark.parametrize(
    ("arithmetic", "x", "neuron"),
    [
        # The threshold of 1.4 becomes 1 * 64: a potential of 1.2 is above it in integers only.
        (Arithmetic(gain_max_shift=6), [1], {"threshold": 1.4, "bias": 0.2, "alpha_v": 0.0}),
        # 2.2 is above the threshold and must rearm; the integer 2 is not.
        (WHOLE, [1], {"threshold": 2.0, "v_init": 2.2, "reset_amount": 2.0, "rearm": True}),
        # Rearming compares 4 - 1.6 with the threshold, the integers 4 - 2.
        (WHOLE, [0], {"threshold": 2.0, "v_init": 4.0, "reset_amount": 1.6, "rearm": True}),
        # 6 - 3 * 1.4 is below the threshold, 6 - 3 * 1 above.
        (WHOLE, [1, 1, 1, 1, 1, 1], {"threshold": 2.0, "reset_amount": 1.4}),
    ],
)
def test_what_rounding_can_change_is_near(
    arithmetic: Arithmetic, x: list[int], neuron: dict[str, bool | float] | dict[str, float]
) -> None:
    parameters: dict[str, Any] = {k: v if isinstance(v, bool) else frozen(v) for k, v in neuron.items()}
    reset = Reset.SUBTRACT if "reset_amount" in neuron else Reset.ZERO
    graph = network([[1.0]], steps=len(x), reset=reset, **parameters)
    lowered = lower(graph, arithmetic, ANY_ROUNDING)
    inputs = {"x": np.reshape(x, (1, -1, 1))}
    wanted, found = run_float(lowered.real, inputs).spikes["n"], integer.run(lowered.program, inputs).spikes["n"]
    assert not np.array_equal(wanted, found)
    first = int(np.argmax((wanted != found).reshape(-1))) + 1
    # The step in which they part is one of those that count.
    before = band_of(graph, x[: first - 1], arithmetic).near if first > 1 else 0
    assert band_of(graph, x[:first], arithmetic).near == before + 1


@pytest.mark.parametrize("reset", [Reset.ZERO, Reset.SUBTRACT])
def test_the_bound_holds_where_a_bias_is_there_for_a_thresholds_sake(
    lockstep: Callable[..., Any], reset: Reset
) -> None:
    rng = np.random.default_rng(3)
    weight = np.where(rng.random((24, 40)) < 0.5, 0, rng.choice([-1, 1], (24, 40))) * 0.5
    graph = Graph(
        level=Level.IMPORTED,
        steps=40,
        nodes=(
            Input(name="x", shape=(40,)),
            Dense(name="w", inputs=("x",), weight=frozen(weight)),
            Neuron(
                name="n", inputs=("w",), shape=(24,), alpha_v=frozen(0.5), threshold=frozen(1.0), compare=Compare.GE,
                reset=reset,
            ),
            Output(name="y", inputs=("n",)),
        ),
    )  # fmt: skip
    lowered = lower(graph, Arithmetic())
    assert np.any(node(lowered.program, "n", Population).bias)
    x = (rng.random((20, 40, 40)) < 0.3).astype(np.uint8)
    pair = lockstep(lowered, {"x": x})["n"]
    valid = pair.agreed & ~pair.saturated
    assert np.all((pair.difference <= pair.bound * (1 + 1e-9) + 1e-9) | ~valid)
    assert (pair.difference / np.maximum(pair.bound, 1e-12))[np.broadcast_to(valid, pair.difference.shape)].max() > 0.5
    (band,) = measure_band(lowered.real, lowered.program, {"x": x})
    assert band.near < 0.01 * band.neuron_steps
