"""EXACT is proven by induction where it holds, and by nothing where fractions show another spike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from command_line import in_process
from drawn import Draw
from fingerprints import sample_graph
from fraction_run import FractionRun
from network import network
from random_programs import numbers
from sample_nets import SAMPLES
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import Arithmetic, Compare, Graph, Input, Node, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import load_profile
from tern2lava.prove.arithmetic.graphs import network_of
from tern2lava.prove.arithmetic.run import Claim, Induction, prove_arithmetic
from tern2lava.sim.reference import integer
from wrong_integers import MISTAKES, mistaken

COARSE, FINE = (
    Arithmetic(),
    Arithmetic(threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0),
)


def induction(lowered: Lowered, program: Graph | None = None, only: str = "") -> Induction:
    """What is proven of a network (with another program, of one population alone)."""
    claims = [
        Claim(population=c.population, verdict=c.verdict.value, steps=c.steps)
        for c in lowered.certificates
        if only in ("", c.population)
    ]
    real, coded = (network_of(*graph_document(graph)) for graph in (lowered.real, program or lowered.program))
    return prove_arithmetic(real, coded, claims)


REARMING = {"rearm": True, "reset": Reset.SUBTRACT, "reset_delay": False, "refractory": 0, "threshold_low": None}


def exact_networks(make_network: Draw, count: int) -> Iterator[tuple[int, Lowered, Any]]:
    """Drawn networks, with and without leak, rearming, in both arithmetics, that have a population certified EXACT."""
    for number in numbers(count):
        for fixed in ({"leak": False}, {"leak": True}, {"leak": False, **REARMING}):
            graph, inputs = make_network(number, **fixed)
            for arithmetic in (COARSE, FINE):
                try:
                    lowered = lower(graph, arithmetic)
                except Tern2LavaError:
                    continue
                if any(c.verdict.value == "EXACT" for c in lowered.certificates):
                    yield number, lowered, inputs


@pytest.mark.parametrize("name", ["convolution", "grouped", "residual", "relays", "quantum", "wide codes"])
def test_every_exact_population_of_the_samples_is_proven(name: str) -> None:
    """On every target: benchmarks/arithmetic.py."""
    sample = SAMPLES[name]
    for target in ("loihi2", "tiny"):
        profile = load_profile(target)
        result = induction(
            lower(sample_graph(name), Arithmetic(**profile.arithmetic_values()), sample.options, profile)
        )
        assert result.exact
        assert all(one.proven for one in result.exact), f"{target}: {result}"


def test_every_exact_population_of_drawn_networks_is_proven(make_network: Draw) -> None:
    proven, kinds = 0, Counter[str]()
    for number, lowered, _ in exact_networks(make_network, 20):
        result = induction(lowered)
        assert all(one.proven for one in result.exact), f"network {number}: {result}"
        proven += result.proven
        for one in result.exact:
            population = lowered.program.population(one.population)
            kinds.update([population.reset.value, "refractory" * bool(population.refractory)])
            kinds.update(["signed" * (population.threshold_low is not None), "rearm" * population.rearm])
            partly = (population.decay_v % 4096 != 0).any() or (population.decay_u % 4096 != 0).any()
            kinds.update(["partial decay" * bool(partly)])
    assert proven > 120
    wanted = {"zero", "subtract", "none", "refractory", "signed", "rearm", "partial decay"}
    assert all(kinds[kind] >= 3 for kind in wanted), kinds


def spikes_alike(lowered: Lowered, program: Graph, name: str, meant: FractionRun, inputs: Any) -> bool:
    """Whether `name` spikes in integers as in fractions, wherever its sources do up to that step."""
    trace = integer.run(program, inputs, states=False)
    same = np.ones(next(iter(inputs.values())).shape[:2], bool)
    for projection in lowered.real.projections(lowered.real.neuron(name).inputs):
        source = projection.inputs[0]
        if source in trace.spikes and source != name:
            same &= (trace.spikes[source] == meant.spikes(source)).all(axis=2)
    same = np.logical_and.accumulate(same, axis=1)
    return bool(((trace.spikes[name] == meant.spikes(name)).all(axis=2) | ~same).all())


def many_inputs(program: Graph, rng: np.random.Generator, steps: int, count: int) -> dict[str, Any]:
    """Inputs of every density: for each sample one, from silence to everything in every step."""
    result = {}
    for node in program.of_kind(Input):
        low, high = node.levels
        share = rng.choice([0.0, 0.3, 0.6, 1.0], (count, *[1] * (1 + len(node.shape))))
        drawn = rng.integers(low, high + 1, (count, steps, *node.shape))
        most = np.where(rng.random(drawn.shape) < 0.5, drawn, high)
        result[node.name] = np.where(rng.random(drawn.shape) < share, most, 0)
    return result


def test_no_wrong_integer_is_proven_that_changes_a_spike_of_fractions(make_network: Draw) -> None:
    caught, same = Counter[str](), Counter[str]()
    for number, lowered, _ in exact_networks(make_network, 6):
        rng = np.random.default_rng([3, number])
        exact = [c for c in lowered.certificates if c.verdict.value == "EXACT"]
        inputs = many_inputs(lowered.program, rng, lowered.program.steps, 24)
        meant = FractionRun(lowered.real, inputs)
        for kind in MISTAKES:
            certificate = exact[int(rng.integers(len(exact)))]
            population = lowered.program.population(certificate.population)
            wrong = mistaken(lowered.program, population, kind, rng)
            proven = induction(lowered, wrong, population.name).proven == 1
            alike = spikes_alike(lowered, wrong, population.name, meant, inputs)
            assert alike or not proven, f"network {number}, {population.name}: {kind}"
            if not alike:
                caught[kind] += 1
            elif proven:
                same[kind] += 1
    assert set(caught) >= {"threshold by 1", "weight code", "unit of a channel", "reset", "delay by 1"}, caught
    assert sum(caught.values()) > 40, caught
    # Where potentials are multiples of more than one last bit, one more in a threshold decides nothing.
    assert set(same) <= {"threshold by 1", "bias by 1", "reset amount by 1"}, same
    assert same["threshold by 1"] > 0


def one_neuron(**fields: Any) -> Lowered:
    return lower(network([[1.0, 1.0, -1.0]], steps=6, **{"threshold": frozen(2.0), **fields}), FINE)


def with_population(lowered: Lowered, **values: Any) -> Graph:
    population = replace(lowered.program.population("n"), **values)
    return lowered.program.with_nodes(population if n.name == "n" else n for n in lowered.program.nodes)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"threshold": frozen(3, np.int64)}, "its threshold"),
        ({"bias": frozen(1, np.int64)}, "its threshold"),
        ({"bias_u": frozen(1, np.int64)}, "its bias_u"),
        ({"v_init": frozen(1, np.int64)}, "its v_init"),
        ({"reset_amount": frozen(1, np.int64)}, "its reset_amount"),
        ({"decay_v": frozen(1, np.int64)}, "its decay_v"),
        ({"decay_u": frozen(4095, np.int64)}, "its decay_u"),
        ({"reset": Reset.ZERO}, "its reset"),
        ({"refractory": 1}, "its refractory"),
        ({"rearm": True}, "its rearm"),
        ({"threshold_low": frozen(-5, np.int64)}, "its threshold_low"),
        ({"lsb": frozen(0.5)}, "the unit of its potentials"),
        ({"origin": frozen(0.5)}, "the origin of its potentials"),
        ({"start": 2}, "the delay of w"),
    ],
)
def test_each_number_that_is_another_is_named(values: dict[str, Any], reason: str) -> None:
    lowered = one_neuron(reset=Reset.SUBTRACT, reset_amount=frozen(2.0))
    unit = int(lowered.program.population("n").reset_amount) // 2
    assert unit == 1
    assert induction(lowered).proven == 1
    found = induction(lowered, with_population(lowered, **values))
    assert found.differs
    assert found.exact[0].reason == reason
    assert str(found) == f"DIFFERS from the certificate EXACT of n: {reason} is not that of real numbers"


def test_states_that_can_overflow_are_not_proven() -> None:
    lowered = one_neuron(reset=Reset.NONE)
    assert induction(lowered).proven == 1
    narrow = replace(lowered.program, arithmetic=replace(FINE, state_bits=4))
    assert induction(lowered, narrow).exact[0].reason == "its potential can overflow"
    certificates = tuple(replace(c, steps=1 << 22) for c in lowered.certificates)
    assert induction(replace(lowered, certificates=certificates)).exact[0].reason == "its potential can overflow"
    certificates = tuple(replace(c, steps=1 << 21) for c in lowered.certificates)
    assert induction(replace(lowered, certificates=certificates)).proven == 1


@pytest.mark.parametrize("compare", list(Compare))
def test_a_leak_is_proven_as_long_as_it_rounds_nothing_and_no_longer(compare: Compare) -> None:
    graph = network([[1.0, 1.0]], steps=6, alpha_v=frozen(0.5), threshold=frozen(1.5), compare=compare)
    lowered = lower(graph, Arithmetic(gain_max_shift=5, threshold_shift=0, gain_shift=0))
    assert lowered.certificates[0].verdict.value == "EXACT"
    assert induction(lowered).proven == 1
    longer = replace(lowered, certificates=(replace(lowered.certificates[0], steps=7),))
    assert induction(longer).exact[0].reason == "a decay rounds its potentials"


def test_a_mechanism_that_is_not_known_is_left_to_the_certificate(tmp_path: Path) -> None:
    lowered = one_neuron()
    found = induction(lowered, with_population(lowered, extra={"other.value": frozen(1, np.int64)}))
    assert not found.differs
    assert not found.proven
    assert "n by its certificate alone: its mechanism is not known here" in str(found)


def _with(graph: Graph, changed: Population | Projection) -> list[Node]:
    return [changed if node.name == changed.name else node for node in graph.nodes]


def test_relays_whose_parts_are_not_the_whole_are_found() -> None:
    sample, profile = SAMPLES["relays"], load_profile("tiny")
    lowered = build(sample_graph("relays"), profile, sample.options, sample.mapping(profile)).lowered
    relay = next(p for p in lowered.program.of_kind(Population) if p.levels is not None)
    assert all(one.proven for one in induction(lowered).exact)
    part = lowered.program.projection(relay.inputs[0])
    weight = np.array(part.weight)
    weight[0, 0] = 1 if weight[0, 0] != 1 else 0
    assert part.reads is not None
    box = replace(part.reads, lo=(part.reads.lo[0] + 1,), hi=(part.reads.hi[0] + 1,))
    mistakes: list[tuple[Population | Projection, str]] = [
        (replace(part, weight=frozen(weight)), " of "),
        (replace(part, gain=frozen(2, np.int64)), " of "),
        (replace(part, reads=box), "weights of"),
        (replace(part, delay=1), "the delay of"),
        (replace(relay, bias=frozen(1, np.int64)), "bias of relay"),
        (replace(relay, levels=(0, 1)), "beyond its range"),
        (replace(relay, reset=Reset.ZERO), "what relay"),
    ]
    for changed, reason in mistakes:
        program = lowered.program.with_nodes(_with(lowered.program, changed))
        found = induction(lowered, program)
        assert found.differs, reason
        assert any(reason in (one.reason or "") for one in found.exact), found


def test_a_bundle_says_what_is_proven_by_induction_and_prove_says_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    graph = network([[1.0, 1.0, -1.0]], [[1.0]], steps=6, threshold=frozen(2.0))
    leaky = replace(graph.neuron("n2"), alpha_v=frozen(0.3))
    graph = graph.with_nodes(leaky if n.name == "n2" else n for n in graph.nodes)
    tern2lava.compile(graph, "generic-ternary", out=tmp_path / "build")
    run = in_process(monkeypatch, capsys)
    shown = run("prove", tmp_path / "build")
    assert shown.returncode == 0
    said = " ".join(shown.stdout.split())
    assert "Arithmetic EXACT in 1 of 2 populations, PROVEN by induction for every input within 6 steps" in said
    assert "proven by induction" in " ".join(run("report", tmp_path / "build", "--full").stdout.split())
    proof = tern2lava.prove(tmp_path / "build")
    assert proof.proven
    assert proof.arithmetic is not None
    assert [one.population for one in proof.arithmetic.exact] == ["n1"]
