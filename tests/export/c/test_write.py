"""`export --to c` writes a new folder or nothing, under names that were asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tern2lava
from network import network
from tern2lava.bundle import read_bundle
from tern2lava.compiler.ir.graph import Population
from tern2lava.compiler.neurons.mechanism import MECHANISMS, Mechanism
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.export.c.write import c_files

FILES = ("model.h", "model.c", "main.c", "README.md", "readout.json")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "b"
    tern2lava.compile(network(np.eye(6)[:4], np.eye(4)), "generic-ternary", out=folder)
    return folder


def test_the_folder_holds_the_network_a_harness_and_what_is_said_of_them(bundle: Path, tmp_path: Path) -> None:
    found = tern2lava.export(bundle, tmp_path / "c", to="c")
    assert found.files == FILES
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == sorted(FILES)
    assert json.loads((tmp_path / "c" / "readout.json").read_text())["readouts"][0]["exact"] is True
    header = (tmp_path / "c" / "model.h").read_text()
    assert "int tern2lava_step(tern2lava_t *m, const uint8_t *in_x);" in header
    assert re.search(r"#define TERN2LAVA_LATENCY +0 ", header)


def test_a_prefix_names_files_and_functions(bundle: Path, tmp_path: Path) -> None:
    found = tern2lava.export(bundle, tmp_path / "c", to="c", settings={"prefix": "digits"})
    assert found.files == ("digits.h", "digits.c", *FILES[2:])
    text = "".join((tmp_path / "c" / name).read_text() for name in ("digits.h", "digits.c", "main.c"))
    assert "int digits_step(digits_t *m" in text
    assert "tern2lava_" not in text
    with pytest.raises(InputError, match="prefix: requires up to 24"):
        tern2lava.export(bundle, tmp_path / "other", to="c", settings={"prefix": "Digits!"})
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_folder_that_holds_something_is_left_as_it_is(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine").write_text("mine")
    with pytest.raises(InputError, match="requires a new or empty folder; found one with files in it"):
        tern2lava.export(bundle, tmp_path / "c", to="c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["mine"]


def test_a_mechanism_of_a_plugin_is_refused_by_name(bundle: Path) -> None:
    class Floor(Mechanism):
        name = "floor"

        def used(self, node: object) -> bool:
            return isinstance(node, Population)

    program = read_bundle(bundle).executable.program
    refusal = "n1: requires neurons of a kind that has C .* found neurons of kind floor"
    with MECHANISMS.added(Floor()), pytest.raises(UnsupportedError, match=refusal):
        c_files(program, version="0")
