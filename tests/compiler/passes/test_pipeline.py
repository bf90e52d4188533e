"""Every pass keeps every spike, and what is certified EXACT is: on random networks of all layers and neurons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.ir.graph import Compare, Dense, Graph, Input, Level, Neuron, Output, Projection, Readout, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.pipeline import PASSES, STAGES, lower
from tern2lava.errors import UnsupportedError
from tern2lava.sim.data.readout import scores
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

REFUSED = (
    "padding between two linear layers meets whole windows only",
    "a decay above 0 for a delayed subtraction",
)
SEEDS = st.integers(0, 2**32 - 1)


def lowered_or_refused(graph, arithmetic):
    """The lowered network; the refusals that a random network may meet, by their names, are no examples."""
    try:
        return lower(graph, arithmetic)
    except UnsupportedError as error:
        assume(error.rule not in REFUSED)
        raise


def scales_are_powers_of_two(graph):
    return all(np.all(np.frexp(p.scale)[0] == 0.5) for p in graph.of_kind(Projection))


@given(seed=SEEDS, leak=st.booleans())
@settings(max_examples=70)
def test_every_pass_keeps_every_spike_and_exact_programs_spike_alike(make_network, fine, seed, leak):
    graph, inputs = make_network(seed, leak=leak)
    lowered = lowered_or_refused(graph, fine)
    # Other scales round biases in float64, which thresholds that are hit exactly would show.
    assume(scales_are_powers_of_two(lowered.stages["ternarize"]))
    wanted = run_float(graph, inputs).spikes
    assert tuple(lowered.stages) == STAGES
    for stage, found in lowered.stages.items():
        if found.level < Level.INTEGER:
            spikes = run_float(found, inputs, states=False).spikes
            assert all(np.array_equal(spikes[name], wanted[name]) for name in wanted), stage
    if all(certificate.verdict is Verdict.EXACT for certificate in lowered.certificates):
        spikes = integer.run(lowered.program, inputs, states=False).spikes
        assert all(np.array_equal(spikes[name], wanted[name]) for name in wanted)
    assert leak or all(certificate.verdict is Verdict.EXACT for certificate in lowered.certificates)


@given(seed=SEEDS)
@settings(max_examples=30)
def test_membranes_are_read_in_the_sources_units_after_every_pass(make_network, fine, seed):
    graph, inputs = make_network(seed, reset=Reset.SUBTRACT, refractory=0, rearm=False, threshold_low=None)
    lowered = lowered_or_refused(graph, fine)
    assume(scales_are_powers_of_two(lowered.stages["ternarize"]))
    for kind in (Readout.MEMBRANE_SUM, Readout.MEMBRANE_LAST, Readout.MEMBRANE_MAX, Readout.SPIKE_COUNT):
        output = Output(name="o", inputs=graph.of_kind(Output)[0].inputs, readout=kind)
        wanted = scores(graph, run_float(graph, inputs), output)
        real = scores(lowered.real, run_float(lowered.real, inputs), output)
        program = scores(lowered.program, integer.run(lowered.program, inputs), output)
        assert np.array_equal(real, wanted)
        assert np.array_equal(program, wanted)


@pytest.mark.parametrize("compare", list(Compare))
@pytest.mark.parametrize("threshold", [3.0, 2.999, 3.001])
@pytest.mark.parametrize("scale", [0.1, 0.3, 1.0])
def test_a_threshold_met_exactly_fires_for_ge_and_not_for_gt(arithmetic, compare, threshold, scale):
    # Three synapses of `scale` against a threshold beside or on it, in the numbers that are meant: three times the
    # float64 called 0.1 is not the float64 called 0.3, and three times 0.3 is not 0.9.
    graph = Graph(
        level=Level.IMPORTED,
        steps=4,
        nodes=(
            Input(name="x", shape=(3,)),
            Dense(name="w", inputs=("x",), weight=frozen(np.full((1, 3), scale))),
            Neuron(
                name="n", inputs=("w",), shape=(1,), threshold=frozen(threshold * scale), compare=compare,
                reset=Reset.NONE, alpha_v=frozen(0.0),
            ),
            Output(name="y", inputs=("n",)),
        ),
    )  # fmt: skip
    lowered = lower(graph, arithmetic)
    assert lowered.certificates[0].verdict is Verdict.EXACT
    spikes = integer.run(lowered.program, {"x": np.ones((1, 4, 3), np.uint8)}).spikes["n"]
    meets = threshold < 3 or (compare is Compare.GE and threshold == 3)
    assert spikes.all() == meets
    assert spikes.any() == meets


def test_passes_are_named_once_and_stages_are_their_results():
    assert ("imported", *(name for name, _ in PASSES)) == STAGES
    assert len(set(STAGES)) == len(STAGES)


def summed(ratio):
    """One neuron that sums two layers, the second's weights `ratio` times the first's."""
    nodes = (
        Input(name="x", shape=(2,)),
        Dense(name="a", inputs=("x",), weight=frozen([[1.0, -1.0]])),
        Dense(name="b", inputs=("x",), weight=frozen([[ratio, 0.0]])),
        Neuron(name="n", inputs=("a", "b"), shape=(1,), threshold=frozen(2.0)),
        Output(name="y", inputs=("n",)),
    )
    return Graph(level=Level.IMPORTED, nodes=nodes)


@pytest.mark.parametrize("ratio", [1e8, 1e30])
def test_a_spike_that_adds_more_than_a_membrane_holds_is_refused(fine, ratio):
    with pytest.raises(UnsupportedError, match=f"scales up to {ratio:g}".replace("+", r"\+")):
        lower(summed(ratio), fine)
    assert lower(summed(1e3), fine).program["n"].shape == (1,)
