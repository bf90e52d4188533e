"""Damaged files of every kind: each ends in a result or in one line of ours, quickly and in little memory."""

from __future__ import annotations

import io
import json
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import tern2lava
from tern2lava.errors import Tern2LavaError
from tern2lava.files.yaml_text import parse_yaml, refuse_marks
from tern2lava.findings import alone, collecting
from tern2lava.frontends.inspect.draft.text import draft_net
from tern2lava.frontends.inspect.read import inspect_file
from tern2lava.frontends.netyaml.read import load_checkpoint

# Seconds of this process, whatever else the machine does.
SECONDS, BYTES = 10.0, 256 << 20


def torch_bytes(value: object, zipped: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def real_files() -> dict[str, bytes]:
    torch.manual_seed(0)
    neuron = snn.Leaky(beta=torch.rand(4), surrogate_disable=True)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(6, 4), neuron)
    arrays = {name.replace(".", "_"): value.numpy() for name, value in model.state_dict().items()}
    npz, packed = io.BytesIO(), io.BytesIO()
    np.savez(npz, **arrays)
    np.savez_compressed(packed, **arrays)
    header = json.dumps({"w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    return {
        "zip state_dict": torch_bytes(model.state_dict(), True),
        "legacy state_dict": torch_bytes({"state_dict": model.state_dict(), "epoch": 1}, False),
        "zip module": torch_bytes(model, True),
        "legacy module": torch_bytes(model, False),
        "npz": npz.getvalue(),
        "compressed npz": packed.getvalue(),
        "safetensors": struct.pack("<Q", len(header)) + header + bytes(48),
    }


FILES = real_files()


NET = Path(tern2lava.__file__).parent / "demo" / "mlp.yaml"


def read(path: Path, data: bytes) -> bool:
    """Whether `data` is still a checkpoint. Fails the test for anything but a result or an error of ours, of inspect,
    of the net.yaml that it writes, and of all that is found wrong with one that describes another network."""
    path.write_bytes(data)
    begin = time.process_time()
    text = ""
    try:
        found = inspect_file(path)
        found.to_dict()
        with pytest.raises(Tern2LavaError, match="requires a value in the place of each"):
            refuse_marks(parse_yaml(draft_net(path, found), "net.yaml"))
    except Tern2LavaError as error:
        text = str(error)
    assert time.process_time() - begin < SECONDS
    with collecting() as refused, alone():
        load_checkpoint(path, NET)
    assert not any("\n" in str(error) for error in refused.refused)
    assert "\n" not in text
    assert len(text) < 1000
    return not text


@pytest.mark.parametrize("kind", list(FILES))
def test_the_undamaged_file_is_read(kind: str, tmp_path: Path) -> None:
    assert read(tmp_path / "x", FILES[kind])


@pytest.mark.parametrize("kind", list(FILES))
def test_a_truncated_file_is_refused_wherever_it_ends(kind: str, tmp_path: Path) -> None:
    data = FILES[kind]
    step = max(1, len(data) // 60)
    refused = [not read(tmp_path / "x", data[:end]) for end in range(0, len(data), step)]
    assert all(refused)


@pytest.mark.parametrize("kind", list(FILES))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_end_in_a_result_or_one_line(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    read(tmp_path / "x", bytes(damaged))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_pickle_inside_a_sound_file_ends_in_a_result_or_one_line(tmp_path: Path, data: st.DataObject) -> None:
    """The old format has no checksum: these flips all reach the pickle machine and what reads its tree."""
    source = FILES[data.draw(st.sampled_from(["legacy state_dict", "legacy module"]))]
    damaged = bytearray(source)
    end = source.index(b"}", 200) if source.count(b"}") else len(source)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, max(end, len(damaged) * 3 // 4)))
        damaged[at] = data.draw(st.sampled_from(b"(.)]}tRbsuaecq\x80\x8aJKMNQU\x85\x86\x87\x88X") | st.integers(0, 255))
    read(tmp_path / "x", bytes(damaged))


def test_damaged_sizes_allocate_nothing_worth_mention(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tracemalloc.start()
    for kind in ("legacy state_dict", "npz", "safetensors"):
        for _ in range(25):
            damaged = bytearray(FILES[kind])
            at = int(rng.integers(0, len(damaged) - 8))
            damaged[at : at + 8] = struct.pack("<Q", int(rng.integers(1 << 20, 1 << 62)))
            read(tmp_path / "x", bytes(damaged))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BYTES


@pytest.mark.parametrize("name", ["bad\nname", "esc\x1b[2J", "long" * 100])
def test_a_name_that_would_spoil_the_terminal_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    header = json.dumps({name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    assert not read(tmp_path / "a.safetensors", struct.pack("<Q", len(header)) + header + bytes(4))
    assert not read(tmp_path / "a.pt", torch_bytes({name: torch.ones(2)}, True))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{name}.npy", b"")
    assert not read(tmp_path / "a.npz", stream.getvalue())


def test_a_zip_entry_at_an_absurd_place_is_refused(tmp_path: Path) -> None:
    data = bytearray(FILES["npz"])
    at = data.index(b"PK\x01\x02")
    data[at + 42 : at + 46] = b"\xff\xff\xff\x7f"
    assert not read(tmp_path / "a.npz", bytes(data))
    size = struct.unpack_from("<I", data, len(data) - 10)[0]
    struct.pack_into("<I", data, len(data) - 10, size + (1 << 30))
    assert not read(tmp_path / "a.npz", bytes(data))
