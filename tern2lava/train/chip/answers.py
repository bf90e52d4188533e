"""What the compiler says of a network while it is trained: cores, bytes and fan-in on a target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Population, Projection
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import Array, frozen, size
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.effort import EFFORTS
from tern2lava.hw_profiles import Profile

LIMITS = ("cores", "bytes", "fan_in")
# A threshold that is far from its code moves on in training; the finished network is compiled with the limit on.
OPTIONS = Options(effort=EFFORTS["quick"], allow_rounding=1e6)


def lowered_for(graph: Graph, profile: Profile) -> Lowered:
    """An IMPORTED graph in the integers of a target, roundings of any size allowed."""
    return lower(graph, Arithmetic(**profile.arithmetic_values()), OPTIONS, profile)


def answers(graph: Graph, profile: Profile) -> dict[str, int]:
    """What an IMPORTED graph takes, by LIMITS: cores; bytes of synaptic memory with copies, headers and padding; the
    most non-zero synapses of a neuron, pooling merged into the layer after it.

    Raises CapacityError and UnsupportedError where the target does not take the network.
    """
    return taken(build(graph, profile, OPTIONS))


def taken(compiled: Compiled) -> dict[str, int]:
    """What a compiled network takes, by LIMITS."""
    return {
        "cores": len(compiled.mapped.images),
        "bytes": -(-int(compiled.mapped.partition.used["synapse_bits"].sum()) // 8),
        "fan_in": largest_fan_in(compiled.lowered.stages["to_integer"]),
    }


def largest_fan_in(program: Graph) -> int:
    """The most non-zero synapses that a neuron of an INTEGER graph has, over all its projections."""
    found: dict[str, Array] = {}
    for projection in program.of_kind(Projection):
        present = replace(projection, weight=frozen(projection.weight != 0, np.int8))
        source = program.by_name[projection.inputs[0]]
        assert isinstance(source, Input | Population)
        reached = accumulate(present, np.ones((1, size(source.shape)), np.int64))
        (reader,) = [node.name for node in program.nodes if projection.name in node.inputs]
        found[reader] = found.get(reader, 0) + reached
    return max((int(counts.max()) for counts in found.values()), default=0)
