"""Graphs come back from disk as they were, and damaged ones in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawn import Draw
from network import network
from tern2lava.compiler.ir.files import load_graph, save_graph
from tern2lava.compiler.ir.graph import NODE_KINDS, Arithmetic, Graph, Input, Level, Neuron, Output, SparseLinear
from tern2lava.compiler.ir.shapes import ConvGeometry, frozen
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import InputError, UnsupportedError


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    for f in fields(a):
        mine, theirs = getattr(a, f.name), getattr(b, f.name)
        if isinstance(mine, np.ndarray):
            assert isinstance(theirs, np.ndarray)
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
            assert np.array_equal(mine, theirs)
            assert not theirs.flags.writeable
        elif f.name == "nodes":
            assert len(mine) == len(theirs)
            for one, other in zip(mine, theirs, strict=True):
                assert_same(one, other)
        elif isinstance(mine, ConvGeometry):
            assert asdict(mine) == asdict(theirs)
        else:
            assert mine == theirs
            assert type(mine) is type(theirs)


def all_kinds(make_network: Draw, fine: Arithmetic) -> list[Graph]:
    """Graphs that hold every node kind between them, and every optional field."""
    graphs: list[Graph] = []
    kinds: set[str] = set()
    for seed in range(60):
        graph, _ = make_network(seed)
        try:
            stages = lower(graph, fine).stages.values()
        except UnsupportedError:
            continue
        for stage in stages:
            if {type(n).__name__ for n in stage.nodes} - kinds or seed < 6:
                graphs.append(replace(stage, notes=("first", "second")))
                kinds |= {type(n).__name__ for n in stage.nodes}
    graphs.append(moved())
    assert kinds | {type(n).__name__ for n in graphs[-1].nodes} == set(NODE_KINDS)
    return graphs


def moved() -> Graph:
    """A network with a map that moves and averages, as no random one has."""
    places = np.array([[0, 3], [1, 2], [1, 5], [2, 0]])
    mean = SparseLinear(
        name="mean", inputs=("x",), shape=(3,), rows=places[:, 0], columns=places[:, 1],
        values=np.array([1.0, 0.5, 0.5, -1.0]),
    )  # fmt: skip
    swap = SparseLinear(name="swap", inputs=("mean",), shape=(3, 1, 1), rows=np.arange(3), columns=np.arange(3)[::-1])
    nodes = (Input(name="x", shape=(6,)), mean, swap, Neuron(name="n", inputs=("swap",), shape=(3, 1, 1)))
    return Graph(level=Level.IMPORTED, nodes=(*nodes, Output(name="y", inputs=("n",))), source="moved", steps=4)


def test_every_kind_of_node_comes_back_as_it_was(make_network: Draw, fine: Arithmetic, tmp_path: Path) -> None:
    for k, graph in enumerate(all_kinds(make_network, fine)):
        save_graph(graph, tmp_path / f"g{k}")
        back = load_graph(tmp_path / f"g{k}")
        assert_same(graph, back)
        assert load_graph(tmp_path / f"g{k}", graph.level).level is graph.level


def test_how_scores_are_formed_comes_back_and_what_there_is_none_of_is_not_written(tmp_path: Path) -> None:
    plain = network(np.eye(3), steps=4)
    rich: dict[str, Any] = {
        "classes": frozen([[1.0, 0.0, 2.0]]), "step_weights": frozen([0.0, 1.0, 1.0, 0.5]), "offset": frozen([3.0]),
    }  # fmt: skip
    outputs = [replace(node, **rich) if isinstance(node, Output) else node for node in plain.nodes]
    for name, graph in (("plain", plain), ("rich", plain.with_nodes(outputs))):
        save_graph(graph, tmp_path / name)
        assert_same(graph, load_graph(tmp_path / name))
    (found,) = (item for item in json.loads((tmp_path / "plain.json").read_text())["nodes"] if item["node"] == "Output")
    assert set(found) == {"node", "name", "inputs", "readout"}


@pytest.fixture(scope="module")
def stored(make_network: Draw, fine: Arithmetic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    for seed in range(50):
        try:
            program = lower(make_network(seed, image=True)[0], fine).program
        except UnsupportedError:
            continue
        save_graph(program, folder / "g")
        return folder / "g"
    raise AssertionError


def edited(stored: Path, folder: Path, change: Callable[..., Any]) -> Path:
    document = json.loads(stored.with_suffix(".json").read_text())
    change(document)
    (folder / "g.json").write_text(json.dumps(document))
    (folder / "g.npz").write_bytes(stored.with_suffix(".npz").read_bytes())
    return folder / "g"


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format=99),
        lambda d: d.update(level="NOWHERE"),
        lambda d: d.update(level="NORMAL"),
        lambda d: d.update(arithmetic=None),
        lambda d: d.update(arithmetic={"bits": 3}),
        lambda d: d.pop("nodes"),
        lambda d: d.update(nodes=3),
        lambda d: d["nodes"][0].update(node="Shell"),
        lambda d: d["nodes"][1].update(inputs=["nowhere"]),
        lambda d: d["nodes"][1].update(weight={"array": "nowhere"}),
        lambda d: d["nodes"][1].update(weight=None),
        lambda d: d["nodes"][1].update(weight=3),
        lambda d: d["nodes"][1].update(delay="soon"),
        lambda d: d["nodes"][1].update(geometry={"in_shape": 3}),
        lambda d: d["nodes"][1].pop("delay"),
        lambda d: d["nodes"][0].update(shape=[0]),
        lambda d: d["nodes"][0].update(shape="wide"),
        lambda d: d["nodes"].append(d["nodes"][0]),
    ],
)
def test_an_edited_graph_is_refused_in_one_line(stored: Path, tmp_path: Path, change: Callable[..., Any]) -> None:
    stem = edited(stored, tmp_path, change)
    with pytest.raises(InputError) as raised:
        load_graph(stem, Level.INTEGER)
    assert str(stem.with_suffix(".json")) in str(raised.value)
    assert "\n" not in str(raised.value)


@given(data=st.data())
@settings(max_examples=60)
def test_a_damaged_byte_is_refused_or_harmless_and_never_crashes(
    stored: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    for suffix in (".json", ".npz"):
        content = bytearray(stored.with_suffix(suffix).read_bytes())
        if suffix == ".npz" or data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] ^= data.draw(st.integers(1, 255))
        (folder / f"g{suffix}").write_bytes(bytes(content))
    with suppress(InputError):
        assert isinstance(load_graph(folder / "g"), Graph)


def test_missing_and_truncated_files_are_named(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.json"):
        load_graph(tmp_path / "absent")
    for suffix in (".json", ".npz"):
        stem = edited(stored, tmp_path, lambda d: None)
        path = stem.with_suffix(suffix)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(InputError, match="compile again"):
            load_graph(stem)


def test_another_level_than_the_one_asked_for_is_refused(stored: Path) -> None:
    with pytest.raises(InputError, match=r"g\.json: requires a graph at level .*; found INTEGER"):
        load_graph(stored, Level.TERNARY)
    assert isinstance(load_graph(stored).arithmetic, Arithmetic)
