"""NeuroBench's numbers are the package's own: recorded of it for every network, and its own where it is installed."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lossy import network, samples
from places import ROOT
from tern2lava.api.benching import footprint
from tern2lava.compiler.ir.graph import Graph
from tern2lava.errors import UnsupportedError
from tern2lava.sim.neurobench.layers import Entering
from tern2lava.sim.neurobench.measure import Measured, measure
from tern2lava.sim.reference.real import run_float

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("snntorch", reason="snnTorch is not installed")
NAMES = ("dense", "convolutions", "pooling", "recurrent", "graded", "signed")


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """benchmarks/neurobench_numbers.py, which runs the package."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module("neurobench_numbers")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "benchmarks/results/neurobench.json").read_text(encoding="utf-8"))
    return found["nets"]  # type: ignore[no-any-return]


def graph_of(bench: ModuleType, name: str) -> Graph:
    from tern2lava.frontends.modules.read import load_module

    net = bench.NETS[name]
    return load_module(bench.network(name), net.shape, bench.STEPS, levels=net.levels)


def measured(bench: ModuleType, name: str) -> Measured:
    graph = graph_of(bench, name)
    inputs = {graph.nodes[0].name: bench.data(name)[0]}
    spikes = run_float(graph, inputs, states=False).spikes
    # In two pieces.
    return measure(graph, (({n: v[part] for n, v in inputs.items()}, {n: v[part] for n, v in spikes.items()})
                           for part in (slice(0, 4), slice(4, None))))  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_sparsities_and_operations_are_those_that_neurobench_reports(
    name: str, bench: ModuleType, recorded: dict[str, Any]
) -> None:
    found, said = measured(bench, name), recorded[name]
    assert found.connection_sparsity == said["ConnectionSparsity"]
    assert found.activation_sparsity == pytest.approx(said["ActivationSparsity"], abs=1e-12)
    assert footprint(bench.network(name)) == said["Footprint"]
    operations = said["SynapticOperations"]
    assert found.effective_acs == operations["Effective_ACs"] > 0
    assert found.effective_macs == operations["Effective_MACs"]
    assert found.dense == operations["Dense"]


def test_these_are_all_networks_that_were_recorded_and_some_multiply(
    bench: ModuleType, recorded: dict[str, Any]
) -> None:
    assert tuple(recorded) == tuple(bench.NETS) == NAMES
    multiply = [name for name in NAMES if recorded[name]["SynapticOperations"]["Effective_MACs"]]
    assert multiply == ["pooling", "graded"]


def test_the_package_itself_says_what_was_recorded(bench: ModuleType, recorded: dict[str, Any]) -> None:
    pytest.importorskip("neurobench", reason="neurobench is not installed (benchmarks/neurobench_numbers.py says how)")
    assert bench.theirs("pooling") == recorded["pooling"]


def test_a_layer_by_hand() -> None:
    graph = network()
    inputs, weight = samples()["spikes"], graph.nodes[1].weight  # type: ignore[union-attr]
    spikes = run_float(graph, {graph.nodes[0].name: inputs}, states=False).spikes
    found = measure(graph, [({graph.nodes[0].name: inputs}, spikes)])
    first = found.operations[0]
    assert first.acs == sum(np.count_nonzero(weight[:, x != 0]) for x in inputs.reshape(-1, 16))
    assert first.dense == weight.size * inputs.shape[1]
    assert (first.macs, found.samples, found.steps) == (0, 6, 10)


def test_a_population_that_the_program_has_not_is_refused_by_name() -> None:
    graph = network()
    inputs = {graph.nodes[0].name: samples()["spikes"]}
    spikes = dict(run_float(graph, inputs, states=False).spikes)
    del spikes["h"]
    with pytest.raises(UnsupportedError, match="h: requires the program has the populations"):
        Entering(graph).values(inputs, spikes)
