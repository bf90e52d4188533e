from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Level, Population, Projection, Reset
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import ConvGeometry, conv_out, frozen
from tern2lava.compiler.ir.slices import (
    channel_cuts,
    conv_window,
    cut,
    fan_in,
    mapped_shape,
    source_span,
    synapse_count,
)
from tern2lava.errors import UnsupportedError


def random_conv(rng: np.random.Generator) -> Projection:
    while True:
        groups = int(rng.integers(1, 4))
        channels, height, width = groups * int(rng.integers(1, 3)), *(int(n) for n in rng.integers(1, 8, 2))
        kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
        stride, dilation = ((int(a), int(b)) for a, b in rng.integers(1, 4, (2, 2)))
        top, bottom, left, right = (int(p) for p in rng.integers(0, 4, 4))
        out_h = conv_out(height, kernel[0], stride[0], top + bottom, dilation[0])
        out_w = conv_out(width, kernel[1], stride[1], left + right, dilation[1])
        if out_h > 0 and out_w > 0:
            break
    out = groups * int(rng.integers(1, 4))
    geometry = ConvGeometry(
        in_shape=(channels, height, width), out_shape=(out, out_h, out_w), stride=stride, dilation=dilation,
        groups=groups, padding=(top, bottom, left, right),
    )  # fmt: skip
    weight = frozen(rng.integers(1, 9, (out, channels // groups, *kernel)), np.int8)
    gain = frozen(rng.integers(1, 5, out), np.int64)
    return Projection(name="c", inputs=("in",), weight=weight, geometry=geometry, gain=gain)


def random_box(rng: np.random.Generator, conv: Projection) -> Box:
    geometry = conv.geometry
    assert geometry is not None
    shape = geometry.out_shape
    unit = shape[0] // geometry.groups
    cuts = channel_cuts(shape[0], int(rng.integers(1, shape[0] + 1)), (unit,))
    ranges = [cuts[int(rng.integers(0, len(cuts)))]]
    for length in shape[1:]:
        low = int(rng.integers(0, length))
        ranges.append((low, int(rng.integers(low + 1, length + 1))))
    return Box(shape, tuple(r[0] for r in ranges), tuple(r[1] for r in ranges))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_cut_convolution_computes_the_same_sums_from_the_axons_it_names(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv = random_conv(rng)
    box = random_box(rng, conv)
    geometry = conv.geometry
    assert geometry is not None
    sources = int(np.prod(geometry.in_shape))
    whole = accumulate(conv, np.eye(sources)).T[box.flat()]
    piece = cut(conv, box)
    if piece is None:
        assert not whole.any()
        return
    found = np.zeros_like(whole)
    found[:, piece.source.flat()] = accumulate(piece.local, np.eye(piece.source.volume)).T
    np.testing.assert_array_equal(found, whole)
    assert synapse_count(piece.local) == np.count_nonzero(whole)
    assert fan_in(piece.local) == np.count_nonzero(whole, axis=1).max()
    channels = box.flat() // (geometry.out_shape[1] * geometry.out_shape[2])
    np.testing.assert_array_equal(piece.local.gain, conv.gain[np.unique(channels)])
    spans = [source_span(geometry, conv.weight.shape[2:], axis, box.lo[axis], box.hi[axis]) for axis in range(3)]
    assert tuple(spans) == piece.source.extent
    window = conv_window(geometry, box, conv.weight.shape[2:])
    assert window is not None
    assert window[0] == piece.source


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_cut_dense_projection_keeps_the_rows_of_the_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 5, 3))
    weight = frozen(rng.integers(-9, 9, (int(np.prod(shape)), 7)), np.int8)
    gain = frozen(rng.integers(1, 9, weight.shape[0]), np.int64)
    dense = Projection(name="d", inputs=("in",), weight=weight, gain=gain)
    lo = tuple(int(rng.integers(0, n)) for n in shape)
    hi = tuple(int(rng.integers(low + 1, n + 1)) for low, n in zip(lo, shape, strict=True))
    box = Box(shape, lo, hi)
    piece = cut(dense, box)
    assert piece is not None
    rows = [
        (a * shape[1] + b) * shape[2] + c
        for a in range(lo[0], hi[0])
        for b in range(lo[1], hi[1])
        for c in range(lo[2], hi[2])
    ]
    whole = cut(dense, box, whole=True)
    assert whole is not None
    np.testing.assert_array_equal(whole.local.weight, weight[rows])
    np.testing.assert_array_equal(whole.local.gain, gain[rows])
    assert whole.source == Box((7,), (0,), (7,))
    assert fan_in(whole.local) == 7
    # Only sources with a synapse into the box.
    reached = [column for column in range(7) if any(weight[row, column] for row in rows)]
    assert piece.source.flat().tolist() == reached
    np.testing.assert_array_equal(piece.local.weight, weight[rows][:, reached])
    assert fan_in(piece.local) == piece.axons == len(reached)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_cut_of_pruned_kernels_reads_the_channels_that_have_a_synapse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    conv = random_conv(rng)
    kept = rng.random(conv.weight.shape[:2]) < 0.4
    conv = replace(conv, weight=frozen(conv.weight * kept[..., None, None], np.int8))
    box, geometry = random_box(rng, conv), conv.geometry
    assert geometry is not None
    whole = accumulate(conv, np.eye(int(np.prod(geometry.in_shape)))).T[box.flat()]
    piece = cut(conv, box)
    if piece is None:
        assert not whole.any()
        return
    found = np.zeros_like(whole)
    found[:, piece.source.flat()] = accumulate(piece.local, np.eye(piece.source.volume)).T
    np.testing.assert_array_equal(found, whole)
    kernels = conv.weight[box.lo[0] : box.hi[0]]
    if geometry.groups == 1:
        assert piece.source.first.tolist() == np.flatnonzero(kernels.any(axis=(0, 2, 3))).tolist()


@given(
    channels=st.integers(1, 40),
    width=st.integers(1, 40),
    units=st.lists(st.integers(1, 40), max_size=2).map(tuple),
)
@settings(max_examples=200, deadline=None)
def test_channel_cuts_cover_all_channels_and_respect_groups(channels: int, width: int, units: tuple[int, ...]) -> None:
    cuts = channel_cuts(channels, width, units)
    assert [channel for low, high in cuts for channel in range(low, high)] == list(range(channels))
    for low, high in cuts:
        assert high - low <= width
        for unit in units:
            assert low // unit == (high - 1) // unit or (low % unit == 0 and high % unit == 0)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_common_neurons_are_counted_across_shapes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = []
    for shape in ((2, 3, 4), (24,), (4, 6, 1), (2, 3, 4)):
        lo = tuple(int(rng.integers(0, n)) for n in shape)
        boxes.append(Box(shape, lo, tuple(int(rng.integers(a + 1, n + 1)) for a, n in zip(lo, shape, strict=True))))
    boxes.append(Box.full((24,)))
    for a in boxes:
        for b in boxes:
            assert a.common(b) == len(set(a.flat().tolist()) & set(b.flat().tolist()))


def test_two_convolutions_of_different_output_shape_are_refused() -> None:
    def conv(name: str, out: tuple[int, int, int]) -> Projection:
        geometry = ConvGeometry(
            in_shape=(1, *out[1:]), out_shape=out, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1
        )
        weight = frozen(np.ones((out[0], 1, 1, 1)), np.int8)
        return Projection(name=name, inputs=("p",), weight=weight, geometry=geometry)

    values: dict[str, Any] = {
        key: frozen(0, np.int64) for key in ("decay_u", "decay_v", "bias", "threshold", "reset_amount", "v_init")
    }
    p = Population(name="p", inputs=("a", "b"), shape=(12,), reset=Reset.NONE, lsb=frozen(1.0), start=0, **values)
    nodes = (conv("a", (3, 2, 2)), conv("b", (2, 2, 3)), p)
    graph = Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=nodes)
    with pytest.raises(UnsupportedError, match="one output shape"):
        mapped_shape(graph, p)
