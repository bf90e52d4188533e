"""What the tests of executions share: a child that runs Lava, a compiled network, integer networks by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import integer_nets
from drawn import Inputs
from tern2lava.compiler.build import build as compile_network
from tern2lava.compiler.ir.graph import Graph
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.executable import Executable
from tern2lava.sim.lava.child import LavaChild


@pytest.fixture(scope="session")
def lava_child() -> Iterator[LavaChild]:
    """One child for all tests that run Lava: each would wait for Lava's import otherwise."""
    with LavaChild() as child:
        yield child


@pytest.fixture(scope="session")
def executable(make_leaky: Callable[[int], tuple[Graph, Inputs]]) -> Executable:
    """A compiled network of leaky neurons."""
    compiled = compile_network(make_leaky(3)[0], load_profile("loihi2"))
    lowered, mapped = compiled.lowered, compiled.mapped
    return Executable(
        imported=lowered.imported, real=lowered.real, program=lowered.program, images=mapped.images,
        host_image=mapped.host_image,
    )  # fmt: skip


@pytest.fixture
def integer_network() -> Callable[..., tuple[Graph, Inputs]]:
    """integer_network(name, seed, batch, steps): a network of NETWORKS and inputs that make about a third fire."""
    return integer_nets.integer_network
