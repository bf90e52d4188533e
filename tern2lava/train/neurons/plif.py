"""The parametric leaky integrate-and-fire neuron (PLIF), whose time constant is learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from tern2lava.errors import InputError
from tern2lava.train.neurons.own import Advanced, Neuron, SpikeFunction, State, logit, recurrent_entry, run_own
from tern2lava.train.neurons.runner import NEURONS, Runner

RESETS = ("zero", "subtract", "none")


class PLIF(Neuron):
    """A layer with one learned time constant tau, 1 / tau = sigmoid(w), v at rest being 0:

        h = v + (x - v) / tau  (decay_input)   or   h = v - v / tau + x
        s = 1 where h > threshold, else 0      v' = (1 - s) h (zero), h - s threshold (subtract), h (none)

    Fang et al., ICCV 2021 (arXiv 2007.05785), eqs. 5 to 8; the operations are those of SpikingJelly's
    ParametricLIFNode in their order, with > for its >=. A reset acts at once and carries no gradient (detach_reset).
    `learn=False` keeps w as it is. Raises InputError for a tau of 1 or less.
    """

    def __init__(
        self, *, tau: float, threshold: float, spike_grad: SpikeFunction, decay_input: bool = True, reset: str = "zero",
        learn: bool = True, recurrent: nn.Linear | None = None,
    ) -> None:  # fmt: skip
        if not tau > 1:
            raise InputError("tau", f"requires a time constant above 1 step; found {tau:g}; raise it")
        if reset not in RESETS:
            raise InputError("reset", f"requires one of {', '.join(RESETS)}; found {reset!r}; choose one of them")
        super().__init__(threshold=threshold, spike_grad=spike_grad, recurrent=recurrent)
        self.w = nn.Parameter(logit(1 / tau), requires_grad=learn)
        self.decay_input, self.reset_mode = decay_input, reset

    def stepper(self) -> Callable[[Tensor, State], Advanced]:
        """One step (see Neuron.stepper)."""
        rate, joined, threshold = self.w.sigmoid(), self.joined(), self.threshold

        def step(x: Tensor, state: State) -> Advanced:
            v, s = state
            current = joined(x, s)
            h = v + (current - v) * rate if self.decay_input else v - v * rate + current
            met = h - threshold
            spike = self.spike_grad(met)
            fired = spike.detach()
            if self.reset_mode == "zero":
                v = (1 - fired) * h
            else:
                v = h - fired * threshold if self.reset_mode == "subtract" else h
            return spike, met, threshold, (v, spike)

        return step


def entry(name: str, layer: PLIF) -> dict[str, Any]:
    """The `neuron` of a net.yaml."""
    keys = {
        "kind": "plif", "tensors": name, "decay_input": layer.decay_input, "reset": layer.reset_mode,
        "reset_delay": False, "fire": "gt",
    }  # fmt: skip
    return keys | recurrent_entry(name, layer)


RUNNER = NEURONS.add(
    Runner(
        name="tern2lava.PLIF",
        what="leaky integrate-and-fire with a learned time constant",
        run=run_own,
        entry=entry,
        reads_potential=lambda layer: layer.reset_mode == "none",
    )
)
