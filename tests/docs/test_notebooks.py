"""Every notebook runs from its first cell to its last, and its outputs are those that it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from places import ROOT
from run_notebooks import check_notebook, run_notebook

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
NEEDS = {"from-module-to-cores": ("torch", "snntorch")}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_makes_the_outputs_that_it_keeps(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in NEEDS.get(path.stem, ()):
        pytest.importorskip(package, reason=f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    check_notebook(path)


def test_there_are_two_of_them_as_jupyter_writes_them() -> None:
    assert len(NOTEBOOKS) >= 2
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text("utf-8"))
        assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
        ids = [cell["id"] for cell in notebook["cells"]]
        assert len(ids) == len(set(ids))
        assert notebook["cells"][0]["source"][0].startswith("# ")


def test_what_a_cell_prints_and_its_last_expression_are_its_outputs() -> None:
    cell: dict[str, Any] = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [cell | {"source": ["x = 2\n", "print(x)\n", "x + 1"]}, cell | {"id": "b", "source": ["x = 3"]}]
    after = json.loads(run_notebook(json.dumps({"cells": cells})))
    printed, value = after["cells"][0]["outputs"]
    assert (printed["text"], value["data"]["text/plain"]) == (["2\n"], ["3"])
    assert after["cells"][1]["outputs"] == []
