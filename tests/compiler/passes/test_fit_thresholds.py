"""Thresholds that pay for other roundings: moved by what samples show, and only where no more spikes change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tern2lava.compiler.certify.calibration import RealRun
from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population, Reset
from tern2lava.compiler.ir.shapes import Shape, frozen
from tern2lava.compiler.passes.fit_thresholds import Thresholds, count_changed

UNIT, SAMPLES, STEPS = 1000.0, 4, 200
FINE = Arithmetic(threshold_shift=0, gain_shift=0)
Reals = NDArray[Any]


def neuron(shape: Shape, **fields: Any) -> Neuron:
    return Neuron(name="n", inputs=("w",), shape=shape, reset=Reset.ZERO, **{"threshold": frozen(1.0)} | fields)


def integers(shape: Shape, **fields: Any) -> Population:
    parameters = {"decay_u": 4096, "decay_v": 0, "bias": 0, "threshold": 1000, "reset_amount": 0, "v_init": 0} | fields
    arrays: dict[str, Any] = {key: frozen(value, np.int64) for key, value in parameters.items()}
    return Population(name="n", inputs=("w",), shape=shape, reset=Reset.ZERO, start=1, lsb=frozen(1 / UNIT), **arrays)


def potentials(count: int, seed: int = 0) -> Reals:
    """(samples, steps, neurons) around 1, on no whole number of last bits."""
    return np.random.default_rng(seed).normal(1.0, 0.3, (SAMPLES, STEPS, count))


def real_run(met: Reals, low: float | None = None, rested: Reals | None = None) -> RealRun:
    spikes = (met > 1).astype(np.int8)
    if low is not None:
        spikes -= met < low
    rest = np.zeros(met.shape, bool) if rested is None else rested
    far = np.full(met.shape[2], 3.0)
    spikes = np.where(rest, 0, spikes).astype(np.int8)
    return RealRun(met=met, spikes=spikes, rested=rest, reach_u=far / 3, reach_v=far)


def whole(met: Reals) -> Reals:
    return np.rint(met).astype(np.int64)


def test_a_shift_of_all_potentials_moves_the_threshold_by_it() -> None:
    met, population = potentials(6), integers((6,))
    run = real_run(met)
    for shift in (-37, 12):
        shifted = whole(met * UNIT) + shift
        before = count_changed(population, run, shifted)
        found = Thresholds(neuron((6,)), run, ()).fit(population, shifted, UNIT, FINE)
        assert abs(int(found.population.threshold) - (1000 + shift)) <= 1
        assert found.moved == 1
        assert count_changed(found.population, run, shifted) < before / 10


def test_codes_are_multiples_of_the_step_of_the_target() -> None:
    met = potentials(6)
    found = Thresholds(neuron((6,)), real_run(met), ()).fit(
        integers((6,), threshold=960), whole(met * UNIT) + 150, UNIT, replace(FINE, threshold_shift=6)
    )
    assert int(found.population.threshold) == 1152  # of 1150


def test_neurons_that_share_a_threshold_move_it_together_and_others_each_their_own() -> None:
    shifts = np.array([[30, 30, 30], [-50, -50, -50]])
    met = potentials(6)
    run, shifted = real_run(met), whole(met * UNIT) + shifts.reshape(-1)
    population, of = integers((2, 3)), neuron((2, 3))
    rows = Thresholds(of, run, (2, 1)).fit(population, shifted, UNIT, FINE)
    assert rows.moved == 2
    np.testing.assert_allclose(rows.population.threshold, [[1030], [950]], atol=1)
    each = Thresholds(of, run, (2, 3)).fit(population, shifted, UNIT, FINE)
    np.testing.assert_allclose(each.population.threshold, 1000 + shifts, atol=1)
    together = Thresholds(of, run, ()).fit(population, shifted, UNIT, FINE)
    assert together.expected > rows.expected


def test_errors_without_a_common_sign_move_nothing() -> None:
    met = potentials(4)
    noise = np.random.default_rng(1).integers(-20, 21, met.shape)
    population = integers((4,))
    found = Thresholds(neuron((4,)), real_run(met), (4,)).fit(population, whole(met * UNIT) + noise, UNIT, FINE)
    assert found.moved == 0
    assert found.population is population
    assert found.expected > 0


def test_what_is_expected_follows_the_size_of_the_errors() -> None:
    met = potentials(4)
    run, rng = real_run(met), np.random.default_rng(2)
    expected, changed = [], []
    for size in (0, 5, 50, 200):
        noisy = whole(met * UNIT + size * rng.standard_normal(met.shape))
        expected.append(Thresholds(neuron((4,)), run, ()).fit(integers((4,)), noisy, UNIT, FINE).expected)
        changed.append(count_changed(integers((4,)), run, noisy))
    assert expected == sorted(expected)
    # Of 3,200 potentials, as many as the density near the threshold times the mean error carries over it.
    np.testing.assert_allclose(expected[2:], changed[2:], rtol=0.5)


def test_a_move_that_changes_more_spikes_near_the_threshold_is_not_made() -> None:
    # Fifty potentials that equal the threshold and must not fire hold it where it is, against an error of -37.
    met = potentials(1)
    met[:, :13] = 1.0
    run = real_run(met)
    shifted = whole(met * UNIT) - np.where(met == 1.0, 0, 37)
    found = Thresholds(neuron((1,)), run, ()).fit(integers((1,)), shifted, UNIT, FINE)
    assert int(found.population.threshold) == 1000
    free = Thresholds(neuron((1,)), real_run(potentials(1)), ())
    assert (
        abs(int(free.fit(integers((1,)), whole(potentials(1) * UNIT) - 37, UNIT, FINE).population.threshold) - 963) <= 1
    )


def test_neurons_at_rest_say_nothing() -> None:
    met = potentials(2)
    rested = np.zeros(met.shape, bool)
    rested[:, 50:] = True
    run = real_run(met, rested=rested)
    shifted = whole(met * UNIT) + np.where(rested, 300, 21)
    found = Thresholds(neuron((2,)), run, ()).fit(integers((2,)), shifted, UNIT, FINE)
    assert abs(int(found.population.threshold) - 1021) <= 1
    expected = int(np.count_nonzero(((shifted > 1021) != (met > 1)) & ~rested))
    assert count_changed(integers((2,), threshold=1021), run, shifted) == expected


def test_lower_thresholds_are_moved_alike() -> None:
    met = potentials(3) * np.where(np.random.default_rng(5).random((SAMPLES, STEPS, 3)) < 0.5, -1, 1)
    run = real_run(met, low=-1.0)
    shifted = whole(met * UNIT) + 25
    of = neuron((3,), threshold_low=frozen(-1.0))
    population = integers((3,), threshold_low=-1000)
    found = Thresholds(of, run, ()).fit(population, shifted, UNIT, FINE)
    assert found.moved == 2
    assert found.population.threshold_low is not None
    assert abs(int(found.population.threshold) - 1025) <= 1
    assert abs(int(found.population.threshold_low) + 975) <= 1
    spikes = (shifted > 1000).astype(int) - (shifted < -1000)
    assert count_changed(population, run, shifted) == np.count_nonzero(spikes != run.spikes)


def test_a_threshold_that_is_the_largest_code_stays_that() -> None:
    met = potentials(2)
    small = replace(FINE, threshold_bits=10)  # up to 1023
    population = integers((2,), threshold=1023)
    found = Thresholds(neuron((2,)), real_run(met), ()).fit(population, whole(met * UNIT) - 60, UNIT, small)
    assert int(found.population.threshold) == 1023
    below = Thresholds(neuron((2,)), real_run(met), ()).fit(integers((2,)), whole(met * UNIT) + 60, UNIT, small)
    assert int(below.population.threshold) == 1023


@pytest.mark.parametrize("seed", range(5))
def test_no_move_changes_more_of_the_nearest_potentials(seed: int) -> None:
    rng = np.random.default_rng(seed)
    met = potentials(5, seed)
    # Fewer potentials than are looked at, so that all of them count.
    met = met[:1, :60]
    run = real_run(met)
    off = whole(met * UNIT) + rng.integers(-80, 60, (1, 1, 5)) + rng.integers(-30, 31, met.shape)
    population = integers((5,))
    found = Thresholds(neuron((5,)), run, (5,)).fit(population, off, UNIT, FINE)
    assert count_changed(found.population, run, off) <= count_changed(population, run, off)
