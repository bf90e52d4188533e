"""Networks of each family of neurons: trained, written, read again, compiled, and compared with their integers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Level, Neuron, Population, Projection
from tern2lava.compiler.ir.shapes import Bytes, Ints
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower, lower_until
from tern2lava.effort import EFFORTS
from tern2lava.errors import InputError
from tern2lava.frontends.load import load
from tern2lava.frontends.modules.read import load_module
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.reference.integer import run as run_integers
from tern2lava.train import checkpoint
from tern2lava.train.data import Dataset
from tern2lava.train.describe import describe
from tern2lava.train.evaluate import evaluate, evaluate_program
from tern2lava.train.experiment_file import read_experiment
from tern2lava.train.families import FAMILIES
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.ternarize import finalize, ternarize
from tern2lava.train.trainer import TrainingOptions, fit
from tern2lava.train.unroll import unroll

pytest.importorskip("snntorch")

SHAPE = (16,)
LINE = "d0.1-dc0.1-12r-4"
OPTIONS = TrainingOptions(steps=6, epochs=5, batch=20, learning_rate=0.05)
MODELS = {
    "leaky": NeuronModel(learn=True, threshold=0.5),
    "plif": NeuronModel(kind="plif", threshold=0.25),
    "cuba": NeuronModel(kind="cuba", reset_delay=True, surrogate="slayer", slope=1.0),
    "alif": NeuronModel(kind="alif", learn=True, threshold=0.5),
}
SPIKING = [family.name for family in FAMILIES if family.spiking]
LEARNED = {"leaky": ("beta",), "plif": ("w",), "cuba": (), "alif": ("alpha_w", "rho_w")}


def built(kind: str) -> nn.Sequential:
    torch.manual_seed(0)
    return network(LINE, SHAPE, neuron=MODELS[kind])


def lights(samples: int, seed: int) -> tuple[Bytes, Ints]:
    """Samples of class c, whose inputs 4 c to 4 c + 3 are brighter than the others."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, samples)
    values = rng.integers(0, 6, (samples, 16)) + 9 * (np.arange(16) // 4 == labels[:, None])
    return values.astype(np.uint8), labels


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    kind: str
    losses: list[float]
    plain: nn.Sequential
    data: Dataset
    folder: Path

    @property
    def graph(self) -> Graph:
        return load(self.folder / "net.pt", self.folder / "net.yaml")


@pytest.fixture(scope="module", params=SPIKING)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    (train_x, train_y), (test_x, test_y) = lights(160, 0), lights(30, 1)
    data = Dataset(name="lights", train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y, top=15, classes=4)
    model = built(kind)
    ternarize(model, "twn")
    losses = [epoch["task"] for epoch in fit(model, data, OPTIONS)]
    plain = built(kind)
    plain.load_state_dict(finalize(model))
    plain.eval()
    checkpoint.save(folder / "net.pt", plain.state_dict())
    (folder / "net.yaml").write_text(describe(plain, SHAPE, OPTIONS.steps))
    return Trained(kind=kind, losses=losses, plain=plain, data=data, folder=folder)


def test_every_family_is_tried() -> None:
    assert set(MODELS) == set(LEARNED) == set(SPIKING)


def test_training_lowers_the_loss_and_moves_what_is_learned(trained: Trained) -> None:
    assert trained.losses[-1] < 0.9 * trained.losses[0]
    fresh = built(trained.kind).state_dict()
    for name, value in trained.plain.state_dict().items():
        if name.rpartition(".")[2] in ("beta", "alpha", "w", "alpha_w", "rho_w"):
            moved = not torch.equal(value, fresh[name])
            assert moved == (name.rpartition(".")[2] in LEARNED[trained.kind]), name


def test_what_is_written_is_read_as_the_module_is(trained: Trained) -> None:
    graphs = [trained.graph, load_module(trained.plain, SHAPE, OPTIONS.steps)]
    written, live = (lower(graph, Arithmetic()).program for graph in graphs)
    assert [type(node) for node in written.nodes] == [type(node) for node in live.nodes]
    for a, b in zip(written.nodes, live.nodes, strict=True):
        for field in vars(a):
            if isinstance(getattr(a, field), np.ndarray):
                assert np.array_equal(getattr(a, field), getattr(b, field)), f"{a.name}.{field}"
    assert "recurrent" in " ".join(node.name for node in trained.graph.nodes)
    assert len(trained.graph.of_kind(Neuron)) == len(written.of_kind(Population)) == 2


@pytest.mark.parametrize("target", ["loihi2", "generic-ternary"])
def test_it_compiles_and_its_integers_do_what_the_trained_network_does(trained: Trained, target: str) -> None:
    lowered = build(trained.graph, load_profile(target), Options(effort=EFFORTS["quick"])).lowered
    assert {np.unique(abs(node.weight)).tolist()[-1] for node in lowered.program.of_kind(Projection)} == {1}
    integers = evaluate_program(
        lowered.program, lambda program, inputs: run_integers(program, inputs), trained.data, OPTIONS
    )
    model = evaluate(trained.plain, trained.data, OPTIONS)
    assert model.scores[:, -1].max() > 0
    total = sum(float(spikes.sum()) for spikes in model.spikes.values())
    apart = sum(
        float(np.abs(a - b).sum()) for a, b in zip(model.spikes.values(), integers.spikes.values(), strict=True)
    )
    assert apart <= 0.01 * total
    assert np.abs(model.scores - integers.scores).mean() <= 0.05


def test_every_neuron_and_reset_can_be_written_for_both_targets_recurrent_and_not() -> None:
    tried = 0
    profiles = [load_profile(target) for target in ("loihi2", "generic-ternary")]
    spiking, resets = map(FAMILIES.get, SPIKING), ("subtract", "zero", "none", None)
    for family, reset, delay in itertools.product(spiking, resets, (True, False, None)):
        given: dict[str, Any] = {"reset": reset, "reset_delay": delay}
        if any((value is None) == (key in family.defaults) for key, value in given.items()):
            continue
        line = "3-2" if family.name == "cuba" and not delay else "3r-2"  # as snnTorch's RSynaptic can be
        torch.manual_seed(0)
        model = network(line, (4,), neuron=NeuronModel(kind=family.name, threshold=0.2, **given))
        ternarize(model, "twn")
        graph = load_module(model.eval(), (4,), 4)
        for profile in profiles:
            lower(graph, Arithmetic(**profile.arithmetic_values()), Options(), profile)
        tried += 1
    assert tried == 6 + 3 + 6 + 1


def test_a_maximum_of_spikes_is_a_population_of_the_compiled_network() -> None:
    torch.manual_seed(0)
    model = network("2c3-m2-d0.5-6", (1, 4, 4), neuron=NeuronModel(threshold=0.05)).eval()
    ternarize(model, "twn")
    x = (np.random.default_rng(0).random((3, 4, 1, 4, 4)) < 0.6).astype(np.uint8)
    with torch.no_grad():
        activity = unroll(model, torch.from_numpy(x).float().swapaxes(0, 1))
    assert list(activity.spikes) == ["lif1", "pool1", "lif2"]
    assert list(activity.met) == ["lif1", "lif2"]
    graph = load_module(model, (1, 4, 4), 4)
    trace = run_integers(lower(graph, Arithmetic()).program, {"input": x})
    for name, spikes in activity.spikes.items():
        expected = spikes.swapaxes(0, 1).flatten(2).numpy()
        assert 0.1 < expected.mean() < 0.9
        assert np.array_equal(trace.spikes[name], expected), name
    plain = network("2c3-m2-d0.5-6", (1, 4, 4))
    assert "- maxpool: {kernel: 2, stride: 2}\n" in describe(plain, (1, 4, 4), 4)
    data = Dataset(
        name="", train_x=x[:, 0], train_y=np.zeros(3, int), test_x=x[:, 0], test_y=np.zeros(3, int), top=1, classes=6
    )
    counted = evaluate(model, data, OPTIONS).metrics(10.0, lower_until(graph, Level.NORMAL))
    assert counted["synops_per_sample"] > 0


def test_a_layer_read_by_its_potential_neither_resets_nor_adapts() -> None:
    for kind in SPIKING:
        last = network("4r-3r", (2,), neuron=MODELS[kind], readout="membrane_sum").lif2
        entry: Any = describe(network("3", (2,), neuron=MODELS[kind], readout="membrane_sum"), (2,), 4)
        assert "reset: none" in entry, kind
        assert getattr(last, "reset_mode", getattr(last, "reset_mechanism", "")) == "none"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("neuron: plif, beta: 0.9", r"e\.yaml:2: network\.beta: requires a key of neuron plif; found another; .*tau"),
        ("neuron: iaf", r"e\.yaml:2: network\.neuron: requires a known neuron; found 'iaf'; .*plif"),
        ("surrogate: box", r"e\.yaml:2: network\.surrogate: requires a known surrogate; found 'box'"),
        ("neuron: plif, reset_delay: true", r"network\.reset_delay: requires a key of neuron plif"),
    ],
)
def test_a_key_that_a_family_does_not_take_is_refused_with_its_line(tmp_path: Path, keys: str, says: str) -> None:
    (tmp_path / "e.yaml").write_text(f"data: {{name: digits}}\nnetwork: {{layers: '10', {keys}}}\nalgorithm: full\n")
    with pytest.raises(InputError, match=says):
        read_experiment(tmp_path / "e.yaml")


def test_recurrent_synaptic_neurons_need_the_reset_that_snntorch_runs() -> None:
    with pytest.raises(InputError, match=r"network\.reset_delay: requires true for recurrent layers of neuron cuba"):
        network("4r-3", (2,), neuron=NeuronModel(kind="cuba"))


def test_a_network_of_rates_is_a_teacher_s_alone_and_runs_once_for_all_steps(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("data: {name: digits}\nnetwork: {layers: '10', neuron: relu}\nalgorithm: full\n")
    with pytest.raises(InputError, match=r"e\.yaml:2: network\.neuron: requires neurons that spike; found relu"):
        read_experiment(tmp_path / "e.yaml")
    with pytest.raises(InputError, match=r"teacher\.layers: requires layers without recurrence"):
        network("8r-3", (2,), neuron=NeuronModel(kind="relu"), readout="membrane_sum")
    torch.manual_seed(0)
    model = network("8c3-p2-6-3", (1, 4, 4), neuron=NeuronModel(kind="relu"), readout="membrane_sum")
    calls: list[int] = []
    model.get_submodule("conv1").register_forward_hook(lambda module, args, out: calls.append(len(out)))
    x = torch.rand(5, 1, 4, 4)
    reading = unroll(model.eval(), x, steps=7).reading
    by_hand = x
    for layer in list(model.children())[:-1]:
        by_hand = layer(by_hand)
    assert calls == [5, 5]
    assert torch.allclose(reading, by_hand.detach().expand(7, 5, 3), atol=1e-6)  # read as (x - threshold) + threshold
