"""Neurons of our own, where snnTorch has none of the kind: one step, and all steps, in one arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tern2lava.train.dropout import once
from tern2lava.train.neurons.runner import Ran

SpikeFunction = Callable[[Tensor], Tensor]
State = tuple[Tensor, ...]
Advanced = tuple[Tensor, Tensor, Tensor, State]
"""What one step gives: spikes, the potential minus the threshold it met, that threshold, and the state after it."""


class Neuron(nn.Module):
    """A layer of neurons. forward(x) steps it once and gives its spikes, from the state it keeps; reset() rests it.

    STATES names what is kept, all 0 at rest; the first is the potential, the second the spikes of the step before.
    recurrent: what those pass before they join the input. A spike where the potential is above the threshold.
    """

    STATES: tuple[str, ...] = ("v", "s")

    def __init__(self, *, threshold: float, spike_grad: SpikeFunction, recurrent: nn.Linear | None = None) -> None:
        super().__init__()
        self.threshold: Tensor
        self.register_buffer("threshold", torch.as_tensor(float(threshold)))
        self.spike_grad = spike_grad
        self.recurrent = recurrent
        self.reset()

    def reset(self) -> None:
        """Puts all neurons at rest."""
        for name in self.STATES:
            setattr(self, name, None)

    def stepper(self) -> Callable[[Tensor, State], Advanced]:
        """One step as a function of (input current, state), which computes the layer's constants once."""
        raise NotImplementedError

    def joined(self) -> Callable[[Tensor, Tensor], Tensor]:
        """The current that arrives, of (input, spikes of the step before)."""
        if self.recurrent is None:
            return lambda x, _: x
        back = once(self.recurrent)
        return lambda x, s: x + back(s)

    def forward(self, x: Tensor) -> Tensor:
        """Spikes (batch, *shape) of one step with the input current x."""
        kept = [getattr(self, name) for name in self.STATES]
        if kept[0] is None or kept[0].shape != x.shape:
            kept = [torch.zeros_like(x)] * len(self.STATES)
        spikes, _, _, state = self.stepper()(x, tuple(kept))
        for name, value in zip(self.STATES, state, strict=True):
            setattr(self, name, value)
        return spikes


def run_own(name: str, layer: Neuron, x: Tensor) -> Ran:
    """What a layer does for input currents x (steps, batch, *shape), from rest: its own steps one after another."""
    step = layer.stepper()
    state: State = (torch.zeros_like(x[0]),) * len(layer.STATES)
    spikes, met, thresholds = [], [], []
    for current in x.unbind(0):
        spike, shift, threshold, state = step(current, state)
        spikes.append(spike)
        met.append(shift)
        thresholds.append(threshold)
    same = thresholds[0].ndim == 0
    return Ran(
        spikes=torch.stack(spikes), met=torch.stack(met), threshold=thresholds[0] if same else torch.stack(thresholds)
    )


def recurrent_entry(name: str, layer: Neuron) -> dict[str, Any]:
    """The keys of a net.yaml's `neuron` for a layer's recurrent weights."""
    return {} if layer.recurrent is None else {"recurrent": {"dense": {"tensors": f"{name}.recurrent"}, "delay": 1}}


def logit(value: float) -> Tensor:
    """The float32 parameter w with sigmoid(w) = value, for a value in (0, 1)."""
    return torch.logit(torch.as_tensor(value, dtype=torch.float64)).float()
