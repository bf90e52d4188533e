"""Families of neurons by name: what a network's layers of neurons are made of, from a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from tern2lava.errors import InputError
from tern2lava.extras import require
from tern2lava.registry import Registry
from tern2lava.train.neurons.alif import ALIF
from tern2lava.train.neurons.own import SpikeFunction
from tern2lava.train.neurons.plif import PLIF
from tern2lava.train.surrogate import surrogate


@dataclass(frozen=True, kw_only=True)
class Family:
    """Neurons of one kind. defaults: the numbers it takes (fields of NeuronModel) with what they are if not given.

    build(values, spike_grad, recurrent, integrates): a layer that keeps its own state. recurrent: what its spikes pass
    back to it. integrates: without reset, to be read by its potential. spiking: False for what no chip of ours runs,
    which can teach a network but not be one.
    """

    name: str
    what: str
    defaults: Mapping[str, Any]
    build: Callable[[Mapping[str, Any], SpikeFunction, nn.Linear | None, bool], nn.Module]
    spiking: bool = True


FAMILIES: Registry[Family] = Registry("neuron")


@dataclass(frozen=True, kw_only=True)
class NeuronModel:
    """The neurons of a network: a family's name, the numbers it takes (None: its own defaults), and the surrogate.

    threshold, reset, reset_delay: as in docs/net-yaml.md. beta: decay of the potential; alpha: of the synaptic current
    (cuba) or the potential (alif); tau: time constant in steps; decay_input: whether the input is divided by tau, or
    times 1 - alpha; rho, jump: fall and rise of an adaptive threshold; learn: decays are trained, too.
    """

    kind: str = "leaky"
    beta: float | None = None
    alpha: float | None = None
    tau: float | None = None
    rho: float | None = None
    jump: float | None = None
    decay_input: bool | None = None
    learn: bool | None = None
    threshold: float | None = None
    reset: str | None = None
    reset_delay: bool | None = None
    surrogate: str = "arctan"
    slope: float = 2.0

    def values(self) -> dict[str, Any]:
        """The family's numbers; InputError for one that it does not take."""
        family = FAMILIES.get(self.kind, "network.neuron")
        surrogate(self.surrogate, self.slope)
        given = {key: value for key, value in asdict(self).items() if value is not None}
        for key in ("kind", "surrogate", "slope"):
            del given[key]
        for key in given:
            if key not in family.defaults:
                raise InputError(
                    f"network.{key}",
                    f"requires a key of neuron {self.kind}; found another; leave it out, or choose from "
                    f"{', '.join(family.defaults)}",
                )
        return {**family.defaults, **given}


def neurons(model: NeuronModel, *, recurrent: nn.Linear | None = None, integrates: bool = False) -> nn.Module:
    """A layer of neurons that keeps its own state, so that an nn.Sequential of it can be stepped.

    Raises InputError for numbers that the family does not take, MissingPackageError without snnTorch.
    """
    require("train")
    values, family = model.values(), FAMILIES.get(model.kind, "network.neuron")
    return family.build(values, surrogate(model.surrogate, model.slope), recurrent, integrates)


def _leaky(values: Mapping[str, Any], spike: SpikeFunction, recurrent: nn.Linear | None, integrates: bool) -> nn.Module:
    import snntorch

    options: dict[str, Any] = {
        "beta": values["beta"],
        "threshold": values["threshold"],
        "reset_mechanism": "none" if integrates else values["reset"],
        "reset_delay": values["reset_delay"],
        "learn_beta": values["learn"],
        "init_hidden": True,
        "spike_grad": spike,
    }
    if recurrent is None:
        plain: nn.Module = snntorch.Leaky(**options)
        return plain
    result: nn.Module = snntorch.RLeaky(linear_features=recurrent.out_features, **options)
    result.recurrent = recurrent
    return result


def _cuba(values: Mapping[str, Any], spike: SpikeFunction, recurrent: nn.Linear | None, integrates: bool) -> nn.Module:
    import snntorch

    options: dict[str, Any] = {
        "alpha": values["alpha"],
        "beta": values["beta"],
        "threshold": values["threshold"],
        "reset_mechanism": "none" if integrates else values["reset"],
        "reset_delay": values["reset_delay"],
        "learn_alpha": values["learn"],
        "learn_beta": values["learn"],
        "init_hidden": True,
        "spike_grad": spike,
    }
    if recurrent is None:
        plain: nn.Module = snntorch.Synaptic(**options)
        return plain
    if not values["reset_delay"] and options["reset_mechanism"] != "none":
        raise InputError(
            "network.reset_delay",
            "requires true for recurrent layers of neuron cuba; found false, which snnTorch's RSynaptic cannot run; "
            "write reset_delay: true",
        )
    result: nn.Module = snntorch.RSynaptic(linear_features=recurrent.out_features, **options)
    result.recurrent = recurrent
    return result


def _plif(values: Mapping[str, Any], spike: SpikeFunction, recurrent: nn.Linear | None, integrates: bool) -> nn.Module:
    reset = "none" if integrates else values["reset"]
    return PLIF(**{**values, "reset": reset}, spike_grad=spike, recurrent=recurrent)


def _alif(values: Mapping[str, Any], spike: SpikeFunction, recurrent: nn.Linear | None, integrates: bool) -> nn.Module:
    if integrates:
        # An adaptive neuron always resets: what is read by its potential leaks alike, and no more.
        plain = {"beta": values["alpha"], "reset": "none", "reset_delay": True}
        return _leaky({**values, **plain}, spike, recurrent, True)
    return ALIF(**values, spike_grad=spike, recurrent=recurrent)


def _relu(values: Mapping[str, Any], spike: SpikeFunction, recurrent: nn.Linear | None, integrates: bool) -> nn.Module:
    if recurrent is not None:
        raise InputError(
            "teacher.layers", "requires layers without recurrence of neuron relu; found a recurrent one; drop its r"
        )
    # The last layer is read by what arrives: a potential that keeps nothing of the step before.
    last = {"beta": 0.0, "threshold": 1.0, "reset_delay": True, "learn": False}
    return _leaky(last, spike, None, True) if integrates else nn.ReLU()


for _family in (
    Family(
        name="leaky",
        what="v' = beta v + x; snnTorch's Leaky, RLeaky where recurrent",
        defaults={"beta": 0.9375, "threshold": 1.0, "reset": "subtract", "reset_delay": True, "learn": False},
        build=_leaky,
    ),
    Family(
        name="plif",
        what="v' = v + (x - v) / tau with a learned tau; as SpikingJelly's ParametricLIFNode, a reset acts at once",
        defaults={"tau": 2.0, "decay_input": True, "threshold": 1.0, "reset": "zero", "learn": True},
        build=_plif,
    ),
    Family(
        name="cuba",
        what="u' = alpha u + x, v' = beta v + u'; snnTorch's Synaptic, RSynaptic where recurrent",
        defaults={
            "alpha": 0.75, "beta": 0.9375, "threshold": 1.0, "reset": "zero", "reset_delay": False, "learn": False,
        },
        build=_cuba,
    ),
    Family(
        name="alif",
        what="b' = rho b + jump s, v' = alpha v + x - (b' + threshold) s: a threshold that spikes raise",
        defaults={
            "alpha": 0.9375, "rho": 0.95, "jump": 0.1, "decay_input": False, "threshold": 1.0, "learn": False,
        },
        build=_alif,
    ),
    Family(
        name="relu",
        what="max(0, x), no spikes: for teachers alone; with direct encoding it runs once and not in every step",
        defaults={},
        build=_relu,
        spiking=False,
    ),
):  # fmt: skip
    FAMILIES.add(_family)
