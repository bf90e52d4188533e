import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from nodes import gradient, part
from tern2lava.errors import InputError
from tern2lava.train.quantisers import QUANTISERS
from tern2lava.train.ternarize import finalize, followed_by_norm, set_blend, ternaries, ternarize

METHODS = list(QUANTISERS.names())
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
    if not QUANTISERS.get(method).takes_sparsity:
        sparsity = None
    hard = QUANTISERS.get(method).make(weight, per, sparsity).ternary(weight)
    assert is_exactly_ternary(hard, per)
    kept = hard != 0
    assert torch.equal(torch.sign(hard)[kept], torch.sign(weight)[kept])
    if sparsity is not None:
        groups = hard.reshape(1, -1) if per == "tensor" else hard
        zeros = round(sparsity * groups.shape[1])
        assert (groups == 0).sum(1).tolist() == [zeros] * len(groups)


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


@pytest.mark.parametrize("method", [each.name for each in QUANTISERS.registered() if each.takes_sparsity])
def test_a_fraction_of_zeros_leaves_of_each_row_the_largest_weights(method: str) -> None:
    few = torch.tensor([[0.1, -0.4, 0.2], [0.3, 0.2, 0.1]])  # 95 % of three are three
    equal = torch.tensor([[0.5, 0.0, -0.5, 0.5, 0.0]])  # ternary already: 70 % of five are four
    for weight, kept in ((few, few.abs() == few.abs().amax(1, keepdim=True)), (equal, equal != 0)):
        ternary = QUANTISERS.get(method).make(weight, "channel", 0.95 if weight is few else 0.7).ternary(weight)
        assert torch.equal(ternary != 0, kept)
        assert torch.equal(torch.sign(ternary), torch.sign(weight) * kept)


def test_a_row_of_zeros_stays_finite() -> None:
    weight = torch.zeros(2, 5)
    weight[1] = torch.arange(5.0)
    for method in METHODS:
        ternary = QUANTISERS.get(method).make(weight, "channel", None)
        assert torch.isfinite(ternary.ternary(weight)).all()
        assert (ternary.ternary(weight)[0] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"method": "inq"}, "method: requires one of twn, absmean, ttq, lsq, learned; found 'inq'"),
        (
            {"method": "lsq", "sparsity": 0.5},
            "sparsity: requires a method with a threshold of its own; found lsq; leave it out, or take twn, absmean, "
            "ttq or learned",
        ),
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


def test_a_scale_in_front_of_a_batch_norm_is_not_learned() -> None:
    torch.manual_seed(0)
    block = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    model = nn.Sequential(block, nn.Linear(5, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Linear(5, 3))
    assert followed_by_norm(model) == ["0.0"]
    ternarize(model, "learned")
    scales = {name: isinstance(ternary.log_alpha, nn.Parameter) for name, _, ternary in ternaries(model)}
    assert scales == {"0.0": False, "1": True, "4": True}
    model(torch.randn(8, 6)).sum().backward()
    other = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))
    ternarize(other, "learned", before_norm=["2"])
    assert [isinstance(t.log_alpha, nn.Parameter) for _, _, t in ternaries(other)] == [True, False]


def test_a_fixed_scale_is_saved_and_loaded_with_the_layer() -> None:
    model, other = ternarize(small_net(), "learned"), ternarize(small_net(1), "learned")
    key = "0.parametrizations.weight.0.log_alpha"
    assert not torch.equal(model.state_dict()[key], other.state_dict()[key])
    other.load_state_dict(model.state_dict())
    assert torch.equal(finalize(model)["0.weight"], finalize(other)["0.weight"])
