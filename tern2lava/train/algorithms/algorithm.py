"""How a network of an experiment becomes ternary: one entry of ALGORITHMS for each way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tern2lava.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from tern2lava.train.config import Experiment
    from tern2lava.train.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """One way to a trained network. what: one line of docs/training.md. prepare(model, experiment): makes the layers of
    the plain model, which holds the weights that it starts from, what the training needs. schedule: what happens
    besides the optimiser's steps; None: nothing is trained after the start. after: it starts from the trained
    full-precision teacher whatever `start` says. ternary: whether what comes out is. unused: keys of an experiment that
    mean nothing to it, and are refused with it."""

    name: str
    what: str
    prepare: Callable[[nn.Sequential, Experiment], None]
    schedule: Callable[[Experiment], Schedule] | None
    after: bool = False
    ternary: bool = True
    unused: tuple[str, ...] = ()


ALGORITHMS: Registry[Algorithm] = Registry("algorithm")
