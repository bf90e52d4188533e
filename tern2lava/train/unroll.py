"""A feed-forward spiking network over all time steps, layer by layer, in the numbers of a step-by-step run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tern2lava.errors import UnsupportedError
from tern2lava.train.surrogate import ArcTangent, leaky_run

RESETS = {0: "subtract", 1: "zero", 2: "none"}


@dataclass(eq=False, kw_only=True)
class Activity:
    """What the neurons of a run did; arrays (steps, batch, *shape), with gradients where the run has them.

    spikes of every neuron layer by name; met: the membrane potential compared with the threshold, minus the
    threshold, so that a neuron spikes where met > 0; threshold: as the layer holds it. reads_potential: the classes
    are read from the last layer's potentials and not from its spikes (a last layer without reset).
    """

    spikes: dict[str, Tensor] = field(default_factory=dict)
    met: dict[str, Tensor] = field(default_factory=dict)
    threshold: dict[str, Tensor] = field(default_factory=dict)
    reads_potential: bool = False

    @property
    def reading(self) -> Tensor:
        """What sums over time to the class scores (steps, batch, classes): output spikes, or output potentials."""
        if not self.reads_potential:
            return self.output
        name = next(reversed(self.met))
        return self.met[name] + self.threshold[name]

    @property
    def firing(self) -> list[str]:
        """Names of the layers whose spikes matter: all, but for a last one that is read by its potentials."""
        names = list(self.met)
        return names[:-1] if self.reads_potential else names

    @property
    def output(self) -> Tensor:
        """Spikes of the last layer."""
        return next(reversed(self.spikes.values()))


def is_leaky(module: nn.Module) -> bool:
    """Whether the module is snnTorch's Leaky (told by name, so that snnTorch need not be installed)."""
    return any(cls.__module__.startswith("snntorch.") and cls.__name__ == "Leaky" for cls in type(module).__mro__)


def reset_of(layer: Any) -> str:
    """How a snnTorch Leaky resets: subtract, zero or none."""
    return RESETS[int(layer.reset_mechanism_val)]


def run_leaky(name: str, layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """(spikes, met) of a snnTorch Leaky for input currents x (steps, batch, *shape), starting from zero.

    The arithmetic of snntorch.Leaky.forward in its order, so equal to stepping it, bit for bit; the gradient differs in
    that it does not pass through the reset when reset_delay is False. Layers with our ArcTangent surrogate and fixed
    beta and threshold take the faster LeakyRun, of the same numbers. Raises UnsupportedError for its options
    inhibition, state_quant and graded spikes.
    """
    for option, used in (
        ("inhibition", bool(layer.inhibition)),
        ("state_quant", bool(layer.state_quant)),
        ("graded_spikes_factor", bool((layer.graded_spikes_factor != 1).any())),
    ):
        if used:
            raise UnsupportedError(name, "a plain snnTorch Leaky", option, "leave this option at its default")
    beta, threshold = layer.beta.clamp(0, 1), layer.threshold
    mode = int(layer.reset_mechanism_val)
    if isinstance(layer.spike_grad, ArcTangent) and not (beta.requires_grad or threshold.requires_grad):
        slope, delay = layer.spike_grad.slope, bool(layer.reset_delay)
        return leaky_run(x, beta, threshold, slope, reset=RESETS[mode], delay=delay)
    mem = torch.zeros_like(x[0])
    spikes, met = [], []
    for current in x.unbind(0):
        reset = (mem.detach() > threshold.detach()).to(mem.dtype)
        if mode == 1:
            mem = (1 - reset) * mem
        mem = beta * mem + current
        if mode == 0:
            mem = mem - reset * threshold
        shift = mem - threshold
        spike = layer.spike_grad(shift)
        spikes.append(spike)
        met.append(shift)
        if not layer.reset_delay and mode != 2:
            late = spike.detach() - reset
            mem = mem - late * (threshold if mode == 0 else mem)
    return torch.stack(spikes), torch.stack(met)


def unroll(model: nn.Sequential, x: Tensor) -> Activity:
    """Activity of `model` for x (steps, batch, *shape): layers without state see all steps at once, as one batch.

    BatchNorm in training mode therefore takes its statistics over batch and time. A later layer sees the spikes of
    the same step. Raises UnsupportedError where a module is neither stateless nor a Leaky, or the last is no Leaky.
    """
    activity = Activity()
    for name, module in model.named_children():
        if is_leaky(module):
            x, activity.met[name] = run_leaky(name, module, x)
            activity.spikes[name] = x
            threshold = module.threshold
            assert isinstance(threshold, Tensor)
            activity.threshold[name] = threshold
            activity.reads_potential = reset_of(module) == "none"
        elif type(module).__module__.startswith("torch.nn."):
            x = module(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        else:
            raise UnsupportedError(
                name,
                "layers that training knows",
                type(module).__name__,
                "use an nn.Sequential of torch.nn layers and snnTorch Leaky",
            )
    if not activity.spikes or x is not activity.output:
        raise UnsupportedError("model", "a last layer of neurons", "one without spikes", "end it with a snnTorch Leaky")
    return activity
