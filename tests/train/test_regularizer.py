import pytest
import torch

from tern2lava.errors import InputError
from tern2lava.train.losses import confidence_loss, margin_loss, running_logits, time_loss
from tern2lava.train.regularizer import UncertaintyRegularizer
from tern2lava.train.trainer import Step
from tern2lava.train.unroll import Activity


def step_of(*, reads_potential: bool) -> Step:
    torch.manual_seed(0)
    v = {"hidden": torch.rand(3, 1, 4) * 2, "out": torch.rand(3, 1, 2) * 4}
    activity = Activity(
        spikes={name: (potential > 1).float() for name, potential in v.items()},
        met={name: potential - 1 for name, potential in v.items()},
        threshold={name: torch.tensor(1.0) for name in v},
        reads_potential=reads_potential,
    )
    return Step(x=torch.zeros(1), labels=torch.zeros(1), activity=activity, logits=torch.tensor([[9.0, 0.0]]))


def test_its_terms_are_the_losses_of_what_the_network_did_times_their_weights() -> None:
    step = step_of(reads_potential=False)
    terms = UncertaintyRegularizer(gain=5.0, time=2.0, margin=3.0, confidence=4.0, width=0.3, doubt=0.2)(step)
    potentials = {name: met + 1 for name, met in step.activity.met.items()}
    torch.testing.assert_close(terms["time"], 2 * time_loss(running_logits(step.activity.spikes["out"], 5.0)))
    torch.testing.assert_close(terms["margin"], 3 * margin_loss(potentials, 1.0, 0.3))
    torch.testing.assert_close(terms["confidence"], 4 * confidence_loss(step.logits, 0.2))


def test_a_last_layer_that_is_read_by_its_potentials_has_no_margin_and_gives_the_answer_of_every_step() -> None:
    step = step_of(reads_potential=True)
    terms = UncertaintyRegularizer(gain=5.0, confidence=0.0)(step)
    torch.testing.assert_close(terms["margin"], 2 * margin_loss(step.activity.met["hidden"] + 1, 1.0))
    torch.testing.assert_close(terms["time"], time_loss(running_logits(step.activity.met["out"] + 1, 5.0)))


def test_a_weight_of_zero_leaves_its_term_out() -> None:
    step = step_of(reads_potential=False)
    assert list(UncertaintyRegularizer(gain=5.0, margin=0.0)(step)) == ["time", "confidence"]
    assert list(UncertaintyRegularizer(gain=5.0, confidence=0.0)(step)) == ["time", "margin"]


def test_settings_without_meaning_are_refused() -> None:
    with pytest.raises(InputError, match="at least 0"):
        UncertaintyRegularizer(gain=5.0, time=-1.0)
    with pytest.raises(InputError, match="doubt"):
        UncertaintyRegularizer(gain=5.0, doubt=0.7)
