"""Traces of any back end are held against the network: equal, equal but for rounding, or not, with the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from command_line import in_process
from tern2lava import api
from tern2lava.errors import InputError

DT = 1e-4
EDGES = [("input", "fc"), ("fc", "lif"), ("lif", "output")]


def simulated(weight: Any, x: Any) -> tuple[Any, Any]:
    """(spikes, potentials after the reset) of the network, by hand."""
    v = np.zeros((len(x), 5))
    spikes, potentials = [], []
    for t in range(x.shape[1]):
        v = v + 0.25 * (-v + 4 * (x[:, t] @ weight.T))
        s = v > 0.6
        v = np.where(s, 0.0, v)
        spikes.append(s)
        potentials.append(v)
    return np.stack(spikes, 1), np.stack(potentials, 1)


def record(path: Path, x: Any, spikes: Any, v: Any = None, events: bool = False) -> Path:
    def observed(values: Any) -> Any:
        found = nir.TimeGriddedData(values, DT)
        return found.to_event(200) if events else found

    nodes = {"input": {"spikes": observed(x)}, "lif": {"spikes": observed(spikes)}}
    if v is not None:
        nodes["lif"]["v"] = nir.TimeGriddedData(v, DT)
        nodes["fc"] = {"v": nir.TimeGriddedData(v, DT)}
    nir.write_data(path, nir.NIRGraphData({name: nir.NIRNodeData(each) for name, each in nodes.items()}))
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network, traces of it that are right (as grids and as events), and wrong in one spike."""
    folder = tmp_path_factory.mktemp("conformance")
    rng = np.random.default_rng(0)
    o, weight = np.ones(5), rng.choice([-0.5, 0.0, 0.5], (5, 4))
    lif = nir.LIF(tau=o * 4 * DT, r=o * 4, v_leak=o * 0, v_threshold=o * 0.6, v_reset=o * 0)
    nodes = {
        "input": nir.Input({"input": np.array([4])}), "fc": nir.Linear(weight), "lif": lif,
        "output": nir.Output({"output": np.array([5])}),
    }  # fmt: skip
    nir.write(folder / "net.nir", nir.NIRGraph(nodes, EDGES))
    x = rng.random((3, 20, 4)) < 0.5
    spikes, v = simulated(weight, x)
    record(folder / "good.nir", x, spikes, v)
    record(folder / "events.nir", x, spikes, events=True)
    wrong = spikes.copy()
    wrong[1, 7, 2] ^= True
    record(folder / "wrong.nir", x, wrong, v)
    record(folder / "other.nir", ~x, spikes, v)
    record(folder / "far.nir", x, spikes, v + 0.01)
    return folder


def test_traces_that_are_the_networks_conform_however_they_are_stored(recorded: Path) -> None:
    for name in ("good.nir", "events.nir"):
        found = api.conformance(recorded / "net.nir", recorded / name)
        assert found.conforms
        assert found.equal
        (row,) = found.populations
        assert (row.population, row.differing, row.first, row.misread) == ("lif", 0, None, 0)
        assert row.expected == row.found
        assert (row.found or 0) > 20
    assert api.conformance(recorded / "net.nir", recorded / "good.nir").ignored == ("fc",)


def test_a_spike_that_is_another_is_found_at_its_place(recorded: Path) -> None:
    for against in (None, recorded / "good.nir"):
        found = api.conformance(recorded / "net.nir", recorded / "wrong.nir", against=against)
        assert not found.conforms
        assert [(row.differing, row.first) for row in found.populations] == [(1, (1, 7, 2))]


def test_the_integers_of_a_target_are_held_against_the_traces(recorded: Path) -> None:
    found = api.conformance(recorded / "net.nir", recorded / "good.nir", target="loihi2")
    assert found.equal
    assert found.conforms
    assert 0 < (found.populations[0].potential or 0.0) < 1e-3
    assert not api.conformance(recorded / "net.nir", recorded / "good.nir", target="loihi2", tolerance=1e-9).conforms


def test_potentials_beyond_rounding_do_not_conform_unless_they_may(recorded: Path) -> None:
    found = api.conformance(recorded / "net.nir", recorded / "far.nir")
    assert found.equal
    assert not found.conforms
    assert api.conformance(recorded / "net.nir", recorded / "far.nir", tolerance=0.02).conforms
    assert api.conformance(recorded / "net.nir", recorded / "far.nir", tolerance=0.002).far == ("lif",)


def test_recordings_of_other_inputs_are_not_compared(recorded: Path) -> None:
    with pytest.raises(InputError, match="against: input: requires the inputs of data; found others"):
        api.conformance(recorded / "net.nir", recorded / "good.nir", against=recorded / "other.nir")


def test_the_command_prints_a_table_and_its_exit_code_is_the_verdict(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_process(monkeypatch, capsys)
    good = run("conformance", recorded / "net.nir", "--data", recorded / "good.nir")
    assert good.returncode == 0
    assert "equal; not compared: fc" in good.stdout
    wrong = run("conformance", recorded / "net.nir", "--data", recorded / "wrong.nir", "--json")
    assert wrong.returncode == 1
    document = json.loads(wrong.stdout)
    assert document["conforms"] is False
    assert document["populations"][0]["first"] == [1, 7, 2]
    unread = run("conformance", recorded / "net.nir", "--data", recorded / "net.nir")
    assert unread.returncode == 2
    assert "requires NIRData" in unread.stderr


def test_nirdata_are_data_and_a_recorded_run_and_what_simulate_writes(recorded: Path, tmp_path: Path) -> None:
    compiled = api.compile(
        recorded / "net.nir", "loihi2", recorded=recorded / "good.nir", calibrate=recorded / "good.nir"
    )
    report = api.verify(compiled, recorded / "good.nir", backend="reference")
    assert report.verification is not None
    reading = report.verification.reading
    assert reading is not None
    assert reading.misreadings == 0
    ran = api.simulate(compiled, recorded / "good.nir", states=True, out=tmp_path / "run.nir")
    back = nir.read_data(tmp_path / "run.nir")
    assert set(back.nodes) == {"input", "lif"}
    spikes = back.nodes["lif"].observables["spikes"]
    assert spikes.data.dtype == bool
    np.testing.assert_array_equal(spikes.data, ran.trace.spikes["lif"])
    _, v = simulated(np.zeros((5, 4)), np.zeros((1, 1, 4)))
    assert back.nodes["lif"].observables["v"].data.shape[2] == v.shape[2]
    same = api.conformance(recorded / "net.nir", tmp_path / "run.nir", against=recorded / "good.nir")
    assert same.equal
    assert (same.populations[0].potential or 1.0) < 1e-3
