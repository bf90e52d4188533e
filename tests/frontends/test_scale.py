"""A network in other units is the same network through every front end that has units: torch modules, also traced ones,
NIR, and net.yaml with calibration and verification. A lava-dl file has none: its integers are what its neurons compute
with, so that others of them are another network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from spikingjelly.activation_based import neuron as spikingjelly
from torch import nn

import tern2lava
from archive import save_npz
from nir_trees import DT, chain, cuba, lif, sink, source
from nir_trees import read as read_nir
from sample_nets import SAMPLES, codes, drawn
from scaled_nets import scaled
from tern2lava.compiler.ir.graph import Arithmetic, Graph
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.frontends.modules.read import load_module

UNITS = (2.0**-30, 2.0**30)


def assert_same_integers(one: Graph, other: Graph) -> None:
    """That two networks are lowered to the same integers and certificates."""
    mine, theirs = lower(one, Arithmetic()), lower(other, Arithmetic())
    assert len(mine.program.nodes) == len(theirs.program.nodes)
    for node, twin in zip(mine.program.nodes, theirs.program.nodes, strict=True):
        for key, value in vars(node).items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "i":
                np.testing.assert_array_equal(value, getattr(twin, key), f"{node.name}.{key}")
    assert [c.to_dict() for c in mine.certificates] == [c.to_dict() for c in theirs.certificates]


def dense(factor: float, seed: str, out: int, wide: int) -> nn.Linear:
    layer = nn.Linear(wide, out)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(0.3 * codes(seed, out, wide)) * factor)
        layer.bias.copy_(torch.from_numpy(drawn(f"{seed} bias", out) / 9) * factor)
    return layer


def snntorch_net(factor: float) -> nn.Sequential:
    def leaky(kind: Any, **settings: Any) -> Any:
        return kind(beta=0.9, threshold=float(np.float32(0.9)) * factor, init_hidden=True, **settings)

    return nn.Sequential(
        dense(factor, "one", 9, 12), leaky(snn.Leaky), dense(factor, "two", 8, 9),
        leaky(snn.Synaptic, alpha=0.7, reset_mechanism="zero"), dense(factor, "three", 4, 8),
        leaky(snn.Leaky, reset_mechanism="zero", reset_delay=False),
    )  # fmt: skip


def spikingjelly_net(factor: float) -> nn.Sequential:
    settings: dict[str, Any] = {"v_threshold": 0.75 * factor, "v_reset": 0.125 * factor}
    return nn.Sequential(
        dense(factor, "one", 9, 12), spikingjelly.LIFNode(tau=2.5, decay_input=True, **settings),
        dense(factor, "two", 8, 9), spikingjelly.IFNode(**settings | {"v_reset": None}),
    )  # fmt: skip


@pytest.mark.parametrize("factor", UNITS)
@pytest.mark.parametrize("make", [snntorch_net, spikingjelly_net])
def test_modules(make: Any, factor: float) -> None:
    assert_same_integers(load_module(make(1.0), (12,), 10), load_module(make(factor), (12,), 10))


class Loop(nn.Module):
    """A forward of its own; `change` is done to what the second layer reads."""

    def __init__(self, factor: float, change: Any = lambda x: x) -> None:
        super().__init__()
        self.first, self.second = dense(factor, "one", 9, 12), dense(factor, "two", 5, 9)
        self.lif1 = snn.Leaky(beta=0.9, threshold=0.75 * factor)
        self.lif2 = snn.Leaky(beta=0.8, threshold=0.5 * factor)
        self.change = change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        m1, m2, out = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for step in x:
            s1, m1 = self.lif1(self.first(step), m1)
            s2, m2 = self.lif2(self.change(self.second(s1)), m2)
            out.append(s2)
        return torch.stack(out)


@pytest.mark.parametrize("factor", UNITS)
def test_traced_modules(factor: float) -> None:
    assert_same_integers(load_module(Loop(1.0), (12,), 10), load_module(Loop(factor), (12,), 10))


@pytest.mark.parametrize("factor", [1.0, 2.0**-30])
def test_a_cast_that_changes_numbers_is_refused_however_small_they_are(factor: float) -> None:
    with pytest.raises(tern2lava.Tern2LavaError, match=r"torch\.to of earlier layers"):
        load_module(Loop(factor, lambda x: x.to(torch.int64).to(x.dtype)), (12,), 10)


@pytest.mark.parametrize("factor", UNITS)
@pytest.mark.parametrize("kind", [lif, cuba])
def test_nir(kind: Any, factor: float) -> None:
    potentials = ("v_threshold", "v_reset", "v_leak")

    def net(times: float) -> Graph:
        node = kind(6, np.random.default_rng(5))
        node |= {key: times * node[key] for key in potentials}
        fc = {"type": "Affine", "weight": times * 0.3 * codes("nir", 6, 8), "bias": times * drawn("nir bias", 6) / 9}
        return read_nir(chain(source(8), ("fc", fc), ("n", node), sink(6)), dt=DT)

    assert_same_integers(net(1.0), net(factor))


@pytest.fixture(scope="module")
def spikes() -> np.ndarray[Any, Any]:
    return (drawn("scale data", 6, 16, 24) > 0.6).astype(np.int8)


@pytest.mark.parametrize("factor", UNITS)
def test_calibration_and_verification(spikes: np.ndarray[Any, Any], tmp_path: Path, factor: float) -> None:
    verdicts, images = [], []
    for number, times in enumerate((1.0, factor)):
        sample = scaled(SAMPLES["mlp"], (times, times))
        folder = tmp_path / str(number)
        folder.mkdir()
        save_npz(folder / "net.npz", **sample.arrays())
        (folder / "net.yaml").write_text(sample.text, encoding="utf-8")
        network = tern2lava.compile(
            folder / "net.npz",
            "loihi2",
            net=folder / "net.yaml",
            calibrate=spikes,
            options=Options(ranges="calibrated"),
        )
        report = tern2lava.verify(network, spikes, backend="reference")
        assert report.verification is not None
        verdicts.append([(v.name, v.sentence) for v in report.verification.verdicts])
        images.append(list(network.mapped.images))
    assert verdicts[0] == verdicts[1]
    assert images[0] == images[1]
