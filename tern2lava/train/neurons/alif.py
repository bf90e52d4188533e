"""The adaptive leaky integrate-and-fire neuron (ALIF), whose threshold its own spikes raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tern2lava.errors import InputError
from tern2lava.train.neurons.own import Advanced, Neuron, SpikeFunction, State, logit, recurrent_entry, run_own
from tern2lava.train.neurons.runner import NEURONS, Runner


class ALIF(Neuron):
    """A layer whose threshold rises by `jump` with each spike s of the step before, and falls back by rho a step:

        b' = rho b + jump s          v' = alpha v + (1 - alpha) x - (b' + threshold) s     (decay_input; x without it)
        a spike where v' > b' + threshold

    Yin, Corradi and Bohte, Nature Machine Intelligence 3, 2021 (arXiv 2103.12593), eqs. 1 to 4, in their code's order;
    so kind alif of a net.yaml. alpha = sigmoid(alpha_w) and rho = sigmoid(rho_w), learned where `learn`. The
    subtraction carries no gradient through s, the rise of the threshold does. Raises InputError for alpha or rho that
    is not between 0 and 1, or a negative jump.
    """

    STATES = ("v", "s", "b")

    def __init__(
        self, *, alpha: float, rho: float, jump: float, threshold: float, spike_grad: SpikeFunction,
        decay_input: bool = False, learn: bool = False, recurrent: nn.Linear | None = None,
    ) -> None:  # fmt: skip
        for name, value in (("alpha", alpha), ("rho", rho)):
            if not 0 < value < 1:
                raise InputError(name, f"requires a decay between 0 and 1; found {value:g}; give for example 0.9")
        if jump < 0:
            raise InputError("jump", f"requires a number of 0 or more; found {jump:g}; raise it")
        super().__init__(threshold=threshold, spike_grad=spike_grad, recurrent=recurrent)
        self.alpha_w = nn.Parameter(logit(alpha), requires_grad=learn)
        self.rho_w = nn.Parameter(logit(rho), requires_grad=learn)
        self.jump: Tensor
        self.register_buffer("jump", torch.as_tensor(float(jump)))
        self.decay_input = decay_input

    def stepper(self) -> Callable[[Tensor, State], Advanced]:
        """One step (see Neuron.stepper)."""
        alpha, rho, joined = self.alpha_w.sigmoid(), self.rho_w.sigmoid(), self.joined()
        gain = 1 - alpha

        def step(x: Tensor, state: State) -> Advanced:
            v, s, b = state
            current = joined(x, s)
            b = rho * b + self.jump * s
            threshold = b + self.threshold
            v = alpha * v + (gain * current if self.decay_input else current) - threshold * s.detach()
            met = v - threshold
            spike = self.spike_grad(met)
            return spike, met, threshold, (v, spike, b)

        return step


def entry(name: str, layer: ALIF) -> dict[str, Any]:
    """The `neuron` of a net.yaml; its decays are expressions of what is learned."""
    decays = {key: f"sigmoid(t('{name}.{key}_w'))" for key in ("alpha", "rho")}
    keys = {"kind": "alif", "tensors": name, **decays, "decay_input": layer.decay_input, "fire": "gt"}
    return keys | recurrent_entry(name, layer)


RUNNER = NEURONS.add(
    Runner(name="tern2lava.ALIF", what="leaky integrate-and-fire with an adaptive threshold", run=run_own, entry=entry)
)
