"""An experiment in its folder: its networks, and trainings that go on where they were interrupted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from tern2lava.compiler.progress import Progress
from tern2lava.counts import count
from tern2lava.errors import InputError, Interrupted
from tern2lava.train import checkpoint
from tern2lava.train.config import Experiment
from tern2lava.train.data import Dataset
from tern2lava.train.device import device_of
from tern2lava.train.encode import GRADED
from tern2lava.train.log import Log
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.schedule import Schedule
from tern2lava.train.ternarize import layers_with_weights, set_blend
from tern2lava.train.trainer import Objective, Trainer, TrainingOptions, batches_of, cross_entropy, input_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """An experiment in its folder."""

    experiment: Experiment
    dataset: Dataset
    out: Path
    progress: Progress | None = None
    kept: dict[str, int] = field(default_factory=dict)
    """Epochs whose state is kept in the folder, by stage."""

    @property
    def top(self) -> int:
        """The largest value the network's input takes in checkpoints; training itself scales it to 1."""
        return self.dataset.top if self.experiment.training.encoding in GRADED else 1

    def build(self, layers: str | None = None, neuron: str | None = None) -> nn.Sequential:
        """The plain network (or one of other `layers`, or of another family of neurons at its defaults) with fresh
        weights, the same for one seed."""
        keys = self.experiment.network
        torch.manual_seed(self.experiment.seed)
        return network(
            layers or keys.layers,
            self.dataset.shape,
            neuron=keys.model() if neuron in (None, keys.neuron) else NeuronModel(kind=neuron or keys.neuron),
            batch_norm=keys.batch_norm,
            bias=keys.bias,
            readout=keys.readout,
        )

    def train(
        self, stage: str, model: nn.Sequential, options: TrainingOptions, objective: Objective = cross_entropy,
        schedule: Schedule | None = None,
    ) -> None:  # fmt: skip
        """Trains `model` in place to the end of `options`, from the saved state of this stage where there is one.

        It is moved to the experiment's device, and back when it is trained."""
        model.to(device_of(self.experiment.device))
        trainer = Trainer(model, self.dataset, options, objective, schedule)
        path, samples = self.out / f"{stage}-state.pt", self.dataset.digest
        if path.exists():
            saved = checkpoint.load(path)
            if saved.get("digest") != self.experiment.digest:
                raise InputError(
                    path,
                    "requires a folder of this experiment; found one of another; choose another folder or remove it",
                )
            if saved.get("data", samples) != samples:
                raise InputError(
                    path, "requires the samples that this training began on; found others; choose another folder or "
                    "remove it",
                )  # fmt: skip
            trainer.load_state(saved["trainer"])
        with (
            self._goes_on(stage, trainer, options),
            Log(self.out, stage, self.experiment.tensorboard, trainer.epoch) as log,
        ):
            while trainer.epoch < options.epochs:
                epoch = trainer.epoch

                def report(done: int, batches: int, epoch: int = epoch) -> None:
                    if self.progress:
                        what = f"{stage}, epoch {epoch + 1} of {options.epochs}"
                        self.progress(what, epoch * batches + done, options.epochs * batches)

                terms = trainer.run_epoch(report)
                _check_finite(stage, trainer, terms)
                log.write(trainer.epoch, terms)
                state = {"digest": self.experiment.digest, "data": samples, "trainer": trainer.state()}
                checkpoint.save(path, state)
                self.kept[stage] = trainer.epoch
        set_blend(model, 1.0)
        model.cpu().eval()

    @contextmanager
    def _goes_on(self, stage: str, trainer: Trainer, options: TrainingOptions) -> Iterator[None]:
        """What an interruption within it says: how much is kept, from which the same command goes on."""
        self.kept[stage] = trainer.epoch
        try:
            yield
        except KeyboardInterrupt:
            done = f"{self.kept[stage]:,} of {count(options.epochs, 'epoch')} of the {stage} are kept in {self.out}"
            raise Interrupted(f"interrupted: {done}; the same command goes on from there") from None

    def inputs(self, batches: int) -> Iterator[tuple[Tensor, int | None]]:
        """The inputs, as unroll takes them, of the first training batches, in the order of an epoch after the last."""
        options = self.experiment.options()
        device = torch.device("cpu")
        for index, members in enumerate(batches_of(self.dataset, options, options.epochs)[:batches]):
            x, steps = input_of(self.dataset.train_x[members], self.dataset, options, options.seed + index)
            yield x.to(device), steps


def _check_finite(stage: str, trainer: Trainer, terms: dict[str, float]) -> None:
    """Raise InputError where the epoch that is done left a loss or a parameter that is not finite: neurons fed with NaN
    do not spike, and so the loss alone does not tell."""
    wild = [f"{name} {value}" for name, value in terms.items() if not math.isfinite(value)]
    wild += [f"others in {name}" for name, value in trainer.model.named_parameters() if not value.isfinite().all()]
    if wild:
        raise InputError(
            "training.learning_rate",
            f"requires one at which loss and weights stay finite; found {wild[0]} after epoch {trainer.epoch} of the "
            f"{stage}; lower it",
        )


def load_weights(model: nn.Sequential, path: Path) -> None:
    """Puts a plain state_dict into `model`; InputError where it does not fit."""
    try:
        model.load_state_dict(checkpoint.load(path))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            path, f"requires a checkpoint that fits the network; found {reason}; give one of the same layers"
        ) from None


def scale_input(model: nn.Sequential, state: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
    """`state` with the first layer's weights times `factor`: 1 / top lets it take integers 0 to top instead of 0 to 1.

    Every checkpoint on disk takes what the net.yaml says and the hardware feeds it: integers.
    """
    first = next(iter(layers_with_weights(model)))
    return state | {f"{first}.weight": state[f"{first}.weight"] * factor}
