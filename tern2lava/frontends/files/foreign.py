"""Files that are no checkpoints but are often given for one: what each is, and the next step that keeps its network."""

from __future__ import annotations

from collections.abc import Callable

TORCHSCRIPT = (
    "a TorchScript program",
    "torch.save(torch.jit.load(FILE).state_dict(), 'net.pt') keeps its weights, which a net.yaml then wires",
)
EXPORTED = (
    "a program of torch.export (pt2)",
    "torch.save(torch.export.load(FILE).state_dict, 'net.pt') keeps its weights, which a net.yaml then wires",
)
START = 64
"""Bytes from the beginning of a file that are looked at."""

_KINDS: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
    (
        lambda start: start.startswith(b"version https://git-lfs"), "a Git LFS pointer, not the file itself",
        "run git lfs pull where it was cloned",
    ),
    (
        lambda start: start.startswith(b"GGUF"), "a GGUF file of a language model",
        "dequantise its tensors with the gguf package and save them with numpy.savez",
    ),
    (
        lambda start: start[:1] == b"\x08" and 0 < start[1] < 32 and start[2] in b"\x12\x1a\x22\x28\x32\x3a\x42",
        "an ONNX model, which holds no spiking neurons",
        "save its tensors with numpy.savez (onnx.numpy_helper.to_array of each), and wire them in a net.yaml",
    ),
    (
        lambda start: start[4:8] == b"TFL3", "a TensorFlow Lite model, which holds no spiking neurons",
        "save the tensors of the network that it was made from with numpy.savez, and wire them in a net.yaml",
    ),
    (
        lambda start: start.startswith(b"\x93NUMPY"), "a single array (npy), without a name",
        "save it by name: numpy.savez('net.npz', weight=array)",
    ),
    (
        lambda start: start.lstrip().lower().startswith((b"<!doctype", b"<html")), "a web page",
        "download the file itself (on GitHub: Raw)",
    ),
)  # fmt: skip


def foreign_kind(start: bytes) -> tuple[str, str] | None:
    """(what a file that begins with `start` is, what to do), None of one that is not known."""
    start = start.ljust(START, b"\0")
    return next(((found, hint) for is_it, found, hint in _KINDS if is_it(start)), None)
