"""What the integer reference's accumulators did is counted: overflows, and what lies beyond a certificate's range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drawn import Inputs, Network
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.errors import UnsupportedError
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.watch import Limits, Watch, Watched, together

# States of 7 bits: M is 64, potentials stay within 63.
SMALL = Arithmetic(decay_bits=4, state_bits=7, threshold_bits=6, threshold_shift=0, gain_shift=0)


def watched(drive: list[int], limits: Limits | None = None, **fields: Any) -> Watched:
    """What two neurons did that get `drive` of each step, and of which the second gets it negated."""
    parameters: dict[str, Any] = {
        "decay_u": 16, "decay_v": 0, "bias": 0, "threshold": 1000, "reset_amount": 0, "v_init": 0,
    } | fields  # fmt: skip
    plain: dict[str, Any] = {
        "reset": parameters.pop("reset", Reset.NONE),
        "refractory": parameters.pop("refractory", 0),
    }
    arrays: dict[str, Any] = {key: frozen(value, np.int64) for key, value in parameters.items()}
    neurons = Population(name="p", inputs=("w",), shape=(2,), start=1, lsb=frozen(1.0), **plain, **arrays)
    weight = Projection(name="w", inputs=("x",), weight=frozen(np.array([[1], [-1]], np.int8)))
    nodes = (Input(name="x", shape=(1,), levels=(-200, 200)), weight, neurons, Output(name="y", inputs=("p",)))
    graph = Graph(level=Level.INTEGER, nodes=nodes, arithmetic=SMALL)
    watch = Watch({} if limits is None else {"p": limits})
    inputs = {"x": np.array(drive).reshape(1, -1, 1)}
    trace = integer.run(graph, inputs, make=watch)
    plain_trace = integer.run(graph, inputs)
    for kind in ("spikes", "u", "v"):
        np.testing.assert_array_equal(getattr(trace, kind)["p"], getattr(plain_trace, kind)["p"])
    (found,) = watch.watched()
    assert found.neuron_steps == 2 * len(drive)
    return found


def counts(found: Watched) -> tuple[int, int, int, int]:
    return found.u_wrapped, found.v_clipped, found.adaptation_clipped, found.left


def test_nothing_happens_within_the_range() -> None:
    found = watched([10, 20, -30, 63], Limits(u=63, v=63))
    assert counts(found) == (0, 0, 0, 0)
    assert found.stayed
    assert (found.u_largest, found.v_largest) == (63, 63)


def test_currents_that_wrap_are_counted_and_m_itself_does_not_wrap() -> None:
    # 64 is M, which stays; -64 becomes 64 in the other neuron. 65 becomes -63 and its negative 63.
    assert watched([64], decay_v=16).u_wrapped == 1
    assert watched([65], decay_v=16).u_wrapped == 2
    found = watched([200, 0, 65, 3], decay_v=16)
    assert (found.u_wrapped, found.u_largest) == (4, 200)


def test_potentials_that_are_clipped_are_counted() -> None:
    # Sums of 40 and 40, then a clipped 63 - 20.
    found = watched([40, 40, -20])
    assert counts(found) == (0, 2, 0, 0)
    assert found.v_largest == 80


def test_clipping_before_a_reset_to_zero_is_no_overflow_and_before_another_reset_it_is() -> None:
    # 50 + 50 fires either way: the potential is 0 after it. Below, the other neuron is clipped at -63 and stays there.
    assert watched([50, 50], threshold=60, reset=Reset.ZERO).v_clipped == 1
    soft = watched([50, 50], threshold=60, reset=Reset.SUBTRACT, reset_amount=10)
    assert soft.v_clipped == 2
    # A subtraction from beyond -3 that ends below the range: -5 - 60.
    assert watched([0], threshold=-50, v_init=-5, reset=Reset.SUBTRACT, reset_amount=60).v_clipped == 2


def test_adaptations_that_are_clipped_are_counted_apart() -> None:
    # The first neuron fires at 20 > 5 and adapts by 70, which is clipped to 63; the second never fires.
    found = watched([20, 0], threshold=5, reset=Reset.SUBTRACT, gain_a=70, decay_a=0)
    assert (found.adaptation_clipped, found.v_clipped, found.left) == (1, 0, 0)


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (Limits(u=30, v=60), 0), (Limits(u=29, v=60), 4), (Limits(u=30, v=59), 2), (Limits(u=29, v=59), 4),
        (Limits(u=29.999, v=60), 4), (Limits(u=30 * (1 - 1e-12), v=60), 0), (Limits(u=1e300, v=1e300), 0),
    ],
)  # fmt: skip
def test_what_lies_beyond_the_certificate_is_counted_once_a_neuron_and_step(limits: Limits, left: int) -> None:
    # Both neurons: currents of 30, 30 and potentials of 30, 60.
    found = watched([30, 30], limits)
    assert counts(found) == (0, 0, 0, left)
    assert found.stayed == (left == 0)


def test_a_neuron_whose_current_is_beyond_counts_beside_one_whose_potential_is() -> None:
    # Currents of 30 and -30, both beyond 29; potentials of 30 and -70, one of them beyond 60, and clipped.
    found = watched([30], Limits(u=29, v=60), v_init=[0, -40])
    assert counts(found) == (0, 1, 0, 2)


def test_parts_of_the_data_add_up() -> None:
    limits = Limits(u=50, v=100)
    parts = [watched([200], limits), watched([10, 60], limits)]
    found = together(parts)
    assert (found.neuron_steps, found.u_largest, found.v_largest) == (6, 200, 72)
    assert counts(found) == tuple(map(sum, zip(*map(counts, parts), strict=True)))
    assert found.left == 2 + 2


Make = Callable[[int], Network]


def held(lowered: Lowered, inputs: Inputs) -> tuple[int, int]:
    """How many populations stayed within their certificates' ranges, which all must that cannot overflow."""
    limits = {c.population: Limits(u=c.u_limit, v=c.v_limit) for c in lowered.certificates}
    watch = Watch(limits)
    integer.run(lowered.program, inputs, make=watch)
    steps = next(iter(inputs.values())).shape[1]
    safe = all(c.safe_steps >= max(steps, c.steps) for c in lowered.certificates)
    found = {w.population: w for w in watch.watched()}
    if safe:
        for name in limits:
            assert found[name].stayed, str(found[name])
    near = sum(found[n].v_largest > 0.5 * found[n].v_limit for n in limits if safe)  # type: ignore[operator]
    return len(limits) if safe else 0, near


def test_no_accumulator_leaves_a_range_that_is_proven(
    make_network: Make, make_leaky: Make, make_adaptive: Make, fine: Arithmetic
) -> None:
    looked = close = 0
    for make in (make_network, make_leaky, make_adaptive):
        for seed in range(12):
            network, inputs = make(seed)
            try:
                lowered = lower(network, fine, Options(allow_rounding=1.0))
            except UnsupportedError:
                continue
            more, near = held(lowered, inputs)
            looked, close = looked + more, close + near
    assert looked > 30
    assert close > 5
