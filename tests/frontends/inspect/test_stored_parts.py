"""`inspect` shows weights in parts with what a net.yaml writes for them, and settings that decide quantisation."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from rich.console import Console
from torch import nn
from torch.nn.utils import parametrizations, prune

from tern2lava.frontends.inspect.facts import Inspection
from tern2lava.frontends.inspect.read import inspect_file
from tern2lava.report.inspection import render_inspection


def shown(found: Inspection) -> str:
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(render_inspection(found))
    return console.export_text()


class Ternary(nn.Linear):
    """A layer of someone's own, whose attributes decide what its weight becomes."""

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.num_bits, self.ternary, self.threshold_factor, self.mode = 2, True, 0.7, "twn"


def test_settings_of_pickled_modules_that_decide_quantisation_are_shown(tmp_path: Path) -> None:
    torch.save(nn.Sequential(Ternary(), nn.Linear(3, 2)), tmp_path / "n.pt")
    found = inspect_file(tmp_path / "n.pt")
    assert found.settings == {"0": {"num_bits": 2, "ternary": True, "threshold_factor": 0.7}}
    assert "num_bits 2, ternary True, threshold_factor 0.7" in shown(found)


def test_weights_in_parts_are_shown_with_what_to_write(tmp_path: Path) -> None:
    pruned, normed, spectral = nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(4, 3)
    prune.random_unstructured(pruned, "weight", 0.5)
    parametrizations.weight_norm(normed)
    parametrizations.spectral_norm(spectral)
    layers = {"a": pruned, "b": normed, "c": nn.Linear(4, 3)}
    state = {f"{k}.{name}": value for k, layer in layers.items() for name, value in layer.state_dict().items()}
    codes = {"d.weight": torch.ones(3, 4, dtype=torch.int8), "d.scale": torch.ones(3)}
    torch.save({**state, **codes}, tmp_path / "n.pt")
    inspection = inspect_file(tmp_path / "n.pt")
    assert "d.weight lies in parts: t('d.weight') * reshape(t('d.scale'), [-1, 1])" in shown(inspection)
    found = inspection.written
    assert found["a.weight"] == "t('a.weight_mask') * t('a.weight_orig')"
    assert found["b.weight"].startswith("t('b.parametrizations.weight.original1') * (t(")
    assert found["d.weight"] == "t('d.weight') * reshape(t('d.scale'), [-1, 1])"
    assert sorted(found) == ["a.weight", "b.weight", "d.weight"]
