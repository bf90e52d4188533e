"""Crossbar cores: random networks on random small ones are mapped whole, within limits, and spike alike."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import numpy as np
import pytest

from random_crossbars import Sketch, check_counts, check_images, small_crossbar
from random_programs import numbers
from tern2lava.compiler.ir.graph import Input, Population
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.options import MapOptions, Objective
from tern2lava.errors import CapacityError
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.reference import integer


@pytest.mark.parametrize("name", ["paicore2", "truenorth"])
def test_random_networks_on_random_crossbars_are_mapped_whole_and_spike_alike(name: str) -> None:
    outcome: Counter[str] = Counter()
    for number in numbers(20):
        rng = np.random.default_rng(number)
        profile = small_crossbar(rng, name)
        graph = Sketch(rng, profile).graph()
        node = graph["in"]
        assert isinstance(node, Input)
        values = {"in": rng.integers(0, 2, (2, 6, *node.shape))}
        options = MapOptions(
            share_cores=number // 4 % 2 == 0, placement="linear", objective=get_args(Objective)[number % 4]
        )
        try:
            program = map_program(graph, profile, options)
            expected = integer.run(program.graph, values)
            found = mapped.run(program.images, program.host_image, values)
            for population in expected.spikes:
                np.testing.assert_array_equal(found.spikes[population], expected.spikes[population])
                np.testing.assert_array_equal(found.v[population], expected.v[population])
            check_images(program.graph, program)
            check_counts(program)
        except CapacityError:
            outcome["refused"] += 1
            continue
        except Exception as error:
            raise AssertionError(f"network {number} on {name}") from error
        outcome["mapped"] += 1
        outcome["several cores"] += program.partition.cores > 1
        neurons = sum(size(p.shape) for p in graph.of_kind(Population))
        outcome["copies"] += int(program.partition.used["neurons"].sum()) > neurons
        outcome["spikes"] += int(sum(s.sum() for s in expected.spikes.values()))
    assert outcome["mapped"] > 2 * outcome["refused"]
    assert outcome["several cores"] >= 8
    assert outcome["copies"] >= 3
    assert outcome["spikes"] > 500
