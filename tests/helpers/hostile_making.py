"""Parts of hostile inputs: the input, the commands that read it, arrays of zeros, and things that are not files."""

from __future__ import annotations

import io
import os
import shutil
import socket
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

DEMO = Path(str(resources.files("tern2lava.demo")))
Words = list[object]
MANIFEST = "manifest.json"
FILES = ("manifest.json", "report.json", "profile.yaml", "graphs/program.json", "graphs/real.npz", "cores/host.img")
"""Files of a bundle, one of each kind."""


@dataclass(frozen=True)
class Hostile:
    """An input and what makes it: make(folder, bundle) writes it into `folder` and gives the words of the command;
    `bundle` is a sound one, which it may copy. slow: takes seconds to be made."""

    name: str
    make: Callable[[Path, Path], Words]
    slow: bool = False


def compile_with(checkpoint: object, net: object = DEMO / "mlp.yaml", *more: object) -> Words:
    return ["compile", checkpoint, "--net", net, "-o", "build", *more]


def npy_header(shape: str, descr: str = "'|u1'", order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text = text.ljust((len(text) + 10) // 64 * 64 + 53) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def write_zeros(
    path: Path, arrays: Mapping[str, tuple[tuple[int, ...], str]], honest: Mapping[str, Any] | None = None
) -> Path:
    """An npz of deflated zeros, by name (shape, dtype), that takes a thousandth of what it unpacks to."""
    block = bytes(1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (shape, dtype) in arrays.items():
            left = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                entry.write(npy_header(repr(tuple(shape)), repr(dtype)))
                while left:
                    left -= entry.write(block[: min(left, len(block))])
        for name, value in (honest or {}).items():
            stream = io.BytesIO()
            np.save(stream, value)
            archive.writestr(f"{name}.npy", stream.getvalue())
    return path


def zip_of(path: Path, entries: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
"""A hundred characters that stand for 9^12 words."""
NINES = "9" * 500_000


# What is no regular file, or none at all.


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def bound_socket(path: Path) -> Path:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's whole path has 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def link_to(target: str, path: Path) -> Path:
    path.symlink_to(target)
    return path


STRANGE: dict[str, Callable[[Path], Path]] = {
    "a pipe": fifo,
    "a socket": bound_socket,
    "a folder": folder,
    "a device without an end": partial(link_to, "/dev/zero"),
    "a terminal": partial(link_to, "/dev/tty"),
    "a link to itself": lambda path: link_to(path.name, path),
    "an empty file": lambda path: (path.write_bytes(b"") and path) or path,
}
USES: dict[str, Callable[[Path, Path], Words]] = {
    "checkpoint": lambda file, _: compile_with(file),
    "file to inspect": lambda file, _: ["inspect", file],
    "net.yaml": lambda file, _: compile_with(DEMO / "mlp.pt", file),
    "profile": lambda file, _: compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "-t", file),
    "spikes": lambda file, bundle: ["simulate", bundle, "--data", file],
    "spikes to verify": lambda file, bundle: ["verify", bundle, "--data", file],
    "calibration samples": lambda file, _: compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "--calibrate", file),
    "recorded run": lambda file, _: compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "--recorded", file),
}


def strange(use: str, kind: str) -> Hostile:
    def make(here: Path, bundle: Path) -> Words:
        return USES[use](STRANGE[kind](here / "given.npz"), bundle)

    return Hostile(f"{kind} as {use}", make)


def strange_in_bundle(kind: str, name: str) -> Hostile:
    def make(here: Path, bundle: Path) -> Words:
        copy = Path(shutil.copytree(bundle, here / "copy"))
        (copy / name).unlink()
        STRANGE[kind](copy / name)
        return ["report", copy]

    return Hostile(f"{kind} as {name} of a bundle", make)
