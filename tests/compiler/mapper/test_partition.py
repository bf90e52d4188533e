from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nets import convolution, full_codes, integer_graph, neurons, same, variant
from tern2lava.compiler.image.codecs.rans_model import SCALE, SHARE, model
from tern2lava.compiler.ir.graph import Graph, Input, Node, Projection
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.ir.slices import cut
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.mapper.cost.core_cost import CostModel, codec_memory
from tern2lava.compiler.mapper.lower_bounds.totals import least_synapse_bits
from tern2lava.compiler.mapper.partition import Partition, partition
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import load_profile


def ternary(*shape: int) -> Array:
    """Codes without a zero: every source has an axon on every core."""
    return full_codes(np.random.default_rng(0), *shape)


def chain(*widths: int, bits: int = 2) -> Graph:
    """A chain of dense layers."""
    nodes: list[Node] = [Input(name="l0", shape=(widths[0],))]
    for index in range(1, len(widths)):
        wire = Projection(
            name=f"w{index}", inputs=(f"l{index - 1}",), weight=ternary(widths[index], widths[index - 1]),
            gain=frozen(64, np.int64), bits=bits,
        )  # fmt: skip
        nodes += [wire, neurons(f"l{index}", wire.name, (widths[index],))]
    return integer_graph(*nodes)


def image(channels: int, out: int, length: int) -> Graph:
    """A 3 x 3 convolution of an image into one of the same sides."""
    shape = (channels, length, length)
    wire = convolution("c", "in", shape, ternary(out, channels, 3, 3), padding=same(3, 3))
    return integer_graph(Input(name="in", shape=shape), wire, neurons("p", "c", (out, length, length)))


def test_each_part_of_a_dense_layer_takes_as_many_rows_as_fit() -> None:
    graph = chain(100, 300)
    profile = variant("tiny", core__synapse_memory=8 * (19 + 5 + 1000))
    result = partition(graph, profile, MapOptions(encodings=("dense",)))
    # 40 rows of 100 codes are 1,000 bytes, their head and gain 19, and 5 fill the last word; a 41st would not fit.
    assert [part.box.volume for part in result.parts] == [40] * 7 + [20]
    assert result.used["synapse_bits"].max() == 8 * (19 + 5 + 1000)


def test_a_row_that_does_not_fit_alone_names_the_memory() -> None:
    with pytest.raises(CapacityError) as caught:
        partition(chain(100, 300), variant("tiny", core__synapse_memory=256), MapOptions(encodings=("dense",)))
    assert (caught.value.node, caught.value.resource) == ("l1", "synapse_bits")
    assert (caught.value.need, caught.value.have) == (8 * (18 + 25 + 5), 256)


def test_output_axons_limit_the_neurons_of_a_source() -> None:
    graph = chain(10, 60, 64)
    profile = variant("tiny", core__neurons=60, core__out_axons=30, routing__out_axon_model="edges")
    result = partition(graph, profile, MapOptions(max_neurons_per_core=32, share_cores=False))
    sizes = [part.box.volume for part in result.parts if part.population == "l1"]
    # Two cores read every neuron of l1: 15 neurons make 30 edges.
    assert sizes == [15, 15, 15, 15]
    assert result.used["out_axons"][:4].tolist() == [30] * 4


def test_a_neuron_with_more_targets_than_output_axons_is_refused() -> None:
    profile = variant("tiny", core__out_axons=7, core__neurons=8, routing__out_axon_model="edges")
    with pytest.raises(CapacityError) as caught:
        partition(chain(10, 60, 64), profile, MapOptions(share_cores=False))
    assert (caught.value.node, caught.value.resource, caught.value.have) == ("l1", "out_axons", 7)
    assert caught.value.need == 8


def recurrent() -> Graph:
    """A layer of 60 neurons that feeds itself."""
    first, wire, _, _ = chain(10, 60).nodes
    loop = Projection(name="loop", inputs=("l1",), weight=ternary(60, 60))
    return integer_graph(first, wire, loop, neurons("l1", ("w1", "loop"), (60,)))


def test_output_axons_of_a_recurrent_layer_are_limited_too() -> None:
    # 32 neurons that reach two parts need 64 entries, 30 need 60.
    profile = variant("tiny", core__neurons=32, core__out_axons=62, routing__out_axon_model="edges")
    result = partition(recurrent(), profile, MapOptions())
    assert [part.box.volume for part in result.parts] == [30, 30]
    assert result.used["out_axons"].tolist() == [60, 60]


def test_a_recurrent_layer_that_no_cut_can_route_is_refused() -> None:
    # Parts of n neurons are 60 / n: 60 entries on each core however the layer is cut.
    profile = variant("tiny", core__neurons=32, core__out_axons=45, routing__out_axon_model="edges")
    with pytest.raises(CapacityError, match="l1: needs 60 out_axons, the target has 45"):
        partition(recurrent(), profile, MapOptions())


def test_edges_that_leave_the_chip_cost_more_and_are_cut_for() -> None:
    graph = chain(10, 64, 64)
    values: dict[str, Any] = {
        "routing__out_axon_model": "edges", "routing__offchip_cost": 1, "core__neurons": 32,
        "system__mesh_rows": 1, "system__mesh_cols": 2, "system__chip_cols": 20,
    }  # fmt: skip
    # On one chip 32 neurons to 2 cores are 64 entries; across a chip border 128.
    linear = MapOptions(share_cores=False, placement="linear")
    loose = map_program(graph, variant("tiny", core__out_axons=128, **values), linear)
    assert loose.partition.cores == 4
    assert loose.routing.out_axons.tolist() == [128, 128, 0, 0]
    # With a part of either layer on each chip, one of a neuron's two axons stays: 32 + 64 entries.
    tight = map_program(graph, variant("tiny", core__out_axons=100, **values), linear)
    assert tight.partition.cores == 4
    assert sorted(tight.routing.out_axons.tolist()) == [0, 0, 96, 96]
    # Of fewer than 96 entries some parts must be cut.
    cut = map_program(graph, variant("tiny", core__out_axons=90, **values), linear)
    assert cut.partition.cores > 4
    assert cut.routing.out_axons.max() <= 90


def test_fan_in_adds_up_over_projections_and_takes_the_largest_part_of_a_core() -> None:
    result = partition(recurrent(), load_profile("tiny"), MapOptions())
    assert result.used["fan_in"].tolist() == [70]
    result = partition(chain(30, 20, 5), load_profile("tiny"), MapOptions())
    assert (result.cores, result.used["fan_in"].tolist()) == (1, [30])


def test_an_edge_into_shared_lists_costs_two_entries_on_loihi1() -> None:
    wire = convolution("c2", "p", (2, 4, 4), ternary(2, 2, 1, 1))
    graph = integer_graph(*image(1, 2, 4).nodes[:3], wire, neurons("q", "c2", (2, 4, 4)))
    for sharing, entries in (("lists", 64), ("none", 32)):
        program = map_program(graph, variant("loihi1", synapse__sharing=sharing), MapOptions(share_cores=False))
        assert program.routing.out_axons.tolist() == [entries, 0]
        assert program.partition.used["out_axons"].tolist() == [entries, 0]


def test_a_convolution_is_cut_by_channels_where_cores_can_receive_all_their_inputs() -> None:
    graph = image(4, 8, 16)
    # 2,048 neurons on four cores, two channels each, that see all of 4 x 16 x 16.
    result = partition(graph, variant("tiny", core__neurons=512, core__in_axons=1024), MapOptions())
    assert [part.box.extent for part in result.parts] == [(2, 16, 16)] * 4
    assert sum(size_of_kernels(graph, result)) == 8 * 4 * 9


def test_an_unneeded_border_is_not_paid_for_in_a_convolution() -> None:
    graph = image(4, 8, 16)
    result = partition(graph, variant("tiny", core__neurons=512, core__in_axons=1023), MapOptions())
    # By channels alone a core would need 1,024 axons: four channels of half the image, each weight stored twice.
    assert {part.box.extent for part in result.parts} in ({(4, 8, 16)}, {(4, 16, 8)})
    assert result.used["in_axons"].tolist() == [4 * 9 * 16] * 4
    assert sum(size_of_kernels(graph, result)) == 2 * 8 * 4 * 9
    # Where traffic is what costs, or output axons count edges, input axons come before weights.
    least = min(4 * (5 + 6 + 6 + 5) * 16, 4 * (9 * 9) * 4)
    result = partition(graph, variant("tiny", core__neurons=512), MapOptions(objective="traffic"))
    assert (result.cores, result.used["in_axons"].sum()) == (4, least)
    edges = variant("tiny", core__neurons=512, routing__out_axon_model="edges")
    result = partition(graph, edges, MapOptions())
    assert (result.cores, result.used["in_axons"].sum()) == (4, least)


def test_weights_are_stored_again_where_the_routes_of_storing_them_once_would_take_more() -> None:
    """32 x 8 x 8 into as many by 1 x 1 kernels, 64 neurons a core: by channels 32 parts feed 32, by space one each."""
    nodes: list[Node] = [Input(name="in", shape=(32, 8, 8))]
    for source, name in (("in", "a"), ("a", "b")):
        wire = convolution(f"w{name}", source, (32, 8, 8), ternary(32, 32, 1, 1))
        nodes += [wire, neurons(name, wire.name, (32, 8, 8))]
    graph = integer_graph(*nodes)
    result = partition(graph, variant("generic-ternary", core__neurons=64), MapOptions())
    assert result.cores == 64
    assert {part.box.extent[0] for part in result.parts} == {32}
    assert result.used["out_axons"].sum() == 32


def size_of_kernels(graph: Graph, result: Partition) -> list[int]:
    """Weights that each block of a partition stores."""
    sizes = []
    for part in result.parts:
        for block in part.blocks:
            wire = graph[block.projection]
            assert isinstance(wire, Projection)
            piece = cut(wire, part.box)
            assert piece is not None
            sizes.append(int(piece.local.weight.size))
    return sizes


@pytest.mark.parametrize("neurons", [100, 256, 300, 700])
def test_storing_weights_less_often_never_costs_a_core(neurons: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for graph in (image(8, 16, 12), image(3, 7, 9), image(2, 40, 5)):
        profile = variant("generic-ternary", core__neurons=neurons)
        found = partition(graph, profile, MapOptions())
        monkeypatch.setattr("tern2lava.compiler.mapper.partition._SPARES", (None,))
        other = partition(graph, profile, MapOptions())
        monkeypatch.undo()
        assert found.cores <= other.cores
        if found.cores == other.cores:
            assert found.used["synapse_bits"].sum() <= other.used["synapse_bits"].sum()


def test_the_lower_bound_is_met_or_missed_but_never_passed() -> None:
    for graph in (chain(200, 300, 100), chain(150, 200, bits=8), image(8, 16, 12)):
        for name in ("tiny", "loihi1", "loihi2", "generic-ternary"):
            if name == "tiny" and graph["out"].inputs == ("p",):
                continue
            profile = load_profile(name)
            result = partition(graph, profile, MapOptions())
            assert 1 <= result.cores_lower_bound <= result.cores
            model = CostModel(graph, profile)
            least = sum(least_synapse_bits(p, profile, model.encodings) for p in graph.of_kind(Projection))
            assert 0 < least == result.total["synapse_bits"] <= result.used["synapse_bits"].sum()


def test_the_lower_bound_names_the_scarcest_resource() -> None:
    graph = chain(100, 640)
    result = partition(graph, variant("tiny", core__neurons=64, core__synapse_memory=1 << 20), MapOptions())
    assert (result.cores_lower_bound, result.cores) == (10, 10)
    # 64,000 codes of 2 bits in cores of 16,384 bits.
    profile = variant("tiny", core__neurons=640)
    assert partition(graph, profile, MapOptions(encodings=("dense",))).cores_lower_bound == 8


def test_fan_in_forces_input_axons_on_every_core_of_a_layer() -> None:
    """100 inputs each to 640 neurons, 64 a core: ten cores with 100 axons, although there are 100 sources only."""
    profile = variant("tiny", core__neurons=64, core__synapse_memory=1 << 20, core__in_axons=100)
    result = partition(chain(100, 640), profile, MapOptions())
    assert (result.total["in_axons"], result.total["fan_in_axons"]) == (100, 1000)
    assert (result.bounds["in_axons"], result.bounds["fan_in_axons"]) == (1, 10)
    # Of a convolution the neuron with the fewest inputs counts, here in a corner: 4 of 9 taps, 8 channels.
    result = partition(image(8, 16, 12), variant("tiny", core__neurons=256), MapOptions())
    assert result.total["fan_in_axons"] == max(8 * 12 * 12, -(-16 * 144 // 256) * 8 * 4)
    assert result.used["in_axons"].sum() >= result.total["fan_in_axons"]


def test_no_rans_stream_takes_less_than_the_bits_counted_for_its_rows() -> None:
    """The cheapest symbol for its codes, over models of all shares, costs more than the bound allows each of them."""
    digits = (np.arange(81)[:, None] // [1, 3, 9, 27]) % 3
    used = np.stack([(digits == code).sum(axis=1) for code in range(3)], axis=1)
    edge = 2 ** np.arange(15)
    zero_shares = np.unique(np.concatenate([np.arange(0, SHARE + 1, 2047), edge, SHARE - edge]))
    for zeros in zero_shares.tolist():
        for positive in np.unique(np.minimum([0, 1, 30, 1000, 5000, SHARE - zeros - 1], SHARE - zeros)).tolist():
            if positive < 0:
                continue
            frequency = model(zeros, positive).frequency
            share = np.array([SHARE - zeros - positive, zeros, positive]) / SHARE
            least = 0.97 * np.minimum(-np.log2(np.where(share > 0, share, 1)), 3.0)
            possible = frequency > 0
            assert (used[possible] @ least <= np.log2(SCALE / frequency[possible]) + 1e-12).all()


@pytest.mark.parametrize("encoding", ["golomb", "rans"])
@pytest.mark.parametrize("zeros", [0.0, 0.3, 0.5, 0.9, 0.99])
def test_a_variable_length_code_takes_no_less_than_its_lower_bound(encoding: str, zeros: float) -> None:
    rng = np.random.default_rng(0)
    profile = load_profile("generic-ternary")
    for sorted_rows in (False, True):
        weight = np.where(rng.random((60, 200)) < zeros, 0, rng.choice([-1, 1], (60, 200), p=[0.2, 0.8]))
        weight = np.sort(weight, axis=1) if sorted_rows else weight
        wire = Projection(name="w", weight=frozen(weight, np.int8), gain=frozen(1, np.int64))
        least = least_synapse_bits(wire, profile, (encoding,))
        cuts = [replace(wire, weight=frozen(part, np.int8)) for part in np.array_split(weight, 7)]
        assert 0 < least <= sum(codec_memory(part, profile, (encoding,), "p")[2] for part in cuts)
