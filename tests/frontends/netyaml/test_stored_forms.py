"""Weights in parts: those of torch's own forms are what the module computes, others are asked for in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from nodes import node, there
from tern2lava.compiler.ir.graph import Conv2d, Dense, Graph
from tern2lava.errors import InputError
from tern2lava.frontends.netyaml.read import load_checkpoint

Write = Callable[[str, str | bytes], Path]
NET = """\
input: {shape: SHAPE}
steps: 4
readout: spike_count
layers:
  - LAYER
  - neuron: {kind: if, threshold: 1, reset: zero, reset_delay: false, fire: gt}
"""


def read(write: Write, tmp_path: Path, state: object, layer: str, shape: str = "[6]", more: str = "") -> Graph:
    torch.save(state, tmp_path / "n.pt")
    text = NET.replace("SHAPE", shape).replace("LAYER", layer) + more
    return load_checkpoint(tmp_path / "n.pt", write("n.yaml", text))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("whole", [False, True])
def test_a_pruned_layer_is_its_weight_times_its_mask(write: Write, tmp_path: Path, whole: bool) -> None:
    inner: Any = nn.Linear(6, 8)
    model = nn.Sequential(inner)
    prune.random_unstructured(inner, "weight", 0.5)
    prune.random_unstructured(inner, "bias", 0.5)
    graph = read(write, tmp_path, model if whole else model.state_dict(), 'dense: {tensors: "0"}')
    layer = node(graph, "0", Dense)
    np.testing.assert_array_equal(layer.weight, inner.weight.detach().numpy())
    np.testing.assert_array_equal(there(layer.bias), inner.bias.detach().numpy())
    assert (layer.weight == 0).sum() == 24
    assert "layers[0].dense.tensors = t('0.weight_mask') * t('0.weight_orig')" in graph.notes


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("kernel", [0, 3])
def test_weight_norm_is_the_weight_that_torch_computes(write: Write, tmp_path: Path, old: bool, kernel: int) -> None:
    layer: Any = nn.Conv2d(2, 4, kernel) if kernel else nn.Linear(6, 8)
    if old:
        with pytest.warns(FutureWarning):
            weight_norm(layer)
    else:
        parametrizations.weight_norm(layer)
    state = {f"fc.{name}": value * (1.5 if "g" in name[-1] else 1) for name, value in layer.state_dict().items()}
    layer.load_state_dict({name.removeprefix("fc."): value for name, value in state.items()})
    layer(torch.zeros(1, 2, 5, 5) if kernel else torch.zeros(6))
    text, shape = ("conv2d: {tensors: fc}", "[2, 5, 5]") if kernel else ("dense: {tensors: fc}", "[6]")
    graph = read(write, tmp_path, state, text, shape)
    found = node(graph, "fc", Conv2d).weight if kernel else node(graph, "fc", Dense).weight
    np.testing.assert_allclose(found, layer.weight.detach().numpy(), rtol=3e-7, atol=0)


@pytest.mark.parametrize("old", [False, True])
def test_spectral_norm_is_refused_by_name(write: Write, tmp_path: Path, old: bool) -> None:
    layer = spectral_norm(nn.Linear(6, 8)) if old else parametrizations.spectral_norm(nn.Linear(6, 8))
    state = {f"fc.{name}": value for name, value in layer.state_dict().items()}
    why = r"dense\.tensors: requires a stored weight; found the parts of spectral_norm .*; torch\.nn\.utils\.remove_"
    with pytest.raises(InputError, match=why):
        read(write, tmp_path, state, "dense: {tensors: fc}")


def test_parts_of_weight_norm_that_do_not_belong_together_are_refused(write: Write, tmp_path: Path) -> None:
    state = {"fc.weight_g": torch.ones(7, 1), "fc.weight_v": torch.ones(8, 6)}
    with pytest.raises(InputError, match=r"requires the two parts of weight_norm; found fc.weight_g of \(7, 1\)"):
        read(write, tmp_path, state, "dense: {tensors: fc}")


CODES = torch.tensor([[1, 0, -1, 1, 1, 0]] * 8, dtype=torch.int8)


SCALES = {
    "fc.scale": (torch.tensor(0.5), "t('fc.weight') * t('fc.scale')"),
    "fc.alpha": (torch.ones(8), "t('fc.weight') * reshape(t('fc.alpha'), [-1, 1])"),
    "fc.scales": (torch.full((8,), 0.25), "t('fc.weight') * reshape(t('fc.scales'), [-1, 1])"),
    "fc.weight_scale": (torch.ones(8, 1), "t('fc.weight') * t('fc.weight_scale')"),
}


@pytest.mark.parametrize("name", ["fc.scale", "fc.scales", "fc.weight_scale"])
def test_the_codes_of_a_layer_are_multiplied_by_the_one_scale_that_it_has(
    write: Write, tmp_path: Path, name: str
) -> None:
    scale, written = SCALES[name]
    graph = read(write, tmp_path, {"fc.weight": CODES, name: scale}, "dense: {tensors: fc}")
    expected = CODES.float() * (scale[:, None] if scale.ndim == 1 else scale)
    np.testing.assert_array_equal(node(graph, "fc", Dense).weight, expected.numpy())
    assert f"layers[0].dense.tensors = {written}" in graph.notes


@pytest.mark.parametrize(
    "beside",
    [
        {"fc.scale": torch.tensor(0.5), "fc.alpha": torch.tensor(0.5)},
        {"fc.scale": torch.ones(8, 6)},
        {"fc.scale": torch.ones(2)},
        {"fc.scale": torch.tensor(2)},
    ],
)
def test_codes_whose_scale_is_not_certain_are_refused(
    write: Write, tmp_path: Path, beside: dict[str, torch.Tensor]
) -> None:
    with pytest.raises(InputError, match="requires the weight that its codes stand for"):
        read(write, tmp_path, {"fc.weight": CODES, **beside}, "dense: {tensors: fc}")


@pytest.mark.parametrize(
    ("name", "layer", "more"),
    [
        *((name, "dense: {weight: fc.weight}", "") for name in SCALES),
        *((name, "dense: {tensors: fc}", 'ignore: ["*"]\n') for name in SCALES),
        ("fc.alpha", "dense: {tensors: fc}", ""),
    ],
)
def test_codes_beside_a_scale_are_refused_with_what_to_write(
    write: Write, tmp_path: Path, name: str, layer: str, more: str
) -> None:
    scale, written = SCALES[name]
    state = {"fc.weight": CODES, name: scale}
    with pytest.raises(
        InputError, match=r"requires the weight that its codes stand for; found fc\.weight of int8"
    ) as e:
        read(write, tmp_path, state, layer, more=more)
    assert f"; write weight: {written}, or weight: t('fc.weight') * 1.0 for the codes alone" in str(e.value)
    graph = read(write, tmp_path, state, f'dense: {{weight: "{written}"}}')
    expected = CODES.float() * (scale[:, None] if scale.ndim == 1 else scale)
    np.testing.assert_array_equal(node(graph, "dense1", Dense).weight, expected.numpy())
    alone = read(write, tmp_path, state, "dense: {weight: t('fc.weight') * 1.0}", more='ignore: ["*"]\n')
    np.testing.assert_array_equal(node(alone, "dense1", Dense).weight, CODES.numpy())


@pytest.mark.parametrize("more", ["", "ignore: [fc.zero_point]\n"])
def test_codes_that_count_from_a_zero_point_are_not_taken_as_if_they_counted_from_0(
    write: Write, tmp_path: Path, more: str
) -> None:
    state = {"fc.weight": CODES, "fc.scale": torch.full((8,), 0.5), "fc.zero_point": torch.arange(8)}
    written = (
        r"dequantize(t('fc.weight'), reshape(t('fc.scale'), [-1, 1]), zero_point=reshape(t('fc.zero_point'), [-1, 1]))"
    )
    with pytest.raises(InputError, match=re.escape(f"; write weight: {written}, or")):
        read(write, tmp_path, state, "dense: {tensors: fc}", more=more)
    graph = read(write, tmp_path, state, f'dense: {{weight: "{written}"}}')
    np.testing.assert_array_equal(
        node(graph, "dense1", Dense).weight, ((CODES - torch.arange(8)[:, None]) * 0.5).numpy()
    )


def test_a_tensor_that_cannot_be_read_or_named_is_refused_with_one_thing_to_do(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"which is not read; save tensor\.to_dense\(\)$"):
        read(write, tmp_path, {"fc.weight": CODES.float().to_sparse_csc()}, "dense: {tensors: fc}")
    with pytest.raises(InputError, match=r"it holds one tensor without a name; save the state_dict$"):
        read(write, tmp_path, CODES.float(), "dense: {tensors: fc}")


def test_codes_without_a_scale_and_scales_of_real_weights_are_as_before(write: Write, tmp_path: Path) -> None:
    graph = read(write, tmp_path, {"fc.weight": CODES}, "dense: {tensors: fc}")
    np.testing.assert_array_equal(node(graph, "fc", Dense).weight, CODES.numpy())
    with pytest.raises(
        InputError, match=r"fc\.mask: .*; write weight: t\('fc\.weight'\) \* t\('fc\.mask'\), or name it"
    ):
        read(write, tmp_path, {"fc.weight": CODES.float(), "fc.mask": CODES.abs()}, "dense: {tensors: fc}")


def test_packed_codes_in_the_place_of_a_weight_are_named(write: Write, tmp_path: Path) -> None:
    state = {"fc.weight": torch.zeros(2, 6, dtype=torch.uint8)}
    with pytest.raises(InputError, match=r"perhaps packed codes; write weight: unpack2\(t\('fc\.weight'\), codes="):
        read(write, tmp_path, state, "dense: {weight: fc.weight, transpose: true}")


def test_a_tensor_under_two_names_is_used_with_either(write: Write, tmp_path: Path) -> None:
    weight = torch.rand(8, 6)
    graph = read(write, tmp_path, {"a.weight": weight, "b.weight": weight}, "dense: {tensors: a}")
    assert "b.weight is a.weight under another name" in graph.notes
    with pytest.raises(InputError, match=r"tensor b\.weight: requires a use for each tensor"):
        read(write, tmp_path, {"a.weight": weight, "b.weight": weight.clone()}, "dense: {tensors: a}")
    with pytest.raises(InputError, match=r"tensor b\.weight: requires a use for each tensor"):
        read(write, tmp_path, {"a.weight": weight, "b.weight": weight[1:]}, "dense: {tensors: a}")
