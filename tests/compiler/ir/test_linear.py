"""The linear map of a projection against torch, and against sums written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.linear import accumulate, conv2d, per_neuron, target_shape
from tern2lava.compiler.ir.shapes import ConvGeometry, conv_out, frozen

torch = pytest.importorskip("torch")
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(
    seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 3), groups=st.integers(1, 3), in_group=st.integers(1, 2),
    out_group=st.integers(1, 2), image=st.tuples(st.integers(1, 6), st.integers(1, 6)), kernel=pairs, stride=pairs,
    dilation=pairs, padding=st.tuples(*[st.integers(0, 3)] * 4),
)  # fmt: skip
@settings(max_examples=60)
def test_convolution_equals_torch(
    seed: int, batch: int, groups: int, in_group: int, out_group: int, image: tuple[int, int],
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: tuple[int, int, int, int],
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    top, bottom, left, right = padding
    oh = conv_out(image[0], kernel[0], stride[0], top + bottom, dilation[0])
    ow = conv_out(image[1], kernel[1], stride[1], left + right, dilation[1])
    if oh < 1 or ow < 1:
        return
    x = rng.integers(-3, 4, (batch, groups * in_group, *image))
    weight = rng.integers(-1, 2, (groups * out_group, in_group, *kernel)).astype(np.int8)
    geometry = ConvGeometry(
        in_shape=(groups * in_group, *image), out_shape=(groups * out_group, oh, ow), stride=stride, padding=padding,
        dilation=dilation, groups=groups,
    )  # fmt: skip
    padded = torch.nn.functional.pad(torch.tensor(x, dtype=torch.float64), (left, right, top, bottom))
    wanted = torch.nn.functional.conv2d(
        padded, torch.tensor(weight, dtype=torch.float64), stride=stride, dilation=dilation, groups=groups
    ).numpy()
    assert np.array_equal(conv2d(x, weight, geometry), wanted)
    projection = Projection(name="p", inputs=("x",), weight=weight, geometry=geometry)
    assert np.array_equal(accumulate(projection, x.reshape(batch, -1)), wanted.reshape(batch, -1))
    assert target_shape(projection) == wanted.shape[1:]


def test_a_dense_projection_sums_its_rows() -> None:
    weight = np.array([[1, 0, -1], [1, 1, 1]], np.int8)
    projection = Projection(name="p", inputs=("x",), weight=weight)
    assert accumulate(projection, np.array([[1, 2, 4], [0, 0, 1]], np.uint8)).tolist() == [[-3, 7], [-1, 1]]
    assert target_shape(projection) == (2,)


def test_a_value_per_channel_goes_to_every_neuron_of_its_channel() -> None:
    geometry = ConvGeometry(
        in_shape=(1, 2, 3), out_shape=(2, 2, 3), stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1
    )
    projection = Projection(name="p", inputs=("x",), weight=frozen(np.ones((2, 1, 1, 1))), geometry=geometry)
    assert per_neuron(np.array([3, 5]), projection).tolist() == [3] * 6 + [5] * 6
    assert per_neuron(np.array(7), projection).tolist() == [7] * 12
