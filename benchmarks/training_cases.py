"""What benchmarks/training.py trains: data sets, networks and methods, each an experiment of `tern2lava train`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tern2lava.train.config import Experiment

Keys = dict[str, Any]
NETWORK: Keys = {"readout": "membrane_sum", "beta": 0.875}
FASHION: Keys = {"name": "fashion-mnist", "hold_out": 10_000}
TRAINING: Keys = {"steps": 4, "encoding": "direct", "batch": 64, "logit_gain": 5.0}
# Chosen on the held-out samples (docs/training.md).
FULL_RATE, TERNARY_RATE = 5e-3, 4e-3
REGULARIZER: Keys = {
    "folds": 2, "layers": "32c3-p2-64c3-p2-64c3-d0.3-10", "neuron": "relu", "epochs": 6, "learning_rate": 3e-3,
    "weight": 1.0, "temperature": 2.0,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Case:
    """A data set and a network. start, epochs: of full precision, from which all ternary networks start, and of these;
    more: the epochs by which methods without teachers are trained longer, so that all take the same CPU time; seeds of
    each method (others: `else`)."""

    layers: str
    start: int
    epochs: int
    more: int
    seeds: Mapping[str, int]
    data: Mapping[str, Any] = field(default_factory=lambda: FASHION)
    training: Mapping[str, Any] = field(default_factory=lambda: TRAINING)
    sparsity: float | None = 0.6
    regularizer: Mapping[str, Any] = field(default_factory=lambda: REGULARIZER)


SMALL, LARGE = "16c5s2-32c3-p2-64c3-p2-10", "32c3s2-64c3-p2-128-10"
CASES = {
    # Bar 1's pair: many seeds, few epochs, the labels of one pair of teachers for all.
    "fashion-29k-pair": Case(layers=SMALL, start=1, epochs=2, more=0, seeds={"direct": 20, "regularised": 20}),
    "fashion-29k": Case(layers=SMALL, start=3, epochs=7, more=5, seeds={"else": 5}),
    "fashion-421k": Case(
        layers=LARGE, start=3, epochs=7, more=0, seeds={"full": 3, "direct": 3, "regularised": 3}
    ),
    "digits": Case(
        layers="16c3-p2-32c3-10", start=10, epochs=10, more=0, seeds={"direct": 3, "regularised": 3},
        data={"name": "digits"}, training=TRAINING | {"steps": 8, "encoding": "rate", "batch": 32},
        regularizer=REGULARIZER | {"layers": "32c3-p2-32c3-10", "epochs": 10},
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Method:
    """title: what the tables call it; keys: what its experiment has beside the case's; equal_time: whether it is
    trained `more` epochs where it has no teachers to pay for."""

    title: str
    keys: Mapping[str, Any]
    equal_time: bool = False


METHODS = {
    "start": Method(title="full precision, the start of the others", keys={"algorithm": "full"}),
    "full": Method(title="full precision, as long as the ternary ones", keys={"algorithm": "full"}),
    "direct": Method(title="direct", keys={"algorithm": "direct"}, equal_time=True),
    "indirect": Method(title="indirect (ADMM)", keys={"algorithm": "indirect"}, equal_time=True),
    "distilled": Method(title="direct, distilled", keys={"algorithm": "direct", "distillation": {}}, equal_time=True),
    "smoothed": Method(
        title="direct, label smoothing 0.05", keys={"algorithm": "direct", "training": {"label_smoothing": 0.05}},
        equal_time=True,
    ),
    "mixed": Method(
        title="direct, mixup 0.2", keys={"algorithm": "direct", "training": {"mixup": 0.2}}, equal_time=True
    ),
    "tet": Method(title="direct, TET", keys={"algorithm": "direct", "training": {"every_step": 1.0}}, equal_time=True),
    "regularised": Method(title="direct, regularised", keys={"algorithm": "direct", "regularizer": True}),
    "indirect+reg": Method(title="indirect, regularised", keys={"algorithm": "indirect", "regularizer": True}),
}  # fmt: skip


def experiment_of(
    case: Case, method: str, seed: int, start: str | None = None, labels: str | None = None
) -> Experiment:
    """The experiment of a method. start: the checkpoint of the full-precision network that ternary ones start from;
    labels: the file of soft labels that teachers gave before."""
    chosen, full = METHODS[method], method in ("start", "full")
    epochs = case.epochs + (case.more if chosen.equal_time else 0)
    if full:
        epochs = case.start + (case.epochs if method == "full" else 0)
    keys: Keys = {
        "data": dict(case.data), "network": {"layers": case.layers, **NETWORK}, "seed": seed,
        "training": {
            **case.training, "epochs": epochs, "learning_rate": FULL_RATE if full else TERNARY_RATE,
        },
    }  # fmt: skip
    if not full:
        keys |= {"start": "teacher", "teacher": {"checkpoint": start}, "ternary": {"sparsity": case.sparsity}}
    for name, value in chosen.keys.items():
        keys[name] = keys[name] | value if name == "training" else value
    if "regularizer" in chosen.keys:
        keys["regularizer"] = dict(case.regularizer)
        if labels is not None:
            chosen_keys = {key: case.regularizer[key] for key in ("weight", "temperature") if key in case.regularizer}
            keys["regularizer"] = {"labels": labels, **chosen_keys}
    return Experiment.model_validate(keys)


def settings_of(case: Case, method: str) -> dict[str, Any]:
    """What a record depends on but for the seed, as it stands in the results file."""
    found = experiment_of(case, method, 0, "").model_dump(mode="json", exclude={"seed", "tensorboard"})
    found["start_epochs"] = case.start
    return found
