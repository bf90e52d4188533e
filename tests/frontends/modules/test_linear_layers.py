"""Layers that move, average or spread spikes: each as torch computes it, whatever its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Flatten, Input, Neuron, Pool2d, Readout, SparseLinear
from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.modules.known_modules import add_layer
from tern2lava.frontends.spike_logic import fire_above
from tern2lava.sim.reference.real import run_float, stateless

IMAGE, LINE, VECTOR = (4, 5, 7), (4, 9), (12,)


def added(layer: nn.Module, shape: Shape, *, flat: bool = False) -> GraphBuilder:
    builder = GraphBuilder("memory", 4, one_dimensional=flat)
    builder.input("x", shape, (0, 1), "x")
    add_layer(builder, "layer", "x", "memory: layer", layer.double().eval())
    return builder


def computed(builder: GraphBuilder, x: Array) -> Array:
    """What the linear nodes behind the input make of x (batch, *shape)."""
    y = x.reshape(len(x), *builder.shape["x"])
    for node in builder.nodes[1:]:
        y = stateless(node, y, builder.shape[node.name])
    return y


def spikes(shape: Shape) -> Array:
    return np.random.default_rng(0).integers(0, 2, (3, *shape)).astype(float)


LAYERS: list[tuple[nn.Module, Shape]] = [
    (nn.AvgPool2d(2, 2, 0, False, True), IMAGE),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE),
    (nn.AvgPool2d((3, 2), (1, 2), (1, 0), count_include_pad=False), IMAGE),
    (nn.AvgPool2d(2, stride=3, ceil_mode=True, divisor_override=3), IMAGE),
    (nn.AvgPool2d(2, divisor_override=1), IMAGE),
    (nn.AvgPool2d(2, 4, ceil_mode=True), IMAGE),
    (nn.AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False), LINE),
    (nn.AvgPool1d(2), LINE),
    (nn.LPPool2d(1, 2), IMAGE),
    (nn.LPPool2d(1.0, (3, 2), 2, ceil_mode=False), IMAGE),
    (nn.LPPool1d(1, 3, 2), LINE),
    (nn.AdaptiveAvgPool2d(1), IMAGE),
    (nn.AdaptiveAvgPool2d((2, None)), IMAGE),
    (nn.AdaptiveAvgPool2d((3, 4)), IMAGE),
    (nn.AdaptiveAvgPool1d(4), LINE),
    (nn.Upsample(scale_factor=2), IMAGE),
    (nn.Upsample(scale_factor=(1.5, 2.0), mode="nearest-exact"), IMAGE),
    (nn.Upsample(size=(9, 4), mode="bilinear", align_corners=True), IMAGE),
    (nn.Upsample(scale_factor=1.7, mode="bilinear", align_corners=False), IMAGE),
    (nn.Upsample(scale_factor=1.7, mode="bilinear", recompute_scale_factor=True), IMAGE),
    (nn.Upsample(scale_factor=2, mode="bicubic"), IMAGE),
    (nn.Upsample(scale_factor=2, mode="linear"), LINE),
    (nn.UpsamplingBilinear2d(scale_factor=2), IMAGE),
    (nn.ConvTranspose2d(4, 3, 2), IMAGE),
    (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2), IMAGE),
    (nn.ConvTranspose2d(4, 2, (3, 1), stride=(1, 3), bias=False), IMAGE),
    (nn.ConvTranspose1d(4, 2, 3, stride=2, padding=1), LINE),
    (nn.ZeroPad2d((1, 2, 0, 3)), IMAGE),
    (nn.ReflectionPad2d(2), IMAGE),
    (nn.CircularPad1d(2), LINE),
    (nn.ZeroPad2d((-1, 0, 1, -2)), IMAGE),
    (nn.ChannelShuffle(2), IMAGE),
    (nn.PixelShuffle(2), IMAGE),
    (nn.Unfold(2, padding=1), IMAGE),
    (nn.Unflatten(1, (3, 2, 2)), VECTOR),
    (nn.Flatten(2), IMAGE),
    (nn.Flatten(1, 2), IMAGE),
    (nn.Linear(7, 3), IMAGE),
    (nn.Linear(9, 5, bias=False), LINE),
]


@pytest.mark.parametrize(
    ("layer", "shape", "flat"),
    [(*case, False) for case in LAYERS] + [(*case, True) for case in LAYERS if case[1] == LINE],
    ids=str,
)
def test_a_layer_is_the_linear_map_that_torch_computes(layer: nn.Module, shape: Shape, flat: bool) -> None:
    x = spikes(shape)
    with torch.no_grad():
        wanted = layer.double()(torch.from_numpy(x)).numpy()
    found = computed(added(layer, shape, flat=flat), x)
    assert found.reshape(wanted.shape) == pytest.approx(wanted, abs=1e-12)
    held = (wanted.shape[1], 1, wanted.shape[2]) if flat else wanted.shape[1:]
    assert found.shape[1:] == held


def test_defaults_that_are_written_out_are_defaults_and_plain_layers_plain_nodes() -> None:
    for layer in (nn.AvgPool2d(2), nn.AvgPool2d(2, 2, 0, False, True, None), nn.AvgPool2d(5, ceil_mode=True)):
        assert isinstance(added(layer, (4, 5, 5)).nodes[-1], Pool2d)
    assert isinstance(added(nn.Flatten(), IMAGE).nodes[-1], Flatten)
    assert isinstance(added(nn.Flatten(1, 3), IMAGE).nodes[-1], Flatten)


@pytest.mark.parametrize(
    "layer",
    [
        nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, dilation=2), nn.MaxPool2d(3, 2, 1, dilation=(2, 1)),
        nn.AdaptiveMaxPool2d((2, 3)),
    ],
    ids=str,
)  # fmt: skip
def test_maxima_of_spikes_are_an_or_over_windows_of_any_kind(layer: nn.Module) -> None:
    builder = added(layer, IMAGE)
    graph = builder.finish(Readout.SPIKE_COUNT, "memory")
    x = (np.random.default_rng(1).random((2, 6, *IMAGE)) < 0.15).astype(np.uint8)
    wanted = layer(torch.from_numpy(x.reshape(12, *IMAGE)).double()).numpy()
    assert 0 < wanted.mean() < 1
    assert np.array_equal(run_float(graph, {"x": x}).spikes["layer"].reshape(wanted.shape), wanted)


def test_spikingjellys_voting_and_delay_are_means_and_delays() -> None:
    from spikingjelly.activation_based import layer

    x = spikes(VECTOR)
    wanted = layer.VotingLayer(5)(torch.from_numpy(x)).numpy()
    assert computed(added(layer.VotingLayer(5), VECTOR), x) == pytest.approx(wanted)
    graph = added(layer.Delay(2), VECTOR)
    graph.neuron("n", ("layer",), "n", threshold=np.full((), 0.5), alpha_v=np.zeros(()))
    times = np.random.default_rng(2).integers(0, 2, (1, 6, 12))
    found = run_float(graph.finish(Readout.SPIKE_COUNT, "memory"), {"x": times}).spikes["n"]
    assert np.array_equal(found[:, 2:], times[:, :-2])
    assert not found[:, :2].any()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.GroupNorm(2, 4), "found GroupNorm, which normalises each step by its own mean and variance"),
        (nn.MaxUnpool2d(2), "found MaxUnpool2d, which puts spikes where"),
        (nn.LPPool2d(2, 2), "found LPPool of norm_type 2"),
        (nn.ConstantPad2d(1, 0.5), "requires padding with zeros; found padding with another number"),
        (nn.PixelShuffle(3), "requires a layer that fits its input; found (4, 5, 7): "),
        (nn.Flatten(0), "requires samples that stay apart"),
    ],
)
def test_layers_that_are_no_linear_map_of_spikes_are_refused_by_name(layer: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedError) as error:
        added(layer, IMAGE)
    assert "memory: layer: " in str(error.value)
    assert message in str(error.value)


def test_windows_that_fit_nowhere_are_refused() -> None:
    with pytest.raises(InputError, match="no larger than the padded input of 5; found 6"):
        added(nn.AvgPool2d((6, 2), divisor_override=2), IMAGE)


def gate(**fields: Any) -> GraphBuilder:
    """1 - a and b of two inputs, and their AND."""
    from tern2lava.compiler.ir.graph import ChannelAffine

    builder = GraphBuilder("memory", 4)
    for name in ("a", "b"):
        builder.add(Input(name=name, shape=(2, 2)), name)
    inverse = ChannelAffine(name="not", inputs=("a",), gain=np.full((), -1.0), offset=np.ones(()))
    builder.add(inverse, "not")
    fire_above(builder, "and", ("not", "b"), "and", 1.5, "the product of spikes is their AND")
    return builder


def test_a_product_of_spikes_and_their_inverse_fires_where_both_are_one() -> None:
    graph = gate().finish(Readout.SPIKE_COUNT, "memory")
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 2, (2, 4, 2, 2)) for _ in range(2))
    found = run_float(graph, {"a": a, "b": b}).spikes["and"]
    assert np.array_equal(found, ((1 - a) * b).reshape(2, 4, 4))
    assert graph.notes[-1] == (
        "and: the product of spikes is their AND, a population of 4 neurons that adds one hardware timestep"
    )
    assert shapes(graph)["and"] == (2, 2)
    assert isinstance(graph["and"], Neuron)
    assert not graph.of_kind(SparseLinear)
