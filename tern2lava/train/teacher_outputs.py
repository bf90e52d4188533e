"""What a teacher answers to training samples: asked anew in each step, or once for all of them and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tern2lava.train.data import Dataset
from tern2lava.train.encode import RANDOM
from tern2lava.train.trainer import Step, TrainingOptions, input_of, logits_of
from tern2lava.train.unroll import Activity, unroll

KEPT_BYTES = 1 << 30
"""Most bytes of answers that are kept; more are asked for anew in each step. Chosen: 60,000 samples of some 17,000
hidden neurons' rates."""
BATCH = 250


@dataclass(frozen=True, eq=False)
class Answers:
    """A teacher's logits (batch, classes), and by hidden layer what each neuron did on average over the time steps
    (batch, *shape): its spikes (the firing rate), or v - threshold where it was compared."""

    logits: Tensor
    hidden: dict[str, Tensor]


Ask = Callable[[Step], Answers]
HIDDEN: dict[str, Callable[[Activity], dict[str, Tensor]]] = {
    "rate": lambda activity: activity.spikes,
    "potential": lambda activity: activity.met,
    "none": lambda activity: {},
}


def answers_of(activity: Activity, gain: float, match: str) -> Answers:
    """The Answers that lie in what a teacher did. match: "rate", "potential" or "none", what is asked of hidden
    layers."""
    layers = list(HIDDEN[match](activity).items())[:-1]
    return Answers(logits_of(activity, gain), {name: values.mean(0) for name, values in layers})


def ask_anew(teacher: nn.Sequential, gain: float, match: str) -> Ask:
    """What runs the teacher, in evaluation mode and without gradient, on the input spikes of each step."""

    def ask(step: Step) -> Answers:
        teacher.eval().to(step.x.device)
        with torch.no_grad():
            return answers_of(unroll(teacher, step.x, step.steps), gain, match)

    return ask


def ask_once(
    teacher: nn.Sequential, dataset: Dataset, options: TrainingOptions, match: str, most: int = KEPT_BYTES
) -> Ask | None:
    """What looks up the answers to all training samples, for which the teacher is run once, here; None where the
    encoding draws random spikes or samples are mixed, so that inputs differ from step to step, or where the answers
    take more than `most` bytes.

    Rates are kept as numbers of spikes, logits and potentials as float32: nothing is rounded.
    """
    if options.encoding in RANDOM or options.mixup:
        return None
    counted = match == "rate" and options.steps <= 255
    kept: list[Answers] = []
    total = len(dataset.train_y)
    teacher.eval()
    device = next(teacher.parameters()).device
    for begin in range(0, total, BATCH):
        x, steps = input_of(dataset.train_x[begin : begin + BATCH], dataset, options, 0)
        with torch.no_grad():
            answers = answers_of(unroll(teacher, x.to(device), steps), options.logit_gain, match)
        answers = Answers(answers.logits.cpu(), {name: values.cpu() for name, values in answers.hidden.items()})
        if counted:
            spikes = {name: (rate * options.steps).round().to(torch.uint8) for name, rate in answers.hidden.items()}
            answers = Answers(answers.logits, spikes)
        size = sum(tensor[0].numel() * tensor.element_size() for tensor in (answers.logits, *answers.hidden.values()))
        if size * total > most:
            return None
        kept.append(answers)
    logits = torch.cat([answers.logits for answers in kept])
    hidden = {name: torch.cat([answers.hidden[name] for answers in kept]) for name in kept[0].hidden}

    def look_up(step: Step) -> Answers:
        assert step.members is not None
        found = {name: values[step.members].to(step.x.device) for name, values in hidden.items()}
        if counted:
            found = {name: values.to(step.logits.dtype) / options.steps for name, values in found.items()}
        return Answers(logits[step.members].to(step.x.device), found)

    return look_up
