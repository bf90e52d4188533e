"""The compiler's graphs of the networks that are trained."""

from __future__ import annotations

from torch import nn

from tern2lava.compiler.ir.graph import Graph, Level
from tern2lava.compiler.passes.pipeline import lower_until
from tern2lava.train.run import Run, scale_input
from tern2lava.train.ternarize import finalize


def imported(model: nn.Sequential, run: Run) -> Graph:
    """The IMPORTED graph of a plain model."""
    from tern2lava.frontends.modules.read import load_module

    return load_module(
        model,
        run.dataset.shape,
        run.experiment.training.steps,
        levels=(0, run.top),
        readout=run.experiment.network.readout,
    )


def merged(graph: Graph) -> Graph:
    """The NORMAL graph of an IMPORTED one: one real-valued projection per wire, whose synapses can be counted."""
    return lower_until(graph, Level.NORMAL)


def plain_copy(model: nn.Sequential, run: Run) -> nn.Sequential:
    """The plain network that a model in training, fully ternary, stands for, in the units of the hardware's input."""
    plain = run.build()
    plain.load_state_dict(scale_input(plain, finalize(model), 1 / run.top))
    return plain.eval()
