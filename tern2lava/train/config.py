"""The keys of a training experiment's YAML file."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
)
from pydantic_core import PydanticCustomError

from tern2lava.errors import InputError
from tern2lava.registry import one_of
from tern2lava.train.algorithms import ALGORITHMS
from tern2lava.train.families import FAMILIES, NeuronModel
from tern2lava.train.quantisers import QUANTISERS
from tern2lava.train.trainer import TrainingOptions


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value  # pydantic reads the texts that YAML makes of 1e-3 as numbers


def _fraction_or_number(value: float) -> float:
    if value >= 1 and value != int(value):
        raise ValueError("expected a fraction below 1 or a whole number of samples")
    return value


def _zeros(value: Any) -> Any:
    """A fraction of zeros, or one for each layer that is named."""
    given = value if isinstance(value, dict) else {"": value}
    try:
        found = {str(name): float(_number(fraction)) for name, fraction in given.items()}
    except (TypeError, ValueError):
        found = {"": -1.0}
    if not all(0 <= fraction < 1 for fraction in found.values()):
        raise ValueError("expected a fraction of zeros, at least 0 and below 1, or one for each layer that is named")
    return found if isinstance(value, dict) else found[""]


WHOLE = "whole_line"
"""The type of errors whose message is the whole of what is said."""
# What the algorithms of earlier versions are called.
RENAMED = {"ternary": "algorithm: direct", "distil": "algorithm: direct with distillation: {}"}


def _algorithm(name: str) -> str:
    if name in ALGORITHMS:
        return name
    known = one_of(ALGORITHMS.names())
    hint = f"write {RENAMED[name]}" if name in RENAMED else "choose one of them"
    words = {"known": known, "name": name, "hint": hint}
    raise PydanticCustomError(WHOLE, "requires {known}; found {name}; {hint}", words)


def _quantiser(name: str) -> str:
    if name in QUANTISERS:
        return name
    words = {"known": one_of(QUANTISERS.names()), "name": name}
    raise PydanticCustomError(WHOLE, "requires {known}; found {name}; choose one of them", words)


Real = Annotated[float, BeforeValidator(_number)]
Count = Annotated[StrictInt, Field(ge=1, le=10_000_000)]
Fraction = Annotated[Real, Field(ge=0, lt=1)]
Zeros = Annotated[float | dict[str, float], BeforeValidator(_zeros)]
Held = Annotated[Real, Field(gt=0, le=10_000_000), AfterValidator(_fraction_or_number)]
Weight = Annotated[Real, Field(ge=0)]
Decay = Annotated[Real, Field(ge=0, le=1)]
PositiveReal = Annotated[Real, Field(gt=0)]


class Keys(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EventKeys(Keys):
    """How event lists become steps (data.events.Binning)."""

    microseconds: Count | None = None
    downsample: Annotated[StrictInt, Field(ge=1, le=1024)] = 1
    counts: Annotated[StrictInt, Field(ge=1, le=255)] = 1


class DataKeys(Keys):
    """Which samples are used.

    hold_out: the fraction of all training samples, or their number, that is tested on instead of the test samples.
    train, test: the number of samples of what is left, counted from the first (None: all). time: whether samples of an
    npz have a time axis (data.arrays). speaker, code: who is left out of the spoken digits, and their spikes
    (data.spoken). events: how event lists of an npz become spikes.
    """

    name: StrictStr
    train: Count | None = None
    test: Count | None = None
    hold_out: Held | None = None
    time: StrictBool | None = None
    speaker: Annotated[StrictInt, Field(ge=0, le=1000)] | None = None
    code: Literal["levels", "thresholds"] | None = None
    events: EventKeys | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What only some data sets take, as far as it is given."""
        return self.model_dump(exclude={"name", "train", "test", "hold_out"}, exclude_none=True)


class NetworkKeys(Keys):
    """The architecture (network.network) and its neurons (families.NeuronModel): None takes the family's default."""

    layers: StrictStr
    readout: Literal["spike_count", "membrane_sum"] = "spike_count"
    batch_norm: StrictBool = True
    bias: StrictBool = False
    neuron: StrictStr = "leaky"
    beta: Decay | None = None
    alpha: Decay | None = None
    tau: PositiveReal | None = None
    rho: Decay | None = None
    jump: Weight | None = None
    decay_input: StrictBool | None = None
    learn: StrictBool | None = None
    threshold: PositiveReal | None = None
    reset: Literal["subtract", "zero", "none"] | None = None
    reset_delay: StrictBool | None = None
    surrogate: StrictStr = "arctan"
    slope: PositiveReal = 2.0

    def model(self) -> NeuronModel:
        """What the layers of neurons are; InputError for a family or surrogate that there is not, and for a key that
        the family does not take."""
        values = self.model_dump(exclude={"layers", "readout", "batch_norm", "bias", "neuron"})
        result = NeuronModel(kind=self.neuron, **values)
        result.values()
        if not FAMILIES.get(self.neuron).spiking:
            raise InputError(
                "network.neuron",
                f"requires neurons that spike; found {self.neuron}, which is for teachers; choose another",
            )
        return result


class TrainingKeys(Keys):
    """trainer.TrainingOptions, but for seed and ramp; label_smoothing, every_step: of task.Task."""

    steps: Annotated[StrictInt, Field(ge=1, le=4096)] = 8
    encoding: Literal["rate", "bernoulli", "latency", "direct", "none"] = "rate"
    epochs: Count = 10
    batch: Count = 64
    learning_rate: PositiveReal = 2e-3
    weight_decay: Weight = 0.0
    logit_gain: PositiveReal = 10.0
    reestimate: Count | None = None
    label_smoothing: Fraction = 0.0
    mixup: Weight = 0.0
    every_step: Annotated[Real, Field(ge=0, le=1)] = 0.0


class TernaryKeys(Keys):
    """How weights become ternary (ternarize.ternarize), over which fraction of the epochs, and in how many of the last
    epochs codes stand still (schedule.Schedule; None: as the algorithm has it)."""

    method: Annotated[StrictStr, AfterValidator(_quantiser)] = "learned"
    per: Literal["tensor", "channel"] = "channel"
    sparsity: Zeros | None = None
    layers: list[StrictStr] | None = None
    ramp: Fraction = 0.25
    frozen: Annotated[StrictInt, Field(ge=0, le=10_000_000)] | None = None


class IndirectKeys(Keys):
    """The schedule of the algorithm indirect (algorithms.indirect): how and after how many epochs weights are
    projected; of ADMM, rho in the first phase and what it is multiplied by from phase to phase."""

    projection: Literal["plain", "admm"] = "admm"
    phase: Count = 1
    rho: PositiveReal = 1e-3
    growth: Annotated[Real, Field(ge=1)] = 2.0


class TeacherKeys(Keys):
    """The full-precision teacher: a checkpoint, or (without one) trained first. layers: its architecture, where it is
    not the network's."""

    checkpoint: StrictStr | None = None
    epochs: Count | None = None
    layers: StrictStr | None = None


class DistillationKeys(Keys):
    """distill.Distillation (match: None is rate, or none where the teacher has other layers)."""

    temperature: PositiveReal = 2.0
    weight: Weight = 1.0
    match: Literal["rate", "potential", "none"] | None = None
    match_weight: Weight = 1.0


class RegularizerKeys(Keys):
    """The uncertainty regulariser (regularizer.soft_labels): its teachers' number, and their layers, neurons, epochs
    and learning rate where they are not the network's; or the file of labels that an earlier run made."""

    folds: Annotated[StrictInt, Field(ge=2, le=100)] = 2
    weight: Weight = 1.0
    temperature: PositiveReal = 2.0
    layers: StrictStr | None = None
    neuron: StrictStr | None = None
    epochs: Count | None = None
    learning_rate: PositiveReal | None = None
    labels: StrictStr | None = None


class IntegerKeys(Keys):
    """Which target to compile the trained network for, on how many test samples to evaluate its integers (all where
    none), and on how many of them its core images."""

    target: StrictStr = "loihi2"
    samples: Count | None = None
    mapped: Count = 100


class JudgeKeys(Keys):
    """uncertainty.judge: whether a temperature is fitted, and on which fraction (or number) of the training samples,
    which are then not trained on; the out-of-distribution data set; whether test images are corrupted; how many passes
    draw dropout masks."""

    temperature: StrictBool = False
    held_out: Held = 0.1
    ood: StrictStr | None = None
    corruptions: StrictBool = False
    passes: Annotated[StrictInt, Field(ge=2, le=10_000)] | None = None


class TargetKeys(Keys):
    """What the network is trained for: a target; the most cores, bytes of synaptic memory and non-zero synapses of a
    neuron that the compiled network may take (chip.answers; ternary.sparsity is then the least fraction of zeros); in
    how many of the last epochs it runs through the target's integers (chip.through)."""

    profile: StrictStr
    cores: Count | None = None
    bytes: Count | None = None
    fan_in: Count | None = None
    epochs: Annotated[StrictInt, Field(ge=0, le=10_000_000)] = 1

    @property
    def limits(self) -> dict[str, int]:
        """The limits that are given, by their keys."""
        return {name: most for name in ("cores", "bytes", "fan_in") if (most := getattr(self, name)) is not None}


class Experiment(Keys):
    """One training. algorithm: an entry of algorithms.ALGORITHMS; start: with fresh weights or those of the trained
    teacher. distillation: with the teacher's guidance; None: without."""

    data: DataKeys
    network: NetworkKeys
    algorithm: Annotated[StrictStr, AfterValidator(_algorithm)]
    training: TrainingKeys = TrainingKeys()
    ternary: TernaryKeys = TernaryKeys()
    indirect: IndirectKeys = IndirectKeys()
    start: Literal["scratch", "teacher"] = "scratch"
    teacher: TeacherKeys = TeacherKeys()
    distillation: DistillationKeys | None = None
    regularizer: RegularizerKeys | None = None
    integer: IntegerKeys | None = None
    judge: JudgeKeys | None = None
    target: TargetKeys | None = None
    seed: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0
    tensorboard: StrictBool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @property
    def starts_from_teacher(self) -> bool:
        """Whether training starts from the twin's weights."""
        return ALGORITHMS.get(self.algorithm).after or self.start == "teacher"

    @property
    def digest(self) -> str:
        """SHA-256 of all settings: two experiments with the same digest are the same."""
        text = json.dumps(self.model_dump(exclude={"tensorboard", "integer", "device"}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def options(self, **change: Any) -> TrainingOptions:
        """Training options of the network itself; `change`: those of a teacher that are others (None: none)."""
        values = self.training.model_dump(exclude={"reestimate", "label_smoothing", "every_step"})
        return TrainingOptions(**values | {k: v for k, v in change.items() if v is not None}, seed=self.seed)
