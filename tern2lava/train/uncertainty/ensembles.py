"""Predictions that are means over several: over time steps, and over passes with dropout (Sun, Yin and Bohte, arXiv
2304.10191, whose networks draw a dropout mask in every step, so that the steps of one pass are the ensemble)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import nn

from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.errors import InputError
from tern2lava.train.dropout import drawn_from, is_random, set_dropout
from tern2lava.train.metrics import softmax


def mean_over_steps(scores: Array, gain: float) -> Reals:
    """mean_t softmax(gain * what step t added to the class scores), (samples, classes), for cumulative scores (samples,
    steps, classes): the average over time of the predictions of the steps, each by itself."""
    added = np.diff(scores, axis=1, prepend=0)
    result: Reals = softmax(gain * added).mean(axis=1)
    return result


def mc_dropout(model: nn.Module, predict: Callable[[nn.Module], Reals], passes: int, seed: int = 0) -> Reals:
    """The predictions of `passes` runs of `predict(model)` with dropout and dropconnect drawn, (passes, samples,
    classes); their mean is MC-dropout's (Gal and Ghahramani, arXiv 1506.02142).

    Masks are those of `seed`; afterwards none are drawn. predict must not switch the model's mode. InputError for a
    model without dropout.
    """
    set_dropout(model, True)
    try:
        if not is_random(model):
            raise InputError(
                "model", "requires layers of dropout for passes that differ; found none; train with dropout, or leave "
                "passes out",
            )  # fmt: skip
        members = []
        for number in range(passes):
            with drawn_from(model, seed * 1_000_003 + number):
                members.append(predict(model))
        return np.stack(members)
    finally:
        set_dropout(model, False)
