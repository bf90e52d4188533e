"""Keys of an experiment that do not go with each other."""

from __future__ import annotations

from pydantic import BaseModel

from tern2lava.errors import InputError
from tern2lava.registry import one_of
from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.config import Experiment
from tern2lava.train.families import FAMILIES

Conflict = tuple[tuple[str, ...], str]
"""(the place of the key, what is wrong with it)."""


def conflict(experiment: Experiment) -> Conflict | None:
    """The first key that does not go with the others; None where all do."""
    return (
        _unused(experiment)
        or _indirect(experiment)
        or _frozen(experiment)
        or _teacher(experiment)
        or _regularizer(experiment)
        or _target(experiment)
        or _judge(experiment)
    )


def is_given(experiment: Experiment, path: tuple[str, ...]) -> bool:
    """Whether the file itself says the key."""
    keys: BaseModel | None = experiment
    for name in path[:-1]:
        keys = getattr(keys, name)
    return keys is not None and path[-1] in keys.model_fields_set


def _unused(experiment: Experiment) -> Conflict | None:
    algorithm = ALGORITHMS.get(experiment.algorithm)
    for path in (tuple(key.split(".")) for key in algorithm.unused):
        if is_given(experiment, path):
            within = {".".join(path[: end + 1]) for end in range(len(path))}
            others = [other.name for other in ALGORITHMS.registered() if not within & set(other.unused)]
            return path, (
                f"requires the algorithm {one_of(tuple(others))}; found {algorithm.name}, to which it means nothing; "
                "leave it out"
            )
    return None


def _indirect(experiment: Experiment) -> Conflict | None:
    for name in ("rho", "growth"):
        if experiment.indirect.projection == "plain" and is_given(experiment, ("indirect", name)):
            return ("indirect", name), "requires projection: admm; found plain, to which it means nothing; leave it out"
    return None


def _frozen(experiment: Experiment) -> Conflict | None:
    frozen, epochs = experiment.ternary.frozen or 0, experiment.training.epochs
    if frozen <= epochs:
        return None
    return ("ternary", "frozen"), f"requires at most the training's {epochs} epochs; found {frozen}; freeze fewer"


def _teacher(experiment: Experiment) -> Conflict | None:
    teacher, distillation = experiment.teacher, experiment.distillation
    if not (experiment.starts_from_teacher or distillation is not None) and teacher.model_fields_set:
        return ("teacher",), (
            "requires start: teacher, distillation or the algorithm post, which have a teacher; found none; add one "
            "of them, or leave it out"
        )
    if teacher.checkpoint is not None and is_given(experiment, ("teacher", "epochs")):
        return ("teacher", "epochs"), "requires a teacher to train; found the checkpoint of one; leave one out"
    if teacher.layers not in (None, experiment.network.layers):
        if experiment.starts_from_teacher:
            return ("teacher", "layers"), (
                f"requires the layers of the network, which starts from the teacher's weights; found {teacher.layers}; "
                "leave it out, or write start: scratch"
            )
        if distillation is not None and distillation.match not in (None, "none"):
            return ("distillation", "match"), (
                f"requires none, since the teacher's layers are others; found {distillation.match}; leave it out"
            )
    return None


def _regularizer(experiment: Experiment) -> Conflict | None:
    keys = experiment.regularizer
    if keys is None:
        return None
    if keys.labels is not None:
        for name in ("folds", "layers", "neuron", "epochs", "learning_rate"):
            if is_given(experiment, ("regularizer", name)):
                return ("regularizer", name), (
                    "requires teachers to train; found labels, the file of those of an earlier run; leave one out"
                )
    if experiment.training.mixup:
        return ("training", "mixup"), (
            "requires no regularizer, whose teachers label samples and not mixtures of them; found one; leave one out"
        )
    if keys.neuron is not None:
        try:
            family = FAMILIES.get(keys.neuron, "regularizer.neuron")
        except InputError as error:
            return ("regularizer", "neuron"), error.why
        if not family.spiking and experiment.network.readout != "membrane_sum":
            return ("regularizer", "neuron"), (
                f"requires network.readout membrane_sum, since {keys.neuron} has no spikes to count; found "
                f"{experiment.network.readout}; write another neuron, or readout: membrane_sum"
            )
    return None


def _target(experiment: Experiment) -> Conflict | None:
    target, integer = experiment.target, experiment.integer
    if target is None:
        return None
    if integer is not None and is_given(experiment, ("integer", "target")) and integer.target != target.profile:
        return ("integer", "target"), (
            f"requires the target that the network is trained for, {target.profile}; found {integer.target}; leave it "
            "out"
        )
    if target.epochs and experiment.training.mixup:
        return ("training", "mixup"), (
            "requires no epochs through the target's integers, which take no mixtures of samples; found "
            f"{target.epochs}; leave mixup out, or write target.epochs: 0"
        )
    schedule = ALGORITHMS.get(experiment.algorithm).schedule
    ternary = schedule(experiment).ternary if schedule is not None else target.epochs
    if target.epochs > ternary:
        return ("target", "epochs"), (
            f"requires at most the {ternary} epochs in which weights are ternary; found {target.epochs}; lower it, or "
            "raise ternary.frozen or training.epochs"
        )
    return None


def _judge(experiment: Experiment) -> Conflict | None:
    judge = experiment.judge
    if judge is None or judge.temperature or not is_given(experiment, ("judge", "held_out")):
        return None
    return ("judge", "held_out"), (
        "requires temperature: true, for which samples are held out; found none; add it, or leave held_out out"
    )
