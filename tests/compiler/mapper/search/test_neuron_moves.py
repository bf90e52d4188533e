"""When neurons are moved between placed cores, and when they stay."""

from __future__ import annotations

import numpy as np
import pytest

from nets import full_codes, integer_graph, neurons, sparse_codes, variant
from tern2lava.compiler.ir.graph import Graph, Input, Projection
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.mapper.placement.slots import Placement
from tern2lava.compiler.mapper.search.neuron_moves import with_neurons_moved
from tern2lava.compiler.options import MapOptions
from tern2lava.effort import EFFORTS

PROFILE = variant("tiny", core__neurons=4)


def layer(weight: Array) -> Graph:
    count = len(weight)
    return integer_graph(
        Input(name="in", shape=(2,)),
        Projection(name="w", inputs=("in",), weight=sparse_codes(np.random.default_rng(0), count, 2, zeros=0.9)),
        Projection(name="r", inputs=("h",), weight=weight),
        neurons("h", ("w", "r"), (count,)),
    )


@pytest.mark.parametrize(
    ("options", "sparse", "moves"),
    [
        (MapOptions(), True, True),
        (MapOptions(pins=(("h", 0),)), True, False),
        (MapOptions(share_cores=False), True, True),
        (MapOptions(), False, False),
    ],
    ids=["sparse", "pinned", "cores not shared", "dense"],
)
def test_neurons_of_sparse_layers_move_unless_they_are_pinned(options: MapOptions, sparse: bool, moves: bool) -> None:
    rng = np.random.default_rng(1)
    graph = layer(sparse_codes(rng, 16, 16, zeros=0.85) if sparse else full_codes(rng, 16, 16))
    model = CostModel(graph, PROFILE)
    cores = partition(graph, PROFILE, options, model)
    placement = Placement(np.arange(cores.cores), "linear")
    found = with_neurons_moved(graph, PROFILE, options, model, cores, placement, None, EFFORTS["quick"])
    assert (found is not None) == moves
    if found is not None:
        where = np.concatenate([part.box.flat() for part in found[0].parts])
        assert sorted(where.tolist()) == list(range(16))
        assert len(set(found[1].core.tolist())) == found[0].cores
        assert max(found[0].used["neurons"]) <= 4
