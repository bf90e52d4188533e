"""The writer of .net files that docs/nir.md shows: what it writes is read as the integers that it was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from places import ROOT
from tern2lava import api
from tern2lava.compiler.ir.graph import Dense, Neuron


def shown() -> dict[str, Any]:
    """The names that the page's Python defines."""
    text = (ROOT / "docs" / "nir.md").read_text("utf-8")
    code = text.partition("A writer of dense layers")[2].partition("```python\n")[2].partition("```")[0]
    assert 10 <= len([line for line in code.splitlines() if line]) <= 20
    names: dict[str, Any] = {}
    exec(compile(code, "docs/nir.md", "exec"), names)
    return names


def test_its_file_is_read_with_no_difference(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    layers = [
        (2 * rng.integers(-128, 128, (6, 9)), rng.integers(-5, 6, 6), 1024, 128, 64),
        (2 * rng.integers(-9, 9, (3, 6)), None, 4096, 0, 20),
    ]
    shown()["write_net"](tmp_path / "n.net", layers)
    graph = api.load(tmp_path / "n.net", steps=8)
    for (weight, bias, i_decay, v_decay, threshold), dense, neuron in zip(
        layers, graph.of_kind(Dense), graph.of_kind(Neuron), strict=True
    ):
        np.testing.assert_array_equal(dense.weight, weight)
        np.testing.assert_array_equal(np.broadcast_to(neuron.bias, len(weight)), 0 if bias is None else bias)
        numbers = (float(neuron.alpha_u), float(neuron.alpha_v), float(neuron.threshold), neuron.refractory)
        assert numbers == (1 - i_decay / 4096, 1 - v_decay / 4096, threshold, 0)
