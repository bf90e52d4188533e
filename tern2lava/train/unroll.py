"""A feed-forward spiking network over all time steps, layer by layer, in the numbers of a step-by-step run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from tern2lava.errors import InputError, UnsupportedError
from tern2lava.train.constant import has_one_value, is_steady, run_steady
from tern2lava.train.dropout import RANDOM
from tern2lava.train.neurons.runner import NEURONS, Ran, Runner, runner_of


@dataclass(eq=False, kw_only=True)
class Activity:
    """What the neurons of a run did; arrays (steps, batch, *shape), with gradients where the run has them.

    spikes of every neuron layer by name, and of every max pool behind one, which is compiled to neurons; met: the
    membrane potential compared with the threshold, minus the threshold, so that a neuron spikes where met > 0;
    threshold: what was compared with, which broadcasts to met. reads_potential: the classes are read from the last
    layer's potentials and not from its spikes (a last layer without reset).
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
        return self.spikes[next(reversed(self.met))]


Through = Callable[[str, Ran, bool], Ran]
"""What takes the name of a layer of neurons, what it did, and whether the classes are read from its potentials, and
returns what it is to have done."""


def unroll(model: nn.Sequential, x: Tensor, steps: int | None = None, through: Through | None = None) -> Activity:
    """Activity of `model` for x (steps, batch, *shape): layers without state see all steps at once, as one batch.

    With `steps`, x is (batch, *shape) and the same in every step (direct encoding): what comes before the first layer
    of neurons runs once, up to a module that is random (dropout in training). Its numbers are those of one step; batch
    norm's running variance is that of all steps (constant.run_steady).

    through: what may put other numbers in the place of those of each layer of neurons before they are handed on.

    BatchNorm in training mode takes its statistics over batch and time. A later layer sees the spikes of the same
    step. Raises UnsupportedError where a module is neither stateless nor in neurons.runner.NEURONS, or the last is no
    layer of neurons; InputError where a batch norm would take its statistics over one value of a channel.
    """
    activity = Activity()
    for name, module in model.named_children():
        runner = runner_of(name, module)
        if runner is not None:
            ran = _run(runner, name, module, x, steps)
            reads_potential = runner.reads_potential(module)
            ran = through(name, ran, reads_potential) if through is not None else ran
            activity.met[name], activity.spikes[name], activity.threshold[name] = ran.met, ran.spikes, ran.threshold
            activity.reads_potential = reads_potential
            x, steps = ran.spikes, None
        elif not type(module).__module__.startswith("torch.nn.") and not isinstance(module, RANDOM):
            raise UnsupportedError(
                name,
                "layers that training knows",
                type(module).__name__,
                f"use an nn.Sequential of torch.nn layers and {', '.join(NEURONS.names())}",
            )
        elif steps is not None and is_steady(module, x):
            x = run_steady(module, x, steps)
        else:
            x, steps = _over_time(x, steps), None
            flat = _as_batch(x)
            if has_one_value(module, flat):
                raise InputError(
                    name, "requires more than one value of each channel in a batch to take its variance; found one; "
                    "choose a training.batch that leaves no sample alone",
                )  # fmt: skip
            x = module(flat).unflatten(0, x.shape[:2])
            if isinstance(module, nn.MaxPool2d) and activity.spikes:
                activity.spikes[name] = x
    if not activity.met or x is not activity.output:
        raise UnsupportedError(
            "model",
            "a last layer of neurons",
            "one without spikes",
            "end it with one, as snntorch.Leaky",
        )
    return activity


def _run(runner: Runner, name: str, layer: nn.Module, x: Tensor, steps: int | None) -> Ran:
    if steps is not None and runner.run_constant is not None:
        return runner.run_constant(name, layer, x, steps=steps)
    return runner.run(name, layer, _over_time(x, steps))


def _over_time(x: Tensor, steps: int | None) -> Tensor:
    """x with a time axis: itself where it has one."""
    return x if steps is None else x.expand(steps, *x.shape)


def _as_batch(x: Tensor) -> Tensor:
    """x (steps, batch, *shape) as (steps * batch, *shape) in the same memory order."""
    flat = x.flatten(0, 1)
    if x.dim() == 5 and x.shape[2] == x.stride(2) == 1 and flat.stride(1) != 1:
        # torch forgets of a single channel that it is last in memory, and convolutions would not run so.
        return flat.as_strided(flat.shape, (flat.stride(0), 1, *flat.stride()[2:]))
    return flat
