"""A trained network judged for a metrics.json: what it was prepared for before training, and what is measured after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tern2lava.compiler.ir.shapes import Array, Ints, Reals
from tern2lava.errors import InputError
from tern2lava.train.config import JudgeKeys
from tern2lava.train.data import Dataset, hold_out, limit, load_dataset
from tern2lava.train.data.corrupt import CORRUPTIONS, STRENGTHS, corrupted
from tern2lava.train.dropout import RANDOM
from tern2lava.train.evaluate import BATCH
from tern2lava.train.metrics import accuracy, brier, disagreement, ece, nll, softmax
from tern2lava.train.trainer import TrainingOptions, input_of
from tern2lava.train.uncertainty.calibration import adaptive_ece, fit_temperature, reliability
from tern2lava.train.uncertainty.detection import SCORES, detection
from tern2lava.train.uncertainty.ensembles import mc_dropout, mean_over_steps
from tern2lava.train.uncertainty.selective import risk_coverage
from tern2lava.train.unroll import unroll

HELD_SEED = 1
"""Of the split that the temperature is fitted on: another than that of data.hold_out."""

Scored = Callable[[Dataset], Array]


@dataclass(frozen=True, eq=False, kw_only=True)
class Judge:
    """What a network will be judged on.

    dataset: what it is trained and tested on, without what is held out for the temperature. held: that, as test
    samples. other: the out-of-distribution samples, as test samples.
    """

    keys: JudgeKeys
    dataset: Dataset
    held: Dataset | None = None
    other: Dataset | None = None

    def judge(self, model: nn.Sequential, options: TrainingOptions, *, folded: bool = False) -> dict[str, Any]:
        """`judge` of a metrics.json: the trained `model`, in evaluation mode, on the test samples (folded: see
        trainer.spikes_in)."""
        gain, labels = options.logit_gain, self.dataset.test_y

        def scored(dataset: Dataset) -> Array:
            return scores_of(model, dataset, options, folded=folded)

        def logits(dataset: Dataset) -> Reals:
            result: Reals = gain * scored(dataset)[:, -1] / options.steps
            return result

        scores = scored(self.dataset)
        own = gain * scores[:, -1] / options.steps
        p = softmax(own)
        curve = risk_coverage(p, labels)
        found: dict[str, Any] = {
            "samples": len(labels),
            "plain": proper(p, labels) | {"aurc": curve.area},
            "over_steps": proper(mean_over_steps(scores, gain), labels),
            "reliability": [asdict(bar) for bar in reliability(p, labels)],
            "risk_coverage": curve.points(),
        }
        temperature = None
        if self.held is not None:
            temperature = fit_temperature(logits(self.held), self.held.test_y)
            scaled = softmax(own / temperature)
            found["scaled"] = {"temperature": temperature, "held_out": len(self.held.test_y)} | proper(scaled, labels)
            found["reliability_scaled"] = [asdict(bar) for bar in reliability(scaled, labels)]
        if self.keys.passes is not None:
            found["dropout"] = self._dropout(model, scored, options)
        if self.other is not None:
            others = softmax(logits(self.other))
            found["out_of_distribution"] = {
                "name": self.other.name, "samples": len(others),
                **{name: detection(score(p), score(others)) for name, score in SCORES.items()},
            }  # fmt: skip
        if self.keys.corruptions:
            found["corruptions"] = {kind: self._shift(kind, logits, temperature) for kind in CORRUPTIONS}
        return found

    def _dropout(self, model: nn.Sequential, scored: Scored, options: TrainingOptions) -> dict[str, Any]:
        passes = self.keys.passes or 1
        members = mc_dropout(model, lambda _: scored(self.dataset), passes, options.seed)
        gain, labels = options.logit_gain, self.dataset.test_y
        predictions = softmax(gain * members[:, :, -1] / options.steps)
        return {
            "passes": passes, "disagreement": disagreement(predictions),
            "mean": proper(predictions.mean(0), labels),
            "over_steps": proper(mean_over_steps(members[0], gain), labels),
        }  # fmt: skip

    def _shift(
        self, kind: str, logits: Callable[[Dataset], Reals], temperature: float | None
    ) -> list[dict[str, float]]:
        """By strength: metrics of corrupted test samples; nll_scaled at the temperature of the uncorrupted."""
        rows, labels = [], self.dataset.test_y
        for strength in STRENGTHS:
            found = logits(corrupted(self.dataset, kind, strength, seed=strength))
            p = softmax(found)
            row = {"accuracy": accuracy(p, labels), "nll": nll(p, labels), "ece": ece(p, labels)}
            if temperature is not None:
                row["nll_scaled"] = nll(softmax(found / temperature), labels)
            rows.append(row)
        return rows


def prepared(keys: JudgeKeys, dataset: Dataset, model: nn.Module, data_dir: Path | None = None) -> Judge:
    """The Judge of a network like `model` on `dataset`, so that what is missing is told before training.

    Raises InputError for out-of-distribution samples that `model` does not take, corruptions of what is no image, and
    passes without dropout.
    """
    if keys.passes is not None and not any(isinstance(module, RANDOM) for module in model.modules()):
        raise InputError(
            "judge.passes", "requires a network with dropout or dropconnect; found none; add it to network.layers, or "
            "leave passes out",
        )  # fmt: skip
    if keys.corruptions:
        for kind in CORRUPTIONS:
            corrupted(limit(dataset, None, 1), kind, STRENGTHS[-1])
    other = None if keys.ood is None else _other(keys.ood, dataset, data_dir)
    if not keys.temperature:
        return Judge(keys=keys, dataset=dataset, other=other)
    held = hold_out(dataset, keys.held_out, HELD_SEED, where="judge.held_out")
    rest = replace(dataset, train_x=held.train_x, train_y=held.train_y)
    return Judge(keys=keys, dataset=rest, held=held, other=other)


def _other(name: str, dataset: Dataset, data_dir: Path | None) -> Dataset:
    """The test samples of another data set, as many as there are of the network's own where there are."""
    found = load_dataset(name, data_dir, steps=dataset.steps)
    if (1, *found.shape) == dataset.shape and found.time == dataset.time:
        channel = 2 if found.time else 1
        found = replace(
            found, train_x=np.expand_dims(found.train_x, channel), test_x=np.expand_dims(found.test_x, channel)
        )
    if (found.shape, found.steps, found.top) != (dataset.shape, dataset.steps, dataset.top):
        raise InputError(
            "judge.ood", f"requires samples like those of {dataset.name}, {dataset.shape} of 0 to {dataset.top}; found "
            f"{found.shape} of 0 to {found.top} in {name}; choose another data set",
        )  # fmt: skip
    return replace(found, test_x=found.test_x[: len(dataset.test_y)], test_y=found.test_y[: len(dataset.test_y)])


def scores_of(model: nn.Sequential, dataset: Dataset, options: TrainingOptions, *, folded: bool = False) -> Array:
    """Cumulative class scores of the test samples (samples, steps, classes), in whatever mode the model's parts are."""
    scores = []
    device = next(model.parameters()).device
    with torch.no_grad():
        for begin in range(0, len(dataset.test_y), BATCH):
            samples = dataset.test_x[begin : begin + BATCH]
            x, steps = input_of(samples, dataset, options, options.seed + begin, folded=folded)
            activity = unroll(model, x.to(device), steps)
            scores.append(activity.reading.double().cumsum(0).cpu().numpy().swapaxes(0, 1))
    return np.concatenate(scores)


def proper(probabilities: Reals, labels: Ints) -> dict[str, float]:
    """Accuracy, NLL, Brier score, and calibration error of both kinds."""
    return {
        "accuracy": accuracy(probabilities, labels), "nll": nll(probabilities, labels),
        "brier": brier(probabilities, labels), "ece": ece(probabilities, labels),
        "ece_adaptive": adaptive_ece(probabilities, labels),
    }  # fmt: skip
