"""Output axons: the price of an edge, counted for whole grids at once and neuron by neuron."""

from __future__ import annotations

import numpy as np
import pytest

from nets import convolution, full_codes, integer_graph, neurons, variant
from tern2lava.compiler.image.synapse_lists import synapse_lists
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Node, Population, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.ir.slices import cut
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.cost.output_axons import single_edges
from tern2lava.compiler.mapper.lower_bounds.tile_program import density_bound
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.compiler.mapper.tiling.grids import Grid, entries, ranges, reads
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import load_profile


def conv(
    name: str, source: str, shape: tuple[int, int, int], out: int, kernel: tuple[int, int], stride: tuple[int, int],
    padding: tuple[int, int, int, int], groups: int = 1, window: tuple[int, int] | None = None,
) -> Projection:  # fmt: skip
    weight = frozen(np.random.default_rng(0).choice([-1, 1], (out, shape[0] // groups, *kernel)), np.int8)
    return convolution(name, source, shape, weight, stride=stride, padding=padding, groups=groups, window=window)


def two_layers(second: Projection) -> Graph:
    first = conv("a", "in", (1, 8, 9), 4, (1, 1), (1, 1), (0, 0, 0, 0))
    assert second.geometry is not None
    last = neurons("q", second.name, second.geometry.out_shape)
    return integer_graph(Input(name="in", shape=(1, 8, 9)), first, neurons("p", "a", (4, 8, 9)), second, last)


SECONDS = [
    conv("b", "p", (4, 8, 9), 6, (3, 3), (1, 1), (1, 1, 1, 1)),
    conv("b", "p", (4, 8, 9), 4, (2, 3), (2, 1), (0, 1, 1, 0), groups=2),
    conv("b", "p", (4, 8, 9), 5, (2, 2), (1, 1), (1, 0, 0, 0), window=(2, 3)),
]


@pytest.mark.parametrize("second", SECONDS, ids=["plain", "grouped and strided", "pooled"])
def test_single_rows_and_columns_are_those_whose_lists_one_source_position_uses(second: Projection) -> None:
    """Against the lists themselves: axons (of one source channel) minus those on lists that several use."""
    loihi1 = load_profile("loihi1")
    assert second.geometry is not None
    shape = second.geometry.out_shape
    seen_some = 0
    for high_y in range(1, shape[1] + 1):
        for high_x in range(1, shape[2] + 1):
            box = Box(shape, (0, 0, 0), (shape[0], high_y, high_x))
            piece = cut(second, box)
            assert piece is not None
            top, bottom, left, right = single_edges(loihi1, second, box)
            window = (1, 1) if second.pooling is None else second.pooling.window
            single = (top + bottom) // window[0] * ((left + right) // window[1])
            uses = [times for _, _, times in synapse_lists(piece.local.weight, piece.local)]
            alone = sum(1 for times in uses if times == 1)
            assert single <= alone
            if second.geometry.stride == (1, 1):
                assert single == alone
            seen_some += single
    assert seen_some > 0


@pytest.mark.parametrize("second", SECONDS, ids=["plain", "grouped and strided", "pooled"])
@pytest.mark.parametrize("model", ["edges", "ranges"])
def test_entries_of_a_grid_are_those_of_its_boxes_one_by_one(second: Projection, model: str) -> None:
    graph = two_layers(second)
    profile = variant("loihi1", routing__out_axon_model=model)
    source, target = graph["p"], graph["q"]
    assert isinstance(source, Population)
    assert isinstance(target, Population)
    costs = CostModel(graph, profile)
    shape = target.shape
    mine = Grid(source.shape, (ranges(4, 3), ranges(8, 3), ranges(9, 5)))
    for widths in ((shape[0], 1, 2), (2, 3, shape[2]), (shape[0], shape[1], shape[2])):
        other = Grid(shape, tuple(ranges(n, w) for n, w in zip(shape, widths, strict=True)))
        feeds = Feeds(graph, profile, all_edges_leave_chip=False)
        feeds.set_targets(target, [costs.part(target, box).blocks for box in other.boxes()])
        found = entries(profile, mine, reads(second, other, profile), 0)
        expected = [feeds.out_axons(source, box) for box in mine.boxes()]
        assert found.reshape(-1).tolist() == expected
        assert sum(expected) > 0


def test_a_part_of_few_pixels_has_lists_of_its_own_at_the_price_of_one() -> None:
    loihi1 = load_profile("loihi1")
    wire = SECONDS[0]
    assert single_edges(loihi1, wire, Box((6, 8, 9), (0, 2, 2), (6, 5, 5))) == (5, 0, 5, 0)
    # Four rows see six, of which the two in the middle meet the kernel alike.
    assert single_edges(loihi1, wire, Box((6, 8, 9), (0, 2, 2), (6, 6, 5))) == (2, 2, 5, 0)
    assert single_edges(load_profile("loihi2"), wire, Box((6, 8, 9), (0, 2, 2), (6, 5, 5))) == (0, 0, 0, 0)


def chain_of_convolutions(channels: int, length: int, layers: int) -> Graph:
    nodes: list[Node] = [Input(name="n0", shape=(channels, length, length))]
    for index in range(1, layers + 1):
        shape = (channels, length, length)
        wire = conv(f"w{index}", f"n{index - 1}", shape, channels, (3, 3), (1, 1), (1, 1, 1, 1))
        nodes += [wire, neurons(f"n{index}", wire.name, shape)]
    return integer_graph(*nodes)


def test_grids_are_chosen_together_where_output_axons_are_scarce() -> None:
    """Layers of 32 x 16 x 16 on Loihi 1: as many cores as neurons need, although each edge may cost two entries."""
    graph = chain_of_convolutions(32, 16, 3)
    result = partition(graph, load_profile("loihi1"), MapOptions())
    assert result.used["out_axons"].max() <= 4096
    assert result.used["neurons"].sum() == 3 * 8192
    assert result.cores_lower_bound >= 24
    assert result.cores <= 1.10 * result.cores_lower_bound


def test_layers_share_cores_where_one_needs_memory_and_the_other_neurons() -> None:
    rng = np.random.default_rng(0)
    wide = conv("a", "in", (1, 32, 32), 8, (3, 3), (1, 1), (1, 1, 1, 1))
    graph = integer_graph(
        Input(name="in", shape=(1, 32, 32)), wide, neurons("p", "a", (8, 32, 32)),
        Projection(name="b", inputs=("p",), weight=full_codes(rng, 400, 8192)), neurons("q", "b", (400,)),
    )  # fmt: skip
    # 8,192 neurons in 2 cores, 6.5 Mbit of weights in 6.25: eight cores a layer at a time, fewer together.
    result = partition(graph, load_profile("loihi2"), MapOptions())
    apart = partition(graph, load_profile("loihi2"), MapOptions(share_cores=False))
    assert result.cores_lower_bound == 7
    assert result.cores < apart.cores
    assert result.cores <= 1.15 * result.cores_lower_bound


def test_the_density_bound_counts_halos_and_holds() -> None:
    graph = chain_of_convolutions(16, 12, 2)
    profile = variant("generic-ternary", core__neurons=256, core__in_axons=350)
    result = partition(graph, profile, MapOptions(share_cores=False))
    bound = density_bound(graph, profile, result.limit, profile.synapse.encodings.value)
    assert bound is not None
    plain = max(result.total[name] / result.limit[name] for name in ("neurons", "synapse_bits", "in_axons"))
    assert plain < bound.cores <= result.cores
    assert sum(bound.weights.values()) == pytest.approx(1)
    assert bound.weights["in_axons"] > 0


def test_what_cannot_be_mapped_is_refused_before_anything_is_cut() -> None:
    graph = chain_of_convolutions(512, 4, 2)
    with pytest.raises(CapacityError, match=r"n2: needs 4,608 in_axons, the target has 4,096"):
        partition(graph, load_profile("loihi1"), MapOptions())
