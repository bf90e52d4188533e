"""docs/conformance.md says what benchmarks/conformance.py measures: every cell, its claims, and some rows anew."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from places import ROOT
from tern2lava.compiler.ir.graph import Compare, Graph, Neuron
from tern2lava.sim.lava.processes import run_stock

if sys.version_info < (3, 11):
    pytest.skip("SpikingJelly 2.0 needs Python 3.11", allow_module_level=True)


@pytest.fixture(scope="module")
def conformance() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("conformance")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, ...], list[int]]:
    """The committed rows: counts (nets, spikes, differ, rounded on each target, then spikes and differences in
    Lava on each) by cell."""
    return {key: [int(part) for part in (*row[:3], *row[5:])] for key, row in committed().items()}


@pytest.fixture(scope="module")
def singles() -> dict[tuple[str, ...], list[str]]:
    """The committed rows' columns of float32, (ties, misread) by cell."""
    return {key: row[3:5] for key, row in committed().items()}


def committed() -> dict[tuple[str, ...], list[str]]:
    """The columns behind the names of the committed rows, Lava's last and as two each."""
    rows = {}
    for text in (ROOT / "docs" / "conformance.md").read_text().splitlines():
        parts = [part.strip() for part in text.split("|")[1:-1]]
        if len(parts) == 15 and parts[0] not in ("framework", "---"):
            in_lava = [part for column in (10, 12, 14) for part in parts[column].split("/")]
            columns = (*parts[4:10], parts[11], parts[13], *in_lava)
            rows[tuple(parts[:4])] = [part.replace(",", "").strip() for part in columns]
    return rows


def test_every_cell_is_in_the_table_with_enough_networks_and_spikes_and_no_difference(
    conformance: ModuleType, table: dict[tuple[str, ...], list[int]]
) -> None:
    assert list(table) == [cell.key for cell in conformance.cells()]
    for key, (nets, spikes, differ, *rest) in table.items():
        assert nets >= 10, key
        assert spikes >= 10_000, key
        assert min(rest[3::2]) >= 10_000, key
        assert (differ, rest[4::2]) == (0, [0, 0, 0]), key


def test_every_framework_is_held_against_its_run_in_float32_and_never_misread(
    singles: dict[tuple[str, ...], list[str]],
) -> None:
    for key, (ties, misread) in singles.items():
        if key[0] in ("NIR", "lava-dl"):
            assert (ties, misread) == ("-", "-"), key
        else:
            assert int(ties) >= 0, key
            assert misread == "0", key


TARGETS = ("tiny", "loihi2")
CHOSEN = [
    ("snnTorch", "Leaky", "subtract, at once", "residual"),
    ("SpikingJelly", "TernaryIFNode", "subtract", "recurrent"),
    ("Norse", "LIFRefracCell", "to -0.25", "recurrent"),
    ("NIR", "CubaLIF", "subtract, >=", "delays"),
    ("NIR from SpikingJelly", "IFNode", "to 0", "dense"),
    ("lava-dl", "CUBA", "zero, >", "conv, pooled"),
]


@pytest.mark.parametrize("key", CHOSEN)
def test_rows_are_what_is_measured(
    conformance: ModuleType, table: dict[tuple[str, ...], list[int]], key: tuple[str, ...]
) -> None:
    cell = next(cell for cell in conformance.cells() if cell.key == key)
    row = conformance.measure(cell, 10, targets=TARGETS, float32=False)
    rounded = [row.on[target].rounded for target in TARGETS]
    assert [row.nets, row.spikes, row.differ, *rounded] == table[key][:5]
    assert [row.on[target].unexplained for target in TARGETS] == [0, 0]


def test_integers_of_lavadl_are_never_rounded(table: dict[tuple[str, ...], list[int]]) -> None:
    own = {
        key[2]: [row[3:6] for other, row in table.items() if other[0] == key[0] and other[2] == key[2]]
        for key in table
        if key[0] == "lava-dl"
    }
    assert own["zero, >"] == [[0, 0, 0]] * 7
    # `>= 64 t` is `> 64 t - 1`, which loihi2 has no threshold for.
    assert [(narrow, fine) for narrow, _, fine in own["zero, >="]] == [(0, 0)] * 7


def test_two_networks_side_by_side_run_in_lava(conformance: ModuleType) -> None:
    cell = next(cell for cell in conformance.cells() if cell.key == CHOSEN[1])
    row = conformance.measure(
        cell, 2, lambda graph, inputs: run_stock(graph, inputs, sequential=True).trace, float32=False
    )
    assert min(row.on[target].lava_spikes for target in TARGETS) > 1000
    assert [row.on[target].lava_differ for target in TARGETS] == [0, 0]


def test_the_page_ends_in_the_table_of_networks_as_they_are_shipped(conformance: ModuleType) -> None:
    page = (ROOT / "docs" / "conformance.md").read_text()
    assert page.endswith("\n\n" + conformance.shipped())
    rows = [text.split("|")[3:6] for text in conformance.shipped().splitlines() if text.startswith(("| S", "| s"))]
    right = sum(part[2].strip() == "0" and part[1].strip() not in ("", "0") for part in rows)
    assert f"{right} of {len(rows)} load and spike as their own run" in page
    assert right >= 0.9 * len(rows)


def test_a_wrong_comparison_would_be_counted(conformance: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    read = conformance.load_module

    def misread(*arguments: Any) -> Graph:
        graph: Graph = read(*arguments)
        return graph.with_nodes(
            replace(node, compare=Compare.GT) if isinstance(node, Neuron) else node for node in graph.nodes
        )

    cell = next(cell for cell in conformance.cells() if cell.key == ("SpikingJelly", "IFNode", "to 0", "dense"))
    assert conformance.measure(cell, 2, targets=(), float32=False).differ == 0
    monkeypatch.setattr(conformance, "load_module", misread)
    assert conformance.measure(cell, 2, targets=(), float32=False).differ > 100


SINGLE = [
    ("snnTorch", "Leaky", "subtract, at once", "conv"),
    ("snnTorch", "RSynaptic", "zero, delayed", "recurrent, conv"),
    ("SpikingJelly", "ParametricLIFNode", "subtract", "conv, pooled"),
    ("SpikingJelly", "TernaryLIFNode", "to 0", "recurrent"),
    ("Norse", "LIFRefracCell", "to -0.25", "dense"),
    ("Norse", "LIFRecurrentCell", "to 0", "recurrent"),
    ("NIR from snnTorch", "Synaptic", "subtract, delayed", "dense"),
]


@pytest.mark.parametrize("key", SINGLE)
def test_a_run_in_float32_has_no_misreading(conformance: ModuleType, key: tuple[str, ...]) -> None:
    cell = next(cell for cell in conformance.cells() if cell.key == key)
    found = conformance.in_float32(cell, 4)
    assert len(found) == 4
    assert [one.misreadings for one in found] == [0] * 4
    assert min(one.spikes for one in found) > 200
    assert sum(one.ties for one in found) < 0.001 * sum(one.spikes for one in found)


def test_a_wrong_comparison_is_a_misreading_in_float32(
    conformance: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misread(*arguments: Any) -> Graph:
        graph: Graph = read(*arguments)
        return graph.with_nodes(
            replace(node, compare=Compare.GT) if isinstance(node, Neuron) else node for node in graph.nodes
        )

    read = conformance.load_module
    monkeypatch.setattr(conformance, "load_module", misread)
    cell = next(cell for cell in conformance.cells() if cell.key == ("SpikingJelly", "IFNode", "to 0", "dense"))
    row = conformance.Row()
    row.add_float32(conformance.in_float32(cell, 2))
    assert row.misread > 100


def test_a_difference_beyond_the_certified_bound_would_be_counted(
    conformance: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = next(cell for cell in conformance.cells() if cell.key == CHOSEN[2])
    monkeypatch.setattr(conformance.Tracker, "_near", lambda self, met, error, shift: np.zeros(met.shape, bool))
    found = conformance.measure(cell, 4, targets=TARGETS[:1], float32=False)
    assert found.on["tiny"].unexplained > 0


def test_a_wrong_run_in_lava_would_be_counted(conformance: ModuleType) -> None:
    from tern2lava.sim.reference import integer

    def one_spike_less(graph: Graph, inputs: dict[str, Any]) -> Any:
        trace = integer.run(graph, inputs)
        name = next(iter(trace.spikes))
        spikes = trace.spikes[name].copy()
        spikes[tuple(np.argwhere(spikes)[0])] = 0
        return replace(trace, spikes={**trace.spikes, name: spikes})

    cell = next(cell for cell in conformance.cells() if cell.key == CHOSEN[2])
    found = conformance.measure(cell, 1, one_spike_less, targets=TARGETS, float32=False)
    assert [found.on[target].lava_differ for target in TARGETS] == [1, 1]
