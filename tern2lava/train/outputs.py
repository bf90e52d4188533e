"""Whether the networks of an experiment have an output for each class."""

from __future__ import annotations

import torch

from tern2lava.errors import InputError
from tern2lava.train.run import Run
from tern2lava.train.unroll import unroll


def check_outputs(run: Run) -> None:
    """Raise InputError for a network, teacher or teacher of the regulariser whose last layer has not as many neurons
    as there are classes."""
    experiment, dataset = run.experiment, run.dataset
    regularizer = experiment.regularizer
    asked: list[tuple[str, str | None, str | None]] = [
        ("network.layers", experiment.network.layers, None),
        ("teacher.layers", experiment.teacher.layers, None),
    ]
    if regularizer is not None:
        asked.append(("regularizer.layers", regularizer.layers, regularizer.neuron))
    for where, layers, neuron in asked:
        if layers is None:
            continue
        model = run.build(layers, neuron).eval()
        with torch.no_grad():
            found = tuple(unroll(model, torch.zeros(1, 1, *dataset.shape)).reading.shape[2:])
        if found != (dataset.classes,):
            words = " x ".join(str(length) for length in found)
            raise InputError(
                where, f"requires {dataset.classes:,} neurons in the last layer, one for each class of {dataset.name}; "
                f"found {words} in {layers}; end it with {dataset.classes}",
            )  # fmt: skip
