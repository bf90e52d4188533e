from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tern2lava.train.config import Experiment
from tern2lava.train.experiment import run_experiment
from tern2lava.train.task import Task
from tern2lava.train.trainer import Step, cross_entropy, mix
from tern2lava.train.unroll import Activity

LABELS = torch.tensor([0, 2, 1])


def step_of(spikes: Tensor, mixed: tuple[float, Tensor] | None = None) -> Step:
    """A step of gain 4 whose last layer spiked so, (steps, batch, classes)."""
    return Step(
        x=torch.zeros(0), labels=LABELS, activity=Activity(spikes={"out": spikes}, met={"out": spikes - 0.5}),
        logits=4 * spikes.mean(0), members=torch.arange(3), mixed=mixed,
    )  # fmt: skip


def test_without_options_it_is_the_cross_entropy_with_the_labels() -> None:
    torch.manual_seed(0)
    step = step_of(torch.rand(2, 3, 4).round())
    torch.testing.assert_close(Task(gain=4.0)(step)["task"], nn.functional.cross_entropy(step.logits, LABELS))


def test_the_plain_cross_entropy_mixes_labels_alike() -> None:
    torch.manual_seed(3)
    step = step_of(torch.rand(2, 3, 4).round(), mixed=(0.3, torch.tensor([2, 0, 1])))
    torch.testing.assert_close(cross_entropy(step)["task"], Task(gain=4.0)(step)["task"])


def test_smoothed_labels_are_torchs_own() -> None:
    torch.manual_seed(1)
    step = step_of(torch.rand(2, 3, 4).round())
    expected = nn.functional.cross_entropy(step.logits, LABELS, label_smoothing=0.2)
    torch.testing.assert_close(Task(gain=4.0, smoothing=0.2)(step)["task"], expected)


def test_every_step_learns_the_labels_where_asked_for() -> None:
    torch.manual_seed(2)
    spikes = torch.rand(5, 3, 4).round()
    each = torch.stack([nn.functional.cross_entropy(4 * one, LABELS) for one in spikes]).mean()
    whole = nn.functional.cross_entropy(4 * spikes.mean(0), LABELS)
    torch.testing.assert_close(Task(gain=4.0, every_step=1.0)(step_of(spikes))["task"], each)
    torch.testing.assert_close(Task(gain=4.0, every_step=0.25)(step_of(spikes))["task"], 0.75 * whole + 0.25 * each)


def test_labels_of_a_mixed_batch_are_mixed_as_its_input_is() -> None:
    x = torch.rand(6, 3, 7)
    for steps, batch in ((None, 1), (9, 0)):
        whole = x if steps is None else x[:3]
        found, (ratio, order) = mix(whole, steps, 0.4, seed=3)
        assert 0 < ratio < 1
        assert sorted(order.tolist()) == list(range(whole.shape[batch]))
        other = whole[:, order] if batch else whole[order]
        torch.testing.assert_close(found, ratio * whole + (1 - ratio) * other)
    spikes, order = torch.rand(2, 3, 4).round(), torch.tensor([1, 0, 2])
    hard = torch.eye(4)[LABELS]
    expected = -((0.7 * hard + 0.3 * hard[order]) * torch.log_softmax(4 * spikes.mean(0), 1)).sum(1).mean()
    torch.testing.assert_close(Task(gain=4.0)(step_of(spikes, (0.7, order)))["task"], expected)


@pytest.mark.parametrize("key", [{"label_smoothing": 0.3}, {"mixup": 1.0}, {"every_step": 1.0}])
def test_each_key_of_an_experiment_changes_what_is_learned(tmp_path: Path, key: dict[str, float]) -> None:
    pytest.importorskip("snntorch")
    settings: dict[str, Any] = {
        "data": {"name": "digits", "train": 40, "test": 10}, "network": {"layers": "10", "threshold": 0.2},
        "training": {"steps": 2, "epochs": 1, "learning_rate": 0.02, "batch": 20}, "algorithm": "full",
    }  # fmt: skip
    weights = []
    for name, more in (("plain", {}), ("keyed", key)):
        run_experiment(Experiment.model_validate(settings | {"training": settings["training"] | more}), tmp_path / name)
        weights.append(torch.load(tmp_path / name / "net.pt", weights_only=True)["fc1.weight"].numpy())
    assert not np.array_equal(*weights)
