"""Each condition of the proof by induction is needed: without it, integers that spike otherwise than fractions pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from fingerprints import sample_graph
from fraction_run import FractionRun
from network import network
from sample_nets import SAMPLES
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Decays,
    Dense,
    Flatten,
    Graph,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Pool2d,
    PoolKind,
    Population,
    Projection,
    Reset,
)  # fmt: skip
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.hw_profiles import load_profile
from tern2lava.prove.arithmetic.graphs import network_of
from tern2lava.prove.arithmetic.run import Claim, prove_arithmetic
from tern2lava.sim.reference import integer

FINE = Arithmetic(threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0)
STEPS = 8


@dataclass(frozen=True, kw_only=True)
class Case:
    """One neuron, both of its graphs edited. whole: parameters of both, a last bit being one real unit; real, coded:
    of one of them alone; bits: width of states; gain: of every synapse, in both; reason: why it is not proven."""

    reason: str
    kind: dict[str, Any] = field(default_factory=dict)
    weights: tuple[float, ...] = (1.0, 1.0)
    whole: dict[str, int] = field(default_factory=dict)
    real: dict[str, Any] = field(default_factory=dict)
    coded: dict[str, int] = field(default_factory=dict)
    bits: int = 24
    gain: int = 1

    def graphs(self) -> tuple[Graph, Graph]:
        """(real, program)."""
        lowered = lower(network([self.weights], steps=STEPS, **{"threshold": frozen(2.0), **self.kind}), FINE)
        neuron, population = lowered.real.neuron("n"), lowered.program.population("n")
        numbers: dict[str, Any] = {"unit": 1.0, **self.whole, **self.real}
        reals: dict[str, Any] = {key: frozen(float(value)) for key, value in numbers.items()}
        codes: dict[str, Any] = {k: frozen(value, np.int64) for k, value in {**self.whole, **self.coded}.items()}
        neuron, population = replace(neuron, **reals), replace(population, lsb=frozen(1.0), **codes)
        scaled = replace(lowered.real.projection("w"), scale=frozen(float(self.gain)))
        gained = replace(lowered.program.projection("w"), gain=frozen(self.gain, np.int64))
        program = _with(_with(lowered.program, population), gained)
        return _with(_with(lowered.real, neuron), scaled), replace(
            program, arithmetic=replace(FINE, state_bits=self.bits)
        )


def _with(graph: Graph, changed: Any) -> Graph:
    return graph.with_nodes(changed if node.name == changed.name else node for node in graph.nodes)


def reason(real: Graph, program: Graph) -> str | None:
    """Why n is not proven; None where it is."""
    meant, coded = (network_of(*graph_document(graph)) for graph in (real, program))
    (found,) = prove_arithmetic(meant, coded, [Claim(population="n", verdict="EXACT", steps=STEPS)]).exact
    return found.reason


def apart(real: Graph, program: Graph) -> bool:
    """Whether some of many inputs makes other spikes than fractions do."""
    rng = np.random.default_rng(0)
    source = real["x"]
    assert isinstance(source, Input)
    shape = source.shape
    drawn = rng.random((400, STEPS, *shape)) < rng.choice([0.2, 0.5, 0.8, 1.0], (400, 1, 1))
    # Some synapses for a time, the others from then on.
    turn, first = rng.integers(0, STEPS, (400, 1, 1)), rng.integers(0, 2, (400, 1, *shape))
    turned = np.where(np.arange(STEPS)[None, :, None] < turn, first, 1 - first)
    x = np.concatenate([drawn, turned]).astype(np.uint8)
    meant = FractionRun(real, {"x": x}).spikes("n")
    return bool((meant != integer.run(program, {"x": x}, states=False).spikes["n"]).any())


SOFT: dict[str, Any] = {"reset": Reset.SUBTRACT, "reset_amount": frozen(2.0)}
REARM: dict[str, Any] = {**SOFT, "rearm": True}
BETWEEN: dict[str, Any] = {"gain": 4, "real": {"threshold": 4.5}, "coded": {"threshold": 7}}
CASES: dict[str, Case] = {
    "range of the current": Case(reason="its current can overflow", kind={"alpha_u": frozen(1.0)}, bits=4),
    "range of the potential, down": Case(
        reason="its potential can overflow", weights=(1.0, -1.0, -1.0), bits=3, kind={"reset": Reset.ZERO}
    ),
    "range of the potential, up": Case(
        reason="its potential can overflow",
        weights=(1.0, 1.0, -1.0, -1.0),
        bits=4,
        kind={"reset": Reset.NONE},
        whole={"threshold": 6},
    ),
    "lattice: first potential": Case(reason="its threshold", whole={"v_init": 1}, **BETWEEN),
    "lattice: bias": Case(reason="its threshold", whole={"bias": 1}, **BETWEEN),
    "lattice: bias of the current": Case(reason="its threshold", whole={"bias_u": 1}, **BETWEEN),
    "lattice: reset amount": Case(reason="its threshold", kind=SOFT, whole={"reset_amount": 3}, **BETWEEN),
    "first potential that a decay rounds": Case(
        reason="its v_init, which a decay rounds",
        kind={"alpha_v": frozen(0.5), "compare": Compare.GT},
        gain=1 << 10,
        whole={"v_init": 1, "threshold": 1 << 10},
    ),
    "offset of a rearming neuron": Case(
        reason="its bias",
        kind=REARM,
        gain=4,
        whole={"threshold": 8, "reset_amount": 8},
        coded={"bias": 1, "threshold": 9},
    ),
    "bias between last bits": Case(reason="its bias", real={"bias": 0.5}),
    "lower threshold": Case(
        reason="its lower threshold",
        kind={"threshold_low": frozen(-2.0)},
        weights=(1.0, -1.0),
        whole={"threshold_low": -2},
        coded={"threshold_low": -3},
    ),
    "lower threshold that only integers reach": Case(
        reason="its lower threshold",
        kind={"threshold_low": frozen(-2.0)},
        weights=(1.0, -1.0),
        real={"threshold_low": -100.0},
        coded={"threshold_low": -3},
    ),
    "lower threshold that only real numbers reach": Case(
        reason="its lower threshold",
        kind={"threshold_low": frozen(-2.0)},
        weights=(1.0, -1.0),
        real={"threshold_low": -3.0},
        coded={"threshold_low": -100},
    ),
    "threshold that only integers reach": Case(
        reason="its threshold", real={"threshold": 100.0}, coded={"threshold": 3}
    ),
    "threshold that only real numbers reach": Case(
        reason="its threshold", real={"threshold": 3.0}, coded={"threshold": 100}
    ),
    "bias that stands for the threshold, step by step more": Case(
        reason="its threshold",
        gain=8,
        kind={"reset": Reset.NONE},
        real={"threshold": 16.0},
        coded={"threshold": 18, "bias": 2},
    ),
    "bias that a leak keeps": Case(
        reason="its threshold",
        gain=1 << 12,
        kind={"alpha_v": frozen(0.5), "reset": Reset.NONE},
        real={"threshold": 4096.0},
        coded={"threshold": 4103, "bias": 7},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_integers_that_spike_otherwise_are_not_proven(name: str) -> None:
    case = CASES[name]
    real, program = case.graphs()
    assert apart(real, program)
    assert reason(real, program) == case.reason


@pytest.mark.parametrize("compare", list(Compare))
@pytest.mark.parametrize("low", [-3, -2, -1])
def test_a_threshold_that_potentials_meet_exactly_is_compared_as_it_is_meant(compare: Compare, low: int) -> None:
    """In integers `>`, and `<` below; -2 spikes where real numbers spike at -2 too."""
    case = Case(
        reason="", kind={"compare": compare, "threshold_low": frozen(-2.0)}, weights=(1.0, -1.0),
        real={"threshold": 2.0, "threshold_low": -2.0},
        coded={"threshold": 2 if compare is Compare.GT else 1, "threshold_low": low},
    )  # fmt: skip
    real, program = case.graphs()
    assert (reason(real, program) is None) != apart(real, program)
    upper = replace(program.population("n"), threshold=frozen(3 - int(program.population("n").threshold), np.int64))
    wrong = _with(program, upper)
    assert apart(real, wrong)
    assert reason(real, wrong) is not None


def test_an_adaptation_that_leaves_the_width_of_states_is_not_proven() -> None:
    kind: dict[str, Any] = {"gain_a": frozen(3.0), "alpha_a": frozen(1.0), "reset": Reset.SUBTRACT, "reset_delay": True}
    case = Case(reason="", kind=kind | {"reset_amount": frozen(0.0)}, whole={"gain_a": 3, "threshold": 2})
    real, program = case.graphs()
    assert reason(real, program) is None
    narrow = replace(program, arithmetic=replace(FINE, state_bits=5))
    assert reason(real, narrow) == "its adaptation can overflow"


def test_sums_of_relays_stay_within_the_width_of_states() -> None:
    sample, profile = SAMPLES["relays"], load_profile("tiny")
    lowered = build(sample_graph("relays"), profile, sample.options, sample.mapping(profile)).lowered
    assert lowered.program.arithmetic is not None
    relays = [p for p in lowered.program.of_kind(Population) if p.levels is not None]
    # Each holds more than 1, the most of states of 2 bits.
    assert all(max(-p.levels[0], p.levels[1]) > 1 for p in relays if p.levels is not None)
    narrow = replace(lowered.program, arithmetic=replace(lowered.program.arithmetic, state_bits=2))
    meant, coded = (network_of(*graph_document(graph)) for graph in (lowered.real, narrow))
    claims = [Claim(population=c.population, verdict="EXACT", steps=1) for c in lowered.certificates]
    assert any("sums of relay" in (one.reason or "") for one in prove_arithmetic(meant, coded, claims).exact)


def sample(name: str, target: str = "loihi2") -> Lowered:
    chosen, profile = SAMPLES[name], load_profile(target)
    return build(sample_graph(name), profile, chosen.options, chosen.mapping(profile)).lowered


def reasons(lowered: Lowered, *changed: Node, real: tuple[Node, ...] = ()) -> set[str]:
    """Why populations certified EXACT are not proven, with nodes of the program or the real network in the place of
    those of their names."""
    program, meant = lowered.program, lowered.real
    for node in changed:
        program = _with(program, node)
    for node in real:
        meant = _with(meant, node)
    claims = [Claim(population=c.population, verdict=c.verdict.value, steps=c.steps) for c in lowered.certificates]
    graphs = [network_of(*graph_document(graph)) for graph in (meant, program)]
    return {one.reason for one in prove_arithmetic(graphs[0], graphs[1], claims).exact if one.reason is not None}


def test_a_quantum_is_one_last_bit_and_decays_are_cut_in_both() -> None:
    lowered = sample("quantum", "generic-ternary")
    assert not reasons(lowered)
    neuron = next(n for n in lowered.real.of_kind(Neuron) if n.quantum is not None)
    assert neuron.quantum is not None
    population = lowered.program.population(neuron.name)
    assert reasons(lowered, real=(replace(neuron, quantum=frozen(neuron.quantum * 2)),)) == {"its quantum"}
    nearest = replace(population, decays=Decays.NEAREST)
    assert "how its decays become whole" in reasons(lowered, nearest)


def test_another_place_of_a_kernel_another_source_and_a_missing_one_are_found() -> None:
    lowered = sample("convolution")
    assert not reasons(lowered)
    wire = next(p for p in lowered.program.of_kind(Projection) if p.geometry is not None)
    assert wire.geometry is not None
    assert wire.geometry.padding == (1, 1, 1, 1)
    moved = replace(wire, geometry=replace(wire.geometry, padding=(0, 2, 1, 1)))
    assert reasons(lowered, moved) == {f"weights of {wire.name}"}
    lowered = sample("residual")
    assert not reasons(lowered)
    last = next(p for p in lowered.program.of_kind(Population) if len(p.inputs) > 1)
    assert "its inputs" in reasons(lowered, replace(last, inputs=last.inputs[:1]))
    wires = [lowered.program.projection(name) for name in last.inputs]
    assert wires[0].inputs != wires[1].inputs
    swapped = replace(wires[0], inputs=wires[1].inputs)
    assert reasons(lowered, swapped) & {f"the source of {wires[0].name}", f"the delay of {wires[0].name}"}


def test_pieces_of_a_sum_have_one_gain() -> None:
    lowered = sample("relays", "tiny")
    assert not reasons(lowered)
    population = next(p for p in lowered.program.of_kind(Population) if p.levels is None and len(p.inputs) > 1)
    wires = [lowered.program.projection(name) for name in population.inputs]
    last = wires[-1]
    assert any(wire.part_of == last.part_of for wire in wires[:-1])
    found = reasons(lowered, replace(last, gain=frozen(last.gain * 2, np.int64)))
    assert any(reason.startswith("the gains of ") for reason in found)


def test_resets_that_are_late_or_to_another_value_are_not_taken_for_those_of_integers() -> None:
    real, program = Case(reason="", kind={"reset": Reset.ZERO}, real={"reset_value": 1.0}).graphs()
    assert apart(real, program)
    assert reason(real, program) == "its reset value"
    real, program = Case(reason="", kind={"reset": Reset.ZERO, "alpha_v": frozen(0.0)}).graphs()
    assert reason(real, program) is None
    assert reason(_with(real, replace(real.neuron("n"), reset_delay=True)), program) == "its reset is delayed"


def test_sums_reach_as_far_as_signed_spikes_and_pools_bring_them() -> None:
    signed = network([[1.0, -1.0]], [[1.0]], names=("first", "n"), steps=STEPS, threshold=frozen(2.0))
    first = replace(signed.neuron("first"), threshold_low=frozen(-1.0))
    pool = Pool2d(name="pool", inputs=("x",), kind=PoolKind.SUM, kernel=(2, 2), stride=(2, 2))
    pooled = Graph(
        level=Level.IMPORTED, steps=STEPS,
        nodes=(
            Input(name="x", shape=(1, 2, 2)), pool, Flatten(name="flat", inputs=("pool",)),
            Dense(name="w", inputs=("flat",), weight=frozen([[1.0]])),
            Neuron(name="n", inputs=("w",), shape=(1,), threshold=frozen(2.0), reset=Reset.NONE),
            Output(name="y", inputs=("n",)),
        ),
    )  # fmt: skip
    for graph, enough in ((_with(signed, first), 5), (pooled, 7)):
        lowered = lower(graph, FINE)
        for bits, wanted in ((enough, None), (enough - 1, "its potential can overflow")):
            narrow = replace(lowered.program, arithmetic=replace(FINE, state_bits=bits))
            assert reason(lowered.real, narrow) == wanted


def test_a_sum_of_another_source_that_is_as_late_is_found() -> None:
    graph = Graph(
        level=Level.IMPORTED, steps=STEPS,
        nodes=(
            Input(name="x", shape=(2,)), Input(name="z", shape=(2,)),
            Dense(name="w", inputs=("x",), weight=frozen([[1.0, 1.0]])),
            Dense(name="k", inputs=("z",), weight=frozen([[1.0, -1.0]])),
            Neuron(name="n", inputs=("w", "k"), shape=(1,), threshold=frozen(2.0), reset=Reset.ZERO),
            Output(name="y", inputs=("n",)),
        ),
    )  # fmt: skip
    lowered = lower(graph, FINE)
    assert reason(lowered.real, lowered.program) is None
    other = replace(lowered.program.projection("w"), inputs=("z",))
    assert reason(lowered.real, _with(lowered.program, other)) == "the source of w"
