"""What mappings are compared with: sequential filling places every neuron once, within the limits of the chip."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable

import numpy as np
import pytest

from nets import codes, convolution, integer_graph, neurons, same, variant
from places import ROOT
from random_crossbars import Sketch, small_crossbar
from random_programs import Builder, numbers, random_profile
from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.slices import mapped_shape
from tern2lava.compiler.mapper.cost.core_cost import limits
from tern2lava.compiler.mapper.partition import Partition, partition
from tern2lava.compiler.mapper.routing.connections import connections
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

PLACE = ROOT / "benchmarks" / "mapping_baselines.py"


def from_benchmarks() -> Callable[[Graph, Profile], Partition]:
    spec = importlib.util.spec_from_file_location("mapping_baselines", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mapping_baselines"] = module
    spec.loader.exec_module(module)
    found: Callable[[Graph, Profile], Partition] = module.sequential
    return found


sequential = from_benchmarks()


def check(graph: Graph, profile: Profile, found: Partition) -> None:
    """Every neuron on one core, and no core beyond its limits."""
    for population in graph.of_kind(Population):
        seen = np.zeros(mapped_shape(graph, population), np.int64)
        for part in found.parts:
            if part.population == population.name:
                seen[tuple(slice(a, b) for a, b in zip(part.box.lo, part.box.hi, strict=True))] += 1
        assert (seen == 1).all(), population.name
    for name, most in limits(profile).items():
        # Small crossbars here keep the fan-in of the large one.
        if name == "fan_in" and profile.crossbar is not None:
            continue
        assert (found.used[name] <= most).all(), (name, found.used[name], most)
    assert connections(graph, found).source.size


@pytest.mark.parametrize("model", ["codec-kernel", "nxtf-lists", "nxtf-none"])
def test_filling_holds_every_neuron_once_within_limits(model: str) -> None:
    filled = 0
    for number in numbers(25):
        rng = np.random.default_rng([number, len(model)])
        profile = random_profile(rng, model)
        graph = Builder(rng, profile.synapse.channel_gain.value).graph()
        try:
            found = sequential(graph, profile)
        except (ValueError, CapacityError):
            continue
        filled += 1
        check(graph, profile, found)
    assert filled >= 10


@pytest.mark.parametrize("target", ["paicore2", "truenorth"])
def test_filling_of_crossbars_holds_every_neuron_and_its_copies(target: str) -> None:
    filled = 0
    for number in numbers(40):
        rng = np.random.default_rng(number)
        profile = small_crossbar(rng, target)
        graph = unpooled_graph(Sketch(rng, profile).graph())
        try:
            found = sequential(graph, profile)
        except (ValueError, CapacityError):
            continue
        filled += 1
        check(graph, profile, found)
        # Copies are counted: no mapping takes fewer cores than the bound, which counts them too.
        assert found.cores >= partition(graph, profile, MapOptions()).cores_lower_bound
    assert filled >= 15


def test_output_axons_are_counted_where_cores_have_too_few() -> None:
    rng = np.random.default_rng(0)
    shape = (4, 8, 8)
    graph = integer_graph(
        Input(name="x", shape=(1, 8, 8)),
        convolution("wa", "x", (1, 8, 8), codes(rng, 4, 1, 3, 3), padding=same(3, 3)), neurons("a", "wa", shape),
        convolution("wb", "a", shape, codes(rng, 4, 4, 3, 3), padding=same(3, 3)), neurons("b", "wb", shape, start=1),
    )  # fmt: skip
    # 256 neurons of a take up to 2 entries each to reach b.
    found = {few: sequential(graph, variant("loihi1", core__out_axons=few)) for few in (4096, 300)}
    assert found[4096].used["out_axons"].max() > 300 >= found[300].used["out_axons"].max()
    assert found[4096].cores < found[300].cores
