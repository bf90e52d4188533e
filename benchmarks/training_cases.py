"""What benchmarks/training.py trains: data sets, networks, methods and their settings."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tern2lava.train.data import Dataset, hold_out, limit, load_dataset
from tern2lava.train.distill import Distillation
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.regularizer import UncertaintyRegularizer
from tern2lava.train.ternarize import finalize, ternarize
from tern2lava.train.trainer import Objective, TrainingOptions, cross_entropy, fit, together

READOUT = "membrane_sum"
NEURON = NeuronModel(beta=0.875)
CALIBRATION = 2000
DISTILLATION = {"temperature": 2.0, "weight": 1.0, "match": "rate", "match_weight": 1.0}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A data set and a network. train: the number of training samples, counted from the first; sparsity: the share of
    zeros of its trained ternary networks (None: what their thresholds leave); seeds: how many are trained."""

    dataset: str
    layers: str
    train: int | None
    options: TrainingOptions
    regularizer: dict[str, float]
    sparsity: float | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    neuron: NeuronModel = NEURON


def options(**values: Any) -> TrainingOptions:
    """The settings that all cases share, and those given."""
    shared: dict[str, Any] = {"encoding": "rate", "batch": 64, "logit_gain": 5.0, "learning_rate": 4e-3}
    return TrainingOptions(**shared | values)


# Chosen on held-out training samples (docs/training.md).
REGULARIZER = {"time": 1.0, "margin": 2.0, "confidence": 2.0, "width": 0.1, "doubt": 0.1}
MLP_REGULARIZER = {"time": 0.5, "margin": 1.0, "confidence": 1.0, "width": 0.1, "doubt": 0.1}
MILD_REGULARIZER = {"time": 0.5, "margin": 1.0, "confidence": 0.5, "width": 0.1, "doubt": 0.05}
DIGITS_REGULARIZER = {"time": 0.3, "margin": 2.0, "confidence": 1.0, "width": 0.1, "doubt": 0.02}
CASES = {
    "digits-mlp": Case(
        dataset="digits", layers="64-10", train=None, options=options(steps=8, epochs=40),
        regularizer=DIGITS_REGULARIZER,
    ),
    "digits-conv": Case(
        dataset="digits", layers="16c3-p2-32c3-10", train=None, options=options(steps=8, epochs=20),
        regularizer=DIGITS_REGULARIZER,
    ),
    "fashion-mlp": Case(
        dataset="fashion-mnist", layers="100-10", train=6000, options=options(steps=4, epochs=20),
        regularizer=MLP_REGULARIZER, sparsity=0.6,
    ),
    "fashion-conv": Case(
        dataset="fashion-mnist", layers="8c3s2-16c3s2-10", train=6000, options=options(steps=4, epochs=8),
        regularizer=REGULARIZER, sparsity=0.6,
    ),
    "fashion-conv-20k": Case(
        dataset="fashion-mnist", layers="8c3s2-16c3s2-10", train=20_000, options=options(steps=4, epochs=6),
        regularizer=MILD_REGULARIZER, sparsity=0.6,
    ),
    "fashion-vgg": Case(
        dataset="fashion-mnist", layers="8c3s2-8c3-p2-16c3-16c3-p2-10", train=6000, options=options(steps=4, epochs=10),
        regularizer=MILD_REGULARIZER, sparsity=0.6, seeds=(0, 1),
    ),
}  # fmt: skip
METHODS = {
    "full": "full precision (the teacher)",
    "post": "TWN after training",
    "ternary": "(a) ternarisation-aware",
    "distil": "(b) with distillation",
    "distil+reg": "(b) + regulariser",
}
# The cases on which the regulariser is taken apart.
ABLATED = ("fashion-mlp", "fashion-conv")
ABLATION = {
    "distil+time": ("time",),
    "distil+margin": ("margin",),
    "distil+confidence": ("confidence",),
}


def weights_of(terms: tuple[str, ...], settings: dict[str, float]) -> dict[str, float]:
    """`settings` of the regulariser with the weights of all but the named terms at zero."""
    return settings | {name: 0.0 for name in ("time", "margin", "confidence") if name not in terms}


def regularizer_of(case: Case, method: str) -> dict[str, float] | None:
    """Settings of the method's regulariser; None where it has none."""
    if method == "distil+reg":
        return case.regularizer
    return weights_of(ABLATION[method], case.regularizer) if method in ABLATION else None


def build(case: Case, dataset: Dataset, seed: int) -> nn.Sequential:
    """The plain network with the seed's weights."""
    torch.manual_seed(seed)
    return network(case.layers, dataset.shape, neuron=case.neuron, batch_norm=True, readout=READOUT)


def train(case: Case, dataset: Dataset, method: str, seed: int, teacher: nn.Sequential | None) -> nn.Sequential:
    """The trained plain network (ternary ones finalised), the teacher left as it is."""
    model, chosen = build(case, dataset, seed), replace(case.options, seed=seed)
    if method == "full":
        fit(model, dataset, chosen)
        return model.eval().requires_grad_(False)
    assert teacher is not None
    model.load_state_dict(teacher.state_dict())
    if method == "post":
        ternarize(model, "twn", per="channel")
    else:
        ternarize(model, "learned", per="channel", sparsity=case.sparsity)
        objectives: list[Objective] = [cross_entropy]
        if method != "ternary":
            objectives.append(Distillation(teacher=teacher, gain=chosen.logit_gain, **DISTILLATION))  # type: ignore[arg-type]
        if (values := regularizer_of(case, method)) is not None:
            objectives.append(UncertaintyRegularizer(gain=chosen.logit_gain, **values))
        fit(model, dataset, replace(chosen, ramp=0.25), together(*objectives))
    plain = build(case, dataset, seed)
    plain.load_state_dict(finalize(model))
    return plain.eval().requires_grad_(False)


def quickened(case: Case) -> Case:
    """A case of a quick run."""
    return replace(case, options=replace(case.options, epochs=15), seeds=(0,))


def samples_of(case: Case, data_dir: Path | None, held_out: bool) -> tuple[Dataset, Dataset | None]:
    """(the case's data, the same with calibration samples for test samples where training leaves enough unused)."""
    whole = load_dataset(case.dataset, data_dir)
    if held_out:
        whole = hold_out(whole, 0.2)
    dataset = limit(whole, case.train, None)
    if case.train is None or len(whole.train_y) < case.train + CALIBRATION:
        return dataset, None
    unused = slice(case.train, case.train + CALIBRATION)
    return dataset, replace(dataset, test_x=whole.train_x[unused], test_y=whole.train_y[unused])


def settings_of(case: Case, method: str, held_out: bool) -> dict[str, Any]:
    """What a record depends on, as it stands in the results file."""
    values: dict[str, Any] = {
        "dataset": case.dataset, "layers": case.layers, "train": case.train, "readout": READOUT, "held_out": held_out,
        "options": asdict(case.options), "neuron": asdict(case.neuron),
    }  # fmt: skip
    if method not in ("full", "post"):
        values["sparsity"] = case.sparsity
    if method.startswith("distil"):
        values["distillation"] = DISTILLATION
    if (regularizer := regularizer_of(case, method)) is not None:
        values["regularizer"] = regularizer
    result: dict[str, Any] = json.loads(json.dumps(values))
    return result
