"""The examples of docs/own-loop.md run as they stand: their losses fall, and what they leave is ternary."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch

from places import ROOT
from tern2lava.train.losses import kd_loss, margin_loss, uncertainty
from tern2lava.train.potentials import NORSE, SNNTORCH, SPIKINGJELLY

TEXT = (ROOT / "docs" / "own-loop.md").read_text(encoding="utf-8")
HEAD, *PARTS = re.split(r"^## (\w+)\n", TEXT, flags=re.MULTILINE)
EXAMPLES = dict(zip(PARTS[::2], PARTS[1::2], strict=True))
NEEDS = {"SpikingJelly": "spikingjelly", "Norse": "norse", "Lightning": "lightning", "snnTorch": "snntorch"}


def code(text: str) -> str:
    (found,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return str(found)


@pytest.mark.parametrize("framework", EXAMPLES)
def test_an_example_trains_a_ternary_network(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(NEEDS[framework], reason=f"{framework} is not installed")
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(code(HEAD), names)
        exec(code(EXAMPLES[framework]), names)
    losses, state = names["losses"], names["state"]
    assert len(losses) == 20
    assert losses[-1] < 0.5 * losses[0]
    weights = [value for key, value in state.items() if key.endswith("weight")]
    assert weights
    for weight in weights:
        for row in weight:
            assert len(torch.unique(row.abs())) <= 2


def test_an_example_takes_some_twenty_lines() -> None:
    for framework, text in EXAMPLES.items():
        lines = [line for line in code(text).splitlines() if line and not line.startswith(("import", "from"))]
        assert len(lines) <= 22, framework


def test_the_page_names_the_losses_and_every_class_that_is_recorded() -> None:
    for loss in (kd_loss, margin_loss, uncertainty):
        assert f"`{loss.__name__}(" in HEAD
    for kind in (*SNNTORCH, *SPIKINGJELLY, *(kind.removesuffix("Cell") for kind in NORSE)):
        assert re.search(rf"\b{kind}\b", HEAD), kind
