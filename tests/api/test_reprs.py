"""Every object that a user meets shows itself in one short line, whatever it holds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

import tern2lava
from lossy import network, samples
from tern2lava.bundle import read_bundle
from tern2lava.compiler.shown import WIDTH
from tern2lava.sim.data.spike_file import make_spikes


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("reprs") / "b"
    held = tern2lava.compile(network(), "tiny", out=folder)
    run = tern2lava.simulate(held, samples(), states=True)
    report = tern2lava.verify(held, samples(), backend="reference")
    report = tern2lava.report(held, compare_bits=8)
    graph = network()
    return {
        "graph": graph, "program": held.program, "compiled": held, "lowered": held.lowered, "mapped": held.mapped,
        "bundle": read_bundle(folder), "in memory": held.bundle, "executable": held.bundle.executable,
        "simulation": run, "trace": run.trace, "report": report, "profile": held.profile,
        "spikes": make_spikes(samples(), graph), "targets": tern2lava.what_if(network(), ["tiny", "loihi2"]),
        "export": tern2lava.export(held, folder.parent / "n.nir"), "options": held.options,
    }  # fmt: skip


def everything(value: Any, seen: set[int]) -> list[Any]:
    """`value` and all dataclasses and blocks that can be reached from it."""
    if id(value) in seen:
        return []
    seen.add(id(value))
    found = [value] if dataclasses.is_dataclass(value) or isinstance(value, BaseModel) else []
    inner: list[Any] = []
    if isinstance(value, BaseModel):
        inner = [getattr(value, name) for name in type(value).model_fields]
    elif dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, (list, tuple)):
        inner = list(value)
    return found + [item for part in inner for item in everything(part, seen)]


MET = {
    "graph": "Graph(IMPORTED, 6 nodes, 24 neurons, 10 steps: x 16, h 20, y 4)",
    "compiled": "CompiledNetwork('graph' on tiny: 2 populations, 24 neurons, 1 core, EXACT 2)",
    "simulation": "Simulation(6 samples, 4 outputs, accuracy ",
    "report": "Report('graph' on tiny: 24 neurons, 1 core on 1 chip; met: execution equal, arithmetic equal",
    "profile": "Profile(tiny: 2 chips of 16 cores, 64 neurons a core)",
    "bundle": "Bundle(/",
    "targets": "Targets(graph, cores: tiny 1, loihi2 1)",
    "spikes": "SpikeData(6 samples, 10 steps, x 16, with labels)",
    "mapped": "Mapped(tiny: 1 core, lower bound 1, for cores)",
}


@pytest.mark.parametrize("name", MET)
def test_what_it_shows(objects: dict[str, Any], name: str) -> None:
    assert repr(objects[name]).startswith(MET[name])
    assert str(objects[name]) == repr(objects[name])


def test_nodes_and_certificates_say_what_they_are(objects: dict[str, Any]) -> None:
    assert [repr(node) for node in objects["graph"].nodes[:3]] == [
        "Input('x', shape (16), levels (0, 1))",
        "Dense('w1', from x, weight float64 20x16)",
        "Neuron('h', from w1, shape (20), threshold 1.0, reset zero)",
    ]
    certificate = objects["compiled"].lowered.certificates[0]
    assert repr(certificate).startswith("Certificate('h', EXACT, over 10 steps, nothing is rounded")
    verification = objects["report"].verification
    assert repr(verification).startswith(
        "Verification(met: execution equal, arithmetic equal, reading not compared, ranges equal, images equal; 6 sa"
    )


def test_nothing_that_can_be_reached_shows_an_array_or_a_second_line(objects: dict[str, Any]) -> None:
    # Of the profile's numbers each has its source in words, and options are a few words of the user's own.
    skipped = ("hw_profiles",)
    seen: set[int] = set()
    reached = [item for value in objects.values() for item in everything(value, seen)]
    assert len({type(item) for item in reached}) > 40
    for item in reached:
        if any(part in type(item).__module__ for part in skipped) and type(item).__name__ != "Profile":
            continue
        text = repr(item)
        assert "\n" not in text, type(item)
        assert "array(" not in text, type(item)
        assert len(text) <= WIDTH + 60, (type(item), len(text))


def test_a_large_array_is_never_printed(objects: dict[str, Any]) -> None:
    values = np.arange(100_000).reshape(100, 1000)
    node = dataclasses.replace(objects["graph"].nodes[1], weight=values)
    assert repr(node) == "Dense('w1', from x, weight int64 100x1000)"
