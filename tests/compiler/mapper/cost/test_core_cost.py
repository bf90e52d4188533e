from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nets import integer_graph, neurons, sparse_codes, variant
from tern2lava.compiler.image.code_rows import code_rows
from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.linear import accumulate, stored_weights
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, conv_out, frozen
from tern2lava.compiler.mapper.cost.core_cost import (
    CostModel,
    codec_memory,
    nxtf_memory,
    parameter_sets,
    stored_lists,
)
from tern2lava.compiler.mapper.cost.nxtf import delay_bits, list_words
from tern2lava.compiler.mapper.partition import Partition, partition
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import load_profile

# NxTF's accounting once more, one synapse at a time, as its published code computes it.


def index_bits(value: int) -> int:
    return max(6, ceil(log2(value + 1)))


def dense_entries(synapses: list[tuple[int, int]], weight: int) -> Iterable[int]:
    while synapses:
        start = synapses[0][0]
        inside = [s for s in synapses if s[0] < start + 60]
        synapses = synapses[len(inside) :]
        yield 10 + index_bits(start) + (inside[-1][0] - start + 1) * weight


def sparse_entries(synapses: list[tuple[int, int]], weight: int) -> Iterable[int]:
    for at in range(0, len(synapses), 60):
        entry = synapses[at : at + 60]
        yield 10 + len(entry) * (weight + index_bits(entry[-1][0]))


def run_length_entries(synapses: list[tuple[int, int]], weight: int) -> Iterable[int]:
    while synapses:
        end = 1
        while end < min(60, len(synapses)) and synapses[end][0] - synapses[end - 1][0] < 32:
            end += 1
        entry, synapses = synapses[:end], synapses[end:]
        steps = [b[0] - a[0] for a, b in pairwise(entry)]
        skip = max(2, ceil(log2(max(steps, default=0) + 1)))
        yield 10 + index_bits(entry[0][0]) + len(entry) * (weight + skip)


def gapless_entries(synapses: list[tuple[int, int]], weight: int) -> Iterable[int]:
    """NxTF's other dense way: no zero is stored, every gap opens an entry."""
    while synapses:
        end = 1
        while end < min(60, len(synapses)) and synapses[end][0] == synapses[end - 1][0] + 1:
            end += 1
        yield 10 + index_bits(synapses[0][0]) + end * weight
        synapses = synapses[end:]


ENTRIES = {"dense": dense_entries, "sparse": sparse_entries, "run_length": run_length_entries}


def words_of(row: Array, index: Array, encoding: str, weight: int) -> int:
    synapses = [(int(i), int(w)) for i, w in zip(index, row, strict=True) if w]
    bits = sum(ENTRIES[encoding](synapses, weight))
    return ceil(bits / 64) + (1 if bits % 64 == 0 or bits % 64 >= 59 else 0)


@pytest.mark.parametrize("encoding", ENTRIES)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    zeros=st.sampled_from([0.0, 0.2, 0.5, 0.8, 0.97, 1.0]),
    delay=st.sampled_from([0, 3, 20]),
)
def test_synapse_lists_take_the_words_that_nxtf_counts(encoding: str, seed: int, zeros: float, delay: int) -> None:
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 400))
    codes = sparse_codes(rng, 6, length, zeros=zeros)
    index = np.sort(rng.choice(1024, length, replace=False))
    words = list_words(codes, index, encoding, 2, delay_bits(delay), 60)
    width = 2 + {0: 0, 3: 3, 20: 5}[delay]
    assert words.tolist() == [words_of(row, index, encoding, width) for row in codes]


def test_shared_sign_stores_each_polarity_apart_with_one_bit_less() -> None:
    rng = np.random.default_rng(0)
    codes, index = sparse_codes(rng, 9, 200, zeros=0.5), np.arange(200)
    found = list_words(codes, index, "shared_sign", 2, 0, 60)
    best = None
    for entries in ENTRIES.values():
        total = []
        for row in codes:
            bits = sum(sum(entries([(i, 1) for i in np.flatnonzero(row == sign).tolist()], 1)) for sign in (1, -1))
            total.append(ceil(bits / 64) + (1 if bits % 64 == 0 or bits % 64 >= 59 else 0))
        best = total if best is None or sum(total) < sum(best) else best
    assert found.tolist() == best


def mlp(zeros: float, bits: int) -> Graph:
    """784-512-10 with random weights."""
    rng = np.random.default_rng(0)

    def layer(name: str, source: str, out: int, inputs: int) -> tuple[Projection, Population]:
        weight = sparse_codes(rng, out, inputs, zeros=zeros) * (127 if bits == 8 else 1)
        wire = Projection(
            name=f"w.{name}", inputs=(source,), weight=frozen(weight, np.int8), bits=bits, gain=frozen(64, np.int64)
        )
        return wire, neurons(name, wire.name, (out,))

    return integer_graph(Input(name="in", shape=(784,)), *layer("h", "in", 512, 784), *layer("o", "h", 10, 512))


def on_loihi1(zeros: float, bits: int, encoding: str) -> tuple[Partition, float]:
    """The partition of 784-512-10 with one population per core, and its synaptic memory in KiB as NxTF counts it."""
    graph, profile = mlp(zeros, bits), load_profile("loihi1")
    options = MapOptions(share_cores=False, encodings=(encoding,))
    result = partition(graph, profile, options)
    model = CostModel(graph, profile, options.encodings)
    counted = 0
    for part in result.parts:
        population = graph[part.population]
        assert isinstance(population, Population)
        by_nxtf = model.part(population, part.box).used["synapse_bits"]
        assert part.used["synapse_bits"] <= by_nxtf
        counted += by_nxtf
    return result, counted / 8192


@pytest.mark.parametrize(
    ("zeros", "bits", "encoding", "cores", "kib"),
    [
        (0.5, 8, "dense", 5, 414),
        (0.5, 2, "dense", 2, 118),
        (0.5, 2, "sparse", 3, 253),
        (0.5, 2, "run_length", 3, 150),
        (0.9, 8, "dense", 4, 304),
        (0.9, 2, "dense", 2, 91),
        (0.9, 2, "sparse", 2, 62),
        (0.9, 2, "run_length", 2, 45),
    ],
)
def test_784_512_10_on_loihi1_takes_the_published_memory_and_cores(
    zeros: float, bits: int, encoding: str, cores: int, kib: int
) -> None:
    result, found = on_loihi1(zeros, bits, encoding)
    assert result.cores == cores
    # The figures were computed for another random draw of the weights; half zeros in dense storage hardly depend on
    # the draw, the others by up to 2.5 %.
    assert found == pytest.approx(kib, abs=0.5 if (zeros, encoding) == (0.5, "dense") else 0.025 * kib)


def test_the_cheapest_allowed_encoding_is_chosen_by_layer() -> None:
    profile = load_profile("loihi1")
    for zeros, expected in ((0.3, "dense"), (0.5, "dense"), (0.9, "run_length")):
        graph = mlp(zeros, 2)
        wire = graph["w.h"]
        assert isinstance(wire, Projection)
        encoding, codec, bits = nxtf_memory(wire, profile, profile.synapse.encodings.value, "h")
        assert (encoding, codec) == (expected, "loihi")
        for other in profile.synapse.encodings.value:
            assert bits <= nxtf_memory(wire, profile, (other,), "h")[2]


def random_conv(rng: np.random.Generator) -> Projection:
    while True:
        groups = int(rng.integers(1, 3))
        shape = (groups * int(rng.integers(1, 3)), int(rng.integers(3, 9)), int(rng.integers(3, 9)))
        kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
        stride, dilation = ((int(a), int(b)) for a, b in rng.integers(1, 3, (2, 2)))
        padding = tuple(int(p) for p in rng.integers(0, 3, 4))
        height = conv_out(shape[1], kernel[0], stride[0], padding[0] + padding[1], dilation[0])
        width = conv_out(shape[2], kernel[1], stride[1], padding[2] + padding[3], dilation[1])
        if height > 0 and width > 0:
            break
    out = groups * int(rng.integers(1, 4))
    geometry = ConvGeometry(
        in_shape=shape, out_shape=(out, height, width), stride=stride, dilation=dilation, groups=groups,
        padding=(padding[0], padding[1], padding[2], padding[3]),
    )  # fmt: skip
    weight = sparse_codes(rng, out, shape[0] // groups, *kernel, zeros=0.3)
    return Projection(name="c", inputs=("in",), weight=weight, geometry=geometry)


@pytest.mark.parametrize("encoding", ENTRIES)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_convolution_on_loihi1_counts_each_border_variant_of_a_list_once(encoding: str, seed: int) -> None:
    conv = random_conv(np.random.default_rng(seed))
    geometry = conv.geometry
    assert geometry is not None
    out, height, width = geometry.out_shape
    sources = int(np.prod(geometry.in_shape))
    taps = frozen(np.arange(1, conv.weight.size + 1).reshape(conv.weight.shape))
    numbered = Projection(name="c", inputs=("in",), weight=taps, geometry=geometry)
    # Unrolled and renumbered position by position, channels last, within the source's channel group.
    order = np.arange(out * height * width).reshape(out, -1).T.reshape(-1)
    weights = accumulate(conv, np.eye(sources))[:, order].astype(int)
    tap = accumulate(numbered, np.eye(sources))[:, order].astype(int)
    unrolled, lists = 0, set()
    for source in range(sources):
        targets = np.flatnonzero(tap[source])
        if targets.size:
            group = targets[0] % out // (out // geometry.groups) * (out // geometry.groups)
            first = targets // out * out
            relative = targets - first[0] - group
            row = weights[source, targets]
            words = words_of(row, relative, encoding, 2)
            unrolled += words
            lists.add((tuple(relative), tuple(tap[source, targets]), words))
    shared = sum(entry[-1] for entry in lists)
    for sharing, words in (("none", unrolled), ("lists", shared)):
        profile = variant("loihi1", synapse__sharing=sharing)
        assert nxtf_memory(conv, profile, (encoding,), "p")[2] == 64 * words


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_a_part_costs_the_same_wherever_another_of_its_kind_was_costed_before(target: str) -> None:
    """Costs are kept by what decides them: a model that has seen all other boxes says what a new one says."""
    rng = np.random.default_rng(3)
    different = 0
    for _ in range(12):
        conv = random_conv(rng)
        assert conv.geometry is not None
        shape = conv.geometry.out_shape
        reset = frozen(rng.integers(1, 4, (shape[0], 1, 1)), np.int64)
        threshold = frozen(rng.integers(1, 4, shape if rng.random() < 0.5 else (shape[0], 1, 1)), np.int64)
        zero = frozen(0, np.int64)
        population = Population(
            name="p", inputs=("c",), shape=shape, reset=Reset.SUBTRACT, lsb=frozen(1.0), start=0, decay_u=zero,
            decay_v=zero, bias=zero, v_init=zero, threshold=threshold, reset_amount=reset,
        )  # fmt: skip
        graph = Graph(
            level=Level.INTEGER, arithmetic=Arithmetic(),
            nodes=(Input(name="in", shape=conv.geometry.in_shape), conv, population, Output(name="out", inputs=("p",))),
        )  # fmt: skip
        profile = load_profile(target)
        kept = CostModel(graph, profile)
        unit = shape[0] // conv.geometry.groups
        starts = [(c, y, x) for c in range(0, shape[0], unit) for y in range(shape[1]) for x in range(shape[2])]
        seen = set()
        for lo in starts:
            hi = (lo[0] + unit, min(lo[1] + 2, shape[1]), min(lo[2] + 3, shape[2]))
            for stored in (False, True):
                cost = kept.part(population, Box(shape, lo, hi), as_stored=stored)
                assert cost == CostModel(graph, profile).part(population, Box(shape, lo, hi), as_stored=stored)
                seen.add((cost.used["synapse_bits"], cost.used["in_axons"], cost.used["threshold_sets"]))
        different += len(seen) > 1
    assert different >= 6


def test_gain_that_differs_by_row_widens_the_stored_weight_or_needs_a_table() -> None:
    weight = frozen([[1, -1, 0], [0, 1, 1]], np.int8)
    one = Projection(name="w", weight=weight, gain=frozen([64, 64], np.int64))
    two = Projection(name="w", weight=weight, gain=frozen([64, 320], np.int64))
    assert stored_weights(one)[1] == 2
    weights, bits = stored_weights(two)
    np.testing.assert_array_equal(weights, [[1, -1, 0], [0, 5, 5]])
    assert bits == 4
    loihi1 = load_profile("loihi1")
    assert nxtf_memory(one, loihi1, ("dense",), "p")[2] <= nxtf_memory(two, loihi1, ("dense",), "p")[2]
    wide = Projection(name="w", weight=weight, gain=frozen([1, 1001], np.int64))
    with pytest.raises(CapacityError, match="p: needs 11 weight bits, the target has 8"):
        nxtf_memory(wide, loihi1, ("dense",), "p")
    # A head of 17 bytes (4, and 13 numbers), two gains of 2 bytes, 2 bytes for 6 codes: three words.
    core = load_profile("generic-ternary")
    assert codec_memory(wide, core, ("dense",), "p") == ("dense", "packed2", 8 * 24)


def test_the_codec_model_takes_the_smallest_codec_allowed() -> None:
    rng = np.random.default_rng(0)
    core = load_profile("generic-ternary")
    allowed = core.synapse.encodings.value
    found = {}
    for zeros in (0.0, 0.3, 0.5, 0.6, 0.95, 1.0):
        wire = Projection(name="w", weight=sparse_codes(rng, 100, 100, zeros=zeros))
        encoding, name, bits = codec_memory(wire, core, allowed, "p")
        codec = CODECS.get(name)
        assert codec.encoding == encoding
        rows = code_rows(wire.weight)
        payload = len(codec.encode(rows))
        assert payload == min(len(c.encode(rows)) for c in CODECS if c.ternary and c.encoding in allowed)
        head = 4 + 12 + (1 if payload < 128 else 2) + 1
        assert bits == 8 * (-(-(head + payload) // 8) * 8)
        found[zeros] = name
    assert found == {0.0: "rans", 0.3: "base3", 0.5: "bitmap", 0.6: "rans", 0.95: "rans", 1.0: "rans"}
    with pytest.raises(CapacityError, match="encodings"):
        codec_memory(wire, core, (), "p")


@pytest.mark.parametrize("zeros", [0.0, 0.3, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_stored_lists_never_take_more_than_the_best_of_nxtfs_encodings(zeros: float) -> None:
    rng = np.random.default_rng(1)
    profile = load_profile("loihi1")
    allowed = profile.synapse.encodings.value
    for shape, bits in (((512, 200), 2), ((64, 300), 2), ((10, 512), 2), ((100, 64), 8)):
        weight = sparse_codes(rng, *shape, zeros=zeros) * (rng.integers(1, 128, shape) if bits == 8 else 1)
        wire = Projection(name="w", weight=frozen(weight, np.int8), bits=bits, gain=frozen(64, np.int64))
        names, codec, stored = stored_lists(wire, profile, allowed, "p")
        assert codec == "loihi"
        assert set(names.split("+")) <= set(allowed)
        assert stored <= min(nxtf_memory(wire, profile, (name,), "p")[2] for name in allowed)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), inputs=st.integers(1, 12), outputs=st.integers(1, 700), zeros=st.floats(0, 1),
    bits=st.sampled_from([2, 8]),
)  # fmt: skip
def test_a_layer_never_takes_more_than_nxtf_would_in_any_way_counted_one_synapse_at_a_time(
    seed: int, inputs: int, outputs: int, zeros: float, bits: int
) -> None:
    rng = np.random.default_rng(seed)
    weight = sparse_codes(rng, outputs, inputs, zeros=zeros)
    weight = weight * (rng.integers(1, 128, weight.shape) if bits == 8 else 1)
    profile = load_profile("loihi1")
    wire = Projection(name="w", weight=frozen(weight, np.int8), bits=bits, gain=frozen(64, np.int64))
    stored = stored_lists(wire, profile, profile.synapse.encodings.value, "p")[2]
    for entries in (*ENTRIES.values(), gapless_entries):
        mixed, shared = [], []
        for row in weight.T.tolist():
            synapses = [(target, w) for target, w in enumerate(row) if w]
            signs = [[s for s in synapses if s[1] * sign > 0] for sign in (1, -1)]
            mixed.append(sum(entries(synapses, bits)))
            shared.append(sum(sum(entries(some, bits - 1)) for some in signs))
        for lists in (mixed, shared):
            assert stored <= 64 * sum(ceil(b / 64) + (1 if b % 64 == 0 or b % 64 >= 59 else 0) for b in lists)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_stored_lists_of_a_convolution_never_take_more_than_nxtf_counts(seed: int) -> None:
    conv = random_conv(np.random.default_rng(seed))
    profile = load_profile("loihi1")
    allowed = profile.synapse.encodings.value
    assert stored_lists(conv, profile, allowed, "p")[2] <= nxtf_memory(conv, profile, allowed, "p")[2]


def test_parameter_sets_are_counted_within_the_box() -> None:
    z = {key: frozen(0, np.int64) for key in ("bias", "v_init", "decay_v")}
    population = Population(
        name="p", shape=(4, 2, 2), threshold=frozen([5, 6, 6, 7], np.int64), reset=Reset.SUBTRACT,
        decay_u=frozen([1, 1, 1, 2], np.int64), reset_amount=frozen(np.arange(16).reshape(4, 2, 2), np.int64),
        lsb=frozen(1.0), start=0, **z,  # type: ignore[arg-type]
    )  # fmt: skip
    assert parameter_sets(population, Box.full((4, 2, 2))) == (3, 16)
    assert parameter_sets(population, Box((4, 2, 2), (1, 0, 0), (3, 2, 2))) == (1, 8)
    assert parameter_sets(population, Box((16,), (0,), (5,))) == (2, 5)
