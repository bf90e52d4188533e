"""LM: a Lava process for each core, with the images' routes as connections, equals the integers bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.mapped import map_program
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.mapped.run import run_mapped
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

Build = Callable[..., tuple[Graph, dict[str, Any]]]
NETWORKS = ("stock_convolution", "every_kind", "residual_with_delays", "recurrent", "graded", "wide_convolution")


@pytest.mark.parametrize("processes", [300, 12])
@pytest.mark.parametrize("name", NETWORKS)
def test_cores_as_lava_processes_equal_the_integer_reference(
    name: str, processes: int, integer_network: Build, lava_child: LavaChild
) -> None:
    network, inputs = integer_network(name, batch=2)
    program = map_program(network, load_profile("tiny"))
    result = run_mapped(
        program.images, program.host_image, inputs, processes=processes, timeout=120, child=lava_child
    )  # fmt: skip
    reference = integer.run(network, inputs)
    comparison = compare({"I": reference, "LM": result.trace}, network)
    assert comparison.equal, str(comparison)
    assert comparison.compared_values == 3 * sum(s.size for s in reference.spikes.values())
