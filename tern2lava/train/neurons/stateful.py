"""snnTorch's Synaptic, RLeaky and RSynaptic over all time steps: a synaptic current, recurrent weights, or both."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from tern2lava.errors import UnsupportedError
from tern2lava.train.dropout import once
from tern2lava.train.neurons.leaky import refuse_options, reset_of, snntorch_entry
from tern2lava.train.neurons.runner import NEURONS, Ran, Runner


def run_stateful(name: str, layer: Any, x: Tensor, *, synaptic: bool, recurrent: bool) -> Ran:
    """What a layer does for input currents x (steps, batch, *shape), starting from zero.

    The arithmetic of snntorch/_neurons/{synaptic,rleaky,rsynaptic}.py in its order, so equal to stepping it, bit for
    bit, with recurrent weights W (biases included) and r = 1 where v is above the threshold:

        current = x + W s   (recurrent; else x)      u' = alpha u + current   (synaptic; else u' = current)
        v' = beta v + u' - r threshold   (subtract), (1 - r) (beta v + u') (zero: the step's input is dropped, too)

    and with reset_delay=False what r does is done at once instead. The gradient differs from stepping it in that it
    does not pass through that reset. Recurrent weights are read once for all steps. Raises UnsupportedError as
    refuse_options does, and for an RSynaptic without reset_delay, which snnTorch 1.0 cannot run.
    """
    refuse_options(name, layer)
    mode, delay = reset_of(layer), bool(layer.reset_delay)
    if synaptic and recurrent and not delay and mode != "none":
        raise UnsupportedError(
            name, "a neuron that snnTorch runs", "RSynaptic with reset_delay=False, which snnTorch 1.0 cannot",
            "make it with reset_delay=True",
        )  # fmt: skip
    beta, threshold = layer.beta.clamp(0, 1), layer.threshold
    alpha = layer.alpha.clamp(0, 1) if synaptic else None
    back = once(layer.recurrent) if recurrent else None
    mem = syn = spike = torch.zeros_like(x[0])
    spikes, met = [], []
    for current in x.unbind(0):
        reset = (mem.detach() > threshold.detach()).to(mem.dtype)
        charge = (beta * mem if alpha is None else alpha * syn) + current
        if back is not None:
            charge = charge + back(spike)
        if alpha is not None:
            syn = charge
            charge = beta * mem + syn
        taken = threshold if mode == "subtract" else charge
        mem = charge if mode == "none" else charge - reset * taken
        shift = mem - threshold
        spike = layer.spike_grad(shift)
        spikes.append(spike)
        met.append(shift)
        if not delay and mode != "none":
            late = spike.detach() - reset
            mem = mem - late * (threshold if mode == "subtract" else mem)
    return Ran(spikes=torch.stack(spikes), met=torch.stack(met), threshold=threshold)


for _name, _what, _synaptic, _recurrent in (
    ("Synaptic", "leaky integrate-and-fire with a synaptic current", True, False),
    ("RLeaky", "leaky integrate-and-fire with recurrent weights", False, True),
    ("RSynaptic", "leaky integrate-and-fire with a synaptic current and recurrent weights", True, True),
):
    NEURONS.add(
        Runner(
            name=f"snntorch.{_name}",
            what=_what,
            run=partial(run_stateful, synaptic=_synaptic, recurrent=_recurrent),
            entry=partial(snntorch_entry, _name.lower()),
            reads_potential=lambda layer: reset_of(layer) == "none",
        )
    )
