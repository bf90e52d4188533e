"""What runs a layer of neurons over all time steps, by the name of its class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from tern2lava.errors import UnsupportedError
from tern2lava.registry import Registry


@dataclass(frozen=True, eq=False, kw_only=True)
class Ran:
    """What a layer of neurons did, arrays (steps, batch, *shape) with gradients.

    spikes: 0 or 1. met: the potential compared with the threshold, minus the threshold, so that a neuron spikes where
    met > 0. threshold: what was compared with; it broadcasts to met.
    """

    spikes: Tensor
    met: Tensor
    threshold: Tensor


def never(layer: Any) -> bool:
    """False: the classes are read from the layer's spikes."""
    return False


class RunConstant(Protocol):
    """Runs a layer on the same input currents x (batch, *shape) in each of `steps` steps."""

    def __call__(self, name: str, layer: Any, x: Tensor, *, steps: int) -> Ran: ...


@dataclass(frozen=True, kw_only=True)
class Runner:
    """How the layers of one class run, and what a net.yaml says of them.

    name: "package.Class", as in "snntorch.Leaky"; the class may be anywhere in the package. run(name, layer, x): what
    `layer`, called `name` in messages, does for input currents x (steps, batch, *shape), starting from rest, equal bit
    for bit to stepping it. run_constant: the same for a constant input, where that saves work. reads_potential(layer):
    whether the classes are read from its potentials where it is the last (a layer without reset). entry(name, layer):
    the keys of its `neuron` in a net.yaml (docs/net-yaml.md) beside a checkpoint that calls it `name`.
    """

    name: str
    what: str
    run: Callable[[str, Any, Tensor], Ran]
    entry: Callable[[str, Any], dict[str, Any]]
    run_constant: RunConstant | None = None
    reads_potential: Callable[[Any], bool] = never


NEURONS: Registry[Runner] = Registry("neuron layer")


def is_called(cls: type, name: str) -> bool:
    """Whether a class is "package.Class" (told by name, so that the package need not be installed)."""
    package, _, last = name.partition(".")
    return cls.__module__.split(".")[0] == package and cls.__name__ == last


def runner_of(name: str, layer: nn.Module) -> Runner | None:
    """The Runner of a layer's class, or of the nearest class that it inherits from; None: it is no neuron known here.

    Raises UnsupportedError for a class that steps otherwise than the one it inherits from.
    """
    for cls in type(layer).__mro__:
        for runner in NEURONS:
            if is_called(cls, runner.name):
                if type(layer).forward is not cls.forward:  # type: ignore[attr-defined]
                    raise UnsupportedError(
                        name,
                        f"the steps of {runner.name}",
                        f"{type(layer).__name__}, whose forward is its own",
                        "register a Runner for it in tern2lava.train.neurons.runner.NEURONS",
                    )
                return runner
    return None
