import pytest
import torch
from torch import nn

from tern2lava.train.algorithms.indirect import Alternation
from tern2lava.train.algorithms.projection import nearest, project_layers, projections
from tern2lava.train.data import Dataset, digits, limit
from tern2lava.train.network import network
from tern2lava.train.ternarize import finalize
from tern2lava.train.trainer import Trainer, TrainingOptions, fit

pytest.importorskip("snntorch")
OPTIONS = TrainingOptions(steps=2, epochs=5, learning_rate=2e-2, batch=20)
PLAIN: dict[str, float] = {"phase": 2}
ADMM = {"phase": 2, "rho": 0.01, "growth": 2.0}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return limit(digits(), 60, 10)


def net(data: Dataset) -> nn.Sequential:
    torch.manual_seed(0)
    model = network("8-10", data.shape)
    project_layers(model, per="channel")
    return model


def trainer(data: Dataset, keys: dict[str, float]) -> Trainer:
    schedule = Alternation(5, frozen=1, **keys)  # type: ignore[arg-type]
    return Trainer(net(data), data, OPTIONS, schedule=schedule)


def codes(model: nn.Sequential) -> list[torch.Tensor]:
    return [projection.codes.clone() for projection, _ in projections(model)]


def is_ternary(weight: torch.Tensor) -> bool:
    return all(len(set(row.abs().tolist()) - {0.0}) <= 1 for row in weight)


def test_plain_phases_end_in_ternary_weights_from_which_the_next_one_starts(data: Dataset) -> None:
    training, ternary = trainer(data, PLAIN), []
    for _ in range(4):
        training.run_epoch()
        ternary.append(all(is_ternary(weight) for _, weight in projections(training.model)))
    assert ternary == [False, True, False, True]


def test_the_last_epochs_train_scales_and_leave_codes_and_weights_alone(data: Dataset) -> None:
    training = trainer(data, PLAIN)
    for _ in range(4):
        training.run_epoch()
    before, weights = codes(training.model), [weight.clone() for _, weight in projections(training.model)]
    scales = [projection.log_alpha.detach().clone() for projection, _ in projections(training.model)]
    training.run_epoch()
    assert all(torch.equal(a, b) for a, b in zip(before, codes(training.model), strict=True))
    for (projection, weight), old, scale in zip(projections(training.model), weights, scales, strict=True):
        assert torch.equal(weight, old)
        assert not torch.equal(projection.log_alpha, scale)


def test_admm_projects_the_weights_and_their_dual_and_keeps_rho_times_the_dual(data: Dataset) -> None:
    training = trainer(data, ADMM)
    training.run_epoch()
    duals = [projection.dual.clone() for projection, _ in projections(training.model)]
    assert not any(dual.any() for dual in duals)
    training.run_epoch()
    for projection, weight in projections(training.model):
        t, alpha = nearest(weight.detach(), None)
        torch.testing.assert_close(projection.projected(weight), t * alpha)
        # U = W - G, and rho doubles from this phase to the next
        torch.testing.assert_close(projection.dual, (weight.detach() - t * alpha) / 2)
    before = [(projection.dual.clone(), weight.detach().clone()) for projection, weight in projections(training.model)]
    training.run_epoch()
    training.run_epoch()
    for (projection, weight), (dual, _) in zip(projections(training.model), before, strict=True):
        t, alpha = nearest(weight.detach() + dual, None)
        torch.testing.assert_close(projection.projected(weight), t * alpha)


def test_the_augmented_lagrangian_is_half_rho_times_the_squared_distance(data: Dataset) -> None:
    training = trainer(data, ADMM)
    for projection, _ in projections(training.model):
        projection.dual += 0.25
    terms = training.schedule.terms(training.model, 3)
    square = 0.0
    for projection, weight in projections(training.model):
        w, g = weight.detach().double(), projection.projected(weight).double()
        square += float(((w - g + 0.25) ** 2).sum())
    assert terms["admm"].item() == pytest.approx(0.5 * 0.02 * square, rel=1e-5)
    assert training.schedule.terms(training.model, 4) == {}
    assert trainer(data, PLAIN).schedule.terms(training.model, 0) == {}


def test_a_larger_rho_draws_weights_nearer_to_ternary_ones(data: Dataset) -> None:
    far = []
    for rho in (1e-6, 1.0):
        training = Trainer(net(data), data, OPTIONS, schedule=Alternation(5, frozen=0, phase=1, rho=rho))
        training.run_epoch()
        training.run_epoch()
        far.append(sum(float((w - p.projected(w)).detach().abs().mean()) for p, w in projections(training.model)))
    assert far[1] < 0.6 * far[0]


@pytest.mark.parametrize("keys", [PLAIN, ADMM], ids=["plain", "admm"])
@pytest.mark.parametrize("cut", [1, 2, 4])
def test_an_interrupted_training_ends_in_the_same_weights(data: Dataset, keys: dict[str, float], cut: int) -> None:
    whole, first, second = trainer(data, keys), trainer(data, keys), trainer(data, keys)
    for _ in range(5):
        whole.run_epoch()
    for _ in range(cut):
        first.run_epoch()
    second.load_state(first.state())
    while second.epoch < 5:
        second.run_epoch()
    for (name, a), b in zip(whole.model.state_dict().items(), second.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_what_comes_out_is_ternary_whatever_the_epochs_are(data: Dataset) -> None:
    for epochs, frozen in ((3, 0), (3, 1), (2, 2)):
        model = net(data)
        options = TrainingOptions(steps=2, epochs=epochs, learning_rate=2e-2, batch=20)
        fit(model, data, options, schedule=Alternation(epochs, frozen=frozen, phase=2))
        state = finalize(model)
        assert is_ternary(state["fc1.weight"])
        assert is_ternary(state["fc2.weight"])
