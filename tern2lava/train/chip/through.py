"""The last epochs of a training through the integers of its target: straight through to the float model's gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import Array
from tern2lava.effort import EFFORTS
from tern2lava.sim.data.readout import needs_states, running_scores
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.train.neurons.runner import Ran
from tern2lava.train.quantisers.rows import straight_through
from tern2lava.train.schedule import Schedule
from tern2lava.train.unroll import Activity, unroll

ToProgram = Callable[[nn.Sequential], Graph]
"""The INTEGER graph of a model in training."""


class ThroughIntegers(Schedule):
    """Another schedule, whose last epochs see what the compiled network does.

    In each batch of these epochs the network is lowered as it is, and its integers run on the batch:
        forward   the spikes of the integer program, and its potentials where classes are read from them,
        backward  the gradients of the float model, every layer of which is fed the integer spikes of the one before.
    So decays, thresholds and weights are those of the target's arithmetic, bit for bit, and the loss is that of what
    will run. Batch norm keeps its statistics and dropout is off, as in the network that is compiled.
    to_program: lowers the model (with weights in the input's own units); top: what an input of 1 is there.
    """

    def __init__(self, inner: Schedule, epochs: int, to_program: ToProgram, top: int) -> None:
        super().__init__(inner.epochs, ramp=inner.ramp, frozen=inner.frozen)
        self.inner, self.first, self.to_program, self.top = inner, inner.epochs - epochs, to_program, top
        self.through = False

    def begin_epoch(self, model: nn.Module, epoch: int) -> None:
        """As the inner schedule; from the first such epoch on in evaluation mode."""
        self.inner.begin_epoch(model, epoch)
        self.through = epoch >= self.first
        if self.through:
            model.eval()

    def before_batch(self, model: nn.Module, progress: float) -> None:
        """As the inner schedule."""
        self.inner.before_batch(model, progress)

    def terms(self, model: nn.Module, epoch: int) -> dict[str, Tensor]:
        """As the inner schedule."""
        return self.inner.terms(model, epoch)

    def end_epoch(self, model: nn.Module, done: int) -> None:
        """As the inner schedule."""
        self.inner.end_epoch(model, done)

    def activity(self, model: nn.Sequential, x: Tensor, steps: int | None) -> Activity:
        """What the network does; in the last epochs, what its integers do."""
        if not self.through:
            return self.inner.activity(model, x, steps)
        return integer_activity(model, x, steps, self.to_program(model), self.top)


def integer_activity(model: nn.Sequential, x: Tensor, steps: int | None, program: Graph, top: int) -> Activity:
    """What `program` does on x (as unroll takes it), with the gradients of `model`, whose integers these are."""
    over_time = x if steps is None else x.expand(steps, *x.shape)
    values = np.ascontiguousarray((over_time * top).round().to(torch.uint8).cpu().numpy().swapaxes(0, 1))
    (node,) = program.of_kind(Input)
    ready = prepare(program, effort=EFFORTS["quick"])
    trace = run_engine(ready, {node.name: values}, states=needs_states(program)).trace
    names = [population.name for population in program.of_kind(Population)]
    left = iter(names)

    def through(layer: str, ran: Ran, reads_potential: bool) -> Ran:
        name = next(left)
        return _through(ran, reads_potential and name == names[-1], name, program, trace)

    return unroll(model, x, steps, through)


def _through(ran: Ran, last: bool, name: str, program: Graph, trace: Trace) -> Ran:
    """What a layer did, with the numbers of its integers. last: its potentials are what the classes are read from."""
    result = replace(ran, spikes=straight_through(_like(trace.spikes[name], ran.spikes), ran.spikes))
    if not last:
        return result
    reading = np.diff(running_scores(program, trace), axis=1, prepend=0)
    return replace(result, met=straight_through(_like(reading, ran.met) - ran.threshold.detach(), ran.met))


def _like(values: Array, tensor: Tensor) -> Tensor:
    """(batch, steps, neurons) as a tensor (steps, batch, *shape)."""
    moved = torch.from_numpy(np.ascontiguousarray(values.swapaxes(0, 1)))
    return moved.to(tensor).reshape(tensor.shape)
