"""Networks whose scores are more than counts of their last layer's spikes, compiled and run in every execution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

import tern2lava
from tern2lava.frontends.modules.known_modules import fresh_copy

STEPS = 6
X = (np.random.default_rng(7).random((6, STEPS, 5)) < 0.5).astype(np.uint8)


class Net(nn.Module):
    """A linear layer's mean over the steps, its hidden layer's spikes merged, and membranes."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.a, self.b, self.last = nn.Linear(5, 8, bias=False), nn.Linear(8, 6, bias=False), nn.Linear(6, 3)
        self.l1, self.l2 = snn.Leaky(beta=0.5), snn.Leaky(beta=0.9)
        with torch.no_grad():
            for part in (self.a, self.b, self.last):
                part.weight.copy_(torch.randint(-1, 3, part.weight.shape, generator=generator).clamp(-1, 1) * 0.5)
            self.last.bias.copy_(torch.tensor([0.1, 0.0, -0.2]))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        m1, m2 = self.l1.init_leaky(), self.l2.init_leaky()
        spikes, hidden, membranes = [], [], []
        for part in x:
            h, m1 = self.l1(self.a(part), m1)
            s, m2 = self.l2(self.b(h), m2)
            spikes.append(self.last(s))
            hidden.append(h)
            membranes.append(m2)
        merged = torch.stack(hidden).sum(0).view(-1, 4, 2).sum(-1)
        return {
            "classes": torch.stack(spikes).mean(0),
            "hidden": merged,
            "membranes": torch.stack(membranes)[2:].sum(0),
        }


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, np.ndarray[Any, Any]]]:
    """The network compiled for a chip, and what the module returns for X."""
    net = Net()
    folder = tmp_path_factory.mktemp("readouts") / "bundle"
    compiled = tern2lava.compile(net, "generic-ternary", input_shape=(5,), steps=STEPS, out=folder)
    with torch.no_grad():
        own = fresh_copy(net)(torch.from_numpy(X).double().transpose(0, 1))
    return compiled, {name: value.numpy() for name, value in own.items()}


def test_every_engine_gives_the_modules_scores_and_predictions(network: Any, tmp_path: Path) -> None:
    compiled, own = network
    for engine in ("fast", "reference", "images"):
        out = tmp_path / f"{engine}.npz"
        found = tern2lava.simulate(compiled, X, engine=engine, out=out)
        for name, path in (("output", "classes"), ("output_1", "hidden"), ("output_2", "membranes")):
            np.testing.assert_allclose(found.all_scores[name], own[path], atol=1e-4)
        np.testing.assert_array_equal(found.all_scores["output_1"], own["hidden"])
        np.testing.assert_array_equal(found.scores, found.all_scores["output"])
        assert found.predictions.tolist() == own["classes"].argmax(axis=1).tolist()
        with np.load(out) as stored:
            assert {"scores", "scores.output_1", "scores.output_2"} <= set(stored.files)
            np.testing.assert_array_equal(stored["scores.output_1"], own["hidden"])


def test_lava_agrees_and_the_verdicts_speak_of_no_spikes_of_an_integrator(network: Any) -> None:
    compiled, own = network
    labels = own["classes"].argmax(axis=1)
    report = tern2lava.verify(compiled, (X, labels), samples=2)
    found = report.verification
    assert found is not None
    assert found.met
    assert found.chain == ["I", "E", "M", "L1", "LM", "L2"] or {"I", "E", "M"} < set(found.chain)
    assert (found.accuracy_engine, found.arithmetic.silent) == (1.0, [])
    assert found.arithmetic.changed_decisions == 0
    assert any("the host forms scores from last.sum: one factor" in note for note in report.notes)
    assert any("what the forward returns as ['classes'] is read: outputs of last" in note for note in report.notes)


def test_step_weights_of_other_steps_than_the_datas_are_one_refusal(network: Any) -> None:
    compiled, _ = network
    with pytest.raises(tern2lava.Tern2LavaError, match="requires samples of 6 steps, for each of which its readout"):
        tern2lava.simulate(compiled, X[:, :4], any_steps=True)
    assert tern2lava.simulate(compiled, X[:, :4], any_steps=True, pad=True).scores.shape == (6, 3)
