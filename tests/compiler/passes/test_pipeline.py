"""Every pass keeps every spike, and what is certified EXACT is: on random networks of all layers and neurons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drawn import Draw, Inputs
from nodes import node
from tern2lava.compiler.build import build
from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Output,
    Population,
    Projection,
    Readout,
    Reset,
)
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.ir.text import print_graph
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes import pipeline
from tern2lava.compiler.passes.pipeline import PASSES, Lowered, Pass, Settings, lower, stage_names
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.report.build import make_report
from tern2lava.sim.data.readout import scores
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

REFUSED = ("a decay above 0 for a delayed subtraction",)
SEEDS = st.integers(0, 2**32 - 1)


def lowered_or_refused(graph: Graph, arithmetic: Arithmetic) -> Lowered:
    """The lowered network; the refusals that a random network may meet, by their names, are no examples."""
    try:
        return lower(graph, arithmetic)
    except UnsupportedError as error:
        assume(error.rule not in REFUSED)
        raise


def scales_are_powers_of_two(graph: Graph) -> bool:
    return all(np.all(np.frexp(p.scale)[0] == 0.5) for p in graph.of_kind(Projection))


@given(seed=SEEDS, leak=st.booleans())
@settings(max_examples=70)
def test_every_pass_keeps_every_spike_and_exact_programs_spike_alike(
    make_network: Draw, fine: Arithmetic, seed: int, leak: bool
) -> None:
    graph, inputs = make_network(seed, leak=leak)
    lowered = lowered_or_refused(graph, fine)
    # Other scales round biases in float64, which thresholds that are hit exactly would show.
    assume(scales_are_powers_of_two(lowered.stages["ternarize"]))
    wanted = run_float(graph, inputs).spikes
    assert tuple(lowered.stages) == stage_names()
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
def test_membranes_are_read_in_the_sources_units_after_every_pass(
    make_network: Draw, fine: Arithmetic, seed: int
) -> None:
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
def test_a_threshold_met_exactly_fires_for_ge_and_not_for_gt(
    arithmetic: Arithmetic, compare: Compare, threshold: float, scale: float
) -> None:
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


def test_passes_are_named_once_and_stages_are_their_results() -> None:
    assert ("imported", *(step.name for step in PASSES)) == stage_names()
    assert len(set(stage_names())) == len(stage_names())


# A target whose cores take few inputs, so that split_fan_in has something to split.
_LEAVES = load_profile("tiny").model_dump()
for section, leaf, value in (
    ("core", "fan_in", 6), ("core", "in_axons", 12), ("synapse", "max_delay", 30),
    ("system", "mesh_rows", 32), ("system", "mesh_cols", 32),
):  # fmt: skip
    _LEAVES[section][leaf]["value"] = value
NARROW = Profile.model_validate(_LEAVES)
RANDOM = 40


def spikes_of(graph: Graph, inputs: Inputs) -> dict[str, Array]:
    """The spikes of every population, by the reference of the graph's own numbers."""
    if graph.level < Level.INTEGER:
        return run_float(graph, inputs, states=False).spikes
    return integer.run(graph, inputs, states=False).spikes


def random_stages(
    make_network: Draw, arithmetic: Arithmetic, passes: tuple[Pass, ...]
) -> Iterator[tuple[Pass, Graph, Graph, Inputs]]:
    """(pass, graph before, graph after, inputs) of every pass on random networks that the pass changes."""
    for seed in range(RANDOM):
        graph, inputs = make_network(seed, leak=bool(seed % 2))
        settings = Settings(options=Options(), arithmetic=arithmetic, profile=NARROW)
        try:
            for step in passes:
                before, graph = graph, step.run(graph, settings)
                # Other scales round biases in float64, which thresholds that are hit exactly would show.
                if graph.level is Level.TERNARY and not scales_are_powers_of_two(graph):
                    break
                if print_graph(graph) != print_graph(before):
                    yield step, before, graph, inputs
        except (UnsupportedError, CapacityError):
            continue


def spikes_kept(before: Graph, after: Graph, inputs: Inputs) -> bool:
    wanted, found = spikes_of(before, inputs), spikes_of(after, inputs)
    return all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_every_exact_pass_keeps_every_spike_on_random_networks_and_changes_some_of_them(
    make_network: Draw, fine: Arithmetic
) -> None:
    changed = dict.fromkeys((step.name for step in PASSES if step.exact), 0)
    for step, before, after, inputs in random_stages(make_network, fine, PASSES):
        if step.exact:
            assert spikes_kept(before, after, inputs), step.name
            changed[step.name] += 1
    assert min(changed.values()) >= 5, changed


def other_thresholds(graph: Graph, settings: Settings) -> Graph:
    """A quarter more on every threshold: no spike is to be relied on."""
    nodes = (
        replace(node, threshold=frozen(node.threshold * 1.25 + 0.1)) if isinstance(node, Neuron) else node
        for node in graph.nodes
    )
    return graph.with_nodes(nodes)


def test_a_pass_that_is_called_exact_and_moves_thresholds_is_found_on_these_networks(
    make_network: Draw, fine: Arithmetic
) -> None:
    wrong = Pass("other_thresholds", True, other_thresholds)
    found = random_stages(make_network, fine, (*PASSES[:3], wrong))
    assert not all(spikes_kept(before, after, inputs) for step, before, after, inputs in found if step is wrong)


def renamed(graph: Graph, settings: Settings) -> Graph:
    return replace(graph, source=f"{graph.source} renamed")


def test_what_an_appended_pass_returns_is_the_program_and_is_mapped(
    monkeypatch: pytest.MonkeyPatch, make_network: Draw, fine: Arithmetic
) -> None:
    graph, _ = make_network(0)
    monkeypatch.setattr(pipeline, "PASSES", (*PASSES, Pass("renamed", True, renamed)))
    lowered = lower(graph, fine)
    assert tuple(lowered.stages) == stage_names() == (*("imported", *(step.name for step in PASSES)), "renamed")
    assert lowered.program is lowered.stages["renamed"]
    assert lowered.program.source.endswith(" renamed")
    assert lowered.real is lowered.stages["fold_scale"]
    made = build(graph, load_profile("loihi2"))
    assert make_report(made, "0").source.endswith(" renamed")
    assert made.mapped.graph.source.endswith(" renamed")


def test_a_pass_behind_the_integers_that_is_not_exact_is_refused(
    monkeypatch: pytest.MonkeyPatch, make_network: Draw, fine: Arithmetic
) -> None:
    monkeypatch.setattr(pipeline, "PASSES", (*PASSES, Pass("renamed", False, renamed)))
    with pytest.raises(ValueError, match="renamed is not exact"):
        lower(make_network(0)[0], fine)


def summed(ratio: float) -> Graph:
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
def test_a_spike_that_adds_more_than_a_membrane_holds_is_refused(fine: Arithmetic, ratio: float) -> None:
    with pytest.raises(UnsupportedError, match=f"scales up to {ratio:g}".replace("+", r"\+")):
        lower(summed(ratio), fine)
    assert node(lower(summed(1e3), fine).program, "n", Population).shape == (1,)
