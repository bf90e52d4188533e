"""NIRData as NIR writes them are read as values of steps, or refused in one line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from tern2lava.errors import InputError, Tern2LavaError
from tern2lava.frontends.nir.traces import read_traces

DT = 1e-4


def grid(values: Any) -> nir.TimeGriddedData:
    return nir.TimeGriddedData(np.asarray(values), DT)


def written(path: Path, **nodes: dict[str, Any]) -> Path:
    data = {name: nir.NIRNodeData(observables) for name, observables in nodes.items()}
    nir.write_data(path, nir.NIRGraphData(data))
    return path


def spikes_of(samples: int, steps: int, neurons: int) -> Any:
    return np.random.default_rng(0).random((samples, steps, neurons)) < 0.3


def test_grids_and_events_are_the_same_spikes(tmp_path: Path) -> None:
    spikes = spikes_of(2, 50, 3)
    v = np.random.default_rng(1).normal(0, 1, (2, 50, 3))
    path = written(
        tmp_path / "a.nir", a={"spikes": grid(spikes), "v": grid(v), "current": grid(v)},
        b={"spikes": grid(spikes).to_event(200, time_shift=0.4 * DT)},
    )  # fmt: skip
    found = read_traces(path)
    assert set(found) == {"spikes.a", "v.a", "spikes.b"}
    np.testing.assert_array_equal(found["spikes.a"], spikes)
    np.testing.assert_array_equal(found["spikes.b"], spikes)
    np.testing.assert_array_equal(found["v.a"], v)


def test_every_event_at_the_beginning_of_its_step_stays_in_it(tmp_path: Path) -> None:
    """k dt / dt is seldom k in float64: floor alone loses steps."""
    spikes = np.ones((1, 3000, 1), bool)
    assert np.any(np.floor(np.arange(3000) * DT / DT) != np.arange(3000))
    path = written(tmp_path / "a.nir", a={"spikes": grid(spikes).to_event(3000)})
    np.testing.assert_array_equal(read_traces(path, dt=DT)["spikes.a"], spikes)
    np.testing.assert_array_equal(read_traces(path, steps=3000)["spikes.a"], spikes)


def test_valued_events_are_values(tmp_path: Path) -> None:
    events = nir.ValuedEventData(
        np.array([[0, 1, -1]]), np.array([[0.0, 2e-4, np.inf]]), 2, 3e-4, np.array([[2, 3, 0]])
    )
    found = read_traces(written(tmp_path / "a.nir", x={"spikes": events}), dt=DT)
    np.testing.assert_array_equal(found["spikes.x"], [[[2, 0], [0, 0], [0, 3]]])


def test_nodes_of_nested_graphs_have_a_dot_in_their_names(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nir", a={"spikes": grid(spikes_of(1, 4, 2))})
    with h5py.File(path, "r+") as file:
        inner = file["nodes"].create_group("block")
        inner.attrs["__type__"] = "NIRGraphData"
        file.copy("nodes/a", inner.create_group("nodes"), "lif")
    assert set(read_traces(path)) == {"spikes.a", "spikes.block.lif"}


def events(path: Path, **fields: Any) -> Path:
    given = {"idx": np.array([[0, 1]]), "time": np.array([[0.0, DT]]), "n_neurons": 2, "t_max": 4 * DT, **fields}
    return written(path, a={"spikes": nir.EventData(**given)})


WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no time step": (events, "requires a time step for its events; found no grid"),
    "a neuron too many": (lambda p: events(p, idx=np.array([[0, 5]])), "requires events of neurons 0 to 1"),
    "after the end": (lambda p: events(p, time=np.array([[0.0, 9 * DT]])), "requires events from 0 s to t_max"),
    "twice in a step": (lambda p: events(p, idx=np.array([[0, 0]]), time=np.array([[0.0, DT / 4]])), "one event of a"),
    "a huge end": (lambda p: events(p, t_max=1e12), "requires memory|memory"),
    "other steps": (
        lambda p: written(p, a={"spikes": grid(spikes_of(1, 4, 2))}, b={"spikes": grid(spikes_of(1, 5, 2))}),
        "requires observables of the same samples and steps",
    ),
    "other time steps": (
        lambda p: written(
            p, a={"spikes": grid(spikes_of(1, 4, 2))},
            b={"spikes": nir.TimeGriddedData(spikes_of(1, 4, 2), 1e-3)},
        ),
        "requires one time step; found 0.0001 s of a.spikes and 0.001 s of b.spikes",
    ),
    "nothing known": (
        lambda p: written(p, a={"current": grid(np.ones((1, 2, 2)))}), "called spikes or v; found a.current",
    ),
    "two of a kind": (
        lambda p: written(p, a={"v": grid(np.ones((1, 2, 2))), "voltage": grid(np.ones((1, 2, 2)))}),
        "requires one observable of v; found two",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(WRONG))
def test_what_contradicts_itself_is_refused_by_name(name: str, tmp_path: Path) -> None:
    make, error = WRONG[name]
    timed = name in ("a neuron too many", "after the end", "twice in a step", "a huge end")
    with pytest.raises(InputError, match=error):
        read_traces(make(tmp_path / "a.nir"), dt=DT if timed else None)


def test_damaged_and_odd_files_end_in_a_result_or_one_line(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.nir", a={"spikes": grid(spikes_of(2, 6, 3)), "v": grid(np.ones((2, 6, 3)))},
        b={"spikes": grid(spikes_of(2, 6, 3)).to_event(9)},
    )  # fmt: skip
    rng = random.Random(0)

    def try_it(file: Path) -> None:
        try:
            read_traces(file)
        except Tern2LavaError as error:
            assert "\n" not in str(error)  # noqa: PT017

    whole = path.read_bytes()
    for i in range(3):
        damaged = bytearray(whole)
        for _ in range(1 + i):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (tmp_path / "b.nir").write_bytes(damaged)
        try_it(tmp_path / "b.nir")
    odd: list[Callable[[Any], Any]] = [
        lambda g: g.attrs.__setitem__("__type__", "Other"),
        lambda g: g.attrs.__setitem__("dt", [1.0, 2.0]),
        lambda g: g.attrs.__setitem__("dt", np.nan),
        lambda g: g.__delitem__("data"),
    ]
    for change in odd:
        (tmp_path / "b.nir").write_bytes(whole)
        with h5py.File(tmp_path / "b.nir", "r+") as file:
            change(file["nodes/a/observables/v"])
        with pytest.raises(InputError):
            read_traces(tmp_path / "b.nir")
