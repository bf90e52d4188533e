from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reseal import reseal
from tern2lava import api
from tern2lava.bundle import map_options_of, profile_of, read_bundle
from tern2lava.cli import app
from tern2lava.compiler.image.code_rows import code_rows, from_code_rows
from tern2lava.compiler.image.codecs.stream import read_stream
from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Output,
    Population,
    Projection,
    Reset,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import InputError
from tern2lava.export.exporters import EXPORTERS
from tern2lava.export.images import INDEX, WEIGHTS, export_images, export_weights, recoded, ternary_codecs
from tern2lava.hw_profiles import load_profile
from tern2lava.registry import one_of
from tern2lava.sim.cores import reference as mapped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle of 300-120-10 on the ternary core, 50 neurons a core."""
    rng = np.random.default_rng(1)

    def layer(name: str, source: str, out: int, count: int) -> Dense:
        return Dense(name=name, inputs=(source,), weight=frozen(rng.integers(-1, 2, (out, count)), np.float64))

    graph = Graph(
        level=Level.IMPORTED,
        steps=10,
        nodes=(
            Input(name="x", shape=(300,)), layer("w1", "x", 120, 300), Neuron(name="h", inputs=("w1",), shape=(120,)),
            layer("w2", "h", 10, 120), Neuron(name="y", inputs=("w2",), shape=(10,)),
            Output(name="out", inputs=("y",), classes=frozen(np.eye(10)[:2]), step_weights=frozen(0.1)),
        ),
    )  # fmt: skip
    options = MapOptions(max_neurons_per_core=50, encodings=("golomb", "rans"))
    api.compile(graph, "generic-ternary", out=tmp_path / "b", map_options=options)
    return tmp_path / "b"


def test_images_are_exported_byte_for_byte_with_an_index(folder: Path, tmp_path: Path) -> None:
    bundle = read_bundle(folder)
    files = export_images(bundle.executable, tmp_path / "out", target="generic-ternary", version="7")
    assert sorted(files) == sorted(path.name for path in (tmp_path / "out").iterdir())
    index = json.loads((tmp_path / "out" / INDEX).read_text())
    assert index["target"] == "generic-ternary"
    assert index["steps"] == 10
    assert index["inputs"] == [{"name": "x", "shape": [300], "levels": [0, 1]}]
    scores = {"classes": np.eye(10)[:2].tolist(), "step_weights": 0.1}
    assert index["outputs"] == [{"population": "y", "readout": "spike_count", **scores}]
    found = [(tmp_path / "out" / name).read_bytes() for name in index["images"]]
    assert tuple(found) == bundle.executable.images
    assert (tmp_path / "out" / index["host_image"]).read_bytes() == bundle.executable.host_image
    used = {block.codec for data in found for block in decode_core(data).blocks}
    assert used <= {"rice", "rans"}


@pytest.mark.parametrize("codec", ternary_codecs())
def test_images_exported_in_one_codec_hold_the_same_weights_and_spike_alike(
    codec: str, folder: Path, tmp_path: Path
) -> None:
    executable = read_bundle(folder).executable
    export_images(executable, tmp_path / "out", target="generic-ternary", version="7", codec=codec)
    index = json.loads((tmp_path / "out" / INDEX).read_text())
    assert index["codec"] == codec
    found = tuple((tmp_path / "out" / name).read_bytes() for name in index["images"])
    for data, own in zip(found, executable.images, strict=True):
        for block, other in zip(decode_core(data).blocks, decode_core(own).blocks, strict=True):
            assert block.codec == codec
            np.testing.assert_array_equal(block.local.weight, other.local.weight)
    values = {"x": (np.random.default_rng(0).random((2, 10, 300)) < 0.3).astype(np.uint8)}
    expected = mapped.run(executable.images, executable.host_image, values, states=False).spikes
    spikes = mapped.run(found, executable.host_image, values, states=False).spikes
    for name, fired in expected.items():
        assert fired.any()
        np.testing.assert_array_equal(spikes[name], fired)


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_wide_weights_keep_their_codec_and_synapse_lists_of_ternary_ones_can_be_recoded(target: str) -> None:
    rng = np.random.default_rng(0)
    keys = ("decay_u", "decay_v", "bias", "threshold", "reset_amount", "v_init")
    values: dict[str, Any] = {key: frozen(1, np.int64) for key in keys}
    nodes = (
        Input(name="x", shape=(50,)),
        Projection(name="w", inputs=("x",), weight=frozen(rng.integers(-1, 2, (40, 50)), np.int8)),
        Projection(name="e", inputs=("x",), weight=frozen(rng.integers(-99, 99, (40, 50)), np.int8), bits=8),
        Population(name="p", inputs=("w", "e"), shape=(40,), reset=Reset.ZERO, lsb=frozen(1.0), start=0, **values),
        Output(name="out", inputs=("p",)),
    )
    graph = Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=nodes)
    (data,) = map_program(graph, load_profile(target)).images
    before, after = decode_core(data).blocks, decode_core(recoded(data, "rans")).blocks
    assert [block.codec for block in after] == ["rans", "loihi" if target == "loihi1" else "raw8"]
    for block, other in zip(after, before, strict=True):
        np.testing.assert_array_equal(block.local.weight, other.local.weight)
        np.testing.assert_array_equal(block.local.gain, other.local.gain)
    with pytest.raises(InputError, match="requires packed2, base3, bitmap, rice, rans, rans_storage or axon_pairs"):
        recoded(data, "raw8")


def test_exported_weights_come_back_and_take_little_more_than_their_entropy(folder: Path, tmp_path: Path) -> None:
    program = read_bundle(folder).executable.program
    export_weights(program, tmp_path / "w", version="7")
    entries = json.loads((tmp_path / "w" / WEIGHTS).read_text())["projections"]
    assert [entry["projection"] for entry in entries] == ["w1", "w2"]
    for entry in entries:
        node = program[entry["projection"]]
        assert isinstance(node, Projection)
        data = (tmp_path / "w" / entry["file"]).read_bytes()
        codes = from_code_rows(read_stream(data).codes(), tuple(entry["shape"]), entry["groups"])
        np.testing.assert_array_equal(codes, node.weight)
        np.testing.assert_array_equal(read_stream(data).row(3), code_rows(node.weight)[3])
        np.testing.assert_array_equal(entry["gain"], node.gain)
    assert len(data) < 10 * 120 * 1.585 / 8 + 60


def test_a_folder_that_holds_something_is_left_alone(folder: Path, tmp_path: Path) -> None:
    executable = read_bundle(folder).executable
    target = tmp_path / "taken"
    target.mkdir()
    (target / "mine.txt").write_text("mine")
    exports: tuple[Callable[[], object], ...] = (
        lambda: export_images(executable, target, target="t", version="0"),
        lambda: export_weights(executable.program, target, version="0"),
        lambda: export_weights(executable.program, target / "mine.txt", version="0"),
        lambda: export_weights(executable.program, target / "mine.txt" / "below", version="0"),
    )
    for export in exports:
        with pytest.raises(InputError, match="choose another"):
            export()
    assert [path.name for path in target.iterdir()] == ["mine.txt"]
    (target / "mine.txt").unlink()
    export_weights(executable.program, target, version="0")
    assert (target / WEIGHTS).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "taken"]


def test_the_command_line_exports_and_compares(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object) -> str:
        app([str(a) for a in arguments], standalone_mode=False)
        return capsys.readouterr().out

    assert "files written to" in run("export", folder, "--to", "image", "-o", tmp_path / "i")
    assert json.loads(run("export", folder, "--to", "weights", "-o", tmp_path / "w", "--json"))["files"][-1] == WEIGHTS
    as_mapped = json.loads(run("export", folder, "--to", "image", "-o", tmp_path / "j", "--json"))["bytes"]
    found = run("export", folder, "--to", "image", "--codec", "rans_storage", "-o", tmp_path / "k", "--json")
    assert json.loads(found)["bytes"] < as_mapped
    with pytest.raises(InputError, match="codec: requires the format image; found weights"):
        run("export", folder, "--to", "weights", "--codec", "rans", "-o", tmp_path / "z")
    with pytest.raises(InputError, match="codec: requires packed2, base3, bitmap, rice, rans,.*; found 'zip'"):
        run("export", folder, "--to", "image", "--codec", "zip", "-o", tmp_path / "z")
    with pytest.raises(InputError, match=f"choose {one_of(EXPORTERS.names())}"):
        run("export", folder, "--to", "zip", "-o", tmp_path / "z")
    assert api.report(folder).twins == []
    text = run("report", folder, "--compare-bits", "8")
    assert "8 bit, no zeros" in text
    assert [row.weight_bits for row in api.report(folder).twins] == [2, 8, 8]
    with pytest.raises(InputError, match="compare_bits: requires 8"):
        run("report", folder, "--compare-bits", "4")


def test_a_bundle_remembers_how_it_was_mapped(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert map_options_of(bundle) == MapOptions(max_neurons_per_core=50, encodings=("golomb", "rans"))
    assert profile_of(bundle).name == "generic-ternary"
    manifest = json.loads((folder / "manifest.json").read_text())
    for wrong in (None, [1], manifest["map_options"] | {"seed": "1"}, manifest["map_options"] | {"encodings": 3}):
        reseal(folder, manifest=partial(dict.update, map_options=wrong))
        with pytest.raises(InputError, match="compile again"):
            map_options_of(read_bundle(folder))
