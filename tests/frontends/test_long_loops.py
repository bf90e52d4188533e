"""Loops over several layers: what nirtorch, snnTorch and a net.yaml mean by one is what the compiled program does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archive import save_npz
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Output
from tern2lava.compiler.ir.shapes import Spikes
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.frontends.load import load
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

nir = pytest.importorskip("nir")
nirtorch = pytest.importorskip("nirtorch")

LOIHI = load_profile("loihi2")
DT, COUNT, STEPS, SAMPLES = 1e-4, 5, 40, 3


class Lif(torch.nn.Module):
    """NIR's LIF by forward Euler, as its docstring says."""

    def __init__(self, node: Any) -> None:
        super().__init__()
        names = ("tau", "r", "v_leak", "v_threshold", "v_reset")
        self.tau, self.r, self.leak, self.threshold, self.reset = (
            torch.as_tensor(getattr(node, name), dtype=torch.float64) for name in names
        )

    def forward(self, x: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        v = torch.zeros_like(self.tau) if state is None else state
        v = v + DT / self.tau * (self.leak - v + self.r * x)
        spikes = (v > self.threshold).double()
        return spikes, torch.where(spikes > 0, self.reset, v)


def linear(node: Any) -> torch.nn.Module:
    made = torch.nn.Linear(COUNT, COUNT, bias=False, dtype=torch.float64)
    made.weight.data = torch.as_tensor(node.weight)
    return made


def circle(names: str, rng: np.random.Generator) -> Any:
    """Populations in a circle: the input feeds the first, each the next, and the last the first again."""
    nodes: dict[str, Any] = {"input": nir.Input(np.array([COUNT])), "output": nir.Output(np.array([COUNT]))}
    edges = []

    def wire(name: str, source: str, target: str) -> None:
        codes = rng.integers(-1, 2, (COUNT, COUNT))
        codes[np.arange(COUNT), rng.integers(0, COUNT, COUNT)] = 1
        nodes[name] = nir.Linear(codes.astype(np.float64))
        edges.extend([(source, name), (name, target)])

    for name in names:
        nodes[name] = nir.LIF(
            tau=np.full(COUNT, 2 * DT), r=np.full(COUNT, 2.0), v_leak=np.zeros(COUNT), v_reset=np.zeros(COUNT),
            v_threshold=rng.integers(1, 5, COUNT) / 4 + 1 / 8,
        )  # fmt: skip
    wire("w0", "input", names[0])
    for number, name in enumerate(names):
        wire(f"w{number + 1}", name, (names + names[0])[number + 1])
    return nir.NIRGraph(nodes, [*edges, (names[-1], "output")], type_check=False)


def affine(node: Any) -> torch.nn.Module:
    made = torch.nn.Linear(COUNT, COUNT, dtype=torch.float64)
    made.weight.data, made.bias.data = torch.as_tensor(node.weight), torch.as_tensor(node.bias)
    return made


def in_nirtorch(graph: Any, x: Spikes) -> Any:
    """Spikes of the output in nirtorch's own run, a step of all samples after the other."""
    module = nirtorch.nir_to_torch(graph, {nir.LIF: Lif, nir.Linear: linear, nir.Affine: affine}, dtype=torch.float64)
    found = np.zeros(x.shape)
    for sample, rows in enumerate(x):
        state = None
        for t, row in enumerate(rows):
            spikes, state = module(torch.as_tensor(row, dtype=torch.float64), state)
            found[sample, t] = spikes
    return found


def spikes_on_chip(source: Any, x: Spikes, **options: Any) -> tuple[Any, Graph]:
    lowered = lower(load(source, **options), Arithmetic(**LOIHI.arithmetic_values()), Options(steps=STEPS), LOIHI)
    program = lowered.program
    (read,), (given,) = program.of_kind(Output), program.of_kind(Input)
    return integer.run(program, {given.name: x}).spikes[read.inputs[0]], program


@pytest.fixture
def x() -> Spikes:
    return (np.random.default_rng(5).random((SAMPLES, STEPS, COUNT)) < 0.6).astype(np.uint8)


@pytest.mark.parametrize(("names", "seed"), [("ab", 0), ("ba", 1), ("cab", 3), ("abcd", 4)])
def test_a_nir_loop_over_several_populations_spikes_as_in_nirtorch_in_a_step_each(
    names: str, seed: int, tmp_path: Path, x: Spikes
) -> None:
    graph = circle(names, np.random.default_rng(seed))
    nir.write(tmp_path / "net.nir", graph)
    wanted = in_nirtorch(graph, x)
    np.testing.assert_array_equal(run_float(load(tmp_path / "net.nir"), {"input": x}).spikes[names[-1]], wanted)
    found, program = spikes_on_chip(tmp_path / "net.nir", x)
    assert program.slowdown == len(names)
    np.testing.assert_array_equal(found, wanted)
    assert 0.03 < wanted.mean() < 0.97
    # The loop is heard: without it the same neurons spike otherwise.
    graph.nodes[f"w{len(names)}"].weight[:] = 0
    assert not np.array_equal(in_nirtorch(graph, x), wanted)


@pytest.mark.parametrize("names", ["a", "ab"])
def test_a_bias_on_the_edge_that_closes_a_loop_counts_from_the_first_step(
    names: str, tmp_path: Path, x: Spikes
) -> None:
    # nirtorch starts that edge at 0 and leaves its bias out once, but never that of the input's edge.
    closing, opening = (circle(names, np.random.default_rng(0)) for _ in range(2))
    bias = np.full(COUNT, 0.75)
    closing.nodes[f"w{len(names)}"] = nir.Affine(closing.nodes[f"w{len(names)}"].weight, bias)
    opening.nodes["w0"] = nir.Affine(opening.nodes["w0"].weight, bias)
    nir.write(tmp_path / "net.nir", closing)
    wanted = in_nirtorch(opening, x)
    np.testing.assert_array_equal(run_float(load(tmp_path / "net.nir"), {"input": x}).spikes[names[-1]], wanted)
    assert np.any(in_nirtorch(closing, x) != wanted)


WEIGHTS = {
    name: np.random.default_rng([7, k]).integers(-1, 2, (COUNT, COUNT)) for k, name in enumerate(("i", "f", "b"))
}
NET = f"""
input: {{shape: [{COUNT}]}}
steps: {STEPS}
readout: spike_count
layers:
  - name: back
    from: out
    delay: {{steps: 1, shape: [{COUNT}]}}
  - name: feedback
    dense: {{weight: b}}
  - name: first
    from: input
    dense: {{weight: i}}
  - name: hid
    from: [first, feedback]
    neuron: {{kind: leaky, beta: 0.5, threshold: 0.875, reset: zero, reset_delay: false, fire: gt}}
  - name: second
    dense: {{weight: f}}
  - name: out
    neuron: {{kind: leaky, beta: 0.5, threshold: 0.875, reset: zero, reset_delay: false, fire: gt}}
"""


def by_hand(x: Spikes) -> Any:
    """Both layers step by step; the first hears of the second's spikes of the step before."""
    found = np.zeros(x.shape)
    for sample, rows in enumerate(x):
        v, w, last = np.zeros(COUNT), np.zeros(COUNT), np.zeros(COUNT)
        for t, row in enumerate(rows):
            v = v / 2 + WEIGHTS["i"] @ row + WEIGHTS["b"] @ last
            s = v > 0.875
            w = w / 2 + WEIGHTS["f"] @ s
            last = (w > 0.875).astype(float)
            v, w, found[sample, t] = np.where(s, 0, v), np.where(last > 0, 0, w), last
    return found


def from_net_yaml(folder: Path) -> Any:
    save_npz(folder / "net.npz", **{name: codes.astype(np.float32) for name, codes in WEIGHTS.items()})
    (folder / "net.yaml").write_text(NET)
    return folder / "net.npz", {"net": folder / "net.yaml"}


def from_snntorch(folder: Path) -> Any:
    snntorch = pytest.importorskip("snntorch")

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, codes in WEIGHTS.items():
                setattr(self, name, torch.nn.Linear(COUNT, COUNT, bias=False))
                getattr(self, name).weight.data = torch.as_tensor(codes, dtype=torch.float32)
            leaky: dict[str, Any] = {"beta": 0.5, "threshold": 0.875, "reset_mechanism": "zero", "reset_delay": False}
            self.hid, self.out = snntorch.Leaky(**leaky), snntorch.Leaky(**leaky)

        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            one, two = self.hid.init_leaky(), self.out.init_leaky()
            last, spikes = torch.zeros(x.shape[1], COUNT), []
            for row in x:
                first, one = self.hid(self.i(row) + self.b(last), one)
                last, two = self.out(self.f(first), two)
                spikes.append(last)
            return torch.stack(spikes).sum(0)

    return Net(), {"input_shape": (COUNT,), "steps": STEPS}


@pytest.mark.parametrize("given", [from_net_yaml, from_snntorch])
def test_feedback_over_two_layers_of_a_net_yaml_or_a_live_module_is_one_step_late(
    given: Callable[[Path], Any], tmp_path: Path, x: Spikes
) -> None:
    source, options = given(tmp_path)
    found, program = spikes_on_chip(source, x, **options)
    assert program.slowdown == 2
    wanted = by_hand(x)
    np.testing.assert_array_equal(found, wanted)
    assert 0.03 < wanted.mean() < 0.97
