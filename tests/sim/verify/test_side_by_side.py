"""A sample in the float model and in integers side by side: spikes of both references, and the first that differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossy import network, samples, write_lossy
from network import network as layers
from tern2lava.bundle import in_memory, read_bundle
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Readout, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.hw_profiles import load_profile
from tern2lava.report.build import make_report
from tern2lava.sim.executable import Executable
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float
from tern2lava.sim.verify.side_by_side import First, side_by_side


def executable() -> Executable:
    compiled = build(network(), load_profile("tiny"))
    return in_memory(compiled, make_report(compiled, "0")).executable


def test_spikes_are_those_of_both_references_and_potentials_meet_the_same_threshold() -> None:
    found, inputs = executable(), {"x": samples()["spikes"][:1]}
    run = side_by_side(found, inputs)
    floats, integers = run_float(found.imported, inputs), integer.run(found.program, inputs)
    assert run.first is None
    for one in run.populations:
        assert np.array_equal(one.float_spikes, floats.spikes[one.name][0])
        assert np.array_equal(one.integer_spikes, integers.spikes[one.name][0])
        # Weights of -1, 0 and 1 against a threshold of 1: potentials are whole numbers in the source's units.
        assert np.allclose(one.float_v, one.integer_v)
        assert (one.threshold == 1).all()
        assert np.array_equal(one.float_v > one.threshold, one.float_spikes != 0)
    assert run.predicted_float == run.predicted_integer
    assert run.steps == inputs["x"].shape[1]


def test_the_first_difference_is_the_earliest_spike_that_is_another(tmp_path: Path) -> None:
    found = read_bundle(write_lossy(tmp_path / "lossy", {"h": 64})).executable
    inputs = {"x": samples()["spikes"][:1]}
    run = side_by_side(found, inputs)
    floats, integers = run_float(found.imported, inputs), integer.run(found.program, inputs)
    differs = {name: np.argwhere(floats.spikes[name][0] != integers.spikes[name][0]) for name in ("h", "y")}
    steps = {name: int(at[0, 0]) for name, at in differs.items() if len(at)}
    earliest = min(steps, key=lambda name: (steps[name], name))
    assert run.first == First(population=earliest, step=steps[earliest] + 1, neuron=int(differs[earliest][0, 1]))


@pytest.mark.parametrize("readout", [Readout.MEMBRANE_SUM, Readout.SPIKE_COUNT])
def test_neurons_without_a_threshold_have_none_and_no_spikes_that_differ(readout: Readout) -> None:
    weights = np.random.default_rng(3).integers(-1, 2, (3, 6))
    none: dict[str, Any] = {"threshold": frozen(np.inf), "reset": Reset.NONE}
    graph = layers(weights, readout=readout, **(none if readout is Readout.MEMBRANE_SUM else {}))
    compiled = build(graph, load_profile("tiny"))
    inputs = {"x": (np.random.default_rng(4).random((1, 8, 6)) < 0.5).astype(np.uint8)}
    run = side_by_side(in_memory(compiled, make_report(compiled, "0")).executable, inputs)
    (one,) = run.populations
    assert np.isinf(one.threshold).all() == (readout is Readout.MEMBRANE_SUM)
    assert not one.differs.any()
    assert np.allclose(one.float_v, one.integer_v)


def test_potentials_and_thresholds_are_in_the_units_of_the_source() -> None:
    weights = 0.37 * np.random.default_rng(5).integers(-1, 2, (4, 6))
    compiled = build(layers(weights, threshold=frozen(0.9), alpha_v=frozen(0.8)), load_profile("generic-ternary"))
    spikes = (np.random.default_rng(6).random((1, 8, 6)) < 0.5).astype(np.uint8)
    run = side_by_side(in_memory(compiled, make_report(compiled, "0")).executable, {"x": spikes})
    (one,) = run.populations
    assert one.threshold == pytest.approx(np.full(4, 0.9))
    # In the first step nothing was kept yet: a potential is the sum of the weights of the inputs that spike.
    assert one.float_v[0] == pytest.approx(weights @ spikes[0, 0])
    assert one.integer_v[0] == pytest.approx(weights @ spikes[0, 0], abs=0.01)
