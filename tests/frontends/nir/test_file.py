"""NIR files: as nir writes and reads them, as frameworks export them, and as other people published them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from numpy.typing import NDArray
from snntorch import utils
from snntorch.export_nir import export_to_nir
from torch import nn

from nodes import part
from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Arithmetic, Input, Neuron
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import InputError
from tern2lava.frontends.load import load
from tern2lava.frontends.nir.read import read_tree
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

Array = NDArray[Any]


def as_tree(graph: nir.NIRGraph) -> dict[str, Any]:
    """The tree that reading the file of `graph` would give."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items() if item is not None and key != "metadata"}
        if isinstance(value, str):
            return value
        return np.asarray(value)

    found = plain(graph.to_dict())
    found["edges"] = [list(edge) for edge in graph.edges]
    return {"version": nir.version, "node": found}


def test_a_file_that_nir_wrote_has_its_shapes_and_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    conv = nir.Conv2d((8, 8), rng.normal(0, 1, (4, 2, 3, 3)), 1, 1, 1, 1, rng.normal(0, 1, 4))
    n = (4, 8, 8)
    graph = nir.NIRGraph.from_list(
        nir.Input(np.array([2, 8, 8])), conv,
        nir.IF(r=np.ones(n), v_threshold=np.ones(n)),
        nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Flatten(np.array([4, 4, 4]), 0, -1), nir.Affine(rng.normal(0, 1, (5, 64)), rng.normal(0, 1, 5)),
        nir.LIF(tau=np.full(5, 1e-3), r=np.full(5, 10.0), v_leak=np.zeros(5), v_threshold=np.ones(5)),
    )  # fmt: skip
    nir.write(tmp_path / "g.nir", graph)
    read = load(tmp_path / "g.nir")
    known = shapes(read)
    back = nir.read(tmp_path / "g.nir")
    for name, node in back.nodes.items():
        assert known[name] == tuple(int(size) for size in next(iter(node.output_type.values())))
    np.testing.assert_array_equal(read["conv2d"].weight, conv.weight)  # type: ignore[union-attr]
    assert any("dt 0.0001 s recovered" in note for note in read.notes)
    trace = run_float(read, {"input": rng.integers(0, 2, (1, 20, 2, 8, 8))})
    assert int(trace.spikes["lif"].sum()) > 0


def run_snntorch(net: nn.Sequential, x: Array) -> list[Array]:
    """Spikes (steps, neurons) of the neuron layers of `net`, for x (steps, inputs)."""
    spikes: dict[int, list[Array]] = {}
    with torch.no_grad():
        for now in torch.from_numpy(x).double():
            y = now[None]
            for index, layer in enumerate(net):
                y = layer(y).double()
                if not isinstance(layer, nn.Linear):
                    spikes.setdefault(index, []).append(y[0].numpy())
    return [np.array(found) for found in spikes.values()]


def leaky(n: int, **options: Any) -> snn.Leaky:
    beta, threshold = torch.linspace(0.5, 0.95, n), torch.linspace(0.6, 1.2, n)
    return snn.Leaky(beta=beta, threshold=threshold, init_hidden=True, **options)


def synaptic(n: int, **options: Any) -> snn.Synaptic:
    return snn.Synaptic(
        alpha=torch.linspace(0.2, 0.8, n), beta=torch.linspace(0.5, 0.9, n), threshold=torch.linspace(0.7, 1.3, n),
        init_hidden=True, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "options", "assume"),
    [
        (leaky, {"reset_mechanism": "zero"}, None),
        (leaky, {"reset_mechanism": "zero", "reset_delay": False}, None),
        (leaky, {"reset_mechanism": "subtract"}, "reset=subtract,reset_delay=true"),
        (leaky, {"reset_mechanism": "subtract", "reset_delay": False}, "reset=subtract,rearm=true"),
        (synaptic, {"reset_mechanism": "zero", "reset_delay": False}, None),
        (synaptic, {"reset_mechanism": "subtract"}, "reset=subtract,reset_delay=true"),
    ],
)
def test_what_snntorch_exports_spikes_as_in_snntorch(
    make: Callable[..., Any], options: dict[str, Any], assume: str | None
) -> None:
    total = 0
    for seed in range(3):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(8, 12), make(12, **options), nn.Linear(12, 5), make(5, **options))
        with torch.no_grad():
            for name in "02":
                part(net, name, nn.Linear).weight *= 2
        exported = export_to_nir(net, torch.zeros(1, 8), ignore_dims=[0])
        net.double()
        utils.reset(net)
        graph = read_tree(as_tree(exported), "snntorch", "snntorch", assume=assume)
        x = (np.random.default_rng(seed).random((150, 8)) < 0.4).astype(np.int64)
        trace = run_float(graph, {graph.of_kind(Input)[0].name: x[None]}, states=False)
        found = [trace.spikes[neuron.name][0] for neuron in graph.of_kind(Neuron)]
        for ours, theirs in zip(found, run_snntorch(net, x), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        total += sum(int(spikes.sum()) for spikes in found)
    assert total > 500


def test_the_published_neuron_spikes_as_in_four_other_simulators(nets: Path) -> None:
    """lif_*.csv of neuromorphs/NIR: columns input, potential, spike; Lava's reaches it one step later."""
    graph = load(nets / "lif_norse.nir", dt=1e-4)
    for simulator, later in (("norse", 0), ("snntorch", 0), ("exact", 0), ("lava_cpu_fixed", 1)):
        table = np.loadtxt(nets / f"lif_{simulator}.csv", delimiter=",")
        trace = run_float(graph, {"input": table[None, :, :1]})
        spikes, theirs = trace.spikes["1"][0, :, 0], table[later:, 2]
        np.testing.assert_array_equal(spikes[: len(theirs)], theirs)
        assert int(spikes.sum()) == 4
        if simulator == "norse":
            np.testing.assert_allclose(trace.v["1"][0, :, 0], table[:, 1], atol=1e-7)


def test_the_published_neuron_stores_no_time_step(nets: Path) -> None:
    with pytest.raises(InputError, match=r"lif_norse.nir: requires a time step for 1 \(LIF\); found none"):
        load(nets / "lif_norse.nir")


def test_the_braille_network_spikes_as_its_snntorch_checkpoint(nets: Path) -> None:
    graph = load(nets / "braille_noDelay_bias_zero.nir")
    state = torch.load(nets / "retrained_noDelay_ref_zero.pt", weights_only=True, map_location="cpu")
    p = {key: value.double().numpy() for key, value in state.items()}
    x = (np.random.default_rng(1).random((8, 256, 12)) < 0.05).astype(np.int64)
    trace = run_float(graph, {"input": x}, states=False)
    # snnTorch's RSynaptic and Synaptic with reset zero at once (release 1.0 leaves RSynaptic's reset out, so by hand).
    syn, mem = [np.zeros((8, 38)), np.zeros((8, 7))], [np.zeros((8, 38)), np.zeros((8, 7))]
    s1: Array = np.zeros((8, 38))
    for t in range(256):
        fed = x[:, t] @ p["fc1.weight"].T + p["fc1.bias"]
        fed = fed + s1 @ p["lif1.recurrent.weight"].T + p["lif1.recurrent.bias"]
        syn[0] = p["lif1.alpha"] * syn[0] + fed
        mem[0] = p["lif1.beta"] * mem[0] + syn[0]
        s1 = (mem[0] > p["lif1.threshold"]).astype(float)
        mem[0] = mem[0] * (1 - s1)
        syn[1] = p["lif2.alpha"] * syn[1] + s1 @ p["fc2.weight"].T + p["fc2.bias"]
        mem[1] = p["lif2.beta"] * mem[1] + syn[1]
        s2 = mem[1] > p["lif2.threshold"]
        mem[1] = mem[1] * (1 - s2)
        np.testing.assert_array_equal(trace.spikes["lif1.lif"][:, t], s1)
        np.testing.assert_array_equal(trace.spikes["lif2"][:, t], s2)
    assert int(trace.spikes["lif1.lif"].sum()) > 300
    assert int(trace.spikes["lif2"].sum()) > 50


def test_the_braille_network_ternarised_runs_in_integers(nets: Path) -> None:
    lowered = lower(load(nets / "braille_noDelay_bias_zero.nir"), Arithmetic(), Options(ternarize="twn", steps=256))
    x = (np.random.default_rng(2).random((2, 256, 12)) < 0.15).astype(np.int64)
    real, program = run_float(lowered.real, {"input": x}), integer.run(lowered.program, {"input": x})
    differing = sum(int((real.spikes[name] != program.spikes[name]).sum()) for name in real.spikes)
    spikes = sum(int(value.sum()) for value in real.spikes.values())
    assert spikes > 300
    assert differing < 0.01 * spikes


def test_options_of_other_sources_are_refused(tmp_path: Path) -> None:
    z = nir.Threshold(np.ones(2))
    nir.write(tmp_path / "z.nir", nir.NIRGraph.from_list(nir.Input(np.array([2])), z))
    assert load(tmp_path / "z.nir", steps=7).steps == 7
    with pytest.raises(InputError, match="leave --net out"):
        load(tmp_path / "z.nir", tmp_path / "net.yaml")
    with pytest.raises(
        InputError, match=r"z\.nir: requires live modules for option input_shape; found a NIR file \(\.nir\)"
    ):
        load(tmp_path / "z.nir", input_shape=(2,))
    np.savez(tmp_path / "w.npz", w=np.ones((2, 2)))
    with pytest.raises(InputError, match=r"w\.npz: requires NIR files and lava-dl files for option assume"):
        load(tmp_path / "w.npz", tmp_path / "net.yaml", assume="fire=>=")
