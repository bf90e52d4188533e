"""snnTorch's Leaky over all time steps."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from tern2lava.errors import UnsupportedError
from tern2lava.train.neurons.leaky_run import leaky_run
from tern2lava.train.neurons.runner import NEURONS, Ran, Runner
from tern2lava.train.surrogate import ArcTangent

RESETS = {0: "subtract", 1: "zero", 2: "none"}


def reset_of(layer: Any) -> str:
    """How a snnTorch neuron resets: subtract, zero or none."""
    return RESETS[int(layer.reset_mechanism_val)]


def refuse_options(name: str, layer: Any) -> None:
    """Raises UnsupportedError for the options of a snnTorch neuron that no runner has: inhibition, state_quant and
    graded spikes."""
    for option, used in (
        ("inhibition", bool(layer.inhibition)),
        ("state_quant", bool(layer.state_quant)),
        ("graded_spikes_factor", bool((layer.graded_spikes_factor != 1).any())),
    ):
        if used:
            raise UnsupportedError(name, "a plain snnTorch Leaky", option, "leave this option at its default")


def run_leaky(name: str, layer: Any, x: Tensor, *, steps: int | None = None) -> Ran:
    """What a snnTorch Leaky does for input currents x (steps, batch, *shape), starting from zero; with `steps`, x is
    (batch, *shape) and the same in every step.

    The arithmetic of snntorch.Leaky.forward in its order, so equal to stepping it, bit for bit; the gradient differs in
    that it does not pass through the reset when reset_delay is False. Layers with our ArcTangent surrogate and fixed
    beta and threshold take the faster LeakyRun, of the same numbers. Raises UnsupportedError as refuse_options does.
    """
    refuse_options(name, layer)
    beta, threshold = layer.beta.clamp(0, 1), layer.threshold
    mode = int(layer.reset_mechanism_val)
    if isinstance(layer.spike_grad, ArcTangent) and not (beta.requires_grad or threshold.requires_grad):
        slope, delay = layer.spike_grad.slope, bool(layer.reset_delay)
        fast, shifts = leaky_run(x, beta, threshold, slope, reset=RESETS[mode], delay=delay, steps=steps)
        return Ran(spikes=fast, met=shifts, threshold=threshold)
    x = x if steps is None else x.expand(steps, *x.shape)
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
    return Ran(spikes=torch.stack(spikes), met=torch.stack(met), threshold=threshold)


def snntorch_entry(kind: str, name: str, layer: Any) -> dict[str, Any]:
    """The `neuron` of a net.yaml for a snnTorch neuron: what its checkpoint does not say."""
    return {
        "kind": kind, "tensors": name, "reset": reset_of(layer), "reset_delay": bool(layer.reset_delay), "fire": "gt",
    }  # fmt: skip


LEAKY = NEURONS.add(
    Runner(
        name="snntorch.Leaky",
        what="leaky integrate-and-fire",
        run=run_leaky,
        entry=partial(snntorch_entry, "leaky"),
        run_constant=run_leaky,
        reads_potential=lambda layer: reset_of(layer) == "none",
    )
)
