"""Where potentials can lie, and what a code between them proves, tried by exact arithmetic."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from network import network
from nodes import node
from tern2lava.compiler.certify.lattice import Gains, Lattice, decided, drift, fires_from, lattice, tie_possible
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Decays,
    Neuron,
    Population,
    Projection,
    Reset,
)
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.passes.pipeline import lower

LOIHI, FINE = Arithmetic(), Arithmetic(threshold_shift=0, threshold_bits=23, gain_shift=0, bias_bits=24, bias_max_exp=0)


def lowered(
    arithmetic: Arithmetic = LOIHI,
    codes: ArrayLike = ((1, -1, 1, 0, 1, 1),),
    scale: float = 1.0,
    steps: int = 8,
    **fields: Any,
) -> tuple[Neuron, Population, Gains]:
    """(neuron, population, gains) of one layer."""
    found = lower(network(np.asarray(codes) * scale, steps=steps, **fields), arithmetic)
    neuron, population = node(found.real, "n", Neuron), node(found.program, "n", Population)
    projection = node(found.program, "w", Projection)
    unit = float(np.max(neuron.unit / population.lsb))
    return neuron, population, [(projection, node(found.real, "w", Projection).scale * unit)]


@pytest.mark.parametrize(
    ("fields", "halvings"),
    [
        ({"alpha_v": frozen(0.5)}, 1),
        ({"alpha_v": frozen(0.75)}, 2),
        ({"alpha_v": frozen(0.5), "alpha_u": frozen(0.875)}, 3),
        ({"alpha_v": frozen(1.0)}, 0),
        ({"alpha_v": frozen(0.0)}, 0),
    ],
)
def test_a_step_adds_as_many_bits_to_a_potential_as_its_decay_has(fields: dict[str, Any], halvings: int) -> None:
    neuron, population, gains = lowered(threshold=frozen(2.0), **fields)
    found = lattice(neuron, population, gains, LOIHI)
    assert found.exact
    assert found.halvings == halvings


def test_the_grain_divides_all_that_is_added() -> None:
    neuron, population, gains = lowered(threshold=frozen(2.0), alpha_v=frozen(0.5), bias=frozen(0.25))
    unit = int(gains[0][1])
    assert lattice(neuron, population, gains, LOIHI).grain == unit // 4
    rounded = replace(neuron, bias=frozen(0.1))
    assert lattice(rounded, population, gains, LOIHI) == Lattice(exact=False, grain=0, halvings=1)


def test_a_decay_that_has_no_code_leaves_only_the_first_potentials_known() -> None:
    neuron, population, gains = lowered(threshold=frozen(2.0), alpha_v=frozen(0.9))
    found = lattice(neuron, population, gains, LOIHI)
    assert not found.exact
    assert found.grain == int(gains[0][1])
    assert found.spacing(1) == 0
    assert tie_possible(2.0 * gains[0][1], found, 64)
    assert not tie_possible(2.5 * gains[0][1], found, 64)


@given(st.integers(-40, 40), st.sampled_from([0.25, 0.5, 1.0, 3.0]), st.sampled_from(list(Compare)))
def test_the_first_point_that_fires_is_the_first_one(numerator: int, spacing: float, compare: Compare) -> None:
    threshold = numerator / 8
    first = float(fires_from(np.asarray(threshold), compare, spacing))

    def meets(value: float) -> bool:
        return value > threshold if compare is Compare.GT else value >= threshold

    assert meets(first)
    assert not meets(first - spacing)


@pytest.mark.parametrize("made_whole", list(Decays))
@given(st.integers(0, 4096), st.integers(-40, 40), st.integers(1, 40), st.integers(0, 1 << 30))
def test_a_bias_drifts_no_further_than_is_said(
    made_whole: Decays, decay: int, offset: int, steps: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    low, high = drift(np.asarray(decay), np.asarray(offset), steps, LOIHI, made_whole)
    half = 2048 if made_whole is Decays.NEAREST else 0
    kept = 4096 - decay
    with_it, without = np.zeros(200, np.int64), np.zeros(200, np.int64)

    def decayed(x: Array) -> Array:
        product = x * kept
        result: Array = np.sign(product) * (np.abs(product) + half >> 12)
        return result

    for _ in range(steps):
        # Whole numbers without the bias: only potentials that the decay keeps whole.
        fraction = 4096 // np.gcd(kept, 4096)
        x = rng.integers(-1000, 1000, 200) * fraction
        whole = without % fraction == 0
        without = np.where(whole, decayed(without), 0) + x
        with_it = np.where(whole, decayed(with_it), 0) + x + offset
        assert np.all(with_it - without >= low)
        assert np.all(with_it - without <= high)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1 << 30), st.sampled_from([0.5, 0.75, 0.0, 1.0]), st.sampled_from([0.0, 0.5]),
    st.sampled_from(list(Compare)), st.sampled_from(list(Reset)), st.sampled_from([1.0, 0.5, 2.25, 3.0]),
    st.sampled_from([LOIHI, FINE]), st.integers(1, 12),
)  # fmt: skip
def test_neurons_that_are_decided_spike_as_exact_arithmetic_does(
    seed: int,
    alpha_v: float,
    alpha_u: float,
    compare: Compare,
    reset: Reset,
    threshold: float,
    arithmetic: Arithmetic,
    steps: int,
) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 2, (12, 20))
    codes[:, 0] = 1
    neuron, population, gains = lowered(
        arithmetic, codes, steps=steps, alpha_v=frozen(alpha_v), alpha_u=frozen(alpha_u), threshold=frozen(threshold),
        compare=compare, reset=reset, reset_amount=frozen(threshold),
    )  # fmt: skip
    found = lattice(neuron, population, gains, arithmetic)
    offset = population.bias
    proven = np.broadcast_to(decided(neuron, population, offset, found, steps, arithmetic), (12,))
    x = rng.integers(0, 2, (30, steps, 20))
    got = integers(population, gains, x, codes, arithmetic)
    own = exact(codes, x, Fraction(alpha_u), Fraction(alpha_v), Fraction(threshold), compare, reset)
    assert np.array_equal(got[:, :, proven], own[:, :, proven])


def integers(population: Population, gains: Gains, x: Array, codes: Array, arithmetic: Arithmetic) -> Array:
    """Spikes (samples, steps, neurons) by the equations of ir.Population, written here."""
    unit = int(gains[0][0].gain)
    sums = np.einsum("oi,sti->sto", codes, x) * unit
    u = v = np.zeros(sums[:, 0].shape, np.int64)
    fired = np.zeros(sums.shape, np.uint8)

    def decayed(value: Array, decay: Array) -> Array:
        product = value * ((1 << arithmetic.decay_bits) - decay)
        result: Array = np.sign(product) * (np.abs(product) >> arithmetic.decay_bits)
        return result

    for t in range(sums.shape[1]):
        u = decayed(u, population.decay_u) + sums[:, t]
        v = decayed(v, population.decay_v) + u + population.bias
        fired[:, t] = v > population.threshold
        if population.reset is Reset.ZERO:
            v = np.where(fired[:, t], 0, v)
        elif population.reset is Reset.SUBTRACT:
            v = v - fired[:, t] * population.reset_amount
    return fired


def exact(
    codes: Array, x: Array, alpha_u: Fraction, alpha_v: Fraction, threshold: Fraction, compare: Compare, reset: Reset
) -> Array:
    """Spikes (samples, steps, neurons) in fractions."""
    sums = np.einsum("oi,sti->sto", codes, x)
    fired = np.zeros(sums.shape, np.uint8)
    u = v = np.full(sums[:, 0].shape, Fraction(0), object)
    for t in range(sums.shape[1]):
        u = alpha_u * u + sums[:, t].astype(object)
        v = alpha_v * v + u
        meets = (v > threshold if compare is Compare.GT else v >= threshold).astype(bool)
        fired[:, t] = meets
        if reset is Reset.ZERO:
            v = np.where(meets, np.array(Fraction(0)), v)
        elif reset is Reset.SUBTRACT:
            v = np.where(meets, v - threshold, v)
    return fired


def test_most_layers_of_round_numbers_are_decided_within_eight_steps() -> None:
    for arithmetic in (LOIHI, FINE):
        for compare in Compare:
            neuron, population, gains = lowered(
                arithmetic, steps=8, alpha_v=frozen(0.5), threshold=frozen(1.0), compare=compare
            )
            found = lattice(neuron, population, gains, arithmetic)
            assert decided(neuron, population, population.bias, found, 8, arithmetic).all()


def test_a_code_on_the_wrong_side_of_a_tie_is_not_decided() -> None:
    neuron, population, gains = lowered(steps=8, alpha_v=frozen(0.5), threshold=frozen(1.0), compare=Compare.GE)
    found = lattice(neuron, population, gains, LOIHI)
    wrong = replace(population, threshold=population.threshold + 64)
    assert not decided(neuron, wrong, population.bias, found, 8, LOIHI).any()
    assert not decided(neuron, population, population.bias, found, 40, LOIHI).any()


def test_nothing_is_decided_one_step_after_decays_begin_to_truncate() -> None:
    for arithmetic in (LOIHI, FINE):
        neuron, population, gains = lowered(arithmetic, steps=8, alpha_v=frozen(0.5), threshold=frozen(1.0))
        found = lattice(neuron, population, gains, arithmetic)
        last = int(found.steps())
        assert found.spacing(last) == 1
        assert found.spacing(last + 1) == 0
        assert decided(neuron, population, population.bias, found, last, arithmetic).all()
        assert not decided(neuron, population, population.bias, found, last + 1, arithmetic).any()


def test_a_lift_decides_only_where_potentials_are_farther_apart_than_it_grows() -> None:
    neuron, population, gains = lowered(steps=8, alpha_v=frozen(0.5), threshold=frozen(1.0), compare=Compare.GE)
    found = lattice(neuron, population, gains, LOIHI)
    level = np.asarray(gains[0][1]).astype(np.int64)
    lifted = replace(population, threshold=level, bias=frozen(1, np.int64))
    last = int(found.steps())
    # A bias of 1 adds 1 or 2 in the end: it keeps ties, and must not reach a potential 1 below the threshold.
    assert decided(neuron, lifted, np.ones(()), found, last - 1, LOIHI).all()
    assert not decided(neuron, lifted, np.ones(()), found, last, LOIHI).any()
    assert not decided(neuron, replace(lifted, bias=frozen(0, np.int64)), np.zeros(()), found, last, LOIHI).any()


def test_a_first_potential_has_decayed_once_before_it_counts() -> None:
    fields: dict[str, Any] = {"threshold": frozen(1.0), "alpha_v": frozen(0.5), "reset": Reset.NONE}
    for first, divisor in ((0.0, 1), (1.0, 2), (0.25, 8), (2.0, 1)):
        neuron, population, gains = lowered(FINE, v_init=frozen(first), **fields)
        assert lattice(neuron, population, gains, FINE).grain == int(gains[0][1]) // divisor


@pytest.mark.parametrize("steps", [18, 19, 20, 21, 22])
def test_layers_that_do_not_begin_at_rest_are_exact_only_where_they_spike_exactly(steps: int) -> None:
    rng = np.random.default_rng(steps)
    codes = rng.choice([-1, 1], (6, 8))
    fields: dict[str, Any] = {
        "alpha_v": frozen(0.5),
        "threshold": frozen(1.0),
        "reset": Reset.NONE,
        "v_init": frozen(1.0),
    }
    for arithmetic in (LOIHI, FINE):
        neuron, population, gains = lowered(arithmetic, codes, steps=steps, **fields)
        found = lattice(neuron, population, gains, arithmetic)
        proven = decided(neuron, population, population.bias, found, steps, arithmetic)
        # The one input that lets a potential fall from its first value towards the threshold and meet it last.
        x = np.zeros((1, steps, 8), int)
        v, unit, level = np.repeat(population.v_init.reshape(1), 6), int(gains[0][0].gain), population.threshold
        real, wrong = np.full(6, Fraction(1), object), False
        for t in range(steps):
            x[0, t] = rng.random(8) < 0.1
            v = np.sign(v) * (np.abs(v) * 2048 >> 12) + codes @ x[0, t] * unit + population.bias
            real = real / 2 + (codes @ x[0, t]).astype(object)
            wrong |= bool(np.any((v > level) != (real > 1).astype(bool)))
        assert not (proven.all() and wrong)


def test_a_neuron_that_never_spikes_takes_nothing_from_the_lattice_of_others() -> None:
    codes = np.random.default_rng(0).integers(-1, 2, (4, 12))
    thresholds = frozen([1.0, 1.0, 1.0, 1e7])
    neuron, population, gains = lowered(
        codes=codes, alpha_v=frozen(0.5), threshold=thresholds, reset=Reset.SUBTRACT, reset_amount=thresholds
    )
    found = lattice(neuron, population, gains, LOIHI)
    assert found.exact
    assert decided(neuron, population, population.bias, found, 8, LOIHI)[:3].all()
