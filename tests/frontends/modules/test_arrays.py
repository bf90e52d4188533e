"""Live tensors of every dtype, layout and device become float64, or one line says why not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from nodes import node, part, there
from tern2lava.compiler.ir.graph import Dense, Neuron
from tern2lava.errors import InputError
from tern2lava.frontends.modules.arrays import as_array
from tern2lava.frontends.modules.read import load_module

VALUES = torch.tensor([[0.5, 0.0, -1.0], [2.0, 0.25, 0.0]])


def quantised() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(VALUES, 0.25, 1, torch.qint8)


def sparse(layout: torch.layout) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return VALUES.to_sparse() if layout is torch.sparse_coo else VALUES.to_sparse_csr()


@pytest.mark.parametrize(
    "tensor",
    [
        *(VALUES.to(dtype) for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2)),
        nn.Parameter(VALUES), VALUES.T.contiguous().T, torch.complex(torch.zeros(2, 3), -VALUES).conj().imag,
        sparse(torch.sparse_coo), sparse(torch.sparse_csr), quantised(),
    ],
)  # fmt: skip
def test_a_tensor_of_any_dtype_and_layout_is_read(tensor: torch.Tensor) -> None:
    found = as_array("here", tensor)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, VALUES.double().numpy())


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (VALUES.to("meta"), r"^here: requires a tensor with numbers; found one on the meta device"),
        (VALUES.to(torch.complex64), r"^here: requires real numbers; found dtype torch.complex64"),
        (VALUES / 0, r"^here: requires finite numbers; found 6 of 6 numbers NaN or infinite"),
    ],
)
def test_a_tensor_without_real_numbers_is_refused_in_one_line(tensor: torch.Tensor, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        as_array("here", tensor)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_module_in_half_precision_is_read_with_the_numbers_that_it_holds(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    neuron = snn.Leaky(beta=torch.rand(8), threshold=0.3, init_hidden=True, output=True)
    model = nn.Sequential(nn.Linear(6, 8), neuron).to(dtype)
    graph = load_module(model, (6,), 4)
    np.testing.assert_array_equal(
        node(graph, "0", Dense).weight, part(model, "0", nn.Linear).weight.detach().double().numpy()
    )
    np.testing.assert_array_equal(node(graph, "1", Neuron).alpha_v, there(neuron.beta).double().numpy())
    assert node(graph, "1", Neuron).threshold == float(torch.tensor(0.3).to(dtype))


def test_a_module_on_the_meta_device_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"found one on the meta device"):
        load_module(nn.Sequential(nn.Linear(6, 8), snn.Leaky(beta=0.5, init_hidden=True)).to("meta"), (6,), 4)
