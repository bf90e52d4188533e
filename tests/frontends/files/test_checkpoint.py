"""Checkpoints: every tensor as torch itself reads it, hostile sizes refused, wrappers seen through."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tern2lava.errors import InputError
from tern2lava.frontends.files.checkpoint import read_checkpoint

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
]  # fmt: skip
Write = Callable[[str, str | bytes], Path]


def saved(value: object, *, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """A tensor of any readable dtype, often a strided view of a larger storage."""
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    base = torch.randint(-5, 6, shape).to(draw(st.sampled_from(DTYPES)))
    match draw(st.sampled_from(["plain", "transposed", "slice", "expanded"])):
        case "transposed" if base.ndim >= 2:
            return base.transpose(0, -1)
        case "slice" if base.ndim >= 1 and base.shape[-1] > 1:
            return base[..., 1::2]
        case "expanded":
            return base.unsqueeze(0).expand(3, *base.shape)
    return base


@settings(max_examples=60, deadline=None)
@given(st.lists(tensors(), min_size=1, max_size=4), st.booleans())
def test_tensors_come_back_as_torch_loads_them(
    tmp_path_factory: pytest.TempPathFactory, values: list[torch.Tensor], legacy: bool
) -> None:
    path = tmp_path_factory.mktemp("read") / "x.pt"
    path.write_bytes(saved({f"t{i}": value for i, value in enumerate(values)}, legacy=legacy))
    found = read_checkpoint(path).tensors
    for i, value in enumerate(values):
        expected = (value.float() if value.dtype is torch.bfloat16 else value).numpy()
        assert found[f"t{i}"].dtype == expected.dtype
        np.testing.assert_array_equal(found[f"t{i}"], expected)
        assert not found[f"t{i}"].flags.writeable


def test_the_reader_does_not_import_torch(write: Write) -> None:
    path = write("a.pt", saved({"w": torch.ones(2)}))
    code = (
        "import sys; from tern2lava.frontends.files.checkpoint import read_checkpoint; "
        f"print(read_checkpoint({str(path)!r}).tensors['w'].sum(), 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.split() == ["2.0", "False"]


@pytest.mark.parametrize(
    ("wrap", "names", "prefix"),
    [
        (lambda d: {"state_dict": d, "epoch": 3}, ["fc.weight"], ""),
        (lambda d: {"model_state_dict": d, "optimizer_state_dict": {"m": torch.ones(3)}}, ["fc.weight"], ""),
        (lambda d: {"state_dict": {f"model.{k}": v for k, v in d.items()}}, ["model.fc.weight"], "model."),
        (lambda d: {f"module.net.{k}": v for k, v in d.items()}, ["module.net.fc.weight"], "module.net."),
        (lambda d: {"a": {"b": d}}, ["a.b.fc.weight"], ""),
        (lambda d: list(d.values()), ["0"], ""),
        (lambda d: OrderedDict(d), ["fc.weight"], ""),
        (lambda d: {"fc.weight": nn.Parameter(d["fc.weight"])}, ["fc.weight"], ""),
        (
            lambda d: {"n_averaged": torch.tensor(5), **{f"module.{k}": v for k, v in d.items()}},
            ["n_averaged", "module.fc.weight"], "module.",
        ),
        (
            lambda d: {"state_dict": {f"model.{k}": v for k, v in d.items()} | {"acc.total": torch.ones(1)}},
            ["model.fc.weight", "acc.total"], "",
        ),
        (
            lambda d: {f"net._orig_mod.{k.replace('.', '._orig_mod.')}": v for k, v in d.items()},
            ["net._orig_mod.fc._orig_mod.weight"], "net._orig_mod.",
        ),
        (
            lambda d: {"fc.module.weight": d["fc.weight"], "out.weight": d["fc.weight"]},
            ["fc.module.weight", "out.weight"], "",
        ),
    ],
)  # fmt: skip
def test_wrappers_are_seen_through(
    wrap: Callable[[dict[str, Any]], object], names: list[str], prefix: str, write: Write
) -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    checkpoint = read_checkpoint(write("a.pt", saved(wrap({"fc.weight": weight}))))
    assert list(checkpoint.tensors) == names
    assert checkpoint.prefix == prefix
    full = next(name for name in names if name not in ("n_averaged", "acc.total", "out.weight"))
    np.testing.assert_array_equal(checkpoint.tensors[full], weight.numpy())
    if full.endswith("weight") and not full.startswith("a."):
        assert checkpoint.find("fc.weight") == full


def test_a_name_that_several_tensors_could_have_means_none_of_them(write: Write) -> None:
    one, two = torch.ones(1), torch.zeros(1)
    checkpoint = read_checkpoint(write("a.pt", saved({"model.fc.weight": one, "net.fc.weight": two, "x": two})))
    assert checkpoint.find("fc.weight") is None
    assert checkpoint.matches("fc.weight") == ["model.fc.weight", "net.fc.weight"]
    assert checkpoint.find("model.fc.weight") == "model.fc.weight"


EMA = {"model": {"fc.weight": torch.zeros(2)}, "model_ema": {"module.fc.weight": torch.ones(2)}, "epoch": 3}


def test_of_several_weights_the_first_are_read_others_when_asked_for_and_it_is_said(write: Write) -> None:
    path = write("a.pt", saved({**EMA, "optimizer": {"state": {}, "fc.weights": torch.ones(1)}}))
    first, averaged = read_checkpoint(path), read_checkpoint(path, "model_ema")
    assert first.tensors["fc.weight"].tolist() == [0, 0]
    assert averaged.tensors["module.fc.weight"].tolist() == [1, 1]
    told = "'model_ema' holds others of the same names (--weights model_ema reads those)"
    assert first.notes == (f"weights are those under 'model'; {told}",)
    assert averaged.notes == (
        "weights are those under 'model_ema'; 'model' holds others of the same names (as chosen)",
    )
    assert read_checkpoint(write("b.pt", saved({"model": EMA["model"], "epoch": 3}))).notes == ()
    with pytest.raises(InputError, match=r"weights under 'ema'; found none there; choose from model, model_ema"):
        read_checkpoint(path, "ema")
    with pytest.raises(InputError, match=r"requires weights under 'ema'; found none there; leave weights out"):
        read_checkpoint(write("c.pt", saved([torch.ones(1)])), "ema")


AUTHORS_CODE = """
import sys, torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.block = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.register_buffer("scale", torch.tensor([0.5]))
        self.register_buffer("scratch", torch.zeros(9), persistent=False)
        self.tau, self.hidden = 2.5, torch.ones(4)
    def __setstate__(self, state):
        open(sys.argv[2], "w").write("the author's code ran")
net = Net()
torch.save(net, sys.argv[1] + "/zip.pt")
torch.save(net, sys.argv[1] + "/legacy.pt", _use_new_zipfile_serialization=False)
torch.save(net.state_dict(), sys.argv[1] + "/state.pt")
"""


@pytest.fixture(scope="module")
def authors_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole module pickled by another script's __main__, and its state_dict."""
    folder = tmp_path_factory.mktemp("author")
    command = [sys.executable, "-c", AUTHORS_CODE, str(folder), str(folder / "ran")]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return folder


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_pickled_module_of_the_authors_main_script_gives_its_tensors_and_runs_none_of_its_code(
    form: str, authors_files: Path
) -> None:
    path, marker = authors_files / f"{form}.pt", authors_files / "ran"
    found = read_checkpoint(path)
    state = torch.load(authors_files / "state.pt", weights_only=True)
    assert set(found.tensors) == {*state, "hidden"}
    assert found.attributes == {"hidden"}
    for name, value in state.items():
        np.testing.assert_array_equal(found.tensors[name], value.numpy())
    assert found.values["tau"] == 2.5
    assert found.modules[""] == "__main__.Net"
    assert found.content == "pickled module __main__.Net"
    assert not marker.exists()


def test_numpy_arrays_and_numbers_inside_a_torch_file_are_read(write: Write) -> None:
    values: dict[str, Any] = {
        "a": np.arange(6, dtype=">f4").reshape(2, 3),
        "f": np.asfortranarray(np.eye(3, 2)),
        "s": np.float64(2.5),
    }
    for legacy in (False, True):
        found = read_checkpoint(write("a.pt", saved(values, legacy=legacy))).tensors
        for name, value in values.items():
            np.testing.assert_array_equal(found[name], value)


def test_what_cannot_be_read_is_named_with_its_reason(write: Write) -> None:
    value = {"w": torch.ones(2), "c": torch.ones(2, dtype=torch.complex64), "s": torch.eye(4).to_sparse_bsr((2, 2))}
    for legacy in (False, True):
        found = read_checkpoint(write("a.pt", saved(value, legacy=legacy)))
        assert list(found.tensors) == ["w"]
        assert "ComplexFloat" in found.unreadable["c"]
        assert "sparse" in found.unreadable["s"]


def test_objects_in_numpy_arrays_are_refused(write: Write, tmp_path: Path) -> None:
    found = read_checkpoint(write("a.pt", saved({"w": torch.ones(2), "o": np.array([None, {}])})))
    assert "Python objects" in found.unreadable["o"]
    np.savez(tmp_path / "o.npz", o=np.array([None, {}], dtype=object))
    assert "found Python objects, never unpickled" in read_checkpoint(tmp_path / "o.npz").unreadable["o"]


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["<f8", ">f4", "<f2", "<i8", ">i2", "u1", "?"]),
    st.lists(st.integers(0, 4), max_size=3),
    st.booleans(),
    st.booleans(),
)
def test_npz_arrays_come_back_as_numpy_loads_them(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, shape: list[int], fortran: bool, packed: bool
) -> None:
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    path = tmp_path_factory.mktemp("read") / "x.npz"
    array = np.asfortranarray(array) if fortran else array
    (np.savez_compressed if packed else np.savez)(path, w=array)
    found = read_checkpoint(path).tensors["w"]
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape


def safetensors(header: object, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_safetensors_are_read_exactly(write: Write) -> None:
    a, b = np.arange(6, dtype="<f4").reshape(2, 3), torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]},
    }
    body = a.tobytes() + b.view(torch.int16).numpy().tobytes()
    found = read_checkpoint(write("x.safetensors", safetensors(header, body)))
    np.testing.assert_array_equal(found.tensors["a"], a)
    np.testing.assert_array_equal(found.tensors["b"], b.float().numpy())


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (
            {"a": {"dtype": "F32", "shape": [9999], "data_offsets": [0, 24]}},
            r"a: requires as many bytes as its shape \[9999\] has; found 24 bytes",
        ),
        ({"a": {"dtype": "F32", "shape": [6], "data_offsets": [0, 2400]}}, "malformed"),
        ({"a": {"dtype": "F32", "shape": [-6], "data_offsets": [0, 24]}}, "malformed"),
        ({"a": {"dtype": "F32", "shape": [0, 2**61, 2**61], "data_offsets": [0, 0]}}, "absurd|declares"),
        ({"a": 3}, "a: requires a dtype of F64, F32, F16, BF16, .*; found none"),
        (b'{"a": {"dtype": "F32"}, "a": {}}', "twice"),
        (
            b"{" * 100_000,
            r"x\.safetensors: requires a safetensors header of at most 64 levels; found more",
        ),
        ({}, "no tensors"),
    ],
)
def test_a_bad_safetensors_header_is_one_clear_line(header: object, why: str, write: Write) -> None:
    with pytest.raises(InputError, match=why):
        read_checkpoint(write("x.safetensors", safetensors(header, bytes(24))))


def zip_of(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(write: Write) -> None:
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (50000000,), }"
    header = b"\x93NUMPY\x01\x00\x46\x00" + text.ljust(69) + b"\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("w.npy", "w") as entry:
        entry.write(header)
        for _ in range(400):
            entry.write(bytes(1_000_000))
    path = write("bomb.npz", stream.getvalue())
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    with pytest.raises(InputError, match=r"w: requires a tensor of at most .*; found 400,000,000, as in a zip bomb"):
        read_checkpoint(path).tensors["w"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_zip_directory_that_claims_more_than_the_file_holds_is_refused(write: Write) -> None:
    data = zip_of({"a/data.pkl": b"N.", "a/data/0": bytes(100)})
    at = data.index(b"PK\x01\x02")
    at = data.index(b"PK\x01\x02", at + 4)
    lying = data[: at + 20] + struct.pack("<II", 1 << 31, 1 << 31) + data[at + 28 :]
    with pytest.raises(
        InputError,
        match=r"a\.pt: requires entries no larger than.*; found 2,147,483,650, as in a damaged file",
    ):
        read_checkpoint(write("a.pt", lying))


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20), (1 << 47, 1 << 47, 1 << 47)])
def test_an_expanded_tensor_of_absurd_shape_is_refused_before_allocation(shape: tuple[int, ...], write: Write) -> None:
    path = write("a.pt", saved({"w": torch.ones(1), "e": torch.ones(1).expand(7)}))
    data = path.read_bytes()
    sane = read_checkpoint(path)
    assert sane.tensors["e"].shape == (7,)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = next(n for n in entries if n.endswith("data.pkl"))
    sizes = b"(" + b"".join(b"\x8a\x07" + n.to_bytes(7, "little") for n in shape) + b"t"
    strides = b"(" + b"K\x00" * len(shape) + b"t"
    head, _, tail = entries[name].rpartition(b"K\x07\x85")
    tail = tail[tail.index(b"K\x00\x85") + 3 :]
    assert head
    entries[name] = head + sizes + strides + tail
    found = read_checkpoint(write("b.pt", zip_of(entries)))
    assert "does not fit its storage" in found.unreadable["e"]


def test_many_views_of_one_number_cannot_claim_endless_work(write: Write) -> None:
    one = torch.ones(1).expand(1 << 20)
    with pytest.raises(
        InputError,
        match=r"a\.pt: requires tensors of at most 67,108,864 numbers in all; found more, as in a damaged file",
    ):
        read_checkpoint(write("a.pt", saved([one] * 100)))


def test_shared_structure_cannot_explode(write: Write) -> None:
    value: list[object] = [torch.ones(1)]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(InputError, match=r"a\.pt: requires a file of at most 200,000 values; found more"):
        read_checkpoint(write("a.pt", saved(value)))


def test_a_cycle_ends(write: Write) -> None:
    value: dict[str, object] = {"w": torch.ones(1)}
    value["self"] = value
    assert "w" in read_checkpoint(write("a.pt", saved(value))).tensors


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "found an empty file"),
        (b"hello, this is text", "a NIR or lava-dl file; found a file that begins with b.hello"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "found a file that begins with b.*HDF"),
        (saved({"epoch": 3}), "found no tensors"),
        (saved({"w": torch.ones(100)})[:400], "requires a whole zip file"),
        (saved({"w": torch.ones(100)}, legacy=True)[:-10], "of 100 numbers"),
        (saved({"w": torch.ones(100)}, legacy=True)[:150], "truncated|damaged"),
        (pickle.dumps({"w": torch.ones(3)}), "holds no tensors|pickle.dump"),
        (zip_of({"hello.txt": b"x"}), "without data.pkl"),
        (zip_of({"a/data.pkl": b"N.", "a/constants.pkl": b"N."}), "TorchScript"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_one_clear_line(content: bytes, why: str, write: Write) -> None:
    path = write("a.pt", content)
    try:
        found = read_checkpoint(path)
    except InputError as error:
        text = str(error)
    else:
        text = " ".join(found.unreadable.values())
    assert re.search(why, text), text
    assert "\n" not in text


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pt"):
        with pytest.raises(
            InputError, match="requires a checkpoint; found (a folder; name a file|none there; check the path)"
        ):
            read_checkpoint(path)


def test_two_storages_of_a_big_endian_machine_are_read_in_its_order(write: Write) -> None:
    with zipfile.ZipFile(io.BytesIO(saved({"w": torch.tensor([1.0, -2.5])}))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for name in entries:
        if name.endswith("byteorder"):
            entries[name] = b"big"
        if name.endswith("data/0"):
            entries[name] = np.frombuffer(entries[name], "<f4").astype(">f4").tobytes()
    assert read_checkpoint(write("a.pt", zip_of(entries))).tensors["w"].tolist() == [1.0, -2.5]


def test_safetensors_on_one_another_are_refused(write: Write) -> None:
    entries = {name: {"dtype": "F32", "shape": [4], "data_offsets": [at, at + 16]} for name, at in (("a", 0), ("b", 8))}
    with pytest.raises(InputError, match="requires a place of its own for each tensor; found two on each other"):
        read_checkpoint(write("x.safetensors", safetensors(entries, bytes(24))))
