"""Lava's TernaryLIF and Sparse where they are exact, and what its ATRLIF computes instead of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nets import neurons
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Spikes, frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.compat import mend_lava
from tern2lava.sim.lava.mapped.run import run_mapped
from tern2lava.sim.lava.process_choice import plan_stock
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

STEPS = 12


def codes(*shape: int) -> Any:
    return frozen(np.random.default_rng(3).integers(-1, 2, shape), np.int8)


def signed(**changed: Any) -> Graph:
    """Two layers of neurons that spike -1 too, with currents and leaks."""
    fields: dict[str, Any] = {
        "decay_u": frozen(1500), "decay_v": frozen(300), "threshold": frozen(2 * 64), "threshold_low": frozen(-3 * 64),
    }  # fmt: skip
    gain = frozen(64, np.int64)
    return Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(), steps=STEPS,
        nodes=(
            Input(name="x", shape=(9,)), Projection(name="w", inputs=("x",), weight=codes(8, 9), gain=gain),
            neurons("h", "w", (8,), **{"start": 1} | fields | changed),
            Projection(name="v", inputs=("h",), weight=codes(6, 8), gain=gain),
            neurons("y", "v", (6,), **{"start": 2} | fields), Output(name="out", inputs=("y",)),
        ),
    )  # fmt: skip


def spikes(count: int, neurons: int = 9) -> dict[str, Spikes]:
    return {"x": (np.random.default_rng(5).random((count, STEPS, neurons)) < 0.4).astype(np.uint8)}


@pytest.mark.parametrize("sequential", [True, False])
def test_signed_neurons_are_lavas_ternary_lif_in_a_sample_of_its_own(sequential: bool, lava_child: LavaChild) -> None:
    network, inputs = signed(), spikes(1)
    found = run_stock(network, inputs, sequential=sequential, timeout=60, child=lava_child)
    assert {use.name: use.process for use in found.processes_used}["y"] == "stock TernaryLIF"
    expected = integer.run(network, inputs)
    assert all(set(np.unique(each)) == {-1, 0, 1} for each in expected.spikes.values())
    assert compare({"I": expected, "L": found.trace}, network).equal


def test_signed_neurons_of_cores_are_too(lava_child: LavaChild) -> None:
    network, inputs = signed(), spikes(1)
    program = map_program(network, load_profile("tiny"))
    found = run_mapped(program.images, program.host_image, inputs, timeout=60, child=lava_child)
    used = {part.part: part.process for part in found.mapped.parts} if found.mapped else {}
    assert used["h"] == used["y"] == "stock TernaryLIF"
    assert compare({"I": integer.run(network, inputs), "LM": found.trace}, network).equal


@pytest.mark.parametrize(
    ("changed", "samples", "reason"),
    [
        ({}, 2, "keeps its state from one sample to the next"),
        ({"bias": frozen(64)}, 1, "adds a bias before the sample begins"),
        ({"threshold_low": frozen(-65)}, 1, "threshold_low -65 is not a multiple of 64"),
        ({"threshold_low": frozen([-64] * 7 + [-128])}, 1, "threshold_low differs"),
        ({"reset": Reset.SUBTRACT}, 1, "reset mode subtract"),
        ({"refractory": 1}, 1, "of kind refractory, signed"),
        ({"threshold_low": frozen(64)}, 1, "threshold_low 64 is not a multiple of 64 from -131071 * 64 to 0"),
    ],
)
def test_where_ternary_lif_would_differ_ours_runs_and_says_why(
    changed: dict[str, Any], samples: int, reason: str
) -> None:
    use = plan_stock(signed(**changed), samples, STEPS).neurons["h"].use
    assert use.process == "TernaryNeuron"
    assert reason in use.reason


def test_spikes_that_arrive_before_its_window_keep_ternary_lif_out() -> None:
    network = signed()
    late = network.with_nodes(
        replace(n, start=3) if isinstance(n, Population) and n.name == "y" else n for n in network.nodes
    )
    assert "spikes of h arrive before its window" in plan_stock(late, 1, STEPS).neurons["y"].use.reason


def test_spikes_of_biased_neurons_before_the_sample_keep_ternary_lif_out() -> None:
    plain = signed(bias=frozen(64), threshold_low=None)
    assert "has a bias, of which it can spike before" in plan_stock(plain, 1, STEPS).neurons["y"].use.reason


def sparse(share: int) -> Graph:
    """512 inputs moved to 512 neurons, `share` of 512 weights a row being other than 0."""
    rows = np.arange(512)
    weight = np.zeros((512, 512), np.int8)
    for step in range(share):
        weight[rows, (rows * 7 + step) % 512] = 1 - 2 * (rows % 3 == 0)
    projection = Projection(name="w", inputs=("x",), weight=frozen(weight), gain=frozen(64, np.int64), delay=1)
    return Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(), steps=STEPS,
        nodes=(
            Input(name="x", shape=(512,)), projection, neurons("h", "w", (512,), start=2, threshold=frozen(64)),
            Output(name="out", inputs=("h",)),
        ),
    )  # fmt: skip


def test_a_large_matrix_of_few_weights_is_lavas_sparse(lava_child: LavaChild) -> None:
    network, inputs = sparse(16), spikes(2, 512)
    found = run_stock(network, inputs, sequential=True, timeout=60, child=lava_child)
    assert {use.name: use.process for use in found.processes_used}["w"] == "stock Sparse"
    expected = integer.run(network, inputs)
    assert 0.02 < expected.spikes["h"].mean() < 0.98
    assert compare({"I": expected, "L3": found.trace}, network).equal
    assert plan_stock(sparse(17), 1, STEPS).synapses["w"].use.process == "stock Dense"


def test_lavas_adaptive_neuron_subtracts_twice_the_threshold_and_keeps_less_of_its_current() -> None:
    """Why ATRLIF runs no neurons of ours (docs/lava.md): of a current with all memory it forgets 1/4096 in a step, and
    a spike takes two thresholds from the potential, ours reset_amount."""
    mend_lava()
    from lava.proc.atrlif.models import PyATRLIFModelFixed

    model = PyATRLIFModelFixed({})
    names = ("i", "v", "theta", "r")
    for name in names:
        setattr(model, name, np.zeros(1, np.int32))
    model.s, model.bias_mant, model.bias_exp = np.zeros(1, bool), np.zeros(1, np.int16), np.zeros(1, np.int16)
    model.delta_i = model.delta_v = model.delta_theta = model.delta_r = 0
    model.theta_0, model.theta_step = 3, 0
    model.scale_bias()
    model.scale_threshold()
    model.subthr_dynamics(np.full(1, 1000))
    model.subthr_dynamics(np.zeros(1, int))
    assert int(model.i[0]) == 64000 * 4095 // 4096
    model.post_spike(np.array([True]))
    assert int(model.r[0]) == 2 * 3 * 64


def test_networks_for_any_number_of_samples_have_no_ternary_lif() -> None:
    assert plan_stock(replace(signed(), steps=0), 0, STEPS).neurons["h"].use.process == "TernaryNeuron"
