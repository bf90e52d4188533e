"""How large a current becomes that wraps once a step, against every current that can be reached."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.certify.wrapping import largest_current, largest_input
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Decays,
    Graph,
    Input,
    Level,
    Output,
    Population,
    Projection,
    Reset,
)
from tern2lava.compiler.ir.shapes import frozen

# M is 8, factors are eighths.
TINY = Arithmetic(decay_bits=3, state_bits=4)
M, WHOLE = 8, 8


def neurons(
    decay_u: Any, bias_u: Any = 0, inputs: tuple[str, ...] = (), decays: Decays = Decays.TRUNCATE
) -> Population:
    zero = frozen(0, np.int64)
    return Population(
        name="p", inputs=inputs, shape=(2,), start=1, lsb=frozen(1.0), reset=Reset.NONE, decays=decays,
        decay_u=frozen(decay_u, np.int64), bias_u=frozen(bias_u, np.int64), decay_v=zero, bias=zero, threshold=zero,
        reset_amount=zero, v_init=zero,
    )  # fmt: skip


def reached(decay: int, most: int, steps: int, nearest: bool) -> int:
    """The largest |u| after up to `steps` steps with every input from -most to most, found by trying all of them."""
    currents, largest = {0}, 0
    for _ in range(steps):
        following = set()
        for u in currents:
            magnitude = (abs(u) * (WHOLE - decay) + (WHOLE // 2 if nearest else 0)) // WHOLE
            left = magnitude if u >= 0 else -magnitude
            for x in range(left - most, left + most + 1):
                following.add(x - 2 * M if x > M else x + 2 * M if x <= -M else x)
        currents = following
        largest = max(largest, *map(abs, currents))
    return largest


@pytest.mark.parametrize("decays", Decays)
@pytest.mark.parametrize("decay", [0, 1, 2, 4, 7, 8])
def test_no_current_is_larger_and_few_are_much_smaller(decay: int, decays: Decays) -> None:
    nearest = decays is Decays.NEAREST
    for most in (1, 7, 8, 15, 16, 17, 20, 29):
        for steps in (1, 2, 5, 12):
            bound = largest_current(neurons(decay, decays=decays), most, TINY, steps)
            found = reached(decay, most, steps, nearest)
            assert found <= bound, (most, steps)
            if decay == 0 and most > 2 * M:
                # Without decay the bound grows with the steps, as the current does.
                assert bound <= found + 2 * M
    # One wrap is enough for two M: nothing grows.
    assert largest_current(neurons(decay, decays=decays), 2 * M, TINY) == M
    if decay:
        assert largest_current(neurons(decay), 29, TINY) < largest_current(neurons(0), 29, TINY, 10**6)


def test_the_slowest_decay_of_a_population_counts() -> None:
    assert largest_current(neurons([8, 1]), 29, TINY) == largest_current(neurons(1), 29, TINY)
    assert largest_current(neurons([8, 0]), 29, TINY) == largest_current(neurons(0), 29, TINY)


def test_the_largest_input_is_that_of_one_neuron_and_knows_signs() -> None:
    def wire(name: str, weight: Any, gain: Any) -> Projection:
        return Projection(
            name=name, inputs=("x",), weight=frozen(np.array(weight, np.int8)), gain=frozen(gain, np.int64)
        )

    def found(*wires: Projection, bias_u: Any = 0) -> int:
        population = neurons(8, bias_u, tuple(w.name for w in wires))
        nodes: tuple[Any, ...] = (Input(name="x", shape=(3,)), *wires, population, Output(name="y", inputs=("p",)))
        return largest_input(Graph(level=Level.INTEGER, nodes=nodes, arithmetic=TINY), population)

    first = wire("a", [[1, 1, 1], [-1, -1, 0]], 10)
    assert found(first) == 30
    assert found(first, bias_u=[0, -5]) == 35
    # The second adds most to the other neuron: 30 + 10 and 20 + 40.
    assert found(first, wire("b", [[1, 0, 0], [-1, -1, -1]], [10, 13])) == 59
    # A negative gain turns signs around: -40 to 20 beside 0 to 30, and 30 beside 20.
    assert found(first, wire("b", [[-1, -1, 0], [1, 0, 0]], -20)) == 70
