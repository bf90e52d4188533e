"""Where no code is proven to keep every spike, exact runs choose; what they cannot show is estimated."""

from __future__ import annotations

import numpy as np
import pytest

from network import network
from nodes import node
from tern2lava.compiler.certify import probe
from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Neuron,
    Population,
    Reset,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.hw_profiles import load_profile


def chosen(
    steps: int, compare: Compare = Compare.GE, reset: Reset = Reset.ZERO, alpha: float = 0.75, target: str = "loihi2"
) -> tuple[int, ...]:
    """(codes above the threshold, bias, how far the reset amount falls short), in last bits."""
    codes = np.where(np.arange(24 * 40).reshape(24, 40) * 7 % 5 < 2, 0, (-1) ** np.arange(40))
    profile = load_profile(target)
    graph = network(
        codes * 0.5, steps=steps, alpha_v=frozen(alpha), threshold=frozen(1.0), compare=compare, reset=reset,
        reset_amount=frozen(1.0),
    )  # fmt: skip
    lowered = lower(graph, Arithmetic(**profile.arithmetic_values()), None, profile)
    population = node(lowered.program, "n", Population)
    level = 2 * membrane_unit(node(lowered.real, "n", Neuron), population)
    values = (population.threshold - level, population.bias, level - population.reset_amount)
    return tuple(int(np.unique(value).item()) for value in values)


def test_a_code_that_others_would_meet_too_early_is_not_taken_though_no_run_shows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The code below, 64 last bits too low, loses no tie; potentials between it and the threshold are rare.
    assert chosen(16) == (0, 1, 0)
    monkeypatch.setattr(probe, "spikes_at_risk", lambda neuron, exact, choices, *rest: np.zeros(len(choices.bias)))
    assert chosen(16) == (-64, 0, 0)


@pytest.mark.parametrize("target", ["loihi2", "generic-ternary"])
def test_a_potential_that_comes_down_to_its_threshold_for_ever_goes_on_to_spike(target: str) -> None:
    # Held at the threshold, > and subtraction: 1, 1.5, 1.25, 1.125 of it ... never less; integers reach it, plainly.
    code, bias, short = chosen(64, Compare.GT, Reset.SUBTRACT, 0.5, target)
    assert (code, bias, short) != (0, 0, 0)
    assert short > 0


def test_where_a_plain_code_is_right_it_is_taken() -> None:
    assert chosen(64, Compare.GT, Reset.ZERO) == (0, 0, 0)
    assert chosen(64, Compare.GE, Reset.ZERO, target="generic-ternary") == (-1, 0, 0)
