"""Networks whose fan-in is split over relays, in Lava: its processes, its process models in sequence, core images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.graph import Graph, Population, Projection
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.split_fan_in import split_fan_in
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.cores import run_cores
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare


def narrow(name: str, inputs: int) -> Profile:
    data = load_profile(name).model_dump()
    for leaf in ("fan_in", "in_axons"):
        data["core"][leaf]["value"] = inputs
    return Profile.model_validate(data)


def split(network: Graph, target: str, inputs: int) -> tuple[Graph, Mapped]:
    profile = narrow(target, inputs)
    program = split_fan_in(network, profile)
    return program, map_program(program, profile, MapOptions(share_cores=False))


@pytest.mark.parametrize(
    ("name", "target", "inputs"),
    [
        ("stock_chain", "loihi2", 7), ("stock_convolution", "generic-ternary", 14),
        ("residual_with_delays", "generic-ternary", 11),
    ],
)  # fmt: skip
def test_every_execution_makes_the_same_sums_and_spikes(
    name: str, target: str, inputs: int, integer_network: Any, lava_child: LavaChild
) -> None:
    network, given = integer_network(name)
    program, found = split(network, target, inputs)
    relays = [p for p in program.of_kind(Population) if p.levels is not None]
    assert len(relays) >= 3
    whole, parts = integer.run(network, given), integer.run(program, given)
    for population in network.of_kind(Population):
        for kind in ("spikes", "u", "v"):
            assert np.array_equal(getattr(whole, kind)[population.name], getattr(parts, kind)[population.name])
    stock = run_stock(program, given, child=lava_child, timeout=120)
    executions = {
        "I": parts,
        "E": run_engine(program, given).trace,
        "M": mapped.run(found.images, found.host_image, given),
        "L2": run_cores(found.images, found.host_image, given, child=lava_child, timeout=120).trace,
        "L3": run_stock(program, given, sequential=True, child=lava_child, timeout=120).trace,
        "L1": stock.trace,
    }
    result = compare(executions, program)
    assert result.equal, str(result)
    reasons = {use.name: use.reason for use in stock.processes_used}
    assert all("relay" in reasons[relay.name] for relay in relays)


def test_a_partial_sum_that_is_lost_on_its_way_is_found(integer_network: Any) -> None:
    network, given = integer_network("stock_chain")
    program, found = split(network, "loihi2", 7)
    images = list(found.images)
    for k, data in enumerate(images):
        image = decode_core(data)
        if any(group.local is not None and group.local.levels is not None for group in image.groups):
            images[k] = encode_core(replace(image, routes=image.routes[1:]))
            break
    expected = integer.run(program, given)
    assert not compare({"I": expected, "M": mapped.run(images, found.host_image, given)}, program).equal


def test_the_engine_says_which_populations_it_leaves_to_the_reference(integer_network: Any) -> None:
    network, given = integer_network("stock_chain")
    program, _ = split(network, "loihi2", 7)
    uses = {use.population: use for use in run_engine(program, given).uses}
    for population in program.of_kind(Population):
        relay = population.levels is not None
        assert (uses[population.name].engine == "reference") == relay
        assert ("relay" in uses[population.name].reason) == relay
    reads = [p for p in program.of_kind(Projection) if p.reads is not None]
    assert reads
