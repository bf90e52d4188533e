"""Retiming: from a framework's time, where a spike crosses all layers in one step, to the chip's one step a synapse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tern2lava.compiler.ir.graph import Graph, Projection
from tern2lava.compiler.ir.timing import Loop, latencies
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When populations step on the chip. latency: pipeline latency of each, in hardware timesteps; slowdown: hardware
    timesteps of a step; loop: what needs as many, None where one is enough."""

    latency: Mapping[str, int]
    slowdown: int
    loop: Loop | None

    def chip_delay(self, projection: Projection, target: str) -> int:
        """Hardware timesteps beyond the first that a spike must wait so that it arrives in the step its source
        meant."""
        meant = self.latency[target] + projection.delay * self.slowdown
        return meant - self.latency[projection.inputs[0]] - 1

    def note(self) -> tuple[str, ...]:
        """A line on a step of several hardware timesteps; none where it takes one."""
        if self.loop is None:
            return ()
        return (
            f"{self.loop}: {count(len(self.loop.names), 'synapse')} and {count(self.loop.waits, 'step')} of delay: a "
            f"step takes {self.slowdown} hardware timesteps, and neurons hold their state between their own",
        )


def pipeline_latencies(graph: Graph) -> Timing:
    """The least pipeline latencies that every synapse keeps, at the fewest hardware timesteps a step with which there
    are any (timing.latencies).

    A loop of n synapses with d steps of delay needs n / d hardware timesteps a step. A feed-forward network, and a loop
    with a step of delay for each synapse, need one. Raises UnsupportedError, naming the loop, where one has no delay.
    """
    slowdown, loop = 1, None
    while isinstance(found := latencies(graph, slowdown), Loop):
        if found.waits < 1:
            raise UnsupportedError(
                str(found), "a delay of at least one step in every loop",
                f"{count(found.waits, 'step')} of delay over {count(len(found.names), 'synapse')}",
                "say where the loop's spikes wait: a Delay of one step",
            )  # fmt: skip
        # More than before: of a loop that is too fast, synapses exceed delays.
        loop, slowdown = found, found.slowdown
    return Timing(latency=found, slowdown=slowdown, loop=loop)
