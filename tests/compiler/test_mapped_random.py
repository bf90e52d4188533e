"""Random networks on random small targets: nothing lost, nothing doubled, no limit broken, no spike different."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from random_programs import (
    Builder,
    check_cover,
    check_equal,
    check_limits,
    check_wires,
    input_values,
    numbers,
    random_profile,
)
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.sim.reference import integer

MODELS = ["codec-kernel", "codec-none", "nxtf-lists", "nxtf-none"]


@pytest.mark.parametrize("model", MODELS)
def test_random_networks_on_random_targets_are_mapped_whole_and_spike_alike(model: str) -> None:
    outcome: Counter[str] = Counter()
    for number in numbers(50):
        rng = np.random.default_rng([number, len(model)])
        profile = random_profile(rng, model)
        graph = Builder(rng, profile.synapse.channel_gain.value).graph()
        inputs = input_values(rng, graph, batch=2, steps=6)
        try:
            program = map_program(graph, profile, MapOptions(share_cores=number % 2 == 0))
            check_cover(graph, program)
            check_limits(program)
            check_wires(program)
            check_equal(graph, program, inputs)
        except CapacityError:
            outcome["refused"] += 1
            continue
        except Exception as error:
            raise AssertionError(f"network {number} on {model}") from error
        outcome["mapped"] += 1
        outcome["several cores"] += program.partition.cores > 1
        outcome["spikes"] += int(sum(s.sum() for s in integer.run(graph, inputs).spikes.values()))
    # The test would be empty if nearly all networks were refused, small, or silent.
    assert outcome["mapped"] > 2 * outcome["refused"]
    assert outcome["several cores"] >= 20
    assert outcome["spikes"] > 1000


@pytest.mark.parametrize("model", MODELS)
def test_no_neuron_or_synapse_of_hundreds_of_networks_is_mapped_twice_or_lost(model: str) -> None:
    """As above without the run of the images, for more networks: parts are cut in every way that options know."""
    whole, several = 0, 0
    for number in numbers(75):
        rng = np.random.default_rng([11, number, len(model)])
        profile = random_profile(rng, model)
        graph = Builder(rng, profile.synapse.channel_gain.value).graph()
        most = int(rng.integers(2, 12)) if number % 3 == 0 else None
        options = MapOptions(share_cores=number % 4 > 0, max_neurons_per_core=most, placement="linear")
        try:
            program = map_program(graph, profile, options)
            check_cover(graph, program)
            check_limits(program)
            check_wires(program)
        except CapacityError:
            continue
        except Exception as error:
            raise AssertionError(f"network {number} on {model}") from error
        whole += 1
        several += program.partition.cores > 2
    assert whole >= 45
    assert several >= 30
