import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from nodes import gradient, part, there
from tern2lava.errors import InputError
from tern2lava.train.ternarize import Ternary, finalize, set_blend, ternaries, ternarize

METHODS = ["twn", "absmean", "learned"]
SCOPES = ["tensor", "channel"]


def small_net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(24, 5))


def is_exactly_ternary(weight: torch.Tensor, per: str) -> bool:
    groups = weight.reshape(1, -1) if per == "tensor" else weight.flatten(1)
    return all(
        len(set(row.abs().tolist()) - {0.0}) <= 1 and not bool((torch.signbit(row) & (row == 0)).any())
        for row in groups
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("per", SCOPES)
def test_finalized_weights_are_one_magnitude_or_zero_and_load_into_the_plain_model(method: str, per: str) -> None:
    model = ternarize(small_net(), method, per=per)
    state = finalize(model)
    plain = small_net(1)
    plain.load_state_dict(state)
    for name in ("0.weight", "3.weight"):
        assert is_exactly_ternary(state[name], per), name
        assert 0.0 < float((state[name] == 0).float().mean()) < 1.0
    x = torch.randn(4, 2, 4, 4)
    assert torch.equal(plain.eval()(x), model.eval()(x))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    method=st.sampled_from(METHODS),
    per=st.sampled_from(SCOPES),
    sparsity=st.one_of(st.none(), st.floats(0.0, 0.95)),
)
def test_any_weight_becomes_exactly_ternary(seed: int, method: str, per: str, sparsity: float | None) -> None:
    weight = torch.randn(7, 11, generator=torch.Generator().manual_seed(seed))
    hard = Ternary(weight, method, per, sparsity).ternary(weight)
    assert is_exactly_ternary(hard, per)
    kept = hard != 0
    assert torch.equal(torch.sign(hard)[kept], torch.sign(weight)[kept])
    if sparsity is not None:
        groups = hard.reshape(1, -1) if per == "tensor" else hard
        zeros = round(sparsity * groups.shape[1])
        assert (groups == 0).sum(1).tolist() == [zeros] * len(groups)


def test_twn_threshold_and_scale_are_the_papers() -> None:
    weight = torch.tensor([[0.1, -0.5, 1.0, -2.0]])
    delta = 0.7 * 0.9
    assert delta == pytest.approx(0.63)
    expected = torch.tensor([[0.0, 0.0, 1.5, -1.5]])
    torch.testing.assert_close(Ternary(weight, "twn", "tensor", None).ternary(weight), expected)


def test_absmean_rounds_to_multiples_of_the_mean_magnitude() -> None:
    weight = torch.tensor([[0.1, -0.5, 1.0, -2.0]])
    expected = torch.clamp(torch.round(weight / 0.9), -1, 1) * 0.9
    torch.testing.assert_close(Ternary(weight, "absmean", "tensor", None).ternary(weight), expected)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_reach_the_full_precision_weight(method: str) -> None:
    model = ternarize(nn.Sequential(nn.Linear(6, 4, bias=False)), method, per="channel")
    target = torch.randn(4, 6)
    layer = part(model, "0", nn.Linear)
    (layer.weight * target).sum().backward()
    original = model.get_parameter("0.parametrizations.weight.original")
    assert torch.equal(there(original.grad), target)
    if method != "learned":
        return
    ((_, _, ternary),) = ternaries(model)
    alpha, delta = ternary.log_alpha.exp(), ternary.log_delta.exp()
    x = original.detach() / delta.detach()
    slope = torch.where(x.abs() < 2, -x / 2, 0.0)
    torch.testing.assert_close(ternary.log_delta.grad, (target * slope).sum(1, keepdim=True) * alpha.detach())
    t = torch.sign(layer.weight.detach())
    torch.testing.assert_close(ternary.log_alpha.grad, (target * t).sum(1, keepdim=True) * alpha.detach())


def test_training_lowers_the_loss_of_a_ternary_layer() -> None:
    torch.manual_seed(0)
    x, teacher = torch.randn(256, 16), torch.randint(-1, 2, (3, 16)).float()
    y = x @ teacher.T
    model = ternarize(nn.Sequential(nn.Linear(16, 3, bias=False)), "learned", per="channel")
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05
    assert torch.equal(torch.sign(finalize(model)["0.weight"]), teacher)


def test_blend_mixes_and_does_not_reach_the_final_weights() -> None:
    model = small_net()
    full = part(model, "3", nn.Linear).weight.detach().clone()
    ternarize(model, "twn")
    hard = part(model, "3", nn.Linear).weight.detach().clone()
    set_blend(model, 0.25)
    torch.testing.assert_close(part(model, "3", nn.Linear).weight.detach(), 0.75 * full + 0.25 * hard)
    assert torch.equal(finalize(model)["3.weight"], hard)


def test_only_named_layers_are_ternarised() -> None:
    model = ternarize(small_net(), layers=["3"])
    assert [name for name, _, _ in ternaries(model)] == ["3"]
    assert not parametrize.is_parametrized(part(model, "0", nn.Conv2d))
    state = finalize(model)
    assert torch.equal(state["0.weight"], part(model, "0", nn.Conv2d).weight)


def test_a_row_of_zeros_stays_finite() -> None:
    weight = torch.zeros(2, 5)
    weight[1] = torch.arange(5.0)
    for method in METHODS:
        ternary = Ternary(weight, method, "channel", None)
        assert torch.isfinite(ternary.ternary(weight)).all()
        assert (ternary.ternary(weight)[0] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"method": "ttq"}, "method: requires one of twn, absmean, learned; found 'ttq'"),
        ({"per": "row"}, "per: requires one of tensor, channel; found 'row'"),
        ({"sparsity": 1.0}, "below 1"),
        ({"layers": ["fc9"]}, "layer 'fc9': requires the name of a Linear or convolution; found another"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ternarize(small_net(), **arguments)  # type: ignore[arg-type]


def test_a_model_is_ternarised_only_once_and_needs_layers() -> None:
    model = ternarize(small_net())
    with pytest.raises(InputError, match="parametrised already"):
        ternarize(model)
    with pytest.raises(InputError, match="model: requires a Linear, Conv1d or Conv2d layer to ternarise; found none"):
        ternarize(nn.Sequential(nn.Flatten()))


def test_layers_inside_other_frameworks_are_ternarised() -> None:
    layer = pytest.importorskip("spikingjelly.activation_based.layer")
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    model = nn.Sequential(layer.Linear(8, 6), neuron.LIFNode(), layer.Conv1d(1, 3, 2), nn.Linear(2, 2))
    ternarize(model, per="channel")
    assert [name for name, _, _ in ternaries(model)] == ["0", "2", "3"]
    model[1](model[0](torch.rand(4, 8) * 4)).sum().backward()
    assert float(gradient(model, "0.parametrizations.weight.original").abs().sum()) > 0
    assert is_exactly_ternary(finalize(model)["0.weight"], "channel")
