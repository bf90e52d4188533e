"""Neurons without a threshold: lowered, certified, run and compared by their potentials, and nothing said of spikes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Output,
    Population,
    Readout,
    Reset,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.errors import InputError
from tern2lava.prove.arithmetic.graphs import network_of
from tern2lava.prove.arithmetic.run import Claim, prove_arithmetic
from tern2lava.sim.data.readout import scores
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float
from tern2lava.sim.verify.arithmetic import count_spikes
from tern2lava.sim.verify.deviation import part
from tern2lava.sim.verify.threshold_margin import run_band
from tern2lava.sim.verify.thresholds import SideWatch

STEPS = 20
X = (np.random.default_rng(5).random((4, STEPS, 5)) < 0.6).astype(np.uint8)
NARROW = Arithmetic(threshold_bits=8, threshold_shift=0)
"""Thresholds up to 255, states of 24 bits."""


def network(readout: Readout = Readout.MEMBRANE_LAST, bias: float = 0.0, **integrator: Any) -> Graph:
    """x -> hidden -> an integrator."""
    rng = np.random.default_rng(1)
    nodes = (
        Input(name="x", shape=(5,)),
        Dense(name="w", inputs=("x",), weight=frozen(rng.integers(-1, 3, (6, 5)).clip(-1, 1) * 1.0)),
        Neuron(name="hidden", inputs=("w",), shape=(6,), alpha_v=frozen(0.5)),
        Dense(name="fc", inputs=("hidden",), weight=frozen(rng.integers(-1, 2, (3, 6)) * 0.3), bias=frozen([bias] * 3)),
        Neuron(
            name="sums", inputs=("fc",), shape=(3,),
            **{"threshold": frozen(np.inf), "reset": Reset.NONE, **integrator},
        ),
        Output(name="y", inputs=("sums",), readout=readout),
    )  # fmt: skip
    return Graph(level=Level.IMPORTED, nodes=nodes, steps=STEPS)


def lowered(graph: Graph, arithmetic: Arithmetic | None = None) -> Lowered:
    return lower(graph, arithmetic or Arithmetic())


@pytest.mark.parametrize("arithmetic", [Arithmetic(), NARROW], ids=["loihi", "narrow"])
@pytest.mark.parametrize("alpha", [1.0, 0.9, 0.0])
@pytest.mark.parametrize("bias", [0.0, 0.1])
def test_potentials_part_by_no_more_than_is_certified(arithmetic: Arithmetic, alpha: float, bias: float) -> None:
    found = lowered(network(bias=bias, alpha_v=frozen(alpha)), arithmetic)
    population, certificate = found.program.population("sums"), found.certificates[1]
    assert int(population.threshold.max()) == arithmetic.threshold_max
    assert certificate.eps_relative is None
    assert certificate.verdict is (Verdict.BOUNDED if bias or alpha == 0.9 else Verdict.EXACT)
    apart = part(found.real, found.program, {"x": X})["sums"].furthest.max()
    assert apart <= float(np.max(certificate.eps)) + 1e-12 < 0.05
    assert bool(apart > 0) is (certificate.verdict is Verdict.BOUNDED)
    real, program = run_float(found.imported, {"x": X}), integer.run(found.program, {"x": X})
    unit = float(found.real.neuron("sums").unit)
    np.testing.assert_allclose(
        scores(found.program, program), scores(found.imported, real), atol=float(np.max(certificate.eps)) * unit + 1e-12
    )
    assert not any(rounding.quantity == "threshold" for rounding in found.roundings if rounding.population == "sums")


def test_nothing_is_said_of_the_spikes_of_an_integrator() -> None:
    found = lowered(network(bias=3.0), NARROW)
    real, program = run_float(found.imported, {"x": X}), integer.run(found.program, {"x": X})
    assert program.spikes["sums"].any(), "the largest threshold of these integers is to be crossed"
    (_, row) = count_spikes(found.imported, real, program)
    assert (row.missing, row.extra, row.integer_spikes, row.silent, row.died) == (0, 0, 0, False, False)
    band = run_band(found.real, found.program, {"x": X})[0][1]
    assert (band.population, band.near) == ("sums", 0)
    assert set(SideWatch(found.program).reach) == {"hidden"}


def test_the_second_opinion_proves_that_an_exact_integrator_holds_the_same_potentials() -> None:
    found = lowered(network())
    real, program = (network_of(*graph_document(graph)) for graph in (found.real, found.program))
    claim = Claim(population="sums", verdict="EXACT", steps=STEPS)
    assert prove_arithmetic(real, program, [claim]).exact[0].proven
    reset = found.program.with_nodes(
        replace(node, reset=Reset.SUBTRACT) if isinstance(node, Population) and node.name == "sums" else node
        for node in found.program.nodes
    )
    wrong = prove_arithmetic(real, network_of(*graph_document(reset)), [claim]).exact[0]
    assert (wrong.proven, wrong.reason) == (False, "its reset")
    # A reset in both would be one that integers make and real numbers never.
    zero = [
        graph.with_nodes(
            replace(node, reset=Reset.ZERO) if isinstance(node, Neuron | Population) and node.name == "sums" else node
            for node in graph.nodes
        )
        for graph in (found.real, found.program)
    ]
    first, second = (network_of(*graph_document(graph)) for graph in zero)
    both = prove_arithmetic(first, second, [claim]).exact[0]
    assert (both.proven, both.reason) == (False, "its reset")
    tried = prove_arithmetic(real, program, [replace(claim, verdict="BOUNDED")], exhaustive=True).tried
    assert tried[0].reason == "it has no threshold"


def test_a_network_in_other_units_has_the_same_integrator() -> None:
    plain = lowered(network(bias=0.125))
    graph = network(bias=0.125)
    scaled = graph.with_nodes(
        replace(node, weight=node.weight * 2.0**-30, bias=None if node.bias is None else node.bias * 2.0**-30)
        if isinstance(node, Dense) and node.name == "fc" else node
        for node in graph.nodes
    )  # fmt: skip
    other = lowered(scaled)
    for name in ("bias", "decay_v", "threshold"):
        np.testing.assert_array_equal(
            getattr(plain.program.population("sums"), name), getattr(other.program.population("sums"), name)
        )


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (
            network(Readout.SPIKE_COUNT),
            "sums: requires outputs that read the potentials .* found y, which counts spikes",
        ),
        (network(reset=Reset.ZERO), "sums: requires reset none, and nothing that follows on a spike"),
        (network(refractory=2), "sums: requires reset none"),
        (network(threshold=frozen([np.inf, 1.0, 1.0])), "sums.threshold: requires finite numbers"),
        (network(threshold=frozen(-np.inf)), "sums.threshold: requires finite numbers"),
        (network(alpha_v=frozen(np.inf)), "sums.alpha_v: requires finite numbers"),
    ],
)
def test_neurons_without_a_threshold_that_would_spike_are_refused(graph: Graph, why: str) -> None:
    with pytest.raises(InputError, match=why):
        check(graph)


def test_a_layer_that_reads_the_spikes_of_an_integrator_is_refused() -> None:
    graph = network()
    more = (
        Dense(name="further", inputs=("sums",), weight=frozen(np.ones((2, 3)))),
        Neuron(name="z", inputs=("further",), shape=(2,)),
        Output(name="end", inputs=("z",)),
    )
    with pytest.raises(InputError, match="sums: requires outputs that read the potentials .* found further;"):
        check(graph.with_nodes([*graph.nodes, *more]))
