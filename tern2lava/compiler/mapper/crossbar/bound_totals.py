"""Total resources that no partition onto cores with a crossbar can avoid, for the lower bound on cores."""

from __future__ import annotations

from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.ir.slices import incoming
from tern2lava.compiler.mapper.crossbar.bound_copies import least_columns
from tern2lava.compiler.mapper.crossbar.first_fit import single_targets
from tern2lava.compiler.mapper.crossbar.windows import axons_per_source, bits_of, crossbar_of, fold_of
from tern2lava.compiler.mapper.lower_bounds.totals import least_field, used_sources
from tern2lava.hw_profiles import Profile


def total_crossbar_resources(graph: Graph, profile: Profile) -> dict[str, int]:
    """What any partition takes at least: neurons once (those that a ternary target reads twice where it takes two
    axons), the columns of the least fold that their own fan-in needs (of windows and of copies for them, where that is
    more), and axons for every source once, since readers on one core share them."""
    crossbar, each, single = crossbar_of(profile), axons_per_source(profile), single_targets(profile)
    planes = crossbar.planes.value
    populations = graph.of_kind(Population)
    neurons = bits = 0
    read: dict[str, int] = {}
    for population in populations:
        for wire in incoming(graph, population):
            source = wire.inputs[0]
            read[source] = max(read.get(source, 0), used_sources(wire, whole=True))
    for population in populations:
        count = size(population.shape) + ((each - 1) * read.get(population.name, 0) if single else 0)
        neurons += count
        if planes == "columns":
            fold = fold_of(profile, sum(least_field(p, whole=True) for p in incoming(graph, population)))
            bits += count * bits_of(graph, population, profile) * fold * crossbar.inputs.value
    if planes == "columns" and not single:
        bits = max(bits, least_columns(graph, profile) * crossbar.inputs.value)
    axons = each * sum(read.values())
    if planes == "axons":
        bits = axons * crossbar.columns.value
    return {"neurons": neurons, "synapse_bits": bits, "in_axons": axons}
