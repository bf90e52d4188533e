from dataclasses import replace

import pytest
import torch
from torch import nn

from tern2lava.train import teacher_outputs
from tern2lava.train.data import Dataset, digits, limit
from tern2lava.train.distill import Distillation
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.teacher_outputs import ask_anew, ask_once
from tern2lava.train.trainer import Step, TrainingOptions, logits_of, spikes_in
from tern2lava.train.unroll import unroll

pytest.importorskip("snntorch")
OPTIONS = TrainingOptions(steps=3, epochs=1)
MEMBERS = torch.tensor([41, 3, 3, 20])


@pytest.fixture(scope="module")
def data() -> Dataset:
    return limit(digits(), 50, 5)


def net(data: Dataset, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return network("3c3-6-10", data.shape, neuron=NeuronModel(threshold=0.1)).eval()


def step_of(model: nn.Sequential, data: Dataset) -> Step:
    x = spikes_in(data.train_x[MEMBERS.numpy()], data, OPTIONS, 0)
    activity = unroll(model, x)
    labels = torch.from_numpy(data.train_y[MEMBERS.numpy()])
    return Step(x=x, labels=labels, activity=activity, logits=logits_of(activity, 10.0), members=MEMBERS)


@pytest.mark.parametrize("match", ["rate", "potential", "none"])
def test_kept_answers_are_those_of_a_run_on_the_same_samples(
    data: Dataset, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, step = net(data, 1), step_of(net(data, 0), data)
    anew = ask_anew(teacher, 10.0, match)(step)
    monkeypatch.setattr(teacher_outputs, "BATCH", 8)
    ask = ask_once(teacher, data, OPTIONS, match)
    assert ask is not None
    monkeypatch.setattr(teacher_outputs, "unroll", lambda *_: pytest.fail("the teacher ran again"))
    kept = ask(step)
    torch.testing.assert_close(kept.logits, anew.logits)
    assert list(kept.hidden) == list(anew.hidden) == ([] if match == "none" else ["lif1", "lif2"])
    for name, values in kept.hidden.items():
        torch.testing.assert_close(values, anew.hidden[name], rtol=1e-5, atol=1e-6)
        if match == "rate":
            assert torch.equal(values, anew.hidden[name])
            assert 0.01 < float(values.mean()) < 0.9
    objective = Distillation(teacher=teacher, ask=ask, gain=10.0, match=match)
    assert set(objective(step)) == ({"distil"} if match == "none" else {"distil", "match"})


def test_random_spikes_mixed_samples_and_answers_beyond_the_bound_are_asked_for_anew(data: Dataset) -> None:
    teacher = net(data, 1)
    assert ask_once(teacher, data, replace(OPTIONS, mixup=0.4), "rate") is None
    assert ask_once(teacher, data, TrainingOptions(steps=3, epochs=1, encoding="bernoulli"), "rate") is None
    # logits of 10 float32, rates of 3 x 8 x 8 + 6 neurons in a byte each
    size = 50 * (40 + 192 + 6)
    assert ask_once(teacher, data, OPTIONS, "rate", most=size - 1) is None
    assert ask_once(teacher, data, OPTIONS, "rate", most=size) is not None
    assert ask_once(teacher, data, OPTIONS, "potential", most=size) is None
