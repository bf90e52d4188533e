"""An experiment made to fit its target: the zeros that its limits need, and the schedule through its integers."""

from __future__ import annotations

from typing import Any

from torch import nn

from tern2lava.compiler.ir.graph import Graph
from tern2lava.hw_profiles import load_profile
from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.chip.answers import LIMITS, answers, lowered_for
from tern2lava.train.chip.through import ThroughIntegers
from tern2lava.train.chip.zeros import Compiler, Zeros, choose_zeros
from tern2lava.train.config import Experiment
from tern2lava.train.graphs import imported, plain_copy
from tern2lava.train.run import Run
from tern2lava.train.schedule import Schedule
from tern2lava.train.ternarize import layers_with_weights


def with_zeros(experiment: Experiment, zeros: Zeros) -> Experiment:
    """The experiment with these fractions of zeros; layers of 0 are left to their quantiser."""
    zeros = {name: fraction for name, fraction in zeros.items() if fraction}
    if not zeros:
        return experiment
    return experiment.model_copy(update={"ternary": experiment.ternary.model_copy(update={"sparsity": zeros})})


def zeros_for(run: Run) -> tuple[Zeros, dict[str, Any]]:
    """(the fraction of zeros of each layer, 0 where it is left to the quantiser; `target` of a metrics.json).

    The compiler is asked about fresh weights with these zeros, before anything is trained.

    Raises InputError with the least that is reached where the limits cannot be kept, and CapacityError and
    UnsupportedError where the target does not take the network.
    """
    experiment, keys = run.experiment, run.experiment.target
    assert keys is not None
    profile, algorithm = load_profile(keys.profile), ALGORITHMS.get(experiment.algorithm)

    def ask(zeros: Zeros) -> dict[str, int]:
        model = run.build()
        algorithm.prepare(model, with_zeros(experiment, zeros))
        return answers(imported(plain_copy(model, run), run), profile)

    told: dict[str, Any] = {"profile": keys.profile, "limits": keys.limits}
    model = run.build()
    weights = {name: model.get_parameter(f"{name}.weight").numel() for name in _layers(run, model)}
    given = experiment.ternary.sparsity
    least = {name: given.get(name, 0.0) if isinstance(given, dict) else given or 0.0 for name in weights}

    def tell(asked: int) -> None:
        if run.progress:
            run.progress(f"zeros for {keys.profile}", asked, 0)

    compiler = Compiler(ask, keys.limits, tell)
    zeros = choose_zeros(compiler, weights, least)
    return zeros, told | {"zeros": zeros, "asked": len(compiler.known)}


def _layers(run: Run, model: nn.Sequential) -> list[str]:
    return list(layers_with_weights(model, run.experiment.ternary.layers))


def judged(told: dict[str, Any], compiled: dict[str, Any]) -> dict[str, Any]:
    """`target` of a metrics.json with what the trained network takes, and whether that keeps within the limits."""
    took = {name: compiled[name] for name in LIMITS if name in compiled}
    met = bool(took) and all(took[name] <= most for name, most in told["limits"].items())
    return told | {"took": took, "met": met}


def through_integers(run: Run, schedule: Schedule) -> Schedule:
    """`schedule`, its last epochs through the integers of the experiment's target where it asks for that."""
    keys = run.experiment.target
    if keys is None or not keys.epochs:
        return schedule
    profile = load_profile(keys.profile)

    def to_program(model: nn.Sequential) -> Graph:
        return lowered_for(imported(plain_copy(model, run), run), profile).stages["to_integer"]

    return ThroughIntegers(schedule, keys.epochs, to_program, run.top)
