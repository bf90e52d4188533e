"""Fixtures of the front ends' tests: other people's networks, and files written from text."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from places import ROOT
from tern2lava.compiler.ir.graph import Graph, Neuron
from tern2lava.frontends.modules.read import load_module
from tern2lava.sim.reference.real import run_float

if TYPE_CHECKING:
    import torch
    from torch import nn


@pytest.fixture(scope="session")
def nets() -> Path:
    """Folder of other people's trained networks: $TERN2LAVA_NETS or ../shared/nets; skips where it is absent."""
    default = ROOT.parent / "shared" / "nets"
    folder = Path(os.environ.get("TERN2LAVA_NETS", default))
    if not folder.is_dir():
        pytest.skip("other people's networks are not here (set TERN2LAVA_NETS)")
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes text or bytes to a named file in a fresh folder and gives its path."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def keep_dtype(v: torch.Tensor) -> torch.Tensor:
    """snnTorch's spike (v > 0) in the dtype of v; its own surrogates always give float32."""
    return (v > 0).to(v.dtype)


def own_spikes(model: nn.Module, x: torch.Tensor, layers: Sequence[str], *, sequence: bool) -> dict[str, NDArray[Any]]:
    """Spikes (batch, steps, neurons) of the named layers when the framework itself runs `model` in float64.

    x (batch, steps, *shape); `sequence`: the model takes (steps, batch, *shape) at once, else one step after the other.
    Norse states are handed on.
    """
    import torch

    model = copy.deepcopy(model).double().eval()
    found: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
    for name, part in model.named_modules():
        if hasattr(part, "spike_grad"):
            part.spike_grad = keep_dtype
            part.reset_mem()
        if name in found:

            def hook(module: nn.Module, args: Any, output: Any, name: str = name) -> None:
                found[name].append(output[0] if isinstance(output, tuple) else output)

            part.register_forward_hook(hook)
    stateful = "norse" in type(model).__module__
    with torch.no_grad():
        if sequence:
            model(x.transpose(0, 1).double())
        else:
            state = None
            for t in range(x.shape[1]):
                result = model(x[:, t].double(), state) if stateful else model(x[:, t].double())
                state = result[1] if stateful else None
    spikes = {name: torch.cat(parts) if sequence else torch.stack(parts) for name, parts in found.items()}
    return {name: value.transpose(0, 1).reshape(*x.shape[:2], -1).numpy() for name, value in spikes.items()}


def same_spikes(
    model: nn.Module, shape: tuple[int, ...], *, sequence: bool = False, seed: int = 0, density: float = 0.4,
    steps: int = 40, **options: Any,
) -> tuple[Graph, int]:  # fmt: skip
    """(graph, spikes compared) of a module and the float reference on random spikes; fails at the first difference."""
    import torch

    graph = load_module(model, shape, steps, **options)
    names = [node.name for node in graph.of_kind(Neuron)]
    torch.manual_seed(seed)
    x = torch.rand(6, steps, *shape) < density
    layers = [name for name, _ in model.named_modules() if name in names]
    expected = own_spikes(model, x, layers, sequence=sequence)
    trace = run_float(graph, {"input": x.numpy()}, states=False)
    for name, spikes in expected.items():
        np.testing.assert_array_equal(trace.spikes[name], spikes, err_msg=name)
    return graph, int(sum(np.abs(spikes).sum() for spikes in expected.values()))


@pytest.fixture(scope="session")
def compare_spikes() -> Callable[..., tuple[Graph, int]]:
    """same_spikes: the framework's own run against the float reference of the graph read from the module."""
    return same_spikes
