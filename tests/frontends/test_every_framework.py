"""A network of each framework goes from its own objects or file through the compiler into Lava; files need none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import norse.torch as norse
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from tern2lava import api
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import UnsupportedError

STEPS, SIZES = 16, (8, 12, 6)
Ternary = Callable[[int, int], Array]


def ternary(out: int, fed: int) -> Array:
    return np.random.default_rng(out).choice([-1, 0, 1, 1], (out, fed)) * 0.5


def live(make: Callable[[int], nn.Module], container: Any = nn.Sequential) -> nn.Module:
    layers: list[nn.Module] = []
    for fed, out in pairwise(SIZES):
        linear = nn.Linear(fed, out)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(ternary(out, fed)))
            linear.bias.fill_(0.125)
        layers += [linear, make(out)]
    model: nn.Module = container(*layers)
    return model.eval()


def snntorch_net(folder: Path) -> Any:
    return live(lambda n: snn.Synaptic(alpha=0.5, beta=torch.linspace(0.5, 0.9, n), init_hidden=True))


def spikingjelly_net(folder: Path) -> Any:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron", reason="SpikingJelly 2.0 needs Python 3.11")
    return live(lambda n: neuron.ParametricLIFNode(init_tau=2.0, decay_input=False, v_reset=None))


def norse_net(folder: Path) -> Any:
    return live(lambda n: norse.LIFCell(), norse.SequentialState)


def nir_file(folder: Path) -> Any:
    nodes: list[Any] = [nir.Input(np.array([SIZES[0]]))]
    for fed, out in pairwise(SIZES):
        full = {"v_leak": np.zeros(out), "v_threshold": np.ones(out), "r": np.full(out, 4.0)}
        nodes += [nir.Linear(ternary(out, fed)), nir.LIF(tau=np.full(out, 4e-4), **full)]
    nir.write(folder / "net.nir", nir.NIRGraph.from_list(*nodes))
    return folder / "net.nir"


def lavadl_file(folder: Path) -> Any:
    with h5py.File(folder / "net.net", "w") as file:
        for i, (fed, out) in enumerate(pairwise(SIZES)):
            layer = file.create_group(f"layer/{i}")
            layer["type"] = np.array([b"dense"])
            layer["shape"], layer["inFeatures"], layer["outFeatures"] = np.array([out]), fed, out
            layer["weight"] = (12 * ternary(out, fed)).astype(np.float32)
            neuron = layer.create_group("neuron")
            neuron["type"] = np.array([b"CUBA"])
            for key, value in (("iDecay", 1024), ("vDecay", 128), ("vThMant", 10), ("refDelay", 1)):
                neuron[key] = value
    return folder / "net.net"


def checkpoint(folder: Path) -> Any:
    torch.save(snntorch_net(folder).state_dict(), folder / "net.pt")
    neurons = [f'{{kind: synaptic, tensors: "{i}", reset_delay: true, fire: ">"}}' for i in (1, 3)]
    layers = "".join(f'  - dense: {{tensors: "{2 * i}"}}\n  - neuron: {text}\n' for i, text in enumerate(neurons))
    net = folder / "net.yaml"
    net.write_text(f"input: {{shape: [{SIZES[0]}]}}\nsteps: {STEPS}\nreadout: spike_count\nlayers:\n{layers}")
    return folder / "net.pt"


MAKERS = [snntorch_net, spikingjelly_net, norse_net, nir_file, lavadl_file, checkpoint]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_network_of_each_framework_verifies_in_lava(make: Callable[[Path], Any], tmp_path: Path) -> None:
    source = make(tmp_path)
    options: dict[str, Any] = {"input_shape": (SIZES[0],), "steps": STEPS} if isinstance(source, nn.Module) else {}
    if make is checkpoint:
        options = {"net": tmp_path / "net.yaml"}
    api.compile(source, "generic-ternary", out=tmp_path / "build", **options)
    x = (np.random.default_rng(0).random((2, STEPS, SIZES[0])) < 0.5).astype(np.uint8)
    np.savez(tmp_path / "x.npz", spikes=x)
    verification = api.verify(tmp_path / "build", tmp_path / "x.npz", lava_mode="stock").verification
    assert verification is not None
    assert verification.equal
    assert "L1" in {execution.name for execution in verification.executions}
    spikes = api.simulate(tmp_path / "build", tmp_path / "x.npz").spikes
    assert min(spikes.values()) > 5


def test_files_are_compiled_where_no_framework_can_be_imported(tmp_path: Path) -> None:
    sources = [(nir_file(tmp_path), None), (lavadl_file(tmp_path), None), (checkpoint(tmp_path), tmp_path / "net.yaml")]
    given = [(str(path), net and str(net)) for path, net in sources]
    code = (
        "import sys\n"
        "for name in ('torch', 'snntorch', 'spikingjelly', 'norse', 'nir', 'nirtorch', 'lava'):\n"
        "    sys.modules[name] = None\n"
        "from tern2lava import api\n"
        f"for path, net in {given!r}:\n"
        f"    api.compile(path, 'loihi2', net=net, out={str(tmp_path / 'build')!r})\n"
        "    print(path)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [path for path, _ in given]


def test_neurons_of_several_spikes_a_step_are_refused_with_their_line() -> None:
    class MultiSpikeNeuron(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.floor(x)

    model = live(lambda n: MultiSpikeNeuron())
    with pytest.raises(UnsupportedError, match=r"found torch.floor of earlier layers \(test_every_framework.py:130\)"):
        api.compile(model, "loihi2", input_shape=(SIZES[0],), steps=STEPS)
