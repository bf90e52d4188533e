"""The list of roundings, held against numbers worked out here neuron by neuron in exact rationals."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from statistics import median
from typing import Any

import numpy as np
import pytest

from drawn import Draw
from network import network
from nodes import node as named
from nodes import there
from tern2lava.compiler.certify.rounding import boundary_moved, list_roundings
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Neuron,
    Population,
    Reset,
)
from tern2lava.compiler.ir.shapes import Array, Shape, frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower

ANY = Options(allow_rounding=1e9)
COARSE = Arithmetic(
    threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0, gain_max_shift=5, decay_bits=6
)
FIELDS = {
    "bias": "bias", "bias of the current": "bias_u", "reset amount": "reset_amount", "adaptation by a spike": "gain_a",
}  # fmt: skip
DECAYS = {
    "decay of the potential": ("alpha_v", "decay_v"), "decay of the current": ("alpha_u", "decay_u"),
    "decay of the adaptation": ("alpha_a", "decay_a"),
}  # fmt: skip


def spread(value: Array, shape: Shape) -> list[Fraction]:
    return [Fraction(float(x)) for x in np.broadcast_to(value, shape).ravel()]


def errors(
    real: Neuron, population: Population, quantity: str, arithmetic: Arithmetic
) -> tuple[list[Fraction], list[Fraction]]:
    """(real, became) of every neuron in the source's units, as rationals."""
    shape = population.shape
    if quantity in DECAYS:
        alpha, decay = (getattr(x, name) for x, name in zip((real, population), DECAYS[quantity], strict=True))
        whole = 1 << arithmetic.decay_bits
        return spread(alpha, shape), [1 - d / whole for d in spread(decay, shape)]
    units, lsb = spread(real.unit, shape), spread(population.lsb, shape)
    name = FIELDS[quantity]
    wanted = [x * unit for x, unit in zip(spread(getattr(real, name), shape), units, strict=True)]
    return wanted, [x * bit for x, bit in zip(spread(getattr(population, name), shape), lsb, strict=True)]


def test_every_number_that_is_not_exact_is_listed_with_its_worst_neuron(make_leaky: Draw, make_adaptive: Draw) -> None:
    seen, kept = set(), 0
    for seed in range(60):
        for graph, _ in (make_leaky(seed), make_adaptive(seed)):
            lowered = lower(graph, COARSE, ANY)
            rows = {(row.population, row.quantity): row for row in lowered.roundings}
            assert len(rows) == len(lowered.roundings)
            for node in lowered.real.of_kind(Neuron):
                population = named(lowered.program, node.name, Population)
                for quantity in (*FIELDS, *DECAYS):
                    if (quantity == "reset amount" and node.reset is not Reset.SUBTRACT) or (
                        "adaptation" in quantity and node.gain_a is None
                    ):
                        continue
                    wanted, found = errors(node, population, quantity, COARSE)
                    off = [abs(a - b) for a, b in zip(wanted, found, strict=True)]
                    row = rows.get((node.name, quantity))
                    if not any(off):
                        assert row is None
                        kept += 1
                        continue
                    assert row is not None
                    base = [min(a, 1 - a) if quantity in DECAYS else abs(a) for a in wanted]
                    relative = [float(a / b) for a, b in zip(off, base, strict=True) if b]
                    assert row.inexact == sum(map(bool, off))
                    assert row.absolute == pytest.approx(float(max(off)), rel=1e-9)
                    assert row.worst == pytest.approx(max(relative), rel=1e-9)
                    assert row.median == pytest.approx(median(relative), rel=1e-9)
                    at = row.neuron[0]
                    assert float(off[at] / base[at]) == pytest.approx(row.worst, rel=1e-9)
                    assert row.real == pytest.approx(float(wanted[at]), rel=1e-9)
                    assert row.became == pytest.approx(float(found[at]), rel=1e-9, abs=1e-12)
                    seen.add(quantity)
            worst = [row.worst for row in lowered.roundings if row.worst is not None]
            assert worst == sorted(worst, reverse=True)
            notes = [note for note in lowered.program.notes if " rounded in " in note]
            assert notes == [row.line for row in lowered.roundings]
    assert seen == {*FIELDS, *DECAYS}
    assert kept > 100


@pytest.mark.parametrize("compare", Compare)
@pytest.mark.parametrize("step", [1, 4])
def test_a_threshold_has_moved_where_an_integer_potential_decides_otherwise(compare: Compare, step: int) -> None:
    for quarter in range(-20, 80):
        threshold = quarter / 4
        for code in range(-6, 24):
            if code % step:
                continue
            potentials = [v for v in range(-40, 60) if v % step == 0]
            wrong = [
                abs(v - threshold) for v in potentials
                if (v > code) != (v > threshold or (compare is Compare.GE and v == threshold))
            ]  # fmt: skip
            expected = 0 if not wrong else max(wrong) or 1.0
            assert boundary_moved(np.array(threshold), np.array(code), compare, step, 1000) == expected


def test_a_threshold_beyond_the_largest_code_has_not_moved() -> None:
    assert boundary_moved(np.array(1e9), np.array(1000), Compare.GT, 1, 1000) == 0
    assert boundary_moved(np.array(1e9), np.array(999), Compare.GT, 1, 1000) > 0


def test_integers_and_dyadic_numbers_are_exact_and_not_listed() -> None:
    graph = network([[0.5, -0.5]], threshold=frozen(2.0), compare=Compare.GE, bias=frozen(0.25))
    lowered = lower(graph, Arithmetic())
    assert lowered.roundings == ()
    # Weights, threshold, bias, bias of the current, initial potential, two decays, potential.
    assert lowered.exact_quantities == 8
    assert not [note for note in lowered.program.notes if "rounded" in note]


def test_values_are_given_in_the_sources_units_and_places() -> None:
    neuron: dict[str, Any] = {
        "threshold": frozen([0.9, 0.9, 0.9]),
        "v_init": frozen([0.0, 0.04, 0.0]),
        "gain_v": frozen(0.5),
    }
    lowered = lower(network(0.3 * np.eye(3), **neuron), replace(COARSE, gain_max_shift=3))
    (row,) = [row for row in lowered.roundings if row.quantity == "initial potential"]
    # 0.04 of the source are 0.2667 weights (0.5 * 0.3 each), 2.13 last bits of 1/8: they become 2, which is 0.0375.
    assert row.neuron == (1,)
    assert row.real == pytest.approx(0.04)
    assert row.became == pytest.approx(0.0375)
    assert (row.inexact, row.neurons) == (1, 3)
    assert row.worst == pytest.approx(0.0625)
    assert "6.25 % ([1]: 0.04 became 0.0375)" in row.line


def test_a_value_of_0_that_becomes_another_has_an_absolute_error_only() -> None:
    lowered = lower(network([[1.0]], threshold=frozen(2.0)), COARSE)
    real = lowered.real
    program = lowered.stages["to_integer"]
    shifted = program.with_nodes(
        replace(node, v_init=frozen(1, np.int64)) if isinstance(node, Population) else node for node in program.nodes
    )
    (row,), _ = list_roundings(real, shifted, 8)
    assert (row.quantity, row.worst, row.median) == ("initial potential", None, None)
    assert row.absolute == there(row.became) > 0


def test_what_truncating_decays_add_up_to_is_listed() -> None:
    # u loses less than a last bit a step, 2 in all; v one of its own and these two, 4 times over; 32 make a weight.
    neuron: dict[str, Any] = {"alpha_u": frozen(0.5), "alpha_v": frozen(0.75), "threshold": frozen(3.0)}
    lowered = lower(network(np.ones((1, 2)), steps=500, **neuron), COARSE)
    (row,) = lowered.roundings
    assert row.quantity == "potential"
    assert row.worst == pytest.approx(4 * (1 + 2) / (3 * 32))
    assert row.absolute == pytest.approx(12 / 32)
    assert row.real is None
