"""Full precision: min_W L(W), without any quantisation. What the ternary networks are compared with."""

from __future__ import annotations

from tern2lava.train.algorithms.algorithm import Algorithm
from tern2lava.train.schedule import Schedule

FULL = Algorithm(
    name="full",
    what="no quantisation",
    prepare=lambda model, experiment: None,
    schedule=lambda experiment: Schedule(experiment.training.epochs),
    ternary=False,
    unused=("ternary", "indirect", "integer", "target"),
)
