"""Latent weights of a checkpoint become what their stored quantiser makes of them, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nodes import node, there
from tern2lava.compiler.ir.graph import Dense
from tern2lava.errors import InputError
from tern2lava.frontends.inspect.ternary import Form, ternary_facts
from tern2lava.frontends.netyaml.read import load_checkpoint
from tern2lava.train.quantisers.learned import Learned
from tern2lava.train.ternarize import finalize, ternaries, ternarize

Write = Callable[[str, str | bytes], Path]
NET = """\
input: {shape: [12]}
steps: 4
readout: spike_count
layers:
  - dense: {tensors: "0"}
  - neuron: {kind: if, threshold: 1, reset: zero, reset_delay: false, fire: ">"}
"""


@pytest.mark.parametrize("per", ["tensor", "channel"])
def test_the_learned_quantiser_is_applied(write: Write, tmp_path: Path, per: str) -> None:
    torch.manual_seed(0)
    model = ternarize(nn.Sequential(nn.Linear(12, 5)), "learned", per=per)
    with torch.no_grad():
        for _, _, quantiser in ternaries(model):
            assert isinstance(quantiser, Learned)
            quantiser.log_alpha.add_(torch.rand_like(quantiser.log_alpha))
            quantiser.log_delta.sub_(0.3 * torch.rand_like(quantiser.log_delta))
    torch.save(model.state_dict(), tmp_path / "latent.pt")
    torch.save(finalize(model), tmp_path / "final.pt")
    latent, final = (load_checkpoint(tmp_path / name, write("n.yaml", NET)) for name in ("latent.pt", "final.pt"))
    np.testing.assert_allclose(node(latent, "0", Dense).weight, node(final, "0", Dense).weight, rtol=2e-7, atol=0)
    assert np.array_equal(node(latent, "0", Dense).weight == 0, node(final, "0", Dense).weight == 0)
    np.testing.assert_array_equal(there(node(latent, "0", Dense).bias), there(node(final, "0", Dense).bias))
    assert 0.1 < (node(latent, "0", Dense).weight == 0).mean() < 0.9


@pytest.mark.parametrize("method", ["twn", "absmean"])
def test_a_quantiser_that_stores_nothing_is_refused(write: Write, tmp_path: Path, method: str) -> None:
    torch.save(ternarize(nn.Sequential(nn.Linear(12, 5)), method).state_dict(), tmp_path / "l.pt")
    with pytest.raises(InputError, match=r"dense\.tensors: requires the quantiser of the.*; found none in the file"):
        load_checkpoint(tmp_path / "l.pt", write("n.yaml", NET))


def test_numbers_that_do_not_fit_are_refused(write: Write, tmp_path: Path) -> None:
    state = ternarize(nn.Sequential(nn.Linear(12, 5)), "learned").state_dict()
    key = "0.parametrizations.weight.0.log_alpha"
    torch.save({**state, key: torch.zeros(3, 1)}, tmp_path / "l.pt")
    with pytest.raises(InputError, match=r"dense\.tensors: requires one log_alpha and log_delta,.*; found 3 and 1"):
        load_checkpoint(tmp_path / "l.pt", write("n.yaml", NET))
    weight = state["0.parametrizations.weight.original"].clone()
    weight[2, 3] = -state["0.parametrizations.weight.0.log_delta"].exp().item()
    torch.save({**state, "0.parametrizations.weight.original": weight}, tmp_path / "l.pt")
    with pytest.raises(InputError, match="found 1 latent weight at the quantiser's threshold"):
        load_checkpoint(tmp_path / "l.pt", write("n.yaml", NET))


def test_inspection_tells_scales_per_block() -> None:
    rng = np.random.default_rng(0)
    scales = np.repeat(rng.uniform(0.1, 1, (6, 4)), 8, axis=1)
    facts = ternary_facts(rng.choice([-1, 0, 1], (6, 32)) * scales)
    assert facts.form is Form.BLOCKS
    assert facts.bits == 2
    assert len(facts.scales) == 24
