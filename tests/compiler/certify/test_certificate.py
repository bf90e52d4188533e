"""What certificates claim, tried on networks drawn to break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from drawn import Draw
from network import network
from nodes import node
from rounded import decaying
from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.certify.ranges import FOREVER, bounds, growth, summed_input, summed_twice
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Decays,
    Dense,
    Graph,
    Input,
    Level,
    Output,
    Population,
    Projection,
    Reset,
)
from tern2lava.compiler.ir.shapes import broadcast, frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import UnsupportedError
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

SLACK = 1e-9


@pytest.mark.parametrize("decays", list(Decays))
def test_potentials_never_part_by_more_than_eps_while_spikes_have_agreed(
    make_leaky: Draw, lockstep: Callable[..., Any], arithmetic: Arithmetic, decays: Decays
) -> None:
    looked, closest = 0, 0.0
    for seed in range(60):
        graph, inputs = make_leaky(seed)
        lowered = decaying(lower(graph, arithmetic), decays)
        for certificate, pair in zip(lowered.certificates, lockstep(lowered, inputs).values(), strict=True):
            valid = pair.agreed & ~pair.saturated
            eps = np.broadcast_to(certificate.eps, (pair.difference.shape[2],))
            assert np.all((pair.difference <= eps * (1 + SLACK) + SLACK) | ~valid), f"seed {seed}"
            looked += int(valid.sum())
            closest = max(closest, float((pair.difference / np.maximum(eps, SLACK))[valid].max(initial=0)))
    assert looked > 5_000
    # A bound of twice the size would hold as well; a quarter of it would not.
    assert closest > 0.25, closest


def test_verdicts_are_exact_only_where_nothing_decays(make_network: Draw, make_leaky: Draw, fine: Arithmetic) -> None:
    verdicts = set()
    for seed in range(40):
        for graph, _ in (make_network(seed, leak=False, loops=False), make_leaky(seed)):
            try:
                lowered = lower(graph, fine)
            except Exception:
                continue
            for certificate in lowered.certificates:
                population = node(lowered.program, certificate.population, Population)
                partly = (population.decay_v % 4096 != 0).any() or (population.decay_u % 4096 != 0).any()
                verdicts.add(certificate.verdict)
                assert not (partly and certificate.verdict is Verdict.EXACT)
                assert (float(np.max(certificate.eps)) == 0.0) == (certificate.verdict is Verdict.EXACT)
    assert Verdict.EXACT in verdicts
    assert Verdict.BOUNDED in verdicts


def test_the_first_potentials_error_is_bounded_too() -> None:
    graph = network([[1.0]], steps=3, alpha_v=frozen(0.9), v_init=frozen(0.37), threshold=frozen(5.0))
    without = network([[1.0]], steps=3, alpha_v=frozen(0.9), threshold=frozen(5.0))
    arithmetic = Arithmetic(gain_max_shift=6)
    with_error, plain = (lower(g, arithmetic).certificates[0] for g in (graph, without))
    assert np.max(with_error.eps) > np.max(plain.eps)
    assert "initial potential" in with_error.reason


def test_errors_without_a_bound_are_said_to_have_none() -> None:
    certificate = lower(network([[1.0]], alpha_v=frozen(0.9), threshold=frozen(3.0)), Arithmetic()).certificates[0]
    written = replace(certificate, eps=np.asarray(np.inf), eps_relative=np.inf).to_dict()
    assert written["eps"] is None
    assert written["eps_relative"] is None


def test_a_slow_decay_that_rounds_much_has_a_bound_in_however_many_steps(fine: Arithmetic) -> None:
    """12 bits hold a decay of 0.00011 no better than 0: the potential keeps what the real one loses in 9,000 steps."""
    graph = network([[1.0]], alpha_v=frozen(0.99989), threshold=frozen(1e6), reset=Reset.NONE)
    lowered = lower(graph, fine, Options(steps=3_000, allow_rounding=1.0))
    (certificate,) = lowered.certificates
    assert int(node(lowered.program, "n", Population).decay_v) == 0
    x = {"x": np.ones((1, 3_000, 1), np.uint8)}
    unit = float(node(lowered.program, "n", Population).lsb)
    parted = np.abs(run_float(lowered.real, x).v["n"] - integer.run(lowered.program, x).v["n"] * unit).max()
    assert parted <= float(np.max(certificate.eps)) <= 3 * parted


def test_a_state_behind_another_takes_in_no_more_than_is_summed() -> None:
    """Errors of 1 in each step of a state that decays by 9/10 and feeds one that decays by 19/20, in fractions."""
    inner, outer = Fraction(0), Fraction(0)
    for steps in range(1, 40):
        inner = inner * Fraction(9, 10) + 1
        outer = outer * Fraction(19, 20) + inner
        found = float(summed_twice(np.asarray(0.9), np.asarray(0.95), steps))
        assert found == pytest.approx(float(outer), rel=1e-9)
        assert found >= float(outer)
    assert summed_twice(np.asarray([0.0, 1.0]), np.asarray([0.5, 1.0]), 4).tolist() == pytest.approx([1.875, 10.0])
    far = float(summed_twice(np.asarray(0.9), np.asarray(0.95), 1 << 20))
    assert far == pytest.approx(10 * 20, rel=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", [{}, {"alpha_u": frozen(1.0)}, {"alpha_v": frozen(0.5)}])
def test_no_overflow_holds_for_the_worst_inputs_and_is_tight_without_resets(
    fine: Arithmetic, sign: int, kind: dict[str, Any]
) -> None:
    small = replace(fine, state_bits=12, threshold_bits=11, bias_bits=12, gain_max_shift=0)
    graph = network(
        np.full((1, 6), sign), steps=5_000, threshold=frozen(2_000.0), reset=Reset.NONE, bias=frozen(3.0 * sign), **kind
    )
    lowered = lower(graph, small)
    certificate = lowered.certificates[0]
    limit = small.state_max
    steps = min(certificate.safe_steps, 1_500)
    wide = replace(lowered.program, arithmetic=replace(small, state_bits=40))
    trace = integer.run(wide, {"x": np.ones((1, 2 * steps + 1, 6), np.uint8)})
    reached = np.maximum(np.abs(trace.u["n"]), np.abs(trace.v["n"])).max(axis=(0, 2))
    assert reached[:steps].max() <= limit
    if certificate.safe_steps < FOREVER:
        assert not certificate.no_overflow
        # A current with memory is taken at its largest in every step, which is early by a factor below 2.
        assert reached[2 * steps if "alpha_u" in kind else steps] > limit
        assert certificate.first_overflow == f"n[0] at step {steps + 1}"
        assert "overflow" in certificate.reason
        narrow = integer.run(lowered.program, {"x": np.ones((1, 2 * steps + 1, 6), np.uint8)})
        assert not np.array_equal(narrow.v["n"], trace.v["n"])
    else:
        assert "alpha_v" in kind


@pytest.mark.parametrize("decays", list(Decays))
@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize("kind", [{}, {"threshold_low": frozen(-9.0)}, {"refractory": 2}, {"rearm": True}])
def test_states_stay_in_range_for_as_long_as_certified_whatever_the_inputs(
    fine: Arithmetic, reset: Reset, kind: dict[Any, Any], decays: Decays
) -> None:
    if "rearm" in kind and reset is not Reset.SUBTRACT:
        pytest.skip("rearming is of immediate subtraction")
    small = replace(fine, state_bits=10, threshold_bits=9, bias_bits=10, gain_max_shift=0)
    rng = np.random.default_rng(5)
    certified, tightest = 0, 0.0
    for _ in range(60):
        graph = network(
            rng.integers(-1, 2, (3, 12)), steps=40, reset=reset, alpha_v=frozen(rng.choice([0.5, 0.875, 1.0], 3)),
            alpha_u=frozen(rng.choice([0.0, 0.5])), threshold=frozen(rng.integers(5, 60, 3) * 1.0),
            reset_amount=frozen(rng.choice([2.0, 5.0, 40.0, 90.0], 3)), bias=frozen(rng.integers(-3, 4, 3) * 1.0),
            v_init=frozen(rng.choice([0.0, -30.0, 50.0], 3)), **kind,
        )  # fmt: skip
        lowered = decaying(lower(graph, small), decays)
        certificate, population = lowered.certificates[0], node(lowered.program, "n", Population)
        steps = min(certificate.safe_steps, certificate.steps)
        weight = node(lowered.program, "w", Projection).weight
        # Constant extremes of each neuron, extremes that turn round on the way, and noise.
        up, down = weight > 0, weight < 0
        runs = [np.repeat(x[:, None], steps, axis=1) for x in (up, down)]
        turned = np.where((np.arange(steps) % 24 < 12)[None, :, None], up[:, None], down[:, None])
        x = np.concatenate([*runs, turned, rng.random((3, steps, 12)) < 0.5]).astype(np.uint8)
        narrow = integer.run(lowered.program, {"x": x})
        wide = integer.run(replace(lowered.program, arithmetic=replace(small, state_bits=40)), {"x": x})
        # A potential that resets to zero may saturate upwards: it spikes and becomes 0 either way.
        assert np.array_equal(narrow.spikes["n"], wide.spikes["n"])
        assert np.array_equal(narrow.v["n"], wide.v["n"])
        assert np.array_equal(narrow.u["n"], wide.u["n"])
        limits = bounds(population, *summed_input(lowered.program, ("w",), (3,)), small, steps)
        met = wide.v["n"] + (population.reset_amount * wide.spikes["n"] if reset is Reset.SUBTRACT else 0)
        assert np.all((limits.met_low <= met) & (met <= limits.met_high))
        assert np.all((limits.u_low <= wide.u["n"]) & (wide.u["n"] <= limits.u_high))
        if steps:
            tightest = max(tightest, float((met.max(axis=(0, 1)) / np.maximum(limits.met_high, 1.0)).max()))
        certified += steps
    assert certified > 500
    assert tightest > 0.6


@pytest.mark.parametrize("decays", list(Decays))
@pytest.mark.parametrize("reset", list(Reset))
def test_small_numbers_stay_in_their_ranges_to_the_last_bit(decays: Decays, reset: Reset) -> None:
    """Where inputs are a few last bits, half of one in each step makes much of a state: the ranges must hold it."""
    rng, beyond, tightest = np.random.default_rng(9), 0, 0.0
    for _ in range(150):
        steps = int(rng.integers(1, 40))
        per_neuron = {
            name: frozen(rng.integers(low, high, 4), np.int64)
            for name, low, high in (
                ("decay_u", 0, 17), ("decay_v", 0, 17), ("bias", -2, 3), ("bias_u", -2, 3), ("threshold", 0, 30),
                ("reset_amount", 0, 9), ("v_init", -9, 10),
            )
        }  # fmt: skip
        adaptive = reset is Reset.SUBTRACT and rng.random() < 0.5
        kinds: dict[str, Any] = {}
        if adaptive:
            kinds = {
                "decay_a": frozen(rng.integers(0, 17, 4), np.int64),
                "gain_a": frozen(rng.integers(0, 5, 4), np.int64),
            }
        population = Population(
            name="n", inputs=("w",), shape=(4,), start=1, lsb=frozen(1.0), reset=reset, decays=decays,
            **(per_neuron | kinds),
        )  # fmt: skip
        weight = frozen(rng.integers(-1, 2, (4, 3)), np.int8)
        wire = Projection(name="w", inputs=("x",), weight=weight, gain=frozen(1, np.int64))
        small = Arithmetic(decay_bits=4, state_bits=40)
        graph = Graph(
            level=Level.INTEGER, arithmetic=small,
            nodes=(Input(name="x", shape=(3,)), wire, population, Output(name="y", inputs=("n",))),
        )  # fmt: skip
        up, down = weight > 0, weight < 0
        x = np.concatenate([
            np.repeat(up[:, None], steps, axis=1), np.repeat(down[:, None], steps, axis=1),
            rng.random((12, steps, 3)) < rng.random((12, 1, 1)),
        ]).astype(np.uint8)  # fmt: skip
        trace = integer.run(graph, {"x": x})
        limits = bounds(population, *summed_input(graph, ("w",), (4,)), small, steps)
        u, v = trace.u["n"], trace.v["n"]
        met = v + (population.reset_amount * trace.spikes["n"] if reset is Reset.SUBTRACT and not adaptive else 0)
        assert np.all((limits.u_low <= u) & (u <= limits.u_high))
        assert np.all((limits.met_low <= met) & (met <= limits.met_high))
        beyond += int((np.abs(u) > np.maximum(-limits.u_low, limits.u_high) - 0.5).sum())
        tightest = max(tightest, float((u / np.maximum(limits.u_high, 1)).max()))
    assert beyond > 100
    assert tightest == 1.0


@pytest.mark.parametrize("decays", list(Decays))
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 60])
def test_what_a_constant_input_adds_up_to_is_in_range_for_every_decay(decays: Decays, steps: int) -> None:
    """Currents and adaptations that take in the same in each step, of every decay of four bits."""
    small, reached = Arithmetic(decay_bits=4, state_bits=40), 0
    decay, fed = (array.reshape(-1).astype(np.int64) for array in np.meshgrid(np.arange(17), np.arange(25)))
    none = frozen(0, np.int64)
    population = Population(
        name="n", inputs=(), shape=(decay.size,), start=0, lsb=frozen(1.0), reset=Reset.SUBTRACT, decays=decays,
        decay_u=frozen(decay), decay_v=none, bias=none, bias_u=frozen(fed), threshold=none, reset_amount=none,
        v_init=none, decay_a=frozen(decay), gain_a=frozen(fed),
    )  # fmt: skip
    found = bounds(population, np.zeros(()), np.zeros(()), small, steps)
    x = np.zeros_like(decay)
    for _ in range(steps):
        x = integer.decay(x, decay, 4, decays) + fed
    assert np.all(x <= found.u_high)
    assert np.all(x <= found.adaptation)
    reached = int((x > np.floor(found.adaptation) - 1).sum())
    assert reached > decay.size // 4
    beyond = x > fed * growth(decay, small, steps)
    assert beyond.any() == (decays is Decays.NEAREST and steps > 1)


@pytest.mark.parametrize(("alpha_u", "most"), [(0.0, 4.0), (0.5, 12.0)])
def test_truncating_decays_cost_no_more_than_one_unit_a_step(fine: Arithmetic, alpha_u: float, most: float) -> None:
    # 0.75 and 0.5 are exact in 12 bits: all that is lost is what truncation drops.
    coarse = replace(fine, gain_max_shift=0)
    graph = network(
        [[1.0] * 5], steps=30, alpha_v=frozen(0.75), alpha_u=frozen(alpha_u), threshold=frozen(500.0), reset=Reset.NONE
    )
    lowered = lower(graph, coarse)
    eps = float(np.max(lowered.certificates[0].eps))
    # 1 / (1 - 0.5) in u, where it decays; 1 / (1 - 0.75) times that and 1 of its own in v.
    assert eps == pytest.approx(most, rel=0.01)
    x = {"x": np.random.default_rng(1).integers(0, 2, (50, 30, 5))}
    parted = np.abs(run_float(lowered.real, x).v["n"] - integer.run(lowered.program, x).v["n"])
    assert 0.4 * eps < parted.max() <= eps


@pytest.mark.parametrize(("alpha_u", "most"), [(0.0, 2.0), (0.5, 6.0)])
def test_decays_to_the_nearest_cost_half_a_unit_a_step(fine: Arithmetic, alpha_u: float, most: float) -> None:
    graph = network(
        [[1.0] * 5], steps=30, alpha_v=frozen(0.75), alpha_u=frozen(alpha_u), threshold=frozen(500.0), reset=Reset.NONE
    )
    lowered = decaying(lower(graph, replace(fine, gain_max_shift=0)), Decays.NEAREST)
    eps = float(np.max(lowered.certificates[0].eps))
    assert eps == pytest.approx(most, rel=0.01)
    x = {"x": np.random.default_rng(1).integers(0, 2, (50, 30, 5))}
    parted = np.abs(run_float(lowered.real, x).v["n"] - integer.run(lowered.program, x).v["n"])
    assert 0.4 * eps < parted.max() <= eps


def test_scales_that_are_no_multiples_of_each_other_count_as_rounding(fine: Arithmetic) -> None:
    coarse = replace(fine, gain_max_shift=4)
    graph = network([[1.0] * 5], steps=12, threshold=frozen(500.0), reset=Reset.NONE)
    second = Dense(name="w2", inputs=("x",), weight=frozen(np.full((1, 5), 0.3)))
    nodes = [replace(n, inputs=("w", "w2")) if n.name == "n" else n for n in graph.nodes]
    lowered = lower(graph.with_nodes([*nodes, second]), coarse)
    certificate = lowered.certificates[0]
    assert certificate.verdict is Verdict.BOUNDED
    assert "scale of a projection" in certificate.reason
    x = {"x": np.ones((1, 12, 5), np.uint8)}
    parted = np.abs(run_float(lowered.real, x).v["n"] - integer.run(lowered.program, x).v["n"] / 16)
    assert parted.max() == pytest.approx(float(np.max(certificate.eps)), rel=1e-6)


def test_a_threshold_that_cannot_be_reached_is_cut_to_the_largest_code_and_says_so(fine: Arithmetic) -> None:
    graph = network([[1.0, 1.0]], steps=10, threshold=frozen(1e9), reset=Reset.SUBTRACT, reset_amount=frozen(1e9))
    lowered = lower(graph, fine)
    population = lowered.program["n"]
    assert isinstance(population, Population)
    assert int(population.threshold) == fine.threshold_max
    assert lowered.certificates[0].verdict is Verdict.EXACT or np.max(lowered.certificates[0].eps) < 1e-3
    assert any("never reach" in note for note in lowered.program.notes)
    trace = integer.run(lowered.program, {"x": np.ones((1, 10, 2), np.uint8)})
    assert trace.spikes["n"].sum() == 0


@pytest.mark.parametrize("low", [-14.0, -40.0])
def test_a_lower_threshold_beyond_the_codes_is_cut_only_where_nothing_comes_near_it(low: float) -> None:
    # As on Loihi, the largest threshold code (960) lies below the largest state (2047).
    coarse = Arithmetic(state_bits=12, threshold_bits=4, threshold_shift=6, gain_max_shift=6)
    graph = network(
        [[-1.0]], steps=31, threshold=frozen(10.0), threshold_low=frozen(low), reset=Reset.NONE, compare=Compare.GE
    )
    if low < -15:
        with pytest.raises(UnsupportedError, match="thresholds of 4 bits"):
            lower(graph, coarse)
        lower(graph, coarse, Options(steps=15))
        return
    trace = integer.run(lower(graph, coarse).program, {"x": np.ones((1, 31, 1), np.uint8)})
    assert (trace.spikes["n"][0, :, 0] == [0] * 13 + [-1] * 18).all()


def test_certificates_speak_of_their_own_neurons(make_leaky: Draw, fine: Arithmetic) -> None:
    graph, _ = make_leaky(3)
    lowered = lower(graph, fine)
    for certificate in lowered.certificates:
        population = lowered.program[certificate.population]
        assert isinstance(population, Population)
        assert broadcast(np.asarray(certificate.eps), population.shape).shape == population.shape
        written = certificate.to_dict()
        assert written["steps"] == graph.steps
        assert written["verdict"] == certificate.verdict.value


@pytest.mark.parametrize("decays", list(Decays))
def test_adaptive_potentials_never_part_by_more_than_eps_while_spikes_have_agreed(
    make_adaptive: Draw, lockstep: Callable[..., Any], arithmetic: Arithmetic, decays: Decays
) -> None:
    looked, closest = 0, 0.0
    for seed in range(80):
        graph, inputs = make_adaptive(seed)
        lowered = decaying(lower(graph, arithmetic, Options(allow_rounding=1.0)), decays)
        for certificate, pair in zip(lowered.certificates, lockstep(lowered, inputs).values(), strict=True):
            assert np.all(np.isfinite(certificate.eps))
            valid = np.broadcast_to(pair.agreed & ~pair.saturated, pair.difference.shape)
            eps = np.broadcast_to(certificate.eps, (pair.difference.shape[2],))
            assert np.all((pair.difference <= eps * (1 + SLACK) + SLACK) | ~valid), f"seed {seed}"
            looked += int(valid.sum())
            closest = max(closest, float((pair.difference / np.maximum(eps, SLACK))[valid].max()))
    assert looked > 20_000
    # A bound of half the size would not hold.
    assert closest > 0.5, closest


def adaptive(threshold: float, **neuron: Any) -> Graph:
    usual = {"alpha_v": frozen(0.5), "alpha_a": frozen(0.75), "gain_a": frozen(0.25), "reset_amount": frozen(0.5)}
    return network([[1.0, -1.0]], threshold=frozen(threshold), reset=Reset.SUBTRACT, reset_delay=True, **usual | neuron)


def test_the_adaptations_error_is_part_of_the_bound(fine: Arithmetic) -> None:
    coarse = replace(fine, gain_max_shift=4)
    plain = lower(adaptive(0.5, alpha_a=frozen(0.0)), coarse).certificates[0]
    # Whatever forgets at once and is exact adds nothing: v alone loses two last bits of 1/16.
    assert float(np.max(plain.eps)) == pytest.approx(2 / 16, rel=0.01)
    # b loses 1 / (1 - 3/4) last bits, which v takes in every step, 1 / (1 - 1/2) times, and the threshold once more.
    remembering = lower(replace(adaptive(0.5), steps=500), coarse).certificates[0]
    assert float(np.max(remembering.eps)) == pytest.approx((2 * (1 + 4) + 4) / 16, rel=0.01)
    # A gain of 0.26 is 4.16 last bits; without a memory its rounding comes once into v, twice over, and once beside it.
    odd = lower(adaptive(0.5, alpha_a=frozen(0.0), gain_a=frozen(0.26)), coarse).certificates[0]
    assert float(np.max(odd.eps)) == pytest.approx((2 * (1 + 0.16) + 0.16) / 16, rel=0.01)
    assert "adaptation" in odd.reason


def test_adaptive_neurons_are_exact_where_nothing_is_rounded(fine: Arithmetic) -> None:
    kinds = {"alpha_v": frozen(1.0), "alpha_a": frozen(1.0)}
    exact = lower(adaptive(0.5, **kinds), fine)
    assert exact.certificates[0].verdict is Verdict.EXACT
    x = {"x": np.random.default_rng(0).integers(0, 2, (20, 8, 2))}
    assert np.array_equal(run_float(exact.real, x).spikes["n"], integer.run(exact.program, x).spikes["n"])
    assert lower(adaptive(0.5, **kinds | {"gain_a": frozen(0.3)}), fine).certificates[0].verdict is Verdict.BOUNDED


def test_an_adaptive_threshold_that_lost_a_tie_is_not_exact() -> None:
    # Every number is a multiple of 64, but the code of a threshold met by >= is the nearest one.
    graph = adaptive(2.0, alpha_v=frozen(1.0), alpha_a=frozen(1.0), compare=Compare.GE)
    lowered = lower(graph, Arithmetic(gain_max_shift=8))
    x = {"x": np.random.default_rng(0).integers(0, 2, (20, 8, 2))}
    equal = np.array_equal(run_float(lowered.real, x).spikes["n"], integer.run(lowered.program, x).spikes["n"])
    assert equal or lowered.certificates[0].verdict is not Verdict.EXACT


@pytest.mark.parametrize("kind", [{}, {"reset": Reset.SUBTRACT, "reset_delay": True, "gain_a": frozen(0.3)}])
def test_a_threshold_of_0_has_a_bound_in_weights_and_none_relative_to_it(
    fine: Arithmetic, kind: dict[str, Any]
) -> None:
    graph = network([[1.0, 1.0]], threshold=frozen(0.0), alpha_v=frozen(0.6), alpha_a=frozen(0.7), **kind)
    certificate = lower(graph, fine).certificates[0]
    assert certificate.verdict is Verdict.BOUNDED
    assert certificate.eps_relative is None
    written = certificate.to_dict()
    assert written["eps_relative"] is None
    eps = written["eps"]
    assert isinstance(eps, float)
    assert 0 < eps < 1e-2
    coarse = lower(graph, replace(fine, gain_max_shift=0), Options(allow_rounding=9.0)).certificates[0]
    assert coarse.verdict is Verdict.MEASURED
    assert "or one weight where it is 0" in coarse.reason
    eps = coarse.to_dict()["eps"]
    assert isinstance(eps, float)
    assert eps > 1


def test_neurons_with_thresholds_of_0_beside_others_leave_these_their_relative_bound(fine: Arithmetic) -> None:
    graph = network(np.ones((2, 1)), threshold=frozen([0.0, 4.0]), alpha_v=frozen(0.6))
    certificate = lower(graph, fine).certificates[0]
    eps = np.broadcast_to(certificate.eps, (2,))
    assert certificate.eps_relative == pytest.approx(eps[1] / 4.0)
    assert certificate.verdict is Verdict.BOUNDED


def test_a_bound_beyond_the_threshold_is_no_proof_and_says_so() -> None:
    graph = network([[1.0]], alpha_v=frozen(0.99989), threshold=frozen(3.0))
    certificate = lower(graph, Arithmetic(), Options(steps=200_000)).certificates[0]
    assert certificate.verdict is Verdict.MEASURED
    assert certificate.reason.startswith("the bound exceeds the threshold")
