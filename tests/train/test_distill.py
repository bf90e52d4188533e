import copy

import pytest
import torch
from torch import nn

from nodes import gradient
from tern2lava.errors import InputError
from tern2lava.train.distill import Distillation, match_potentials, match_rates
from tern2lava.train.network import network
from tern2lava.train.teacher_outputs import answers_of
from tern2lava.train.ternarize import ternarize
from tern2lava.train.trainer import Step, logits_of
from tern2lava.train.unroll import unroll

pytest.importorskip("snntorch")


def net(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return network("12-3", (8,))


def step_of(model: nn.Sequential) -> Step:
    x = (torch.rand(6, 10, 8, generator=torch.Generator().manual_seed(5)) < 0.7).float() * 2
    activity = unroll(model, x)
    return Step(x=x, labels=torch.zeros(10, dtype=torch.long), activity=activity, logits=logits_of(activity, 5.0))


def test_a_student_equal_to_its_teacher_has_nothing_to_learn() -> None:
    teacher = net(0).eval()
    for match in ("rate", "potential", "none"):
        terms = Distillation(teacher=teacher, gain=5.0, match=match)(step_of(copy.deepcopy(teacher)))
        assert all(term.item() == pytest.approx(0.0, abs=1e-6) for term in terms.values())
        assert ("match" in terms) == (match != "none")


def test_gradients_reach_the_ternary_student_and_not_the_teacher() -> None:
    teacher, student = net(0).eval(), net(1)
    ternarize(student)
    terms = Distillation(teacher=teacher, gain=5.0)(step_of(student))
    terms["match"].backward(retain_graph=True)
    assert float(gradient(student, "fc1.parametrizations.weight.original").abs().sum()) > 0
    terms["distil"].backward()
    assert float(gradient(student, "fc2.parametrizations.weight.original").abs().sum()) > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_matching_measures_hidden_layers_only() -> None:
    a, b = step_of(net(0)).activity, step_of(net(1)).activity
    expected = ((a.spikes["lif1"].mean(0) - b.spikes["lif1"].mean(0)) ** 2).mean()
    torch.testing.assert_close(match_rates(a, answers_of(b, 5.0, "rate").hidden), expected)
    assert expected > 0.001
    target = b.met["lif1"].mean(0)
    found = match_potentials(a, answers_of(b, 5.0, "potential").hidden)
    torch.testing.assert_close(found, ((a.met["lif1"].mean(0) - target) ** 2).mean() / target.var())


def test_a_teacher_of_another_architecture_or_a_bad_setting_is_refused() -> None:
    with pytest.raises(InputError, match="teacher: requires the layers of the student; found others"):
        Distillation(teacher=network("12-12-3", (8,)), gain=5.0)(step_of(net(0)))
    with pytest.raises(InputError, match="rate, potential, none"):
        Distillation(teacher=net(0), gain=5.0, match="spikes")
    with pytest.raises(InputError, match=r"temperature: requires a number above 0; found 0\.0"):
        Distillation(teacher=net(0), gain=5.0, temperature=0.0)
