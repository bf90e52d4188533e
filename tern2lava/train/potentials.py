"""Membrane potentials as they meet their thresholds, of a model's own run in any training loop.

Every framework hands the potential to a function of its own that makes spikes of it; while a recording lasts, that
function of each neuron layer also keeps what it is given. Read from the sources of snnTorch 1.0 (`fire(mem)`),
SpikingJelly 2.0 (`surrogate_function(v - v_threshold)`) and Norse 1.1 (`threshold(v - v_th, ...)`); the packages are
recognised by class name, never imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from tern2lava.errors import UnsupportedError

SNNTORCH = ("Leaky", "Synaptic", "RLeaky", "RSynaptic", "Alpha", "Lapicque")
SPIKINGJELLY = (
    "IFNode", "LIFNode", "ParametricLIFNode", "SimpleIFNode", "SimpleLIFNode", "HalfThresholdIFNode", "KLIFNode",
    "CUBALIFNode",
)  # fmt: skip
NORSE = ("LIF", "LIFCell", "LIFRecurrent", "LIFRecurrentCell", "LIFBoxCell", "IAFCell", "IAF")
NORSE_WITHOUT_SPIKES = ("LI", "LICell", "LIBoxCell")
_HINT = "leave its layers out with layers=, or record its potentials by hand"


@dataclass(eq=False, kw_only=True)
class _Layer:
    """What a layer has met so far, a tensor for each call; minus the threshold where `shifted`."""

    threshold: Tensor | float
    shifted: bool
    steps: list[Tensor] = field(default_factory=list)


class Potentials(Mapping[str, Tensor]):
    """Potentials (steps, batch, *shape) by the name of the layer, with gradients where the run has them.

    Of every layer that has run since the recording began or since `clear`: a step is a call of the layer, or a step of
    a call over all of them. Those of SpikingJelly and Norse, which hand on v - threshold, are this plus the threshold
    again, rounded once; `met` has the differences of all as they were compared.
    """

    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}

    def __getitem__(self, name: str) -> Tensor:
        layer = self._layers[name]
        if not layer.steps:
            raise KeyError(name)
        v = torch.stack(layer.steps)
        return v + layer.threshold if layer.shifted else v

    def __iter__(self) -> Iterator[str]:
        return (name for name, layer in self._layers.items() if layer.steps)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def met(self) -> dict[str, Tensor]:
        """Potential minus threshold, as compared, (steps, batch, *shape) by layer."""
        layers = ((name, self._layers[name]) for name in self)
        return {n: torch.stack(a.steps if a.shifted else [v - a.threshold for v in a.steps]) for n, a in layers}

    @property
    def thresholds(self) -> dict[str, Tensor | float]:
        """The threshold of every layer that has run."""
        return {name: self._layers[name].threshold for name in self}

    def clear(self) -> None:
        """Forgets what was recorded, for the next run within the same recording."""
        for layer in self._layers.values():
            layer.steps.clear()


@contextmanager
def record_potentials(model: nn.Module, layers: list[str] | None = None) -> Iterator[Potentials]:
    """The Potentials of what `model` runs within the block: of all its neuron layers, or of those named.

    The run computes what it computes without: the same spikes and states, bit for bit. (SpikingJelly then takes its own
    step-by-step form in place of the fused one: on a GPU the last bits may differ between the two.) At the end of the
    block the model is as it was, and the potentials stay. Raises UnsupportedError for a layer of neurons whose spikes
    are made in another way, and where there is none at all.
    """
    potentials = Potentials()
    with ExitStack() as undo:
        for name, module in list(model.named_modules()):
            if layers is not None and name not in layers:
                continue
            layer = _hook(name, module, undo)
            if layer is not None:
                potentials._layers[name] = layer
        missing = [name for name in layers or () if name not in potentials._layers]
        if missing or not potentials._layers:
            raise UnsupportedError(
                missing[0] if missing else "model",
                "neurons of snnTorch, SpikingJelly or Norse",
                type(dict(model.named_modules()).get(missing[0], None) if missing else model).__name__,
                _HINT,
            )
        yield potentials


def _hook(name: str, module: Any, undo: ExitStack) -> _Layer | None:
    """What records `module` until `undo` ends; None where it is no layer of spiking neurons."""
    if any(cls.__name__ in NORSE_WITHOUT_SPIKES for cls in type(module).__mro__):
        return None
    for cls in type(module).__mro__:
        package, kind = cls.__module__.split(".")[0], cls.__name__
        if package == "snntorch" and hasattr(module, "spike_grad"):
            layer = _snntorch(module, undo) if kind in SNNTORCH else None
        elif package == "spikingjelly" and ".neuron" in cls.__module__ and hasattr(module, "surrogate_function"):
            layer = _spikingjelly(module, undo) if kind in SPIKINGJELLY else None
        elif package == "norse" and hasattr(module, "activation"):
            layer = _norse(module, undo) if kind in NORSE else None
        else:
            continue
        if layer is None:
            raise _other(name, f"{package}'s {kind}")
        undo.callback(module.register_forward_hook(partial(_require_steps, name, layer)).remove)
        return layer
    return None


def _require_steps(name: str, layer: _Layer, module: nn.Module, *_: Any) -> None:
    if not layer.steps:
        raise _other(name, f"{type(module).__name__}, which ran without calling it")


def _other(name: str, found: str) -> UnsupportedError:
    return UnsupportedError(name, "neurons that hand each potential to a spike function of theirs", found, _HINT)


def _snntorch(module: Any, undo: ExitStack) -> _Layer:
    layer = _Layer(threshold=module.threshold, shifted=False)
    fire, fire_inhibition = module.fire, module.fire_inhibition

    def recording(mem: Tensor) -> Any:
        layer.steps.append(module.state_quant(mem) if module.state_quant else mem)
        return fire(mem)

    def inhibiting(batch: int, mem: Tensor) -> Any:
        layer.steps.append(mem)
        return fire_inhibition(batch, mem)

    _set(module, "fire", recording, undo)
    _set(module, "fire_inhibition", inhibiting, undo)
    return layer


class _Recording(nn.Module):
    """A spike function of SpikingJelly that keeps what it is given. Its own kernels know the shipped classes only: they
    take a function of another class as the form that calls it in every step."""

    def __init__(self, function: Callable[[Tensor], Tensor], steps: list[Tensor]) -> None:
        super().__init__()
        self._function = (function,)  # in a tuple: a module would be registered, and named in the model
        self._steps = steps
        self.spiking = getattr(function, "spiking", True)

    def forward(self, shift: Tensor) -> Tensor:
        self._steps.append(shift)
        return self._function[0](shift)


def _spikingjelly(module: Any, undo: ExitStack) -> _Layer:
    layer = _Layer(threshold=module.v_threshold, shifted=True)
    _set(module, "surrogate_function", _Recording(module.surrogate_function, layer.steps), undo)
    return layer


def _norse(module: Any, undo: ExitStack) -> _Layer | None:
    layer = _Layer(threshold=module.p.v_th, shifted=True)
    activation = module.activation
    if "threshold" not in getattr(getattr(activation, "__code__", None), "co_names", ()):
        return None  # its adjoint form
    threshold = activation.__globals__["threshold"]

    def recording(shift: Tensor, *settings: Any) -> Any:
        layer.steps.append(shift)
        return threshold(shift, *settings)

    # The same code with one name bound otherwise, for this layer alone.
    own = FunctionType(
        activation.__code__, {**activation.__globals__, "threshold": recording}, activation.__name__,
        activation.__defaults__, activation.__closure__,
    )  # fmt: skip
    _set(module, "activation", own, undo)
    return layer


def _set(module: nn.Module, name: str, value: Any, undo: ExitStack) -> None:
    """Sets an attribute of a module, on the module itself, until `undo` ends."""
    place: dict[str, Any] = module._modules if name in module._modules else vars(module)
    if name in place:
        undo.callback(place.__setitem__, name, place[name])
    else:
        undo.callback(place.__delitem__, name)
    place[name] = value
