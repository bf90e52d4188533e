"""No spike is lost where a potential meets its threshold exactly; the oracle is arithmetic in fractions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from network import network
from nodes import node, there
from tern2lava.compiler.certify.lattice import real_gains
from tern2lava.compiler.certify.offset import bias_offset
from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.certify.ties import examine
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Graph,
    Neuron,
    Population,
    Readout,
    Reset,
)
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.effort import NORMAL
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.reference import integer

TARGETS = ("loihi1", "loihi2", "generic-ternary")


def layer(codes: Array, scale: float, steps: int, readout: Readout = Readout.SPIKE_COUNT, **fields: Any) -> Graph:
    return network(codes * scale, steps=steps, readout=readout, **fields)


def compiled(graph: Graph, target: str) -> Lowered:
    profile = load_profile(target)
    return lower(graph, Arithmetic(**profile.arithmetic_values()), None, profile)


def drawn(seed: int, steps: int, static: bool = False, outputs: int = 24, inputs: int = 40) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    codes = np.where(rng.random((outputs, inputs)) < 0.5, 0, rng.choice([-1, 1], (outputs, inputs)))
    x = (rng.random((12, 1 if static else steps, inputs)) < 0.3).astype(np.uint8)
    return codes, np.repeat(x, steps, axis=1) if static else x


def exact(
    codes: Array, x: Array, scale: Fraction, alpha: Fraction, threshold: int, compare: Compare, reset: Reset
) -> tuple[Array, int]:
    """Spikes (samples, steps, neurons) and ties among them, in fractions."""
    sums = np.einsum("oi,sti->sto", codes, x.astype(int)).astype(object) * scale
    v = np.full(sums[:, 0].shape, Fraction(0), object)
    fired, ties = np.zeros(sums.shape, np.uint8), 0
    for t in range(sums.shape[1]):
        v = alpha * v + sums[:, t]
        ties += int((v == threshold).sum())
        meets = (v > threshold if compare is Compare.GT else v >= threshold).astype(bool)
        fired[:, t] = meets
        after = v - threshold if reset is Reset.SUBTRACT else np.array(Fraction(0))
        v = np.where(meets, after, v)
    return fired, ties


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("compare", list(Compare))
@pytest.mark.parametrize("scale", [Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(1, 5)])
def test_ties_are_kept_on_every_target(target: str, compare: Compare, scale: Fraction) -> None:
    met = 0
    for seed, (alpha, steps, static) in enumerate(
        ((Fraction(1, 2), 8, False), (Fraction(3, 4), 16, False), (Fraction(1, 2), 32, True))
    ):
        codes, x = drawn(seed, steps, static)
        for reset in (Reset.ZERO,) if target == "loihi1" else (Reset.ZERO, Reset.SUBTRACT):
            graph = layer(
                codes, float(scale), steps, alpha_v=frozen(float(alpha)), threshold=frozen(1.0), compare=compare,
                reset=reset, reset_amount=frozen(1.0),
            )  # fmt: skip
            own, ties = exact(codes, x, scale, alpha, 1, compare, reset)
            got = integer.run(compiled(graph, target).program, {"x": x}, states=False).spikes["n"]
            assert np.array_equal(got, own), (alpha, steps, reset)
            met += ties
    assert met > 100


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("compare", list(Compare))
def test_weights_of_a_third_and_a_tenth_meet_the_threshold_that_is_meant(dtype: type[Any], compare: Compare) -> None:
    for scale, threshold, count in ((1 / 3, 1.0, 3), (0.1, 0.3, 3), (0.2, 1.0, 5), (0.3, 0.9, 3)):
        codes = np.ones((1, 8), int)
        graph = layer(
            codes, float(dtype(scale)), 4, alpha_v=frozen(0.5), threshold=frozen(float(dtype(threshold))),
            compare=compare,
        )  # fmt: skip
        x = np.zeros((1, 4, 8), np.uint8)
        x[:, 0, :count] = 1
        for target in TARGETS:
            got = integer.run(compiled(graph, target).program, {"x": x}, states=False).spikes["n"]
            assert bool(got[0, 0, 0]) == (compare is Compare.GE), (scale, target)


@pytest.mark.parametrize("compare", list(Compare))
def test_a_first_potential_on_the_threshold_is_kept_by_decays_that_have_no_code(compare: Compare) -> None:
    codes = np.array([[1] * 6 + [-1] * 4, [1] * 10])
    graph = layer(codes, 0.5, 30, alpha_v=frozen(0.9), threshold=frozen(1.0), compare=compare)
    x = np.zeros((1, 30, 10), np.uint8)
    x[0, ::15, :2] = 1
    for target in TARGETS:
        got = integer.run(compiled(graph, target).program, {"x": x}, states=False).spikes["n"]
        assert got[0, 0].tolist() == [int(compare is Compare.GE)] * 2, target


def test_potentials_that_are_read_are_not_moved() -> None:
    codes, _ = drawn(3, 40)
    fields: dict[str, Any] = {
        "alpha_v": frozen(0.5),
        "threshold": frozen(1.0),
        "compare": Compare.GE,
        "reset": Reset.SUBTRACT,
    }
    moved = node(compiled(layer(codes, 0.5, 40, **fields), "loihi2").program, "n", Population)
    assert np.any(moved.bias != 0)
    for readout in (Readout.MEMBRANE_SUM, Readout.MEMBRANE_LAST, Readout.MEMBRANE_MAX):
        kept = node(compiled(layer(codes, 0.5, 40, readout, **fields), "loihi2").program, "n", Population)
        assert not np.any(kept.bias)
        assert np.all(kept.reset_amount * kept.lsb == 1.0)


def test_targets_that_cannot_let_a_bias_rest_get_none() -> None:
    codes, _ = drawn(3, 40)
    graph = layer(codes, 0.5, 40, alpha_v=frozen(0.5), threshold=frozen(1.0), compare=Compare.GE)
    profile = load_profile("loihi2")
    neuron = profile.neuron.model_copy(
        update={"late_start": profile.neuron.late_start.model_copy(update={"value": "none"})}
    )
    without = node(
        lower(
            graph, Arithmetic(**profile.arithmetic_values()), None, profile.model_copy(update={"neuron": neuron})
        ).program,
        "n",
        Population,
    )
    assert not np.any(without.bias)
    assert np.any(node(compiled(graph, "loihi2").program, "n", Population).bias)


def test_neurons_for_which_no_code_is_proven_are_counted_in_a_note() -> None:
    codes, _ = drawn(3, 40)
    fields: dict[str, Any] = {"alpha_v": frozen(0.5), "threshold": frozen(1.0), "compare": Compare.GE}
    short = compiled(layer(codes, 0.5, 8, **fields), "loihi2").program.notes
    long = compiled(layer(codes, 0.5, 40, **fields), "loihi2").program.notes
    assert not any("no code" in note for note in short)
    (note,) = (note for note in long if "no code" in note)
    assert note.startswith("n: 24 thresholds have no code (of multiples of 64 last bits) between")


def test_the_same_network_gives_the_same_integers() -> None:
    codes, _ = drawn(3, 40)
    graph = layer(codes, 0.5, 40, alpha_v=frozen(0.75), threshold=frozen(1.0), reset=Reset.SUBTRACT)
    first, second = (compiled(graph, "loihi2").program["n"] for _ in range(2))
    for name in ("threshold", "bias", "reset_amount"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_signed_neurons_keep_ties_at_both_thresholds() -> None:
    codes, x = drawn(5, 8)
    for compare in Compare:
        graph = layer(
            codes, 0.5, 8, alpha_v=frozen(0.5), threshold=frozen(1.0), threshold_low=frozen(-1.0), compare=compare
        )
        sums = np.einsum("oi,sti->sto", codes, x.astype(int)) / 2
        v, own = np.zeros(sums[:, 0].shape), np.zeros(sums.shape, np.int8)
        for t in range(8):
            v = v / 2 + sums[:, t]
            up, down = (v > 1, v < -1) if compare is Compare.GT else (v >= 1, v <= -1)
            own[:, t] = up.astype(int) - down
            v = np.where(up | down, 0, v)
        for target in ("loihi2", "generic-ternary"):
            got = integer.run(compiled(graph, target).program, {"x": x}, states=False).spikes["n"]
            assert np.array_equal(got, own), (compare, target)


@pytest.mark.parametrize(
    ("scale", "fields", "said"),
    [
        (0.5, {}, "all kept"),
        (1 / 3.3, {"alpha_v": frozen(0.5)}, "none can be"),
        (0.3, {"reset": Reset.SUBTRACT}, "not known"),
        (0.5, {"bias": frozen(0.1)}, "not known"),
        (0.37, {"alpha_v": frozen(0.9)}, "not known"),
        (0.5, {"alpha_v": frozen(0.9)}, "first ones kept"),
    ],
)
def test_certificates_say_what_becomes_of_ties(scale: float, fields: dict[str, Any], said: str) -> None:
    codes, _ = drawn(3, 8)
    graph = layer(codes, scale, 8, **({"alpha_v": frozen(0.5), "threshold": frozen(1.0)} | fields))
    (certificate,) = compiled(graph, "loihi2").certificates
    assert certificate.ties.text == said


def test_ties_that_a_code_loses_are_counted_by_exact_runs_and_by_the_first_potential() -> None:
    codes, _ = drawn(3, 40)
    lowered = compiled(layer(codes, 0.5, 40, alpha_v=frozen(0.5), threshold=frozen(1.0), compare=Compare.GE), "loihi2")
    neuron, population = node(lowered.real, "n", Neuron), node(lowered.program, "n", Population)
    gains = real_gains(lowered.real, lowered.program, population, membrane_unit(neuron, population))
    arithmetic = there(lowered.program.arithmetic)
    offset = bias_offset(neuron, population, arithmetic)
    ties, _ = examine(neuron, population, gains, arithmetic, 40, offset, NORMAL)
    assert (ties.possible, ties.kept, ties.lost, ties.ran, ties.differ) == (24, 0, 0, 24, 0)
    assert ties.met > 50
    # Without the bias that lifts them over a code, all first potentials are lost; above the code, more.
    plain = replace(population, bias=frozen(0, np.int64), threshold=population.threshold + 64 * 64)
    worse, _ = examine(neuron, plain, gains, arithmetic, 40, np.zeros((), np.int64), NORMAL)
    assert worse.lost == 24
    assert worse.differ > 0.5 * worse.met
    assert worse.text == "lost in 24 neurons"


def test_a_last_bit_lifts_potentials_over_a_coarse_code() -> None:
    # Multiples of 64: the code on the safe side lies 64 last bits too low, where others would spike too early.
    codes, _ = drawn(3, 16)
    for decay in (0.5, 0.9):
        graph = layer(codes, 0.5, 16, alpha_v=frozen(decay), threshold=frozen(1.0), compare=Compare.GE)
        lowered = compiled(graph, "loihi2")
        neuron, population = node(lowered.real, "n", Neuron), node(lowered.program, "n", Population)
        unit = membrane_unit(neuron, population)
        assert np.all(population.threshold == 2 * unit)
        assert np.all(population.bias == 1)
        # Nothing of the bias was rounded: it is there for the threshold's sake.
        assert not [row for row in lowered.roundings if "bias" in row.quantity]
        assert not np.any(population.bias - bias_offset(neuron, population, there(lowered.program.arithmetic)))


def test_a_lifted_layer_is_exact_while_no_potential_lies_within_the_lift() -> None:
    codes, _ = drawn(3, 16)
    verdicts = {}
    for steps in (16, 64):
        fields: dict[str, Any] = {"alpha_v": frozen(0.5), "threshold": frozen(1.0), "compare": Compare.GE}
        lowered = compiled(layer(codes, 0.5, steps, **fields), "loihi2")
        assert np.any(node(lowered.program, "n", Population).bias)
        verdicts[steps] = (lowered.certificates[0].verdict.value, float(np.max(lowered.certificates[0].eps)) > 0)
    assert verdicts == {16: ("EXACT", True), 64: ("BOUNDED", True)}
