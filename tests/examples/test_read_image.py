from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from places import ROOT
from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.export.images import recoded
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.reference import integer

SOURCE = ROOT / "examples" / "read_image.py"


@pytest.fixture(scope="module")
def reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("read_image", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(zeros: float) -> Graph:
    """A strided convolution in groups, a pooled one, and dense layers with a delay and 8-bit codes; every reset."""
    rng = np.random.default_rng(1)

    def codes(*shape: int) -> Any:
        return frozen(rng.choice([-1, 1], shape) * (rng.random(shape) >= zeros), np.int8)

    def neurons(name: str, wires: tuple[str, ...], shape: tuple[int, ...], start: int, **changed: Any) -> Population:
        values = {"decay_u": 4096, "decay_v": 300, "bias": 7, "threshold": 500, "reset_amount": 450, "v_init": -3}
        fields: dict[str, Any] = {key: frozen(value, np.int64) for key, value in (values | changed).items()}
        reset = (Reset.ZERO, Reset.SUBTRACT, Reset.NONE)[start % 3]
        decays = (Decays.TRUNCATE, Decays.NEAREST)[start % 2]
        return Population(
            name=name, inputs=wires, shape=shape, reset=reset, lsb=frozen(1.0), start=start, decays=decays, **fields
        )

    nodes = (
        Input(name="x", shape=(2, 9, 8)),
        Projection(
            name="c1", inputs=("x",), weight=codes(8, 1, 3, 3), gain=frozen(64, np.int64),
            geometry=ConvGeometry(
                in_shape=(2, 9, 8), out_shape=(8, 5, 8), stride=(2, 1), padding=(1, 1, 2, 2), dilation=(1, 2), groups=2
            ),
        ),
        neurons("h1", ("c1",), (8, 5, 8), 0, decay_u=3000, threshold=rng.integers(50, 400, (8, 1, 1))),
        Projection(
            name="c2", inputs=("h1",), weight=codes(12, 8, 2, 2), gain=frozen(rng.integers(1, 90, 12), np.int64),
            pooling=Pooling(in_shape=(8, 5, 8), window=(2, 2)),
            geometry=ConvGeometry(
                in_shape=(8, 2, 4), out_shape=(12, 1, 3), stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1
            ),
        ),
        neurons("h2", ("c2",), (12, 1, 3), 1, threshold=200),
        Projection(name="d", inputs=("h2",), weight=codes(40, 36), gain=frozen(64, np.int64), delay=2),
        Projection(
            name="e", inputs=("x",), weight=frozen(rng.integers(-100, 100, (40, 144)), np.int8), bits=8, delay=4,
            gain=frozen(1, np.int64),
        ),
        neurons("y", ("d", "e"), (40,), 2, threshold=300),
        Output(name="out", inputs=("y",)),
    )  # fmt: skip
    return Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=nodes)


def mapped(zeros: float, encoding: str | None = None) -> tuple[Graph, Mapped, Any]:
    graph = network(zeros)
    encodings = None if encoding is None else (encoding,)
    options = MapOptions(max_neurons_per_core=100, encodings=encodings)
    values = (np.random.default_rng(2).random((3, 10, 2, 9, 8)) < 0.4).astype(np.uint8)
    return graph, map_program(graph, load_profile("generic-ternary"), options), values


def agree(found: dict[str, Any], graph: Graph, values: Any) -> None:
    expected = integer.run(graph, {"x": values}, states=False).spikes
    assert found.keys() == expected.keys()
    for name, spikes in expected.items():
        assert 0.02 < spikes.mean() < 0.98
        np.testing.assert_array_equal(found[name], spikes)


@pytest.mark.parametrize("encoding", ["dense", "base3", "bitmap", "golomb", "rans"])
@pytest.mark.parametrize("zeros", [0.1, 0.6])
def test_a_run_from_images_in_every_codec_spikes_as_the_integer_program(
    reader: ModuleType, encoding: str, zeros: float
) -> None:
    graph, program, values = mapped(zeros, encoding)
    used = {block.codec for part in program.partition.parts for block in part.blocks}
    assert {CODECS.get(name).encoding for name in used} == {encoding, "dense"}
    images = [reader.Image(data) for data in (*program.images, program.host_image)]
    agree(reader.run(images, {"x": values.reshape(3, 10, -1)}), graph, values)


def test_images_exported_in_the_storage_codec_are_read_too(reader: ModuleType) -> None:
    graph, program, values = mapped(0.5)
    images = [reader.Image(recoded(data, "rans_storage")) for data in program.images]
    agree(reader.run([*images, reader.Image(program.host_image)], {"x": values.reshape(3, 10, -1)}), graph, values)


def test_the_script_reads_a_folder_and_writes_spikes_without_importing_this_package(tmp_path: Path) -> None:
    graph, program, values = mapped(0.5)
    for number, data in enumerate((*program.images, program.host_image)):
        (tmp_path / f"{number}.img").write_bytes(data)
    np.savez(tmp_path / "data.npz", spikes=values)
    arguments = [str(tmp_path), str(tmp_path / "data.npz"), str(tmp_path / "out.npz")]
    code = (
        f"import sys, runpy; sys.argv[1:] = {arguments!r}; runpy.run_path({str(SOURCE)!r}, run_name='__main__'); "
        "assert not any(name.startswith(('tern2lava', 'numba')) for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
    with np.load(tmp_path / "out.npz") as found:
        agree(dict(found), graph, values)


def test_the_reader_is_short_and_needs_numpy_alone() -> None:
    lines = SOURCE.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 152
    assert max(map(len, lines)) <= 120
    assert [line for line in lines if line.startswith(("import ", "from "))] == [
        "import struct", "import sys", "import zlib", "from pathlib import Path", "import numpy as np",
    ]  # fmt: skip


def test_a_damaged_image_is_refused(reader: ModuleType) -> None:
    _, program, _ = mapped(0.5)
    data = bytearray(program.images[0])
    data[len(data) // 2] ^= 4
    with pytest.raises(AssertionError, match="checksum"):
        reader.Image(bytes(data))
