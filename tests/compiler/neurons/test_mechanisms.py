"""Every mechanism that is registered has a golden network, a kernel or a stated fallback, and a branch in Lava."""

from __future__ import annotations

import pytest

from places import ROOT
from sample_nets import SAMPLES
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.neurons.mechanism import MECHANISMS, kind_names
from tern2lava.errors import Tern2LavaError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.engine.coverage import KERNELS, state_type
from tern2lava.sim.lava.process_choice import OWN_NEURON

NAMES = [mechanism.name for mechanism in MECHANISMS.registered()]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[Graph]:
    """The golden networks in integers, on targets that hold them."""
    found = []
    for name, sample in SAMPLES.items():
        graph = sample.load(tmp_path_factory.mktemp(name))
        for target in ("generic-ternary", "tiny"):
            profile = load_profile(target)
            try:
                found.append(build(graph, profile, sample.options, sample.mapping(profile)).lowered.program)
            except Tern2LavaError:
                continue
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_network_has_it_and_the_engine_executes_it_or_says_why_not(name: str, programs: list[Graph]) -> None:
    having = [(g, p) for g in programs for p in g.of_kind(Population) if name in kind_names(p)]
    assert having, f"no golden network has neurons of kind {name}"
    for graph, population in having:
        kind, reason = state_type(graph, population)
        if name in KERNELS:
            assert kind is not None, reason
        else:
            assert kind is None
            assert name in reason


def test_the_lava_neuron_has_a_branch_for_each() -> None:
    source = (ROOT / "tern2lava" / "sim" / "lava" / "procs" / "neuron.py").read_text("utf-8")
    assert sorted(OWN_NEURON) == sorted(NAMES)
    words = {"signed": "threshold_low", "adaptive": "gain_a"}
    for name in NAMES:
        assert f"self.{words.get(name, name)}" in source.partition("def advance")[2]
