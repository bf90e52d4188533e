"""Files that are no use or made to harm, and the command that is given each: one catalogue for tests and benchmark.

A row of the catalogue is a line, however long.
"""
# ruff: noqa: E501

from __future__ import annotations

import gzip
import io
import json
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
from numpy.typing import NDArray

from tern2lava.bundle.seal import seal

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


# Checkpoints.


def checkpoint(name: str, write: Callable[[Path], Path], use: str = "checkpoint", *, slow: bool = False) -> Hostile:
    return Hostile(f"{name}, as {use}", lambda here, bundle: USES[use](write(here / "net.npz"), bundle), slow)


def zeros(shape: tuple[int, ...], dtype: str = "|u1") -> Callable[[Path], Path]:
    return lambda path: write_zeros(path, {"fc1.weight": (shape, dtype), "fc2.weight": ((2, 2), "<f4")})


def header(shape: str, descr: str = "'|u1'", order: str = "False") -> Callable[[Path], Path]:
    return lambda path: zip_of(path, {"fc1.weight.npy": npy_header(shape, descr, order) + bytes(12)})


def overlapping(path: Path) -> Path:
    one = io.BytesIO()
    with zipfile.ZipFile(one, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("00000.npy", npy_header("(100000000,)") + bytes(100_000_000))
    data = one.getvalue()
    at = data.index(b"PK\x01\x02")
    entry = data[at : data.index(b"PK\x05\x06")]
    listed = b"".join(entry.replace(b"00000.npy", b"%05d.npy" % n) for n in range(10_000))
    path.write_bytes(
        data[:at] + listed + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10_000, 10_000, len(listed), at, 0)
    )
    return path


def million_entries(path: Path) -> Path:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
    listed = b"".join(entry + b"%08d" % n for n in range(1_000_000))
    path.write_bytes(listed + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(listed), 0, 0))
    return path


def raw(data: Callable[[], bytes]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(data())
        return path

    return write


def sparse(start: bytes, size: int) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        with path.open("wb") as stream:
            stream.write(start)
            stream.truncate(size)
        return path

    return write


def torch_zip(data: bytes, method: int = zipfile.ZIP_STORED, **storages: bytes) -> Callable[[Path], Path]:
    return lambda path: zip_of(
        path, {"a/data.pkl": data, **{f"a/data/{key}": value for key, value in storages.items()}}, method
    )


def safetensors(header: bytes, body: bytes = b"") -> Callable[[Path], Path]:
    return raw(lambda: len(header).to_bytes(8, "little") + header + body)


def hdf5(fill: Callable[[Any], None]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        import h5py

        with h5py.File(path, "w") as file:
            fill(file)
        return path

    return write


def h5_zeros(file: Any) -> None:
    file.create_dataset("node/nodes/x/weight", shape=(1 << 31,), dtype="f4", chunks=(1 << 20,), compression="gzip")


def h5_many(file: Any) -> None:
    for n in range(300):
        file.create_dataset(f"node/{n}", shape=(1 << 22,), dtype="f4", chunks=(1 << 20,), compression="gzip")


def h5_deep(file: Any) -> None:
    file.create_group("/".join("a" * 2000))


def h5_loop(file: Any) -> None:
    group = file.create_group("node")
    group["again"] = group


CHECKPOINTS = [
    checkpoint("a gigabyte of zeros where the layer has 64 inputs", zeros((1000, 1_000_000)), slow=True),
    checkpoint("a gigabyte of zeros", zeros((1000, 1_000_000)), "file to inspect", slow=True),
    checkpoint("260 KB of zeros that were 256 MB", zeros((16_384, 16_384)), "file to inspect"),
    checkpoint("60 MB of zeros in bytes", zeros((6000, 10_000)), "checkpoint"),
    checkpoint("60 MB of halves", zeros((3000, 10_000), "<f2"), "checkpoint"),
    checkpoint("a header of 400 parentheses", header("(" * 400 + "3," + ")" * 400)),
    checkpoint("a header of 400 parentheses", header("(" * 400 + "3," + ")" * 400), "file to inspect"),
    checkpoint("a shape of booleans", header("(True, True)")),
    checkpoint("a negative shape", header("(-3, -4)")),
    checkpoint("a shape of fractions", header("(3.0, 4.0)")),
    checkpoint("a shape of 10^30", header(f"({10**30},)")),
    checkpoint("an empty shape of 2^120", header("(0, 1000000000000000000, 1000000000000000000)")),
    checkpoint("300 axes", header("(" + "1, " * 300 + ")")),
    checkpoint("Python objects", header("(3,)", "'|O'")),
    checkpoint("texts of a megabyte", header("(3,)", "'<U1000000'")),
    checkpoint("entries on one another", overlapping, slow=True),
    checkpoint("entries on one another", overlapping, "file to inspect", slow=True),
    checkpoint("a million entries", million_entries, slow=True),
    checkpoint("a list of entries of 4 GB", raw(lambda: b"PK" + bytes(100) + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 0xFFFFFFF0, 0, 0))),
    checkpoint("100 GB of nothing that begins as a pickle", sparse(b"\x80\x02c", 100 << 30)),
    checkpoint("60 GB of nothing that begins as a pickle", sparse(b"\x80\x02c", 60 << 30)),
    checkpoint("60 GB of nothing as one text of a pickle", sparse(b"\x80\x04\x8d" + (60 << 30).to_bytes(8, "little"), 60 << 30)),
    checkpoint("60 GB of nothing that begins as a zip file", sparse(b"PK\x03\x04", 60 << 30)),
    checkpoint("60 GB of nothing", sparse(b"", 60 << 30)),
    checkpoint("a pickle of 10^7 lists", torch_zip(b"\x80\x02" + b"]0" * 5_000_000 + b"N.")),
    checkpoint("a pickle of 10^7 lists that stay", torch_zip(b"\x80\x02" + b"]" * 10_000_000 + b".")),
    checkpoint("a pickle 10^6 tuples deep", torch_zip(b"(" * 1_000_000 + b"t" * 1_000_000 + b".")),
    checkpoint("a pickle that doubles 60 times", torch_zip(b"\x80\x02" + b"]" + b"q\x00" + b"".join(b"]q\x01(h\x00h\x00eq\x00" for _ in range(60)) + b".")),
    checkpoint("a pickle of a number of 500,000 digits", torch_zip(b"I" + b"9" * 500_000 + b"\n.")),
    checkpoint("a pickle that calls", torch_zip(b"cos\nsystem\n(S'echo called'\ntR.")),
    checkpoint("64 MB of a pickle packed to 64 KB", torch_zip(b"\x80\x02" + b"N0" * (31 << 20) + b"N.", zipfile.ZIP_DEFLATED), slow=True),
    checkpoint("a safetensors header of 2^60 bytes", raw(lambda: (1 << 60).to_bytes(8, "little") + b"{" + bytes(100))),
    checkpoint("a deep safetensors header", safetensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
    checkpoint("16 MB of empty objects as a safetensors header", safetensors(b'{"a":[' + b"{}," * 5_000_000 + b"{}]}")),
    checkpoint("safetensors of NaN sizes", safetensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', bytes(4))),
    checkpoint("safetensors of one place for all", safetensors(json.dumps({f"t{n}": {"dtype": "F32", "shape": [1 << 20], "data_offsets": [0, 4 << 20]} for n in range(10_000)}).encode(), bytes(4 << 20)), "file to inspect"),
    checkpoint("8 GB of zeros in HDF5", hdf5(h5_zeros)),
    checkpoint("8 GB of zeros in HDF5", hdf5(h5_zeros), "file to inspect"),
    checkpoint("300 arrays of zeros in HDF5", hdf5(h5_many)),
    checkpoint("groups 2,000 deep in HDF5", hdf5(h5_deep)),
    checkpoint("a group in itself in HDF5", hdf5(h5_loop)),
]  # fmt: skip


# Spikes, runs and training data.


def spikes(name: str, write: Callable[[Path], Path], use: str = "spikes", *, slow: bool = False) -> Hostile:
    return Hostile(f"{name}, as {use}", lambda here, bundle: USES[use](write(here / "x.npz"), bundle), slow)


HONEST = np.zeros((4, 16, 1, 8, 8), np.uint8)
SPIKES = [
    spikes("3 MB of labels that were 3.2 GB", lambda path: write_zeros(path, {"labels": ((400_000_000,), "<i8")}, {"spikes": HONEST}), slow=True),
    spikes("a row of 2 GB", lambda path: write_zeros(path, {"spikes": ((2_000_000_000,), "|u1")}), slow=True),
    spikes("2 GB of another shape", lambda path: write_zeros(path, {"spikes": ((1000, 16, 125_000), "|u1")}), "spikes to verify", slow=True),
    spikes("2 GB of samples of one length and another", lambda path: write_zeros(path, {"spikes": ((31_250_000, 64), "|u1")}, {"lengths": np.array([31_249_999, 1])}), slow=True),
    spikes("60 MB that are padded to 2^50", lambda path: write_zeros(path, {"spikes": ((1_000_000, 64), "|u1")}, {"lengths": np.array([1] * 500_000 + [500_000])}), slow=True),
    spikes("1 GB of lengths", lambda path: write_zeros(path, {"lengths": ((125_000_000,), "<i8")}, {"spikes": np.zeros((64, 64), np.uint8)}), slow=True),
    spikes("1 GB of scores", lambda path: write_zeros(path, {"scores": ((4, 31_250_000), "<f8")}, {"spikes": HONEST}), "spikes to verify", slow=True),
    spikes("a word of 1 GB", lambda path: write_zeros(path, {"dtype": ((), "<U250000000")}, {"spikes": HONEST, "scores": np.zeros((4, 10))}), "spikes to verify", slow=True),
    spikes("1 GB in Fortran's order", lambda path: zip_of(path, {"spikes.npy": npy_header("(15625, 1000, 64)", order="True") + bytes(1_000_000_000)}, zipfile.ZIP_DEFLATED), slow=True),
    spikes("a header of 400 parentheses", lambda path: zip_of(path, {"spikes.npy": npy_header("(" * 400 + "3," + ")" * 400)})),
    spikes("a shape of booleans", lambda path: zip_of(path, {"spikes.npy": npy_header("(True, True, True)") + bytes(1)})),
    spikes("text", raw(lambda: b"spikes")),
    spikes("no array but 2 GB", lambda path: write_zeros(path, {"other": ((2_000_000_000,), "|u1")}), "calibration samples", slow=True),
    spikes("2 GB as bits", lambda path: write_zeros(path, {"bits.spikes": ((250_000_000,), "|u1")}, {"shape.spikes": np.array([4, 16, 31_250_000])}), "recorded run", slow=True),
    spikes("bits of a negative shape", lambda path: write_zeros(path, {"bits.spikes": ((8,), "|u1")}, {"shape.spikes": np.array([-4, -16])}), "recorded run"),
    spikes("bits of a shape of fractions", lambda path: write_zeros(path, {"bits.spikes": ((8,), "|u1")}, {"shape.spikes": np.array([np.inf, 1])}), "recorded run"),
]  # fmt: skip


def training(name: str, data: str, write: Callable[[Path], object], *, slow: bool = False) -> Hostile:
    def make(here: Path, bundle: Path) -> Words:
        write(here)
        config = here / "train.yaml"
        if not config.exists() and not config.is_symlink():
            config.write_text(f"data: {{name: {data}}}\nnetwork: {{layers: flatten 10}}\nalgorithm: full\n")
        return ["train", "--config", config, "-o", here / "run", "--data-dir", here]

    return Hostile(name, make, slow)


def idx_bomb(here: Path) -> None:
    for part in ("train", "t10k"):
        with gzip.open(here / f"{part}-images-idx3-ubyte.gz", "wb", 1) as stream:
            stream.write(struct.pack(">4B3I", 0, 0, 8, 3, 60_000, 28, 28))
            for _ in range(1000):
                stream.write(bytes(1 << 20))


def idx_claim(here: Path) -> None:
    (here / "train-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *[0xFFFFFFFF] * 3))


TRAINING = [
    training("a gzip file of 1 GB of zeros as images", "mnist", idx_bomb, slow=True),
    training("images that claim 2^96 bytes", "mnist", idx_claim),
    training("a pipe as images", "mnist", lambda here: fifo(here / "train-images-idx3-ubyte")),
    training("8 GB of labels", "x.npz", lambda here: write_zeros(here / "x.npz", {"train_y": ((1_000_000_000,), "<i8")}, {"train_x": np.zeros((4, 64), np.uint8), "test_x": np.zeros((4, 64), np.uint8), "test_y": np.zeros(4, np.int64)}), slow=True),
    training("4 GB of samples", "x.npz", lambda here: write_zeros(here / "x.npz", {"train_x": ((62_500_000, 64), "|u1")}, {"test_x": np.zeros((4, 64), np.uint8), "test_y": np.zeros(4, np.int64), "train_y": np.zeros(4, np.int64)}), slow=True),
    training("a pipe as data set", "x.npz", lambda here: fifo(here / "x.npz")),
    training("a pipe as experiment", "digits", lambda here: fifo(here / "train.yaml")),
    training("an experiment of aliases", "digits", lambda here: (here / "train.yaml").write_text(LAUGHS)),
    training("an experiment of a number of 500,000 digits", "digits", lambda here: (here / "train.yaml").write_text("seed: " + "9" * 500_000)),
    training("metrics 100,000 lists deep", "digits", lambda here: (folder(here / "run") / "metrics.json").write_text("[" * 100_000)),
    training("a pipe as metrics", "digits", lambda here: fifo(folder(here / "run") / "metrics.json")),
]  # fmt: skip


# YAML and JSON.


def profile(name: str, text: str | Callable[[str], str]) -> Hostile:
    """A profile: generic-ternary's text with a change, or another text."""

    def make(here: Path, bundle: Path) -> Words:
        sound = Path(str(resources.files("tern2lava.hw_profiles") / "tiny.yaml")).read_text("utf-8")
        written = text if isinstance(text, str) else text(sound)
        (here / "chip.yaml").write_text(written, "utf-8")
        return compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "-t", here / "chip.yaml")

    return Hostile(f"a profile: {name}", make)


def chain(here: Path, bundle: Path) -> Words:
    for n in range(3000):
        (here / f"p{n}.yaml").write_text(f"extends: p{n + 1}.yaml\nname: p{n}\nsummary: x\n")
    return compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "-t", here / "p0.yaml")


def pipe_to_extend(here: Path, bundle: Path) -> Words:
    fifo(here / "base.yaml")
    (here / "chip.yaml").write_text("extends: base.yaml\nname: x\nsummary: x\n")
    return compile_with(DEMO / "mlp.pt", DEMO / "mlp.yaml", "-t", here / "chip.yaml")


def net(name: str, text: str | bytes | Callable[[str], str]) -> Hostile:
    """A net.yaml: the demonstration's with a change, or another text."""

    def make(here: Path, bundle: Path) -> Words:
        sound = (DEMO / "mlp.yaml").read_text("utf-8")
        written = text if isinstance(text, bytes) else (text if isinstance(text, str) else text(sound)).encode()
        (here / "net.yaml").write_bytes(written)
        return compile_with(DEMO / "mlp.pt", here / "net.yaml")

    return Hostile(f"a net.yaml: {name}", make)


def with_steps(value: str) -> Callable[[str], str]:
    def change(sound: str) -> str:
        lines = [f"steps: {value}" if line.startswith("steps:") else line for line in sound.splitlines()]
        return "\n".join(lines) + "\n"

    return change


TEXTS = [
    profile("aliases in its name", lambda text: text.replace("name: tiny", LAUGHS + "name: *a11")),
    profile("aliases in what it extends", LAUGHS + "extends: *a11\nname: x\nsummary: x\n"),
    profile("aliases alone", LAUGHS),
    profile("a list in itself", "name: &a [*a]\n"),
    profile("100,000 lists deep", "name: " + "[" * 100_000),
    profile("a name of 500,000 digits", lambda text: text.replace("name: tiny", f"name: {NINES}")),
    profile("a name in base 60", lambda text: text.replace("name: tiny", "name: 1" + ":59" * 100_000)),
    profile("300,000 names", "name: [" + "1, " * 300_000 + "1]"),
    profile("itself extended", "extends: chip.yaml\nname: x\nsummary: x\n"),
    profile("a device extended", "extends: /dev/zero\nname: x\nsummary: x\n"),
    profile("a name that no file can have extended", 'extends: "a\\0b"\nname: x\nsummary: x\n'),
    Hostile("a profile: 3,000 that extend each other", chain),
    Hostile("a profile: a pipe extended", pipe_to_extend),
    net("aliases", LAUGHS),
    net("a list in itself", "layers: &a [*a]\n"),
    net("100,000 lists deep", "layers: " + "[" * 100_000),
    net("5,000 mappings deep", "\n".join(" " * n + "a:" for n in range(1400))),
    net("steps of 500,000 digits", with_steps(NINES)),
    net("steps in base 60", with_steps("1:30:00")),
    net("steps in base 60, of 300,000 digits", with_steps("1" + ":59" * 100_000)),
    net("steps of 10^60", with_steps("1" + "0" * 60)),
    net("steps of infinity", with_steps(".inf")),
    net("steps of NaN", with_steps(".nan")),
    net("steps of 10^400", with_steps("1.0e+400")),
    net("a tag that calls", "steps: !!python/object/apply:os.system ['echo called']"),
    net("NULs", b"steps: 3\0\0\0"),
    net("bytes that are no UTF-8", b"steps: \xff\xfe"),
    net("a megabyte of one key", "a" * 1_000_000 + ": 1"),
    net("300,000 layers", "layers: [" + "a, " * 300_000 + "a]"),
    net("20,000 brackets that stay open", "[{" * 10_000),
    net("2 MB", "#" * (2 << 20)),
]  # fmt: skip


# Bundles, sealed again so that every digest fits.


def sealed_again(name: str, part: str, content: Callable[[Path], bytes], *, slow: bool = False) -> Hostile:
    """A bundle whose file `part` has other content, of which the manifest and the report have the digest."""

    def make(here: Path, bundle: Path) -> Words:
        copy = Path(shutil.copytree(bundle, here / "copy"))
        (copy / part).write_bytes(content(copy / part))
        reseal(copy, part)
        return ["prove", copy]

    return Hostile(f"a bundle sealed again: {name}", make, slow)


def reseal(bundle: Path, part: str) -> None:
    """Let manifest and report of a bundle say what `part` holds now. Test: the sound content stays readable."""
    from hashlib import sha256

    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest.pop("digest")
    data = (bundle / part).read_bytes()
    manifest["files"][part] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    sealed = seal(json.dumps(manifest, indent=1))
    (bundle / MANIFEST).write_text(sealed)
    report = json.loads((bundle / "report.json").read_text())
    report.pop("digest")
    report["bundle"] = json.loads(sealed)["digest"]
    (bundle / "report.json").write_text(seal(json.dumps(report, indent=1)))


def weights_of(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as stored:
        return dict(stored)


def grown(path: Path) -> bytes:
    """The arrays of a graph, one of them 3.6 GB of zeros."""
    stored = weights_of(path)
    first = next(name for name in stored if stored[name].ndim == 2)
    del stored[first]
    write_zeros(path, {first: ((60_000, 60_000), "|i1")}, stored)
    return path.read_bytes()


def deep(path: Path) -> bytes:
    return path.read_text().replace('"notes": [', '"notes": [' + "[" * 100_000 + "]" * 100_000 + ", ", 1).encode()


BUNDLES = [
    sealed_again("an array of 3.6 GB of zeros in a graph", "graphs/program.npz", grown, slow=True),
    sealed_again("a graph 100,000 lists deep", "graphs/program.json", deep),
    sealed_again("a graph with a number of 500,000 digits", "graphs/program.json", lambda path: path.read_text().replace('"steps": ', f'"steps": {NINES}', 1).encode()),
    sealed_again("a graph with a key twice", "graphs/real.json", lambda path: path.read_text().replace('"steps"', '"level": 1, "steps"', 1).encode()),
    sealed_again("a graph with NaN", "graphs/real.json", lambda path: path.read_text().replace('"steps": ', '"steps": NaN, "x": ', 1).encode()),
    sealed_again("a graph that is no UTF-8", "graphs/real.json", lambda path: b"\xff" + path.read_bytes()),
    sealed_again("a graph of 60 MB of objects", "graphs/imported.json", lambda _: b"[" + b"{}," * 20_000_000 + b"0]", slow=True),
    sealed_again("an image of zeros", "cores/core-00000.img", lambda path: bytes(path.stat().st_size)),
    sealed_again("an image of 100 MB", "cores/core-00000.img", lambda path: path.read_bytes() + bytes(100 << 20)),
]  # fmt: skip

HOSTILE: list[Hostile] = [
    *(strange(use, kind) for use in USES for kind in STRANGE),
    *(strange_in_bundle(kind, name) for kind in ("a pipe", "a device without an end", "a folder") for name in FILES),
    *CHECKPOINTS, *SPIKES, *TRAINING, *TEXTS, *BUNDLES,
]  # fmt: skip
