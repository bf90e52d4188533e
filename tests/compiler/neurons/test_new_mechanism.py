"""A mechanism that tern2lava does not have is added by one class, here, and goes all the way: net.yaml, lowering,
certificate, core images, executions, NIR. Neurons of this one have a floor that their potential does not fall below."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tern2lava
from tern2lava.bundle import read_bundle
from tern2lava.compiler.ir.files import load_graph, save_graph
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Neuron, Population
from tern2lava.compiler.ir.text import print_graph
from tern2lava.compiler.neurons.mechanism import (
    MECHANISMS,
    Divide,
    IntegerCell,
    IntegerPart,
    Mechanism,
    Ranges,
    RealCell,
    RealPart,
    Word,
    needed,
)
from tern2lava.compiler.options import Options
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.export.nir import write_nir
from tern2lava.frontends.load import load as read

LEVEL = "floor.level"
Array = NDArray[Any]


class Floor(Mechanism):
    name = "floor"
    real = integer = (LEVEL,)
    words = (Word(name="floor", expected="a potential, or the name of a tensor", read=float, array=True),)

    def fields(self, word: str, value: Any) -> dict[str, Any]:
        return {LEVEL: np.asarray(value, np.float64)}

    def canonical(self, neuron: Neuron, gain: Array, rest: Array) -> dict[str, Any]:
        return {LEVEL: (needed(neuron, LEVEL) - rest) / gain}

    def in_synapses(self, neuron: Neuron, over: Divide, up: Divide, down: Divide) -> dict[str, Any]:
        return {LEVEL: over(needed(neuron, LEVEL))}

    def lowered(self, neuron: Neuron, unit: float, arithmetic: Arithmetic, on_lattice: bool) -> dict[str, Any]:
        return {LEVEL: np.rint(needed(neuron, LEVEL) * unit).astype(np.int64)}

    def loses_nothing(self, neuron: Neuron, unit: float, lattice: float) -> bool:
        return bool(np.all(np.mod(needed(neuron, LEVEL) * unit, lattice) == 0))

    def widen(self, population: Population, ranges: Ranges) -> None:
        ranges.met_low = np.maximum(ranges.met_low, needed(population, LEVEL))

    def error_terms(self, neuron: Neuron, population: Population, unit: float, whole: float) -> dict[str, Array]:
        return {LEVEL: np.abs(needed(population, LEVEL) - needed(neuron, LEVEL) * unit)}

    def moving(self, population: Population) -> list[Array]:
        return [needed(population, LEVEL)]

    def rounded(self, neuron: Neuron, population: Population, unit: float) -> Iterator[tuple[str, Array, Array]]:
        yield "floor", needed(neuron, LEVEL) * unit, needed(population, LEVEL)

    def assumed(self, neuron: Neuron) -> tuple[str, ...]:
        levels = np.unique(needed(neuron, LEVEL))
        return (f"floor={levels[0]:g}",) if levels.size == 1 else ()

    def in_real(self, cell: RealCell) -> RealPart:
        return _RealFloor(cell)

    def in_integers(self, cell: IntegerCell) -> IntegerPart:
        return _IntegerFloor(cell)


class _RealFloor(RealPart):
    def __init__(self, cell: RealCell) -> None:
        super().__init__(cell)
        self.level = cell.flat(needed(cell.neuron, LEVEL))

    def integrated(self, v: Array, kept: Array) -> Array:
        return np.maximum(v, self.level)


class _IntegerFloor(IntegerPart):
    def __init__(self, cell: IntegerCell) -> None:
        super().__init__(cell)
        self.level = cell.flat(needed(cell.population, LEVEL))

    def held(self, v: Array) -> Array:
        return np.maximum(v, self.level)


@pytest.fixture
def floor() -> Iterator[None]:
    with MECHANISMS.added(Floor()):
        yield


WEIGHT = np.array([[1, -1, 1, 0], [-1, -1, 1, 1], [0, 1, -1, -1]])
STEPS = 40


def spikes() -> dict[str, NDArray[np.uint8]]:
    return {"spikes": (np.random.default_rng(3).random((5, STEPS, 4)) < 0.5).astype(np.uint8)}


def load(folder: Path, floor: str = "-1.5", decay: str = "kind: if") -> Graph:
    tensors = {"w": 0.5 * WEIGHT} | ({"floors": np.array([-0.5, -1.0, -1.5])} if floor == "floors" else {})
    np.savez(folder / "net.npz", **tensors)
    (folder / "net.yaml").write_text(
        f"""
input: {{shape: [4]}}
steps: {STEPS}
readout: spike_count
layers:
  - {{name: w, dense: {{weight: w}}}}
  - {{name: n, neuron: {{{decay}, threshold: 1.5, reset: subtract, reset_delay: false, fire: ">=", floor: {floor}}}}}
""",
        encoding="utf-8",
    )
    return tern2lava.load(folder / "net.npz", folder / "net.yaml")


def target(folder: Path, kinds: str = "plain, floor") -> Path:
    text = (resources.files("tern2lava.hw_profiles") / "generic-ternary.yaml").read_text("utf-8")
    path = folder / "floored.yaml"
    path.write_text(text.replace("[plain, refractory, signed, rearm, adaptive, relay]", f"[{kinds}]"), "utf-8")
    return path


def expected(floor: Array | float) -> tuple[NDArray[np.int64], int]:
    """(spikes (samples, steps, 3), steps in which a potential stood at its floor), computed here alone."""
    x = spikes()["spikes"].astype(float) @ (0.5 * WEIGHT).T
    v, at_floor = np.zeros((5, 3)), 0
    result = np.zeros(x.shape, np.int64)
    for t in range(STEPS):
        v = v + x[:, t]
        at_floor += int((v < floor).sum())
        v = np.maximum(v, floor)
        result[:, t] = v >= 1.5
        v = v - 1.5 * result[:, t]
    return result, at_floor


@pytest.mark.parametrize(("written", "levels"), [("-0.5", -0.5), ("floors", np.array([-0.5, -1.0, -1.5]))])
def test_it_is_executed_alike_by_every_execution_that_has_it(
    floor: None, tmp_path: Path, written: str, levels: Array | float
) -> None:
    tern2lava.compile(load(tmp_path, written), target(tmp_path), out=tmp_path / "b")
    report = tern2lava.verify(tmp_path / "b", spikes(), backend="reference")
    assert report.certificate[0].verdict == "EXACT"
    assert report.verification is not None
    assert [verdict.met for verdict in report.verification.verdicts] == [True, True, None, None, True]
    wanted, at_floor = expected(levels)
    assert at_floor > 50
    assert np.any(wanted != expected(-np.inf)[0]), "the floor decides no spike"
    for engine in ("fast", "reference", "images"):
        found = tern2lava.simulate(tmp_path / "b", spikes(), engine=engine).trace.spikes["n"]
        assert np.array_equal(found, wanted), engine


def test_its_parameters_are_kept_printed_and_told_where_they_are_rounded(floor: None, tmp_path: Path) -> None:
    graph = load(tmp_path, "-1.3", "kind: leaky, beta: 0.9")
    save_graph(graph, tmp_path / "graph")
    assert load_graph(tmp_path / "graph").neuron("n").extra[LEVEL] == -1.3
    assert "floor.level: -1.3" in print_graph(graph)
    tern2lava.compile(graph, target(tmp_path), out=tmp_path / "b", options=Options(allow_rounding=1.0))
    program = read_bundle(tmp_path / "b").executable.program
    assert program.population("n").extra[LEVEL].dtype == np.int64
    row = tern2lava.report(tmp_path / "b").certificate[0]
    assert row.verdict == "MEASURED"
    assert "no bound on errors is known for neurons of kind floor" in row.reason
    assert "floor" in {rounding.quantity for rounding in tern2lava.report(tmp_path / "b").roundings}


def test_a_target_without_it_and_one_with_an_unknown_kind_are_refused(floor: None, tmp_path: Path) -> None:
    graph = load(tmp_path)
    with pytest.raises(UnsupportedError, match="n: requires .*found floor"):
        tern2lava.compile(graph, "loihi2", out=tmp_path / "b")
    with pytest.raises(InputError, match=r"neuron.kinds: requires some of plain, .*floor; found flor"):
        tern2lava.compile(graph, target(tmp_path, "plain, flor"), out=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_what_does_not_have_it_refuses_it_by_name(floor: None, tmp_path: Path) -> None:
    tern2lava.compile(load(tmp_path), target(tmp_path), out=tmp_path / "b")
    with pytest.raises(UnsupportedError, match="n: requires neurons that a Lava process executes .*found kind floor"):
        tern2lava.verify(tmp_path / "b", spikes())
    with pytest.raises(
        InputError, match=r"layers\[1\]\.neuron\.floor: requires a potential, or the name of a tensor; found \[1\]"
    ):
        load(tmp_path, "[1]")


def test_nir_carries_it_as_metadata_or_refuses_it(floor: None, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="floor=-1.5"):
        write_nir(load(tmp_path), tmp_path / "a.nir")
    write_nir(load(tmp_path), tmp_path / "a.nir", lossy=True)
    assert np.all(read(tmp_path / "a.nir").of_kind(Neuron)[0].extra[LEVEL] == -1.5)
    assumed = read(tmp_path / "a.nir", assume="floor=-0.5")
    assert np.all(assumed.of_kind(Neuron)[0].extra[LEVEL] == -0.5)
    with pytest.raises(UnsupportedError, match="neurons of kind floor"):
        write_nir(load(tmp_path, "floors"), tmp_path / "b.nir", lossy=True)


def test_a_bundle_that_has_it_is_not_run_without_it(tmp_path: Path) -> None:
    with MECHANISMS.added(Floor()):
        tern2lava.compile(load(tmp_path), target(tmp_path), out=tmp_path / "b")
    with pytest.raises(UnsupportedError, match="found parameters of floor; install the plug-in"):
        tern2lava.simulate(tmp_path / "b", spikes())


def test_a_name_is_taken_once(floor: None) -> None:
    with pytest.raises(InputError, match="found two called floor"):
        MECHANISMS.add(Floor())
