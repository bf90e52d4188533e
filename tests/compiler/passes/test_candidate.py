"""The integers of one candidate: what each number becomes with a unit, and whether accumulators hold them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from calibrated_nets import NETS
from nodes import there
from tern2lava.compiler.certify.calibration import Observed
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Neuron
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.candidate import candidate, coded_gain, gain_error, holds, loses_nothing
from tern2lava.compiler.passes.pipeline import lower

LOIHI = Arithmetic()
STEPS = 25


def ternary(name: str, folder: Path) -> tuple[Graph, Neuron]:
    graph = lower(NETS[name].load(folder), LOIHI, Options(allow_rounding=10.0)).real
    (neuron,) = graph.of_kind(Neuron)
    return graph, neuron


def nearest(value: Fraction) -> int:
    """The nearest whole number, an even one between two."""
    return round(value)


@pytest.mark.parametrize("unit", [4096.0, 5000.0, 6976.0])
def test_every_number_becomes_the_nearest_whole_one(unit: float, tmp_path: Path) -> None:
    graph, neuron = ternary("adaptive", tmp_path)
    made = there(candidate(graph, neuron, LOIHI, unit, 3, STEPS, decays=Decays.NEAREST))
    population, whole = made.population, Fraction(unit)
    for real, integer in (
        (neuron.alpha_u, population.decay_u), (neuron.alpha_v, population.decay_v),
        (neuron.alpha_a, population.decay_a),
    ):  # fmt: skip
        for factor, decay in np.broadcast(real, integer):
            assert decay == nearest((1 - Fraction(float(factor))) * 4096)
    assert population.gain_a is not None
    assert neuron.gain_a is not None
    for real, integer in ((neuron.gain_a, population.gain_a), (neuron.reset_amount, population.reset_amount)):
        for value, coded in np.broadcast(real, integer):
            assert coded == nearest(Fraction(float(value)) * whole)
    for projection in made.projections:
        scales = graph.projection(projection.name).scale
        for scale, gain in np.broadcast(scales, projection.gain):
            assert gain == 64 * nearest(Fraction(float(scale)) * whole / 64)
    assert (population.threshold % 64 == 0).all()
    assert (np.abs(population.threshold - neuron.threshold * unit) <= 32).all()
    np.testing.assert_array_equal(population.lsb, neuron.unit / unit)
    assert (population.start, population.decays, made.unit) == (3, Decays.NEAREST, unit)


def test_a_gain_is_never_zero_and_its_error_is_relative() -> None:
    scales = np.array([1.0, 0.5, 1e-9])
    np.testing.assert_array_equal(coded_gain(scales, 100.0, replace(LOIHI, gain_shift=0)), [100, 50, 1])
    np.testing.assert_array_equal(coded_gain(scales, 100.0, LOIHI), [128, 64, 64])


def test_the_error_of_gains_is_the_largest_share(tmp_path: Path) -> None:
    graph, neuron = ternary("resting", tmp_path)
    for unit in (64.0, 1000.0, 4096.0, 16384.0):
        shares = []
        for projection in graph.projections(neuron.inputs):
            for scale in np.ravel(projection.scale):
                real = Fraction(float(scale)) * Fraction(unit)
                shares.append(abs(64 * max(nearest(real / 64), 1) - real) / real)
        assert gain_error(graph, neuron, LOIHI, unit) == pytest.approx(float(max(shares)), rel=1e-9, abs=1e-15)


def test_accumulators_hold_every_input_or_what_was_observed(tmp_path: Path) -> None:
    graph, neuron = ternary("resting", tmp_path)
    fine = 2.0**18
    for_all = there(candidate(graph, neuron, LOIHI, fine, 0, STEPS))
    assert not for_all.fits
    assert not holds(graph, for_all.population, for_all.projections, LOIHI, STEPS)
    coarse = there(candidate(graph, neuron, LOIHI, 2.0**12, 0, STEPS))
    assert coarse.fits
    assert holds(graph, coarse.population, coarse.projections, LOIHI, STEPS)
    # States hold 2^23 - 1: 31.9 units of 2^18. Currents count twice, potentials 1.25 times.
    for observed, fits in (
        (Observed(u=15.9, v=15.0), True), (Observed(u=16.1, v=15.0), False), (Observed(u=1.0, v=25.5), True),
        (Observed(u=1.0, v=25.7), False),
    ):  # fmt: skip
        found = there(candidate(graph, neuron, LOIHI, fine, 0, STEPS, observed=observed))
        assert found.fits is fits, observed


def test_a_threshold_beyond_all_codes_has_none_unless_potentials_stay_below(tmp_path: Path) -> None:
    graph, neuron = ternary("resting", tmp_path)
    unit = 2.0**18
    high = replace(neuron, threshold=np.full_like(neuron.threshold, 40.0))
    assert 40 * unit > LOIHI.threshold_max
    graph = graph.with_nodes([high if node.name == neuron.name else node for node in graph.nodes])
    assert candidate(graph, high, LOIHI, unit, 0, STEPS) is None
    assert candidate(graph, high, LOIHI, unit, 0, STEPS, observed=Observed(u=1.0, v=30.0)) is None
    quiet = there(candidate(graph, high, LOIHI, unit, 0, STEPS, observed=Observed(u=1.0, v=20.0)))
    assert (quiet.population.threshold == LOIHI.threshold_max).all()
    assert "can never reach their threshold" in quiet.notes[0]


def test_nothing_is_lost_where_all_numbers_are_codes(tmp_path: Path) -> None:
    graph, neuron = ternary("soft", tmp_path)
    one, three = np.ones(()), np.full((), 3.0)
    whole = replace(neuron, threshold=three, reset_amount=three, alpha_u=one, alpha_v=one)
    unscaled = [replace(p, scale=one) for p in graph.projections(neuron.inputs)]
    graph = graph.with_nodes({node.name: node for node in (*graph.nodes, whole, *unscaled)}.values())
    assert loses_nothing(graph, whole, LOIHI, 64.0)
    assert not loses_nothing(graph, whole, LOIHI, 65.0)
    assert not loses_nothing(graph, replace(whole, alpha_v=np.full((), 0.5)), LOIHI, 64.0)
    assert not loses_nothing(graph, replace(whole, reset_amount=np.full((), 2.7)), LOIHI, 64.0)
    assert not loses_nothing(graph, replace(whole, bias=np.full((), 0.25)), LOIHI, 64.0)


def test_gains_without_a_place_of_their_own_have_few_significant_bits() -> None:
    scale = np.array(0.377)
    for unit in (2.0**10, 2.0**14, 2.0**17):
        gain = int(coded_gain(scale, unit, Arithmetic(), 7))
        assert gain % 64 == 0
        assert gain >> ((gain & -gain).bit_length() - 1) < 1 << 7
        assert abs(gain - 0.377 * unit) <= max(0.377 * unit / 64, 32)
    assert int(coded_gain(scale, 2.0**17, Arithmetic())) == 64 * round(0.377 * 2**17 / 64)
