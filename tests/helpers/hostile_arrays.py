"""Binary files that are no use or made to harm: checkpoints, spikes, recorded runs, training data.

A row of the catalogue is a line, however long.
"""
# ruff: noqa: E501

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from archive import save_npz
from hostile_making import LAUGHS, USES, Hostile, Words, fifo, folder, npy_header, write_zeros, zip_of

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


EVENTS: dict[str, Any] = {"width": 4, "height": 4} | {
    f"{part}.{key}": value
    for part in ("train", "test")
    for key, value in (*((key, np.zeros(4, np.int64)) for key in "xyp"), ("start", np.array([0, 4])), ("label", np.array([0])))
} | {"test.t": np.arange(4)}  # fmt: skip
TRAINING = [
    training("a gzip file of 1 GB of zeros as images", "mnist", idx_bomb, slow=True),
    training("images that claim 2^96 bytes", "mnist", idx_claim),
    training("a pipe as images", "mnist", lambda here: fifo(here / "train-images-idx3-ubyte")),
    training("8 GB of labels", "x.npz", lambda here: write_zeros(here / "x.npz", {"train_y": ((1_000_000_000,), "<i8")}, {"train_x": np.zeros((4, 64), np.uint8), "test_x": np.zeros((4, 64), np.uint8), "test_y": np.zeros(4, np.int64)}), slow=True),
    training("4 GB of samples", "x.npz", lambda here: write_zeros(here / "x.npz", {"train_x": ((62_500_000, 64), "|u1")}, {"test_x": np.zeros((4, 64), np.uint8), "test_y": np.zeros(4, np.int64), "train_y": np.zeros(4, np.int64)}), slow=True),
    training("8 GB of times of events", "x.npz", lambda here: write_zeros(here / "x.npz", {"train.t": ((1_000_000_000,), "<i8")}, EVENTS), slow=True),
    training("events of a sensor of 2^28 pixels", "x.npz", lambda here: save_npz(here / "x.npz", **EVENTS | {"width": 1 << 14, "height": 1 << 14, "train.t": np.arange(4)})),
    training("a sample that begins at event 2^62", "x.npz", lambda here: save_npz(here / "x.npz", **EVENTS | {"train.start": np.array([1 << 62, 4]), "train.t": np.arange(4)})),
    training("a recording that begins at sample 2^62", "spoken-digits", lambda here: save_npz(here / "fsdd.npz", samples=np.zeros(9, np.int16), start=np.array([1 << 62, 9]), digit=[0], speaker=[0], take=[0], rate=8000)),
    training("a pipe as recordings", "spoken-digits", lambda here: fifo(here / "fsdd.npz")),
    training("a pipe as data set", "x.npz", lambda here: fifo(here / "x.npz")),
    training("a pipe as experiment", "digits", lambda here: fifo(here / "train.yaml")),
    training("an experiment of aliases", "digits", lambda here: (here / "train.yaml").write_text(LAUGHS)),
    training("an experiment of a number of 500,000 digits", "digits", lambda here: (here / "train.yaml").write_text("seed: " + "9" * 500_000)),
    training("metrics 100,000 lists deep", "digits", lambda here: (folder(here / "run") / "metrics.json").write_text("[" * 100_000)),
    training("a pipe as metrics", "digits", lambda here: fifo(folder(here / "run") / "metrics.json")),
]  # fmt: skip
