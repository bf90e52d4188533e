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


def options_of(number: int, rng: np.random.Generator) -> MapOptions:
    """Every way of cutting that options know; a third of the networks is placed as by default."""
    return MapOptions(
        share_cores=number % 4 > 0, max_neurons_per_core=int(rng.integers(2, 12)) if number % 3 == 0 else None,
        placement="auto" if number % 3 == 1 else "linear",
    )  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_random_networks_on_random_targets_are_mapped_whole_and_spike_alike(model: str) -> None:
    outcome: Counter[str] = Counter()
    for number in numbers(28):
        rng = np.random.default_rng([11, number, len(model)])
        profile = random_profile(rng, model)
        graph = Builder(rng, profile.synapse.channel_gain.value).graph()
        options = options_of(number, rng)
        inputs = input_values(rng, graph, batch=2, steps=6)
        try:
            program = map_program(graph, profile, options)
            check_cover(graph, program)
            check_limits(program)
            check_wires(program)
            check_equal(graph, program, inputs)
        except CapacityError:
            continue
        except Exception as error:
            raise AssertionError(f"network {number} on {model}") from error
        outcome["mapped"] += 1
        outcome["several cores"] += program.partition.cores > 2
        outcome["spikes"] += int(sum(s.sum() for s in integer.run(graph, inputs).spikes.values()))
    # The test would be empty if nearly all networks were refused, small, or silent.
    assert outcome["mapped"] >= 19
    assert outcome["several cores"] >= 12
    assert outcome["spikes"] > 500
