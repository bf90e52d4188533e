"""Networks that other people trained: read as torch reads them, and described for what they are."""

from __future__ import annotations

import json
import shlex
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from command_line import in_process
from places import ROOT
from tern2lava import api
from tern2lava.compiler.ir.graph import Input
from tern2lava.errors import InputError
from tern2lava.frontends.files.checkpoint import read_checkpoint
from tern2lava.frontends.inspect.read import inspect_file
from tern2lava.frontends.inspect.ternary import Form
from tern2lava.frontends.load import load
from tern2lava.sim.reference.real import run_float

CHECKPOINTS = ["s2s_gsc_snntorch.pt", "SNN2_indy_20160622_01.pt", "retrained_noDelay_ref_zero.pt"]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_tensor_is_as_torch_reads_it(nets: Path, name: str) -> None:
    found = read_checkpoint(nets / name)
    loaded = torch.load(nets / name, weights_only=True, map_location="cpu")
    state = loaded.get("model_state_dict", loaded)
    assert set(found.tensors) == set(state)
    for key, value in state.items():
        np.testing.assert_array_equal(found.tensors[key], value.numpy())


@pytest.mark.parametrize(
    ("name", "neurons", "resets"),
    [
        ("s2s_gsc_snntorch.pt", ["2", "4", "6", "8"], ["subtract"] * 4),
        ("SNN2_indy_20160622_01.pt", ["lif1", "lif_out"], ["zero", "none"]),
        ("retrained_noDelay_ref_zero.pt", ["lif1", "lif2"], ["zero", "zero"]),
    ],
)
def test_inspection_finds_the_neurons_and_that_no_weight_is_ternary(
    nets: Path, name: str, neurons: list[str], resets: list[str]
) -> None:
    facts = inspect_file(nets / name)
    assert [n.prefix for n in facts.neurons] == neurons
    assert [n.reset for n in facts.neurons] == resets
    weights = [t for t in facts.tensors if t.ternary is not None]
    assert weights
    assert all(t.ternary.form is Form.OTHER and 0.2 < t.ternary.error_row < 1 for t in weights if t.ternary)


def test_the_speech_commands_network_spikes_as_in_snntorch(nets: Path, tmp_path: Path) -> None:
    layers = "\n".join(
        f'  - dense: {{tensors: "{i}"}}\n  - neuron: {{kind: leaky, tensors: "{i + 1}", reset_delay: true, fire: ">"}}'
        for i in (1, 3, 5, 7)
    )
    net = tmp_path / "gsc.yaml"
    net.write_text(f"input: {{shape: [20]}}\nsteps: 50\nreadout: spike_count\nlayers:\n  - flatten\n{layers}\n")
    graph = load(nets / "s2s_gsc_snntorch.pt", net)
    sizes = [20, 256, 256, 256, 35]
    model = nn.Sequential(nn.Flatten())
    for i, o in pairwise(sizes):
        model.append(nn.Linear(i, o)).append(snn.Leaky(beta=0.5, init_hidden=True))
    model.load_state_dict(torch.load(nets / "s2s_gsc_snntorch.pt", weights_only=True, map_location="cpu"))
    model = model.double()
    x = (torch.rand(4, 50, 20, generator=torch.Generator().manual_seed(0)) < 0.2).double()
    trace = run_float(graph, {"input": x.numpy()}, states=False)
    for t in range(50):
        y = x[:, t]
        for index, layer in enumerate(model):
            y = layer(y).double()
            if index and index % 2 == 0:
                np.testing.assert_array_equal(trace.spikes[str(index)][:, t], y.detach().numpy())
    assert sum(int(spikes.sum()) for spikes in trace.spikes.values()) > 10_000


def test_a_recurrent_checkpoint_is_refused_with_the_tensor_that_is_left(nets: Path, tmp_path: Path) -> None:
    net = tmp_path / "b.yaml"
    net.write_text(
        "input: {shape: [12]}\nsteps: 256\nreadout: spike_count\nlayers:\n"
        + "".join(
            f"  - dense: {{tensors: fc{i}}}\n"
            f'  - neuron: {{kind: synaptic, tensors: lif{i}, reset_delay: false, fire: ">"}}\n'
            for i in (1, 2)
        )
    )
    with pytest.raises(InputError, match=r"lif1.recurrent.bias \(and 1 more\): requires a use for each tensor"):
        load(nets / "retrained_noDelay_ref_zero.pt", net)


COMMANDS = [
    shlex.split(line)[1:]
    for line in (ROOT / "docs" / "published-nets.md").read_text().splitlines()
    if line.startswith("tern2lava compile")
]


def test_every_network_in_the_folder_has_its_command_in_the_docs(nets: Path) -> None:
    kinds = (".pt", ".nir", ".net")
    files = {path.name for path in nets.iterdir() if path.suffix in kinds and not path.name.startswith("LICENSE")}
    assert {command[1] for command in COMMANDS} == files


@pytest.mark.parametrize("command", COMMANDS, ids=[command[1] for command in COMMANDS])
def test_every_network_is_inspected_compiled_and_verified_as_the_docs_say(
    nets: Path, tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = str(nets / command[1]), str(tmp_path / "build")
    arguments = [{command[1]: file, "build/": folder}.get(part, part) for part in command]
    monkeypatch.chdir(ROOT)

    def run(*words: str) -> str:
        done = in_process(monkeypatch, capsys)(*words)
        assert not done.returncode, done.stderr
        return done.stdout

    inspected = json.loads(run("inspect", file, "--json"))
    assert inspected["tensors"]
    assert inspected["neurons"]
    report = json.loads(run(*arguments, "--json"))
    if "--assume" in arguments:
        assert any("assumed" in note and "fire=ge" in note for note in report["notes"])
    rounded = [note for note in report["notes"] if "kept at 8 bits, rounded after training" in note]
    assert bool(rounded) == ("--ternarize" in arguments)
    from tern2lava.bundle import read_bundle

    (source,) = read_bundle(Path(folder)).executable.program.of_kind(Input)
    x = (np.random.default_rng(0).random((2, 20, *source.shape)) < 0.2).astype(np.uint8)
    np.savez(tmp_path / "x.npz", spikes=x)
    verification = api.verify(folder, tmp_path / "x.npz", backend="reference", any_steps=True).verification
    assert verification is not None
    assert verification.equal
