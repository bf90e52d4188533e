"""HDF5 files that are damaged or hostile: one line, quickly, in little memory, and never a crash of this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.errors import InputError, Tern2LavaError
from tern2lava.frontends.files import hdf5 as hdf5file
from tern2lava.frontends.files.hdf5 import read_hdf5
from tern2lava.frontends.inspect.read import inspect_file
from tern2lava.frontends.lavadl import read as lavadl
from tern2lava.frontends.load import load
from tern2lava.frontends.nir.file import is_nir
from tern2lava.frontends.nir.read import read_tree


def nir_bytes(tmp_path: Path) -> bytes:
    rng = np.random.default_rng(0)
    neuron = nir.LIF(tau=np.full(3, 1e-3), r=np.full(3, 10.0), v_leak=np.zeros(3), v_threshold=np.ones(3))
    graph = nir.NIRGraph.from_list(nir.Input(np.array([4])), nir.Affine(rng.normal(0, 1, (3, 4)), np.zeros(3)), neuron)
    nir.write(tmp_path / "whole.nir", graph)
    return (tmp_path / "whole.nir").read_bytes()


def test_groups_arrays_and_texts_come_back_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a/b/numbers"] = np.arange(6, dtype=">i4").reshape(2, 3)
        file["a/flag"] = np.bool_(True)
        file["a/none"] = np.zeros((0, 3), np.float32)
        file["text"] = "grün"
        file["fixed"] = np.array([b"dense"], "S10")
        file.create_dataset("pairs", data=np.array([["a", "b"], ["c", "d"]], object), dtype=h5py.string_dtype())
        file.create_dataset("packed", data=np.arange(10_000) % 7, compression="gzip")
    tree: Any = read_hdf5(path)
    np.testing.assert_array_equal(tree["a"]["b"]["numbers"], [[0, 1, 2], [3, 4, 5]])
    assert tree["a"]["flag"].dtype == bool
    assert tree["a"]["none"].shape == (0, 3)
    assert tree["text"] == "grün"
    assert tree["fixed"] == ["dense"]
    assert tree["pairs"] == [["a", "b"], ["c", "d"]]
    np.testing.assert_array_equal(tree["packed"], np.arange(10_000) % 7)
    with pytest.raises(ValueError, match="read-only"):
        tree["packed"][0] = 1


def external_link(file: Any) -> None:
    file["node"] = h5py.ExternalLink("other.h5", "/node")


def soft_link(file: Any) -> None:
    file["node"] = h5py.SoftLink("/elsewhere")


def loop(file: Any) -> None:
    file.create_group("node")["node"] = file["/"]


def absurd_shape(file: Any) -> None:
    file.create_dataset("w", shape=(1 << 40,), dtype="f8", chunks=(1 << 20,), compression="gzip")


def external_storage(file: Any) -> None:
    file.create_dataset("w", shape=(4,), dtype="f8", external=[("other.bin", 0, 32)])


def references(file: Any) -> None:
    file.create_dataset("w", data=np.array([file.ref], dtype=h5py.ref_dtype))


def ragged(file: Any) -> None:
    file.create_dataset("w", shape=(3,), dtype=h5py.vlen_dtype(np.float64))


def compound(file: Any) -> None:
    file["w"] = np.zeros(3, [("a", "f8"), ("b", "i4")])


def long_text(file: Any) -> None:
    file["w"] = "x" * 10_000


def many_texts(file: Any) -> None:
    file.create_dataset("w", shape=(1 << 30, 2), dtype=h5py.string_dtype(), chunks=(1 << 16, 2))


def null(file: Any) -> None:
    file.create_dataset("w", data=h5py.Empty("f8"))


HOSTILE: list[tuple[Callable[[Any], None], str]] = [
    (external_link, "is a link elsewhere"), (soft_link, "is a link elsewhere"), (loop, "groups deep"),
    (absurd_shape, "above the limit of"), (external_storage, "in another file"), (references, "expected real numbers"),
    (ragged, "expected real numbers"), (compound, "expected real numbers"), (long_text, "holds a text of 10,000 bytes"),
    (many_texts, "declares 2,147,483,648 texts"), (null, "holds nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error"), HOSTILE, ids=lambda value: getattr(value, "__name__", ""))
def test_a_hostile_file_is_refused_in_one_line(make: Callable[[Any], None], error: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.nir"
    with h5py.File(path, "w") as file:
        make(file)
    with pytest.raises(InputError, match=error) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def outcome(read: Callable[[], object]) -> str:
    """Whether something was read or refused. Fails the test for anything but a result or one line of ours."""
    text = ""
    try:
        read()
    except Tern2LavaError as error:
        text = str(error)
    assert "\n" not in text
    assert len(text) < 600
    return "refused" if text else "read"


def test_damaged_files_end_in_a_graph_or_in_one_line(tmp_path: Path) -> None:
    """Flips of bytes and truncations; some of such files crash the HDF5 library, which ends a child process only."""
    whole = nir_bytes(tmp_path)
    rng = np.random.default_rng(3)
    damaged = [whole[:end] for end in (9, len(whole) - 100)]
    for _ in range(4):
        flipped = bytearray(whole)
        for at in rng.integers(0, len(whole), 6):
            flipped[at] = rng.integers(256)
        damaged.append(bytes(flipped))
    path = tmp_path / "damaged.nir"
    outcomes = []
    for content in damaged:
        path.write_bytes(content)
        begin = time.perf_counter()
        outcomes.append(outcome(lambda: load(path)))
        assert time.perf_counter() - begin < 20
    assert outcomes[:2] == ["refused"] * 2


def test_a_library_that_crashes_or_hangs_ends_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.nir"
    path.write_bytes(nir_bytes(tmp_path))
    boot = hdf5file._BOOT
    monkeypatch.setattr(hdf5file, "_BOOT", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(InputError, match=r"a\.nir: requires a whole HDF5 file; found one that makes the library fail"):
        load(path)
    monkeypatch.setattr(hdf5file, "_BOOT", "import time; time.sleep(60)")
    monkeypatch.setattr(hdf5file, "SECONDS", 0.5)
    with pytest.raises(InputError, match="requires a file that the HDF5 library reads in"):
        load(path)
    monkeypatch.setattr(hdf5file, "SECONDS", 60.0)
    monkeypatch.setattr(hdf5file, "_BOOT", boot.replace("main()", "sys.modules['h5py'] = None; main()"))
    with pytest.raises(Tern2LavaError, match="h5py is not installed"):
        load(path)


def test_hdf5_of_another_kind_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["model_weights/w"] = np.ones(3)
    for read in (load, inspect_file):
        with pytest.raises(
            InputError,
            match=r"weights\.h5: requires NIR \(/node\) or lava-dl \(/layer\); found HDF5 that holds model_weights",
        ):
            read(path)


TEXTS = st.sampled_from(["LIF", "Input", "Output", "Linear", "NIRGraph", "Delay", "Conv2d", "n", "input", "", "same"])
ARRAYS = st.one_of(
    st.floats(allow_nan=True, width=32).map(np.asarray),
    st.integers(-3, 1 << 40).map(np.asarray),
    st.lists(st.floats(-2, 2), max_size=4).map(np.asarray),
    st.just(np.zeros((2, 0, 3))),
    st.just(np.array([True])),
)
LEAVES = st.one_of(TEXTS, ARRAYS, st.lists(st.lists(TEXTS, max_size=3), max_size=3))
FIELDS = st.sampled_from(
    ["type", "shape", "weight", "bias", "tau", "r", "v_leak", "v_threshold", "stride", "padding", "delay", "nodes",
     "edges", "metadata", "dt", "neuron", "layers", "vThMant", "iDecay", "vDecay", "refDelay", "start_dim"]
)  # fmt: skip


def parts(tree: dict[str, Any]) -> list[dict[str, Any]]:
    return [tree, *(part for value in tree.values() if isinstance(value, dict) for part in parts(value))]


def sound(kind: str) -> dict[str, Any]:
    if kind == "nir":
        lif = {key: np.ones(2) for key in ("r", "v_leak", "v_threshold")} | {"type": "LIF", "tau": np.full(2, 1e-2)}
        nodes = {
            "input": {"type": "Input", "shape": np.array([2])}, "fc": {"type": "Linear", "weight": np.ones((2, 2))},
            "n": lif, "output": {"type": "Output", "shape": np.array([2])},
        }  # fmt: skip
        edges = [["input", "fc"], ["fc", "n"], ["n", "output"]]
        return {"version": "1.0", "node": {"type": "NIRGraph", "nodes": nodes, "edges": edges}}
    neuron = {"type": "CUBA", "iDecay": np.asarray(100), "vDecay": np.asarray(10), "vThMant": np.asarray(6)}
    dense = {"type": ["dense"], "shape": np.array([3]), "weight": 2 * np.ones((3, 2)), "neuron": neuron}
    conv = {"type": ["conv"], "shape": np.array([1, 2, 2]), "weight": 2 * np.ones((1, 1, 2, 2)), "neuron": dict(neuron)}
    first = {"type": ["input"], "shape": np.array([1, 3, 3])}
    return {"layer": {"0": first, "1": conv, "2": {"type": ["flatten"], "shape": np.array([4, 1, 1])},
                      "3": {**dense, "weight": 2 * np.ones((3, 4))}}}  # fmt: skip


@pytest.mark.parametrize("kind", ["nir", "lava-dl"])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_tree_ends_in_a_graph_or_in_one_line(kind: str, data: st.DataObject) -> None:
    tree = sound(kind)
    for _ in range(data.draw(st.integers(0, 4))):
        part = data.draw(st.sampled_from(parts(tree)))
        key = data.draw(st.sampled_from(list(part)) if part and data.draw(st.booleans()) else FIELDS)
        if data.draw(st.booleans()):
            part.pop(key, None)
        else:
            part[key] = data.draw(LEAVES)
    if kind == "nir" and is_nir(tree):
        outcome(lambda: read_tree(tree, "x", "x", dt=1e-4))
    elif kind == "lava-dl" and lavadl.is_lavadl(tree):
        outcome(lambda: lavadl.read_tree(tree, "x", "x"))
