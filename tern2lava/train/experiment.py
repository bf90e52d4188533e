"""One experiment from its YAML file to checkpoint, net.yaml and metrics.json; goes on where it was interrupted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tern2lava.compiler.ir.graph import Graph, Level
from tern2lava.compiler.passes.pipeline import lower_until
from tern2lava.compiler.progress import Progress
from tern2lava.counts import count
from tern2lava.errors import InputError, Interrupted
from tern2lava.extras import require
from tern2lava.files.json_text import read_json
from tern2lava.train import checkpoint
from tern2lava.train.config import DataKeys, Experiment, TrainingKeys
from tern2lava.train.data import Dataset, hold_out, limit, load_dataset
from tern2lava.train.describe import describe
from tern2lava.train.distill import Distillation
from tern2lava.train.encode import GRADED
from tern2lava.train.evaluate import evaluate
from tern2lava.train.log import Log
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.regularizer import UncertaintyRegularizer
from tern2lava.train.ternarize import finalize, layers_with_weights, set_blend, ternarize
from tern2lava.train.trainer import Objective, Trainer, TrainingOptions, cross_entropy, together
from tern2lava.writing import write_file

# (what is being done, batches done, batches in all)


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

    def build(self) -> nn.Sequential:
        """The plain network with fresh weights, the same for one seed."""
        keys = self.experiment.network
        neuron = NeuronModel(
            beta=keys.beta, threshold=keys.threshold, reset=keys.reset, reset_delay=keys.reset_delay, slope=keys.slope
        )
        torch.manual_seed(self.experiment.seed)
        return network(
            keys.layers,
            self.dataset.shape,
            neuron=neuron,
            batch_norm=keys.batch_norm,
            bias=keys.bias,
            readout=keys.readout,
        )

    def train(self, stage: str, model: nn.Sequential, options: TrainingOptions, objective: Objective) -> None:
        """Trains `model` in place to the end of `options`, from the saved state of this stage where there is one."""
        trainer = Trainer(model, self.dataset, options, objective)
        path = self.out / f"{stage}-state.pt"
        if path.exists():
            saved = checkpoint.load(path)
            if saved.get("digest") != self.experiment.digest:
                raise InputError(
                    path,
                    "requires a folder of this experiment; found one of another; choose another folder or remove it",
                )
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

                log.write(trainer.epoch + 1, trainer.run_epoch(report))
                checkpoint.save(path, {"digest": self.experiment.digest, "trainer": trainer.state()})
                self.kept[stage] = trainer.epoch
        set_blend(model, 1.0)
        model.eval()

    @contextmanager
    def _goes_on(self, stage: str, trainer: Trainer, options: TrainingOptions) -> Iterator[None]:
        """What an interruption within it says: how much is kept, from which the same command goes on."""
        self.kept[stage] = trainer.epoch
        try:
            yield
        except KeyboardInterrupt:
            done = f"{self.kept[stage]:,} of {count(options.epochs, 'epoch')} of the {stage} are kept in {self.out}"
            raise Interrupted(f"interrupted: {done}; the same command goes on from there") from None

    def teacher(self) -> nn.Sequential:
        """The trained full-precision twin."""
        model, keys = self.build(), self.experiment.teacher
        if keys.checkpoint is not None:
            load_weights(model, Path(keys.checkpoint))
            if self.top > 1:
                model.load_state_dict(scale_input(model, model.state_dict(), self.top))
        else:
            self.train("teacher", model, self.experiment.options(teacher=True), cross_entropy)
        return model.eval().requires_grad_(False)

    def student(self, teacher: nn.Sequential | None) -> nn.Sequential:
        """The trained network of the experiment, ternarised unless the algorithm is `full`."""
        experiment = self.experiment
        model, keys, options = self.build(), experiment.ternary, experiment.options()
        if teacher is not None and (experiment.algorithm == "post" or experiment.start == "teacher"):
            model.load_state_dict(teacher.state_dict())
        if experiment.algorithm == "post":
            ternarize(model, "twn", per=keys.per, layers=keys.layers, sparsity=keys.sparsity)
            return model.eval()
        if experiment.algorithm != "full":
            ternarize(model, keys.method, per=keys.per, layers=keys.layers, sparsity=keys.sparsity)
        objectives: list[Objective] = [cross_entropy]
        if experiment.algorithm == "distil":
            assert teacher is not None
            values = experiment.distillation.model_dump()
            objectives.append(Distillation(teacher=teacher, gain=options.logit_gain, **values))
        if experiment.regularizer is not None:
            values = experiment.regularizer.model_dump()
            objectives.append(UncertaintyRegularizer(gain=options.logit_gain, **values))
        self.train("student", model, options, together(*objectives))
        return model


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


def weight_storage(model: nn.Sequential, state: dict[str, Tensor]) -> dict[str, float]:
    """Bits of all weights as float32, int8 and two-bit codes, and the fraction that is zero (scales not counted)."""
    weights = [state[f"{name}.weight"] for name in layers_with_weights(model)]
    count = sum(weight.numel() for weight in weights)
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return {
        "weights": count, "fp32_bits": 32 * count, "int8_bits": 8 * count, "ternary_bits": 2 * count,
        "zeros": zeros / count,
    }  # fmt: skip


def imported(model: nn.Sequential, run: Run) -> Graph:
    """The IMPORTED graph of a plain model."""
    from tern2lava.frontends.modules.read import load_module

    return load_module(
        model,
        run.dataset.shape,
        run.experiment.training.steps,
        levels=(0, run.top),
        readout=run.experiment.network.readout,
    )


def merged(graph: Graph) -> Graph:
    """The NORMAL graph of an IMPORTED one: one real-valued projection per wire, whose synapses can be counted."""
    return lower_until(graph, Level.NORMAL)


def chosen(keys: DataKeys, training: TrainingKeys, folder: Path | None) -> Dataset:
    """The samples that an experiment's `data` names. What is held out does not depend on how many are trained on.

    Raises InputError where their time axis, or that they have none, does not fit the training's steps and encoding.
    """
    dataset = load_dataset(keys.name, folder, steps=training.steps, **keys.options)
    if dataset.time != (training.encoding == "none"):
        rule, hint = ("none, since the data have a time axis", "write encoding: none") if dataset.time else (
            "another than none, since the data have no time axis", "write encoding: rate, or data.time: true where "
            "the second axis of an npz is time")  # fmt: skip
        raise InputError("training.encoding", f"requires {rule}; found {training.encoding}; {hint}")
    if dataset.steps not in (None, training.steps):
        raise InputError(
            "training.steps", f"requires the steps of the data, {dataset.steps}; found {training.steps}; write steps: "
            f"{dataset.steps}",
        )  # fmt: skip
    if keys.hold_out is not None:
        dataset = hold_out(dataset, keys.hold_out)
    return limit(dataset, keys.train, keys.test)


def run_experiment(
    experiment: Experiment, out: Path, *, data_dir: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """The content of the metrics.json written to `out`, beside net.pt, net.yaml, and the teacher's teacher.pt.

    A folder that holds the finished experiment is read, not trained again; an interrupted one goes on from its last
    epoch and ends in the same weights. Raises InputError, and MissingPackageError where snnTorch is not installed, or
    TensorBoard where the experiment asks for its events.
    """
    require("train")
    if experiment.tensorboard:
        require("tensorboard", why="the key tensorboard needs it")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            out, f"requires a folder that can be made; found {error.strerror}; choose another with -o"
        ) from None
    done = out / "metrics.json"
    if done.exists():
        found = read_json(done)
        if isinstance(found, dict) and found.get("digest") == experiment.digest:
            return found
        raise InputError(
            done, "requires a folder of this experiment; found one of another; choose another folder or remove it"
        )
    dataset = chosen(experiment.data, experiment.training, data_dir)
    run = Run(experiment=experiment, dataset=dataset, out=out, progress=progress)
    began = time.perf_counter()
    options = experiment.options()
    result: dict[str, Any] = {"digest": experiment.digest, "config": experiment.model_dump(), "teacher": None}
    teacher = run.teacher() if experiment.needs_teacher else None
    if teacher is not None:
        result["teacher"] = evaluate(teacher, dataset, options).metrics(
            options.logit_gain, merged(imported(teacher, run))
        )
        checkpoint.save(out / "teacher.pt", scale_input(teacher, teacher.state_dict(), 1 / run.top))
    trained = run.student(teacher)
    plain, state = run.build(), finalize(trained)
    plain.load_state_dict(scale_input(plain, state, 1 / run.top))
    plain.eval()
    graph = imported(plain, run)
    result["model"] = evaluate(plain, dataset, options, folded=True).metrics(options.logit_gain, merged(graph))
    result["storage"] = weight_storage(plain, state)
    checkpoint.save(out / "net.pt", plain.state_dict())
    if experiment.integer is not None and experiment.algorithm != "full":
        from tern2lava.train.compiled import compiled_metrics

        result |= compiled_metrics(graph, dataset, options, experiment.integer)
    result["seconds"] = time.perf_counter() - began
    net = describe(plain, dataset.shape, options.steps, levels=(0, run.top), readout=experiment.network.readout)
    write_file(out / "net.yaml", lambda path: path.write_text(net, encoding="utf-8"))
    # The last of all: a folder that has it is finished.
    text = json.dumps(result, indent=2) + "\n"
    write_file(done, lambda path: path.write_text(text, encoding="utf-8"))
    return result
