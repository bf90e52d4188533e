"""Files that are no checkpoints are named as what they are, with the step that keeps their network."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tern2lava.errors import InputError
from tern2lava.frontends.files.checkpoint import read_checkpoint

Write = Callable[[str, str | bytes], Path]


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"\x80\x02}.")
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ones(3))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer.*; run git lfs pull"),
        (b"GGUF\x03\0\0\0" + bytes(60), "a GGUF file.*; dequantise its tensors"),
        (b"\x08\x08\x12\x07pytorch\x1a\x05" + bytes(60), "an ONNX model.*; save its tensors with numpy.savez"),
        (b"\x1c\0\0\0TFL3" + bytes(60), "a TensorFlow Lite model"),
        (npy(), "a single array .npy., without a name; save it by name"),
        (b"<!DOCTYPE html><html></html>", "a web page; download the file itself"),
        (zipped("net/data.pkl", "net/constants.pkl"), r"a TorchScript program; torch.save\(torch.jit.load"),
        (zipped("archive_format", "models/model.json"), r"a program of torch.export .*torch.export.load"),
        (b"\x01\x02 something else", "a file that begins with .*; give a checkpoint"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_named(write: Write, data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        read_checkpoint(write("net.pt", data))
    assert "\n" not in str(caught.value)
