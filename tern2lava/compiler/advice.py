"""What would make a network fit that does not: found by trying, once, when the refusal is on its way to the user.

Inside the mapper a CapacityError says what one attempt lacks, often for the next attempt; it must cost nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tern2lava.compiler.build import build
from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Arithmetic, Conv2d, Dense, Graph, Neuron
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.mapper.cost.core_cost import LIST_WORDS
from tern2lava.compiler.mapper.partition import least_cores
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.compiler.target.rules import check_rules
from tern2lava.errors import CapacityError, Tern2LavaError
from tern2lava.hw_profiles import NO_CHIP, Profile, known_profiles

NAMED = 2
"""Targets named at most, the smallest first."""


def advised(
    error: CapacityError, graph: Graph, profile: Profile, options: Options, map_options: MapOptions
) -> CapacityError:
    """`error` with what would make `graph` (IMPORTED) fit before its own hint: the option that is in the way on
    `profile`, or shipped targets that hold the network, first those ways that keep it as it is. What is said to fit was
    mapped; beyond effort.advised_size weights and neurons targets are said to be possible by their bound."""
    if options.ranges == "calibrated":
        # Where a network fits depends little on its integers' fineness, and samples take time.
        options = replace(options, ranges="steps")
    small = weight_of(graph) <= options.effort.advised_size
    ways = [*_options_in_the_way(graph, profile, options, map_options)] if small else []
    if small and not ways and ("out_axons" in error.resource or error.resource == LIST_WORDS):
        ways = [*_fewer_neurons(graph, profile, options, map_options)][:1]
    if not ways:
        found = _mapped_on(graph, profile, options) if small else _bounded_on(graph, profile, options)
        names = [name for name, _ in zip(found, range(NAMED), strict=False)]
        ways = [f"use {' or '.join(names)}"] if names else []
    if small and not ways and options.ternarize == "int8":
        cores = _cores(graph, profile, replace(options, ternarize="twn"), map_options)
        ways = [f"with --ternarize twn it takes {_count(cores)}"] if cores else []
    hint = "; or ".join([*ways, error.hint])
    return CapacityError(error.node, error.resource, error.need, error.have, hint)


def weight_of(graph: Graph) -> int:
    """Weights and neurons of an IMPORTED graph, a convolution's weights counted at every position."""
    known = shapes(graph)
    total = sum(size(node.shape) for node in graph.of_kind(Neuron))
    total += sum(int(node.weight.size) for node in graph.of_kind(Dense))
    total += sum(int(node.weight.size) * size(known[node.name][1:]) for node in graph.of_kind(Conv2d))
    return total


def _options_in_the_way(graph: Graph, profile: Profile, options: Options, map_options: MapOptions) -> Iterator[str]:
    """The option, or all together, without which the network fits the same target."""
    plain = MapOptions()
    asked = {
        "spare_cores": f"--spare-cores {map_options.spare_cores}",
        "pins": " ".join(f"--pin {name}={chip}" for name, chip in map_options.pins),
        "max_neurons_per_core": f"--max-neurons {map_options.max_neurons_per_core}",
        "encodings": "the choice of encodings",
        "share_cores": "share_cores=False",
    }
    used = [key for key in asked if getattr(map_options, key) != getattr(plain, key)]
    for keys in ([key] for key in used):
        cores = _cores(graph, profile, options, replace(map_options, **{key: getattr(plain, key) for key in keys}))
        if cores:
            yield f"without {asked[keys[0]]} it takes {_count(cores)}"
            return
    if len(used) > 1:
        cores = _cores(graph, profile, options, replace(map_options, **{key: getattr(plain, key) for key in used}))
        if cores:
            yield f"without {', '.join(asked[key] for key in used)} it takes {_count(cores)}"


def _fewer_neurons(graph: Graph, profile: Profile, options: Options, map_options: MapOptions) -> Iterator[str]:
    """--max-neurons, halved until the network fits."""
    most = map_options.max_neurons_per_core or profile.core.neurons.value
    while most > 1:
        most //= 2
        cores = _cores(graph, profile, options, replace(map_options, max_neurons_per_core=most))
        if cores:
            yield f"with --max-neurons {most} it takes {_count(cores)}"


def _others(profile: Profile) -> list[Profile]:
    """The shipped profiles of other chips, the smallest first."""
    others = (other for other in known_profiles() if other.name not in (profile.name, *NO_CHIP))
    return sorted(others, key=lambda other: other.system.cores)


def _mapped_on(graph: Graph, profile: Profile, options: Options) -> Iterator[str]:
    """Targets that the network was mapped onto, with their cores."""
    for other in _others(profile):
        cores = _cores(graph, other, options, MapOptions())
        if cores:
            yield f"{other.name} ({_count(cores)})"


def _bounded_on(graph: Graph, profile: Profile, options: Options) -> Iterator[str]:
    """Targets that execute the network and whose cores are no fewer than it takes at least."""
    for other in _others(profile):
        try:
            program = lower(graph, Arithmetic(**other.arithmetic_values()), options, other).program
            check_rules(program, other)
            least = least_cores(program, other)
        except Tern2LavaError:
            continue
        if least <= other.system.cores:
            yield f"{other.name} (not tried; at least {_count(least)} of {other.system.cores:,})"


def _cores(graph: Graph, profile: Profile, options: Options, map_options: MapOptions) -> int:
    """Cores that the network takes; 0 where it does not fit."""
    try:
        return build(graph, profile, options, map_options).mapped.partition.cores
    except Tern2LavaError:
        return 0


def _count(cores: int) -> str:
    return f"{cores:,} core{'s' if cores != 1 else ''}"
