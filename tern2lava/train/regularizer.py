"""The uncertainty regulariser: labels that doubt what can be doubted, from teachers that did not see the samples.

A label says that a sample is of one class and of no other, of samples that nobody could tell apart too; a network that
learns such labels learns to be surer than it is right. A teacher knows better, but is surer of the samples that it was
trained on than it has a right to be, and hands that on. Here the training samples are divided into K folds; each
teacher is trained without one, and labels that one: cross-fitting (Dao et al., arXiv 2104.09732). One temperature c for
all out-of-fold logits z, that of least NLL (Guo et al., arXiv 1706.04599), makes q = softmax(z / c), probabilities that
are right as often as they say, and beside the loss of the labels the network is trained for
    R = weight * tau^2 * mean over samples of KL(softmax(log q / tau) || softmax(logits / tau)),
tau > 1 so that what q says of the unlikely classes counts (Hinton et al., arXiv 1503.02531). The teachers are networks
of full precision, that need not spike: with direct encoding those of neuron relu take one pass where a spiking one
takes as many as there are time steps.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tern2lava.compiler.ir.shapes import Array, Ints, Reals
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.files.npz import open_npz
from tern2lava.files.opening import GIB, Kind
from tern2lava.train.config import RegularizerKeys
from tern2lava.train.data import Dataset, random_words
from tern2lava.train.evaluate import BATCH
from tern2lava.train.losses import kd_loss
from tern2lava.train.metrics import accuracy, ece, nll, softmax
from tern2lava.train.run import Run
from tern2lava.train.trainer import Step, TrainingOptions, input_of, logits_of
from tern2lava.train.uncertainty.calibration import fit_temperature
from tern2lava.train.unroll import unroll
from tern2lava.writing import write_file

FILE = "soft-labels.npz"
NPZ = Kind("an npz file of soft labels", 4 * GIB, larger="give those of fewer samples")


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """An Objective, R of the module's docstring. q: of all training samples, (samples, classes); judged: how good the
    teachers are on the samples that they did not see."""

    q: Tensor
    weight: float
    temperature: float
    judged: dict[str, Any]

    def __call__(self, step: Step) -> dict[str, Tensor]:
        assert step.members is not None
        q = self.q[step.members].to(step.logits)
        kl = kd_loss(step.logits, q, temperature=self.temperature, probabilities=True)
        return {"uncertainty": self.weight * kl}


def folds_of(labels: Ints, folds: int, seed: int) -> Ints:
    """The fold, 0 to folds - 1, of each sample: of every class as many in each, but for one more or less."""
    keys = random_words(seed, len(labels))
    order = np.lexsort((keys, labels))
    result: Ints = np.empty(len(labels), np.int64)
    result[order] = np.arange(len(labels)) % folds
    return result


def check_labels(keys: RegularizerKeys, dataset: Dataset) -> None:
    """Raise InputError, before anything is trained, where `keys` name a file that has not the labels of these samples,
    or more folds than there are samples."""
    if keys.labels is not None:
        read_logits(Path(keys.labels), dataset)
    elif keys.folds > len(dataset.train_y):
        raise InputError(
            "regularizer.folds", f"requires a sample at least in each; found {keys.folds} folds of "
            f"{count(len(dataset.train_y), 'sample')}; lower it",
        )  # fmt: skip


def soft_labels(run: Run, keys: RegularizerKeys) -> SoftLabels:
    """The soft labels of all training samples: those of an earlier run where `keys` name its file, else of teachers
    that are trained here and written to FILE in the run's folder.

    Raises InputError for a file of other samples.
    """
    dataset = run.dataset
    if keys.labels is not None:
        logits = read_logits(Path(keys.labels), dataset)
    else:
        logits = out_of_fold(run, keys)
        packed = io.BytesIO()
        np.savez_compressed(packed, logits=logits, digest=np.array(dataset.digest))
        write_file(run.out / FILE, lambda path: path.write_bytes(packed.getvalue()))
    result = softened(logits, dataset.train_y, keys)
    if keys.labels is not None:
        del result.judged["folds"]  # of the earlier run, whose file does not say them
    return result


def softened(logits: Reals, labels: Ints, keys: RegularizerKeys) -> SoftLabels:
    """The soft labels that lie in out-of-fold logits (samples, classes)."""
    temperature = fit_temperature(logits, labels)
    raw, scaled = softmax(logits), softmax(logits / temperature)
    judged = {
        "folds": keys.folds, "samples": len(labels), "accuracy": accuracy(raw, labels), "nll": nll(raw, labels),
        "ece": ece(raw, labels), "temperature": temperature, "nll_scaled": nll(scaled, labels),
        "ece_scaled": ece(scaled, labels),
    }  # fmt: skip
    return SoftLabels(torch.from_numpy(scaled).float(), keys.weight, keys.temperature, judged)


def out_of_fold(run: Run, keys: RegularizerKeys) -> Reals:
    """Logits (samples, classes) of keys.folds teachers, each trained without the fold that it labels."""
    dataset, seed = run.dataset, run.experiment.seed
    options = run.experiment.options(epochs=keys.epochs, learning_rate=keys.learning_rate)
    fold = folds_of(dataset.train_y, keys.folds, seed)
    logits: Array = np.zeros((len(fold), dataset.classes), np.float32)
    for index in range(keys.folds):
        model = run.build(keys.layers, keys.neuron)
        rest = fold != index
        less = replace(dataset, train_x=dataset.train_x[rest], train_y=dataset.train_y[rest])
        replace(run, dataset=less).train(f"teacher-{index + 1}", model, options)
        logits[~rest] = logits_on(model, dataset, np.flatnonzero(~rest), options)
    return logits


def logits_on(model: nn.Sequential, dataset: Dataset, members: Ints, options: TrainingOptions) -> Reals:
    """A model's logits (samples, classes) on some training samples."""
    found = []
    model.eval()
    for begin in range(0, len(members), BATCH):
        x, steps = input_of(dataset.train_x[members[begin : begin + BATCH]], dataset, options, options.seed + begin)
        with torch.no_grad():
            found.append(logits_of(unroll(model, x, steps), options.logit_gain).numpy())
    result: Reals = np.concatenate(found)
    return result


def read_logits(path: Path, dataset: Dataset) -> Reals:
    """The out-of-fold logits that an earlier run wrote, (samples, classes)."""
    hint = "take the soft-labels.npz of a run on the same samples, or leave `labels` out"
    with open_npz(path, NPZ) as npz:
        if not {"logits", "digest"} <= set(npz):
            raise InputError(path, f"requires logits and digest; found {', '.join(npz) or 'nothing'}; {hint}")
        shape, expected = npz["logits"].shape, (len(dataset.train_y), dataset.classes)
        if shape != expected or npz["logits"].dtype != np.float32:
            raise InputError(
                path, f"requires float32 logits of {expected}; found {npz['logits'].dtype} of {shape}; {hint}"
            )
        logits, digest = npz.read("logits"), str(npz.read("digest", 1024))
    if digest != dataset.digest:
        raise InputError(path, f"requires the labels of these samples; found those of others; {hint}")
    if not np.isfinite(logits).all():
        raise InputError(path, f"requires finite logits; found others; {hint}")
    result: Reals = logits
    return result
