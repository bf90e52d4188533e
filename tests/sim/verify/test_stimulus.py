"""The cover stimulus: sources told apart, every spike in time, and thresholds met from both sides."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from driven_nets import chain, neurons
from random_programs import Builder, numbers
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.linear import accumulate, per_neuron
from tern2lava.compiler.ir.shapes import Array, frozen, size
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.adjoint import votes
from tern2lava.sim.verify.coverage import activity_of, coverage_of
from tern2lava.sim.verify.stimulus import codes, frame_of, ramp, sources_of, together
from tern2lava.sim.verify.thresholds import SideWatch


def sent_in(program: Graph) -> dict[str, Array]:
    """What each input and driven population sends in all samples of codes, (steps of all, neurons)."""
    stimulus = together(list(codes(program)))
    return {
        name: values.reshape(-1, values.shape[-1]) for name, values in {**stimulus.inputs, **stimulus.driven}.items()
    }


@pytest.mark.parametrize("seed", numbers(6))
def test_any_two_sources_differ_and_each_spikes_in_one_step_and_rests_in_another(seed: int) -> None:
    program = Builder(np.random.default_rng([8, seed]), channel_gain=False).graph()
    trains = np.concatenate(list(sent_in(program).values()), axis=1)
    # Told apart as numbers that are sent, and as mere spikes.
    assert len(np.unique(trains, axis=1).T) == trains.shape[1]
    assert len(np.unique(trains != 0, axis=1).T) == trains.shape[1]
    assert (trains != 0).any(axis=0).all()
    assert (trains == 0).any(axis=0).all()


def test_a_source_that_may_send_values_below_0_sends_some() -> None:
    program = chain()
    signed = program.with_nodes([Input(name="x", shape=(5,), levels=(-3, 7)), *program.nodes[1:]])
    sent = sent_in(signed)["x"]
    assert (sent.min(axis=0) == -3).all()
    assert (sent.max(axis=0) == 7).all()


def test_pairs_of_equal_sums_of_numbers_are_told_apart() -> None:
    program = chain()
    wide = program.with_nodes([Input(name="x", shape=(16,)), *program.nodes[1:]])
    trains = sent_in(wide)["x"].astype(np.int64)
    pairs = {pair: trains[:, pair[0]] + trains[:, pair[1]] for pair in combinations(range(16), 2)}
    assert len({values.tobytes() for values in pairs.values()}) == len(pairs)


@pytest.mark.parametrize("seed", numbers(8))
def test_every_synapse_carries_a_spike_that_arrives(seed: int) -> None:
    program = Builder(np.random.default_rng([9, seed]), channel_gain=False).graph()
    stimulus = together(list(codes(program)))
    trace = integer.run(program, stimulus.inputs, driven=stimulus.driven)
    sent = {**stimulus.inputs, **stimulus.driven}
    found = coverage_of(program, (), activity_of(program, trace.spikes, sent))
    assert found.carried == found.synapses > 0
    # And each spike, not only one of each source: as many steps as its codes have are left behind the last of them.
    frame = frame_of(program)
    quiet = np.concatenate([values.reshape(len(values), frame.steps, -1) for values in sent.values()], axis=2)
    assert not quiet[:, : frame.before].any()
    assert not quiet[:, frame.steps - frame.behind :].any()


def test_samples_have_as_many_steps_as_the_networks_own_within_limits() -> None:
    for steps, sending in ((0, 16), (10, 16), (40, 40), (1000, 64)):
        assert frame_of(replace(chain(delay=3), steps=steps)).sending == sending
    assert frame_of(chain(delay=3)).behind == 3
    assert frame_of(chain(delay=3)).before == 0


@pytest.mark.parametrize("seed", numbers(12))
def test_votes_are_the_transpose_of_what_synapses_add_up(seed: int) -> None:
    rng = np.random.default_rng([10, seed])
    program = Builder(rng, channel_gain=True).graph()
    for projection in program.of_kind(Projection):
        source = program[projection.inputs[0]]
        assert isinstance(source, Input | Population)
        x = rng.integers(-3, 4, (1, size(source.shape))).astype(np.float64)
        forward = accumulate(projection, x) * per_neuron(projection.gain, projection)
        y = rng.integers(-3, 4, forward.shape).astype(np.float64)
        assert (forward * y).sum() == (votes(projection, y, size(source.shape)) * x).sum()


def fan(weights: Array, **more: Any) -> Graph:
    """Inputs that each neuron of one population sees by `weights` (neurons, inputs), gain 1."""
    values = {"threshold": frozen(10), **more}
    return Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(),
        nodes=(
            Input(name="x", shape=(weights.shape[1],)),
            Projection(name="w", inputs=("x",), weight=frozen(weights, np.int8)),
            neurons("n", "w", 1, shape=(weights.shape[0],), **values),
            Output(name="out", inputs=("n",)),
        ),
    )  # fmt: skip


def test_a_threshold_is_met_from_both_sides_by_a_spike_and_a_potential_within_one_synapse() -> None:
    program = fan(np.array([[1, 1], [2, 2], [3, -3]]))
    watch = SideWatch(program)

    def run(*steps: tuple[int, int]) -> tuple[list[bool], list[bool]]:
        integer.run(program, {"x": np.array([steps])}, make=watch)
        return watch.crossed["n"][0].tolist(), watch.near["n"][0].tolist()

    # Potentials 2, 4, 6 of the first, twice as much of the second, 0 of the third.
    assert run((1, 1), (1, 1), (1, 1)) == ([False, True, False], [False, False, False])
    # 10 of the first lacks nothing but one last bit; the second was at 8, which lacks 2, not less than its synapse.
    assert run(*[(1, 1)] * 5) == ([False, True, False], [True, False, False])
    # 10 of the second; 9 of the third, then 12.
    assert run(*[(1, 0)] * 5) == ([False, True, True], [True, True, True])
    assert watch.missing("n")[0].tolist() == [True, False, False]
    (sides,) = watch.sides()
    assert (sides.thresholds, sides.crossed, sides.near, sides.both, sides.helpless) == (3, 2, 3, 2, 0)


def test_neurons_that_rest_come_near_no_threshold() -> None:
    program = fan(np.array([[1, 11]]), threshold=frozen(0), refractory=1, reset=Reset.SUBTRACT, reset_amount=frozen(11))
    watch = SideWatch(program)
    integer.run(program, {"x": np.array([[(0, 1), (0, 0)]])}, make=watch)
    # It rests at 0, which would meet its threshold of 0, in the second step.
    assert (watch.crossed["n"][0, 0], watch.near["n"][0, 0]) == (True, False)
    integer.run(program, {"x": np.array([[(0, 1), (0, 0), (0, 0)]])}, make=watch)
    assert watch.near["n"][0, 0]


def test_both_thresholds_of_a_signed_neuron_count() -> None:
    program = fan(np.array([[4, -4]]), threshold_low=frozen(-10))
    watch = SideWatch(program)
    integer.run(program, {"x": np.array([[(0, 1)] * 3])}, make=watch)
    assert watch.crossed["n"].tolist() == [[False], [True]]
    assert watch.near["n"].tolist() == [[False], [True]]


def test_thresholds_that_nothing_moves_towards_are_helpless_and_asked_for_by_no_ramp() -> None:
    program = fan(np.array([[-1, -1], [-1, 0]]), bias=frozen(np.array([0, 2])))
    watch = SideWatch(program)
    assert watch.helpless["n"].tolist() == [[True, False]]
    watch.crossed["n"][0, 1] = watch.near["n"][0, 1] = True
    assert ramp(program, watch, 0) is None


def test_ramps_meet_the_thresholds_that_codes_leave() -> None:
    rng = np.random.default_rng(12)
    weights = rng.integers(-1, 2, (60, 40))
    program = fan(weights)
    watch = SideWatch(program)
    for stimulus in codes(program):
        integer.run(program, stimulus.inputs, make=watch, driven=stimulus.driven)
    left = int(watch.missing("n").sum())
    for number in range(40):
        found = ramp(program, watch, number)
        if found is None:
            break
        integer.run(program, found.inputs, make=watch, driven=found.driven)
    assert left > 0
    assert watch.missing("n").sum() == 0


def test_sources_are_numbered_one_after_the_other_and_what_nothing_reads_is_none() -> None:
    found = sources_of(chain())
    assert [(each.name, each.first, each.neurons) for each in found] == [("x", 0, 1), ("h", 1, 1)]


def test_a_potential_is_near_a_lower_threshold_within_one_synapse_alone() -> None:
    program = fan(np.array([[4, -4]]), threshold_low=frozen(-10))
    for steps, near in ((1, False), (2, True)):
        watch = SideWatch(program)
        integer.run(program, {"x": np.array([[(0, 1)] * steps])}, make=watch)
        assert watch.near["n"].tolist() == [[False], [near]]
        assert not watch.crossed["n"].any()


def test_a_lower_threshold_that_nothing_moves_towards_is_helpless() -> None:
    weights = np.array([[4, 4], [4, 0], [4, -4]])
    watch = SideWatch(fan(weights, threshold_low=frozen(-10), bias=frozen(np.array([0, -1, 0]))))
    assert watch.helpless["n"].tolist() == [[False] * 3, [True, False, False]]


@pytest.mark.parametrize(("met", "helping"), [([1], [True, False, False]), ([0], [False, True, False])])
def test_in_a_ramp_those_sources_spike_that_move_neurons_towards_what_is_missing(
    met: list[int], helping: list[bool]
) -> None:
    program = fan(np.array([[4, -4, 0]]), threshold_low=frozen(-10))
    watch = SideWatch(program)
    watch.crossed["n"][met] = watch.near["n"][met] = True
    for number in range(8):
        found = ramp(program, watch, number)
        assert found is not None
        assert (found.inputs["x"] != 0).any(axis=(0, 1)).tolist() == helping


def test_steps_of_codes_are_in_no_order_of_bits() -> None:
    wide = chain().with_nodes([Input(name="x", shape=(64,)), *chain().nodes[1:]])
    trains = sent_in(wide)["x"].astype(int)
    ordered = [((np.arange(64) >> bit) & 1).tolist() for bit in range(7)]
    places = [trains.tolist().index(pattern) for pattern in ordered[:6]]
    assert places != sorted(places)


def test_what_a_target_that_begins_later_does_not_see_is_not_sent() -> None:
    program = chain()
    late = program.with_nodes([*program.nodes[:-2], replace(program.population("y"), start=5), program.nodes[-1]])
    assert (frame_of(late).before, frame_of(late).behind) == (3, 0)
    stimulus = together(list(codes(late)))
    assert not stimulus.driven["h"][:, :3].any()
    trace = integer.run(late, stimulus.inputs, driven=stimulus.driven)
    found = coverage_of(late, (), activity_of(late, trace.spikes, {**stimulus.inputs, **stimulus.driven}))
    assert found.carried == found.synapses == 2
