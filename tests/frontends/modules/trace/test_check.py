"""A traced graph is held against the module's own run over all its steps, with inputs that wake silent populations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import nn

from nodes import node
from tern2lava.compiler.ir.graph import Graph, Neuron
from tern2lava.effort import NORMAL
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.read import load_module, read_module
from tern2lava.frontends.modules.trace.check import check_spikes
from tern2lava.sim.reference.real import RealRun, run_float

STEPS = 12


class Chain(nn.Module):
    """Neurons that need `drive` of 6 inputs in one step to spike, and a recurrence of one step."""

    def __init__(self, drive: float) -> None:
        super().__init__()
        self.fc, self.first = nn.Linear(6, 2, bias=False), neuron.LIFNode(tau=3.0, decay_input=False)
        with torch.no_grad():
            self.fc.weight.fill_(1.0)
        self.first.v_threshold = drive

    def forward(self, x: torch.Tensor) -> Any:
        before, out = torch.zeros(x.shape[1], 2), []
        for step in x:
            before = self.first(self.fc(step) - 0.5 * before)
            out.append(before)
        return torch.stack(out)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load_module(Chain(4.0), (6,), STEPS)


def test_a_population_that_random_inputs_leave_silent_is_woken(graph: Graph) -> None:
    strong = Chain(17.0)  # six inputs, kept for many steps, sum up to 18
    notes = read_module(strong, (6,), STEPS, effort=NORMAL).graph.notes
    assert not any("fired in no run" in note for note in notes)
    quiet = read_module(Chain(18.5), (6,), STEPS, effort=replace(NORMAL, waking_runs=1)).graph.notes
    assert "first: fired in no run of the check, which proves little" in quiet
    assert not any("fired in no run" in note for note in graph.notes)


def test_a_run_in_pieces_goes_on_where_it_was(graph: Graph) -> None:
    x = (np.random.default_rng(0).random((2, STEPS, 6)) < 0.5).astype(float)
    whole = run_float(graph, {"input": x})
    run = RealRun(graph, 2)
    pieces = [run.advance({"input": x[:, begin : begin + 5]}) for begin in range(0, STEPS, 5)]
    for name in whole.spikes:
        assert whole.spikes[name].any()
        np.testing.assert_array_equal(np.concatenate([p.spikes[name] for p in pieces], 1), whole.spikes[name])
        np.testing.assert_array_equal(np.concatenate([p.v[name] for p in pieces], 1), whole.v[name])


def test_a_spike_that_differs_is_found_in_any_piece(graph: Graph) -> None:
    x = (np.random.default_rng(0).random((2, STEPS, 6)) < 0.5).astype(float)
    own = {"first": run_float(graph, {"input": x}).spikes["first"].copy()}
    check_spikes(graph, {"input": x}, own, "net", [], values=1)
    own["first"][1, 9, 0] ^= 1
    for values in (1, 100, 1 << 20):
        with pytest.raises(UnsupportedError, match="net: first: .*the first difference in step 9, in 1 of its neurons"):
            check_spikes(graph, {"input": x}, own, "net", [], values=values)


def test_a_difference_at_the_threshold_is_noted(graph: Graph) -> None:
    x = np.zeros((1, STEPS, 6))
    x[0, 3, :4] = 1  # exactly 4.0
    neurons = node(graph, "first", Neuron)
    own = {"first": run_float(graph, {"input": x}).spikes["first"]}
    assert own["first"][0, 3, 0] == 1
    above = graph.with_nodes(
        replace(n, threshold=n.threshold * (1 + 1e-12)) if n is neurons else n for n in graph.nodes
    )
    notes: list[str] = []
    check_spikes(above, {"input": x}, own, "net", notes, values=1)
    assert "met the threshold within 1e-09" in notes[0]
