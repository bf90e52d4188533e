"""Grids improved one population at a time, and cores filled first fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nets import codes, convolution, integer_graph, neurons, variant
from tern2lava.compiler.ir.graph import Graph, Input, Node, Population, Projection
from tern2lava.compiler.ir.shapes import Array, Shape, size
from tern2lava.compiler.mapper import partition as partition_module
from tern2lava.compiler.mapper.cost.core_cost import RESOURCES
from tern2lava.compiler.mapper.packing.first_fit import first_fit
from tern2lava.compiler.mapper.packing.retile_search import Refiner
from tern2lava.compiler.mapper.partition import Partition, partition
from tern2lava.compiler.options import MapOptions


def network(seed: int) -> Graph:
    """Three convolutions on 16 x 16, the first of many neurons and few weights, the last the other way round; a dense
    layer."""
    rng = np.random.default_rng(seed)
    widths = [int(rng.integers(*bounds)) for bounds in ((6, 14), (12, 30), (30, 60), (20, 60))]
    shape: Shape = (1, 16, 16)
    nodes: list[Node] = [Input(name="n0", shape=shape)]
    for index, (width, stride) in enumerate(zip(widths, (1, 2, 2), strict=False), start=1):
        weight = codes(rng, width, shape[0], 3, 3)
        wire = convolution(f"w{index}", f"n{index - 1}", shape, weight, stride=(stride, stride), padding=(1, 1, 1, 1))
        assert wire.geometry is not None
        shape = wire.geometry.out_shape
        nodes += [wire, neurons(f"n{index}", wire.name, shape)]
    last = Projection(name="w4", inputs=("n3",), weight=codes(rng, widths[3], size(shape)))
    return integer_graph(*nodes, last, neurons("n4", "w4", (widths[3],)))


def check_whole(graph: Graph, result: Partition) -> None:
    for population in graph.of_kind(Population):
        seen = np.zeros(size(population.shape), int)
        for part in result.parts:
            if part.population == population.name:
                seen[part.box.flat()] += 1
        assert (seen == 1).all()
    for name in RESOURCES:
        assert (result.used[name] <= result.limit[name]).all()


@pytest.mark.parametrize(("seed", "neurons", "memory"), [(5, 400, 49152), (8, 400, 49152)])
def test_a_layer_cut_finer_fills_the_cores_that_another_leaves_half_empty(
    seed: int, neurons: int, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = network(seed)
    profile = variant(
        "loihi2", core__neurons=neurons, core__synapse_memory=memory, core__in_axons=2000, core__out_axons=2000
    )
    result = partition(graph, profile, MapOptions())
    check_whole(graph, result)
    assert result.cores <= 1.05 * result.cores_lower_bound
    monkeypatch.setattr(partition_module._Cutter, "refined", lambda self, packing, good: packing)
    plain = partition(graph, profile, MapOptions())
    assert plain.cores > result.cores


def test_grids_are_refined_for_cores_that_pins_keep_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = variant(
        "loihi2", core__neurons=400, core__synapse_memory=49152, core__in_axons=2000, core__out_axons=2000
    )
    chip = {"n1": 0, "n2": 0, "n3": 1, "n4": 1}
    options = MapOptions(pins=tuple(chip.items()))
    result = partition(network(9), profile, options)
    check_whole(network(9), result)
    assert all(len({chip[part.population] for part in parts}) == 1 for parts in result.by_core)
    assert any(len({part.population for part in parts}) > 1 for parts in result.by_core)
    score = Refiner._score

    def blind(self: Refiner, *arguments: Any) -> tuple[float, ...]:
        self.pins = dict.fromkeys(self.pins, -1)
        return score(self, *arguments)

    monkeypatch.setattr(Refiner, "_score", blind)
    assert partition(network(9), profile, options).cores > result.cores


def naive_first_fit(need: Array, pins: Array, most: Array) -> list[int]:
    """The first core with room, among all that were opened."""
    fan_in = RESOURCES.index("fan_in")
    cores: list[tuple[Array, set[int]]] = []
    result = []
    for item, pin in zip(need, pins, strict=True):
        after = [load + item for load, _ in cores] + [item.copy()]
        for total, (load, _) in zip(after, cores, strict=False):
            total[fan_in] = max(load[fan_in], item[fan_in])
        fits = [
            (total <= most).all() and (pin < 0 or not held or held == {pin})
            for total, (_, held) in zip(after, cores, strict=False)
        ]
        core = fits.index(True) if True in fits else len(cores)
        held = cores[core][1] if core < len(cores) else set()
        cores[core : core + 1] = [(after[core], held | ({int(pin)} if pin >= 0 else set()))]
        result.append(core)
    return result


def test_first_fit_puts_each_part_on_the_first_core_with_room() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        most = rng.integers(20, 60, len(RESOURCES))
        need = rng.integers(0, 20, (int(rng.integers(1, 40)), len(RESOURCES)))
        pins = rng.choice([-1, -1, 0, 1], len(need))
        assert first_fit(need, pins, most).tolist() == naive_first_fit(need, pins, most)
