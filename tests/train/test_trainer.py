import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tern2lava.errors import InputError
from tern2lava.train import checkpoint
from tern2lava.train.data import Dataset, digits, limit
from tern2lava.train.evaluate import accuracy, evaluate
from tern2lava.train.network import network
from tern2lava.train.ternarize import ternaries, ternarize
from tern2lava.train.trainer import (
    Step,
    Trainer,
    TrainingOptions,
    cross_entropy,
    fit,
    input_of,
    learning_rate,
    spikes_in,
    together,
)
from tern2lava.train.unroll import unroll

pytest.importorskip("snntorch")
OPTIONS = TrainingOptions(steps=8, epochs=4, ramp=0.5, learning_rate=2e-2, batch=20)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return limit(digits(), 300, 100)


def ternary_net(data: Dataset) -> nn.Sequential:
    torch.manual_seed(0)
    model = network("20-10", data.shape)
    ternarize(model, "learned")
    return model


def test_training_lowers_the_loss_and_ends_fully_ternary(data: Dataset) -> None:
    model = ternary_net(data)
    before = accuracy(model, data, OPTIONS)
    blends: list[float] = []
    history = fit(model, data, OPTIONS, on_epoch=lambda trainer: blends.append(next(ternaries(model))[2].blend))
    assert history[-1]["task"] < 0.75 * history[0]["task"]
    assert accuracy(model, data, OPTIONS) > before + 0.2
    assert blends[0] < 1.0
    assert blends[1:] == [1.0] * 3 or blends[2:] == [1.0] * 2
    assert all(ternary.blend == 1.0 for _, _, ternary in ternaries(model))
    assert not model.training


def test_an_interrupted_training_ends_in_the_same_weights(data: Dataset, tmp_path: Path) -> None:
    whole = Trainer(ternary_net(data), data, OPTIONS)
    for _ in range(4):
        whole.run_epoch()
    first = Trainer(ternary_net(data), data, OPTIONS)
    for _ in range(2):
        first.run_epoch()
    checkpoint.save(tmp_path / "state.pt", first.state())
    torch.manual_seed(99)
    second = Trainer(network_like(first), data, OPTIONS)
    second.load_state(checkpoint.load(tmp_path / "state.pt"))
    while second.epoch < 4:
        second.run_epoch()
    assert second.history == whole.history
    for (name, a), (_, b) in zip(whole.model.state_dict().items(), second.model.state_dict().items(), strict=True):
        assert torch.equal(a, b), name


def network_like(trainer: Trainer) -> nn.Sequential:
    model = network("20-10", trainer.dataset.shape)
    ternarize(model, "learned")
    return model


def test_terms_of_several_objectives_are_summed(data: Dataset) -> None:
    def pull(step: Step) -> dict[str, Tensor]:
        return {"pull": 100.0 * step.logits.sum() * 0 + 3.0}

    terms = Trainer(ternary_net(data), data, OPTIONS, together(cross_entropy, pull)).run_epoch()
    assert list(terms) == ["task", "pull"]
    assert terms["pull"] == pytest.approx(3.0)


def test_an_objective_steers_the_training(data: Dataset) -> None:
    def quiet(step: Step) -> dict[str, Tensor]:
        return {"quiet": 50.0 * step.activity.spikes["lif1"].mean()}

    rates = []
    for objective in (cross_entropy, together(cross_entropy, quiet)):
        model = ternary_net(data)
        fit(model, data, OPTIONS, objective)
        rates.append(float(evaluate(model, data, OPTIONS).spikes["lif1"].sum()))
    assert rates[1] < 0.7 * rates[0]


def test_progress_is_told_after_every_batch(data: Dataset) -> None:
    told: list[tuple[int, int]] = []
    Trainer(ternary_net(data), data, OPTIONS).run_epoch(lambda done, batches: told.append((done, batches)))
    assert told == [(i, 15) for i in range(1, 16)]


def test_the_learning_rate_falls_along_half_a_cosine() -> None:
    rates = [learning_rate(OPTIONS, progress) for progress in (0.0, 0.5, 1.0)]
    assert rates == pytest.approx([2e-2, 1e-2, 0.0])


def test_direct_values_are_scaled_to_one_unless_folded(data: Dataset) -> None:
    options = TrainingOptions(steps=3, encoding="direct")
    scaled = spikes_in(data.test_x[:2], data, options, 0)
    assert scaled.shape == (3, 2, 1, 8, 8)
    np.testing.assert_array_equal(scaled[0].numpy() * 16, data.test_x[:2])
    np.testing.assert_array_equal(spikes_in(data.test_x[:2], data, options, 0, folded=True)[2].numpy(), data.test_x[:2])


def test_direct_values_pass_once_and_images_have_their_channels_last(data: Dataset) -> None:
    options = TrainingOptions(steps=3, encoding="direct")
    x, steps = input_of(data.test_x[:2], data, options, 0)
    assert steps == 3
    assert torch.equal(x, spikes_in(data.test_x[:2], data, options, 0)[2])
    spikes, none = input_of(data.test_x[:2], data, OPTIONS, 0)
    assert none is None
    assert torch.equal(spikes, spikes_in(data.test_x[:2], data, OPTIONS, 0))
    model = network("6c3-10", data.shape)
    for start in (x, spikes):
        met = unroll(model, start, steps if start is x else None).met["lif1"]
        assert met.stride()[2:] == (1, 48, 6)


def test_evaluation_of_direct_values_counts_them_in_every_step(data: Dataset) -> None:
    options = TrainingOptions(steps=3, encoding="direct")
    found = evaluate(ternary_net(data), data, options)
    np.testing.assert_array_equal(found.spikes["input"], 3 * (data.test_x != 0).sum(0).reshape(-1))


def test_evaluation_counts_what_the_network_does(data: Dataset) -> None:
    model = ternary_net(data).eval()
    found = evaluate(model, data, OPTIONS)
    x = spikes_in(data.test_x, data, OPTIONS, 0)
    assert list(found.spikes) == ["input", "lif1", "lif2"]
    np.testing.assert_array_equal(found.spikes["input"], x.sum((0, 1)).numpy().reshape(-1))
    assert found.scores.shape == (100, 8, 10)
    assert found.scores[:, -1].sum() == found.spikes["lif2"].sum()
    assert 0 <= found.near["lif1"] < 0.5
    values = found.metrics(10.0)
    assert values["spikes_per_sample"] == (found.spikes["lif1"].sum() + found.spikes["lif2"].sum()) / 100


def test_settings_without_meaning_are_refused() -> None:
    for change in ({"steps": 0}, {"learning_rate": -1.0}, {"ramp": 1.0}):
        with pytest.raises(InputError):
            TrainingOptions(**change)


def test_a_training_does_not_touch_the_network_it_copies(data: Dataset) -> None:
    model = ternary_net(data)
    other = copy.deepcopy(model)
    fit(other, data, TrainingOptions(steps=4, epochs=1))
    assert not torch.equal(model.state_dict()["fc1.parametrizations.weight.original"],
                           other.state_dict()["fc1.parametrizations.weight.original"])  # fmt: skip
