"""Tensors of unusual dtypes and layouts: read as torch reads them, or named without disturbing the others."""

from __future__ import annotations

import io
import json
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.errors import InputError, Tern2LavaError
from tern2lava.frontends.files.checkpoint import read_checkpoint
from tern2lava.frontends.files.small_floats import SMALL, widened
from tern2lava.frontends.inspect.read import inspect_file

pytestmark = pytest.mark.filterwarnings("ignore")
Write = Callable[[str, str | bytes], Path]
FLOAT8 = [getattr(torch, name) for name in SMALL if name.startswith("float8")]


def saved(value: object, *, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", FLOAT8)
def test_every_number_of_8_bits_is_that_of_torch(dtype: torch.dtype) -> None:
    bits = torch.arange(256, dtype=torch.uint8)
    found = widened(bits.numpy(), str(dtype).removeprefix("torch."))
    np.testing.assert_array_equal(found, bits.view(dtype).float().numpy())


def kinds() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    dense = torch.randn(4, 6) * (torch.rand(4, 6) < 0.4)
    twice = torch.sparse_coo_tensor(torch.tensor([[1, 1, 0], [2, 2, 0]]), torch.tensor([1.0, 2.0, 4.0]), (2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "coo": dense.to_sparse(), "csr": dense.to_sparse_csr(), "twice": twice,
            "empty": torch.zeros(2, 3).to_sparse(), "negative": torch.complex(dense, dense).conj().imag,
            "qint8": torch.quantize_per_tensor(dense, 0.0337, 3, torch.qint8),
            "quint8": torch.quantize_per_tensor(dense, 0.05, 128, torch.quint8),
            "channel": torch.quantize_per_channel(
                dense, torch.tensor([0.1, 0.2, 0.0337, 0.5]), torch.tensor([0, 1, -5, 7]), 0, torch.qint8
            ),
            **{str(dtype): torch.ones(3).to(dtype) for dtype in FLOAT8},
        }  # fmt: skip


def dense(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor.to_dense() if tensor.layout is not torch.strided else tensor.float().resolve_neg()


@pytest.mark.parametrize("legacy", [False, True])
def test_sparse_quantised_and_small_tensors_are_what_torch_makes_dense(write: Write, legacy: bool) -> None:
    tensors = kinds()
    if legacy:
        tensors = {name: value for name, value in tensors.items() if not name.startswith("torch.float8")}
    found = read_checkpoint(write("a.pt", saved(tensors, legacy=legacy)))
    assert not found.unreadable
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found.tensors[name], dense(tensor).numpy(), err_msg=name)
    if not legacy:
        assert found.tensors.stored["torch.float8_e5m2"].type == "float8_e5m2"


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (torch.ones(2, device="meta"), "is a tensor on the meta device"), (torch.ones(2) * 1j, "cannot be read"),
        (torch.sparse_coo_tensor(torch.tensor([[0]]), torch.ones(1), (1 << 30,)), "too large to fill"),
        (torch.ones(4, 4).to_sparse_bsr((2, 2)), "is a sparse_bsr tensor, which is not read; save tensor.to_dense"),
    ],
)  # fmt: skip
def test_a_tensor_that_cannot_be_read_is_named_and_the_others_are_read(write: Write, tensor: object, why: str) -> None:
    found = read_checkpoint(write("a.pt", saved({"a": tensor, "b": torch.ones(2), "c": torch.full((2,), torch.nan)})))
    assert list(found.tensors) == ["b", "c"]
    assert why in found.unreadable["a"]
    assert found.tensors["b"].tolist() == [1, 1]


def test_arrays_of_other_dtypes_do_not_disturb_those_of_an_npz_or_safetensors_file(
    write: Write, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", a=np.array([None]), b=np.ones(2), c=np.array(["x"]), d=np.ones(2) * 1j)
    found = read_checkpoint(tmp_path / "a.npz")
    assert (list(found.tensors), sorted(found.unreadable)) == (["b"], ["a", "c", "d"])
    header = json.dumps({
        "a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]},
        "b": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [1, 3]},
        "c": {"dtype": "BF16", "shape": [1], "data_offsets": [3, 5]},
    }).encode()  # fmt: skip
    data = struct.pack("<Q", len(header)) + header + b"\x00\x38\xb8" + b"\x80\x3f"
    found = read_checkpoint(write("a.safetensors", data))
    assert "its dtype F4 is none of F64, F32" in found.unreadable["a"]
    assert found.tensors["b"].tolist() == [1, -1]
    assert found.tensors.stored["b"].type == "float8_e4m3fn"
    assert (found.tensors["c"].tolist(), found.tensors.stored["c"].type) == ([1], "bfloat16")


def test_indices_outside_of_a_sparse_tensor_are_one_line(write: Write) -> None:
    data = saved({"coo": kinds()["twice"]}, legacy=True)
    at = data.index(struct.pack("<6q", 1, 1, 0, 2, 2, 0))
    damaged = data[:at] + struct.pack("<6q", 1, 7, 0, 2, 2, 0) + data[at + 48 :]
    with pytest.raises(InputError, match=r"coo: requires a sparse tensor with indices within its shape \(2, 3\)"):
        read_checkpoint(write("a.pt", damaged)).tensors["coo"]


FILES = [saved(kinds()), saved({k: v for k, v in kinds().items() if "float8" not in k}, legacy=True)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_of_such_tensors_end_in_a_result_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = bytearray(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) * 3 // 4))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "x.pt"
    path.write_bytes(damaged)
    text = ""
    try:
        inspect_file(path)
    except Tern2LavaError as error:
        text = str(error)
    assert "\n" not in text
