"""The training loop: surrogate gradients through all time steps, on spikes encoded from a data set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.errors import InputError
from tern2lava.train.data import Dataset, random_words
from tern2lava.train.dropout import drawn_from
from tern2lava.train.encode import GRADED, encode
from tern2lava.train.groups import parameter_groups
from tern2lava.train.schedule import Schedule
from tern2lava.train.ternarize import set_blend
from tern2lava.train.unroll import Activity


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How to train.

    The class logits are logit_gain * the mean over time of Activity.reading (output spikes, or potentials). The
    learning rate follows a half cosine to zero. ramp is the fraction of the epochs over which ternarised layers go from
    full precision to ternary. mixup: each batch is mixed with itself in another order, input and (by the objective)
    labels, in a ratio drawn from Beta(mixup, mixup) (Zhang et al., arXiv 1710.09412); 0: not.
    """

    steps: int = 16
    encoding: str = "rate"
    epochs: int = 50
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    logit_gain: float = 10.0
    ramp: float = 0.0
    mixup: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "epochs", "batch", "learning_rate", "logit_gain"):
            if not getattr(self, name) > 0:
                raise InputError(name, f"requires a number above 0; found {getattr(self, name)}; raise it")
        if not 0.0 <= self.ramp < 1.0:
            raise InputError(
                "ramp",
                f"requires a fraction of the epochs, at least 0 and below 1; found {self.ramp}; give for example 0.25",
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One batch in training: the input as unroll takes it (x with a time axis, or `steps` in which it is the same),
    labels (batch,), what the network did, its logits (batch, classes), and which of the training samples these are
    (batch,). mixed: the ratio in which x is the samples themselves, and which of the batch are the rest."""

    x: Tensor
    steps: int | None = None
    labels: Tensor
    activity: Activity
    logits: Tensor
    members: Tensor | None = None
    mixed: tuple[float, Tensor] | None = None


Objective = Callable[[Step], dict[str, Tensor]]


def cross_entropy(step: Step) -> dict[str, Tensor]:
    """The mean cross entropy of the logits, the task's own loss; of a batch that was mixed (Step.mixed) with its labels
    mixed alike."""
    loss = nn.functional.cross_entropy(step.logits, step.labels)
    if step.mixed is not None:
        ratio, order = step.mixed
        loss = ratio * loss + (1.0 - ratio) * nn.functional.cross_entropy(step.logits, step.labels[order])
    return {"task": loss}


def together(*objectives: Objective) -> Objective:
    """The Objective with the terms of all `objectives`."""

    def all_terms(step: Step) -> dict[str, Tensor]:
        return {name: term for objective in objectives for name, term in objective(step).items()}

    return all_terms


def logits_of(activity: Activity, gain: float) -> Tensor:
    """Class logits (batch, classes): gain * mean over time of the activity's class reading."""
    return gain * activity.reading.mean(0)


def spikes_in(x: Array, dataset: Dataset, options: TrainingOptions, seed: int, *, folded: bool = False) -> Tensor:
    """Encoded samples as float32 (steps, batch, *shape); graded values are divided by the data set's top, unless that
    division is folded into the network's first weights."""
    spikes = encode(x, options.steps, method=options.encoding, top=dataset.top, seed=seed)
    tensor = torch.from_numpy(np.ascontiguousarray(np.swapaxes(spikes, 0, 1))).float()
    return tensor / dataset.top if options.encoding in GRADED and not folded else tensor


def batches_of(dataset: Dataset, options: TrainingOptions, epoch: int) -> list[Ints]:
    """The training samples of each batch of an epoch, in an order that follows from the seed."""
    order = np.argsort(random_words(options.seed * 100_003 + epoch, len(dataset.train_y)), kind="stable")
    return [order[i : i + options.batch] for i in range(0, len(order), options.batch)]


def input_of(
    x: Array, dataset: Dataset, options: TrainingOptions, seed: int, *, folded: bool = False
) -> tuple[Tensor, int | None]:
    """What unroll takes after the model: spikes_in and None, or for direct encoding (batch, *shape), the same in every
    step, and the number of steps. Channels come last in memory, as convolutions run fastest."""
    if options.encoding != "direct":
        return channels_last(spikes_in(x, dataset, options, seed, folded=folded), 2), None
    values = spikes_in(x, dataset, replace(options, steps=1), seed, folded=folded)[0]
    return channels_last(values, 1), options.steps


def channels_last(x: Tensor, leading: int) -> Tensor:
    """x (`leading` axes, then channels, height, width) with the channels last in memory; other shapes as they are."""
    if x.dim() != leading + 3:
        return x
    *outer, channels, height, width = x.shape
    strides = [channels * height * width * math.prod(outer[i + 1 :]) for i in range(leading)]
    last = torch.empty_strided(x.shape, (*strides, 1, width * channels, channels), dtype=x.dtype)
    return last.copy_(x)


def mix(x: Tensor, steps: int | None, alpha: float, seed: int) -> tuple[Tensor, tuple[float, Tensor]]:
    """(x as unroll takes it, mixed with itself in another order; the ratio of x, the order), drawn from `seed`."""
    draw, batch = np.random.default_rng(seed), 0 if steps is not None else 1
    ratio = float(draw.beta(alpha, alpha))
    order = torch.from_numpy(draw.permutation(x.shape[batch])).to(x.device)
    return torch.lerp(x.index_select(batch, order), x, ratio), (ratio, order)


def learning_rate(options: TrainingOptions, progress: float) -> float:
    """The learning rate at `progress` in [0, 1] of the training: half a cosine."""
    return options.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


class Trainer:
    """A model in training, epoch by epoch; its whole state can be saved between epochs and loaded again."""

    def __init__(
        self, model: nn.Sequential, dataset: Dataset, options: TrainingOptions, objective: Objective = cross_entropy,
        schedule: Schedule | None = None,
    ) -> None:  # fmt: skip
        self.model, self.dataset, self.options, self.objective = model, dataset, options, objective
        self.schedule = schedule or Schedule(options.epochs, ramp=options.ramp * options.epochs)
        groups = parameter_groups(model, lr=options.learning_rate, weight_decay=options.weight_decay)
        self.optimiser = torch.optim.Adam(groups)
        self.epoch = 0
        self.history: list[dict[str, float]] = []

    def run_epoch(self, on_batch: Callable[[int, int], None] | None = None) -> dict[str, float]:
        """The mean of every loss term over one epoch of training (also appended to `history`).

        on_batch is called with (batches done, batches) after each.
        """
        options, data = self.options, self.dataset
        self.model.train()
        device = next(self.model.parameters()).device
        self.schedule.begin_epoch(self.model, self.epoch)
        batches = batches_of(data, options, self.epoch)
        sums: dict[str, float] = {}
        for index, members in enumerate(batches):
            progress = self.epoch + index / len(batches)
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(options, progress / options.epochs)
            self.schedule.before_batch(self.model, progress)
            seed = options.seed * 1_000_003 + self.epoch * len(batches) + index
            x, steps = input_of(data.train_x[members], data, options, seed)
            x, labels = x.to(device), torch.from_numpy(data.train_y[members]).to(device)
            x, mixed = mix(x, steps, options.mixup, seed) if options.mixup else (x, None)
            with parametrize.cached():
                with drawn_from(self.model, seed):
                    activity = self.schedule.activity(self.model, x, steps)
                step = Step(
                    x=x, steps=steps, labels=labels, activity=activity, members=torch.from_numpy(members),
                    logits=logits_of(activity, options.logit_gain), mixed=mixed,
                )  # fmt: skip
                terms = self.objective(step) | self.schedule.terms(self.model, self.epoch)
            loss = torch.stack(list(terms.values())).sum()
            self.optimiser.zero_grad()
            if loss.requires_grad:  # not where codes stand still and nothing else is learned
                loss.backward()
                self.optimiser.step()
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + float(term.detach()) * len(members)
            if on_batch:
                on_batch(index + 1, len(batches))
        self.epoch += 1
        self.schedule.end_epoch(self.model, self.epoch)
        means = {name: total / len(data.train_y) for name, total in sums.items()}
        self.history.append(means)
        return means

    def state(self) -> dict[str, Any]:
        """All that `load_state` needs to go on as if never stopped."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "history": self.history,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Puts back what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.history = state["epoch"], state["history"]


def fit(
    model: nn.Sequential,
    dataset: Dataset,
    options: TrainingOptions,
    objective: Objective = cross_entropy,
    on_epoch: Callable[[Trainer], None] | None = None,
    schedule: Schedule | None = None,
) -> list[dict[str, float]]:
    """The loss terms of every epoch; `model` is trained in place and left in evaluation mode, fully ternary."""
    trainer = Trainer(model, dataset, options, objective, schedule)
    while trainer.epoch < options.epochs:
        trainer.run_epoch()
        if on_epoch:
            on_epoch(trainer)
    set_blend(model, 1.0)
    model.eval()
    return trainer.history
