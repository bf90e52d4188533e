"""A program whose populations are driven: what their targets receive comes from outside, not from their spikes.

sim.reference.integer defines it (`driven` of its `run`), and what executes core images does it on their routes. Those
that execute the program, the fast engine and Lava's processes, run the graph that is made here instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.ir.graph import Graph, Input, Node, Population, Projection
from tern2lava.compiler.ir.shapes import Spikes


@dataclass(frozen=True, eq=False, kw_only=True)
class Stimulus:
    """Spikes of some samples: for every input, and of populations what their targets receive in the place of their own
    spikes, values (samples, steps, neurons)."""

    inputs: Mapping[str, Spikes]
    driven: Mapping[str, Spikes]

    @property
    def samples(self) -> int:
        return int(next(iter(self.inputs.values())).shape[0])

    def first(self, samples: int) -> Stimulus:
        """The first samples."""
        return Stimulus(
            inputs={name: values[:samples] for name, values in self.inputs.items()},
            driven={name: values[:samples] for name, values in self.driven.items()},
        )


def driven_populations(program: Graph) -> tuple[Population, ...]:
    """The populations that a projection reads."""
    read = {name for projection in program.of_kind(Projection) for name in projection.inputs}
    return tuple(population for population in program.of_kind(Population) if population.name in read)


def cut_program(program: Graph) -> Graph:
    """The INTEGER program in which an Input of its own stands for each population that a projection reads.

    An Input has no start, so that its spikes wait for that of the population: delays grow by it.
    """
    names = _names(program)
    nodes: list[Node] = []
    for node in program.nodes:
        if isinstance(node, Projection) and node.inputs[0] in names:
            source = program.population(node.inputs[0])
            node = replace(node, inputs=(names[source.name],), delay=node.delay + source.start)
        nodes.append(node)
    stands = [
        Input(name=names[population.name], shape=population.shape, levels=emitted_range(population))
        for population in driven_populations(program)
    ]
    return program.with_nodes([*stands, *nodes])


def cut_inputs(program: Graph, stimulus: Stimulus) -> dict[str, Spikes]:
    """The stimulus as inputs of `cut_program`."""
    names = _names(program)
    return {**stimulus.inputs, **{names[name]: values for name, values in stimulus.driven.items()}}


def _names(program: Graph) -> dict[str, str]:
    """What each driven population's input is called: its name with as many signs behind as no other node has."""
    taken, found = set(program.by_name), {}
    for population in driven_populations(program):
        name = f"{population.name} driven"
        while name in taken:
            name += "'"
        taken.add(name)
        found[population.name] = name
    return found
