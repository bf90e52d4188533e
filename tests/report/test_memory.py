from __future__ import annotations

from dataclasses import replace
from io import StringIO
from math import log2

import numpy as np
import pytest
from rich.console import Console

from nodes import there
from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.image.core_image import decode_core, encode_core, sections
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Conv2d,
    Dense,
    Flatten,
    Graph,
    Input,
    Level,
    Neuron,
    Output,
    Population,
    Projection,
)
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.twin import int8_twin, map_twins
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.report.account import memory_table, size_text, twin_table
from tern2lava.report.build import make_report
from tern2lava.report.memory import entropy, neuron_arithmetic
from tern2lava.report.model import Report
from tern2lava.report.twin import add_twins


def network(zeros: float = 0.5, hidden: int = 200) -> Graph:
    """A convolution of 144 weights with a threshold per channel, and dense layers of 256 x hidden and hidden x 10."""
    rng = np.random.default_rng(0)

    def codes(*shape: int) -> Array:
        return frozen(rng.choice([-1.0, 1.0], shape) * (rng.random(shape) >= zeros))

    nodes = (
        Input(name="x", shape=(1, 8, 8)),
        Conv2d(name="conv", inputs=("x",), weight=codes(16, 1, 3, 3), stride=(2, 2), padding=(1, 1, 1, 1)),
        Neuron(name="a", inputs=("conv",), shape=(16, 4, 4), threshold=frozen(np.arange(1.0, 17).reshape(16, 1, 1))),
        Flatten(name="flat", inputs=("a",)),
        Dense(name="fc1", inputs=("flat",), weight=codes(hidden, 256)),
        Neuron(name="b", inputs=("fc1",), shape=(hidden,)),
        Dense(name="fc2", inputs=("b",), weight=codes(10, hidden)),
        Neuron(name="c", inputs=("fc2",), shape=(10,)),
        Output(name="out", inputs=("c",)),
    )
    return Graph(level=Level.IMPORTED, nodes=nodes, steps=5)


def compiled(target: str = "generic-ternary", zeros: float = 0.5, hidden: int = 200, most: int = 150) -> Compiled:
    options = MapOptions(max_neurons_per_core=most)
    return replace(build(network(zeros, hidden), load_profile(target), map_options=options), source_bytes=100_000)


@pytest.mark.parametrize("target", ["generic-ternary", "loihi1", "loihi2"])
def test_every_bit_of_the_images_is_in_one_place_of_the_account(target: str) -> None:
    found = compiled(target)
    report = make_report(found, "0")
    total = report.memory.total
    header_and_checksum = 32 + 4 + 4
    for core, image in zip(report.cores, found.mapped.images, strict=True):
        parts = core.synapse_bits[0] + core.axon_bits + core.parameter_bits + 8 * header_and_checksum
        assert core.image_bits == 8 * len(image) == parts
        assert core.state_bits == 2 * (32 if target == "generic-ternary" else 24) * core.neurons[0]
    assert total.stored_bits == sum(core.synapse_bits[0] for core in report.cores)
    assert total.axon_bits == sum(core.axon_bits for core in report.cores)
    assert total.parameter_bits == sum(core.parameter_bits for core in report.cores)
    assert total.state_bits == sum(core.state_bits for core in report.cores)
    assert total.image_bits == sum(core.image_bits for core in report.cores) + 8 * len(found.mapped.host_image)
    assert total.stored_bits == sum(layer.stored_bits for layer in report.memory.layers)
    assert (total.checkpoint_bits, total.ratio_checkpoint) == (800_000, 800_000 / total.image_bits)


def test_sections_are_those_of_the_decoded_image() -> None:
    for data in compiled().mapped.images:
        found = sections(data)
        image = decode_core(data)
        assert found.neurons + found.axons + found.blocks + found.rest == len(data)
        assert found.axons == 52 * (len(image.axons) + len(image.routes))
        without = encode_core(replace(image, blocks=(), axons=(), routes=()))
        assert len(without) == found.neurons + found.rest


def test_baselines_and_ratios_are_counted_from_the_weights() -> None:
    report = make_report(compiled(zeros=0.5), "0")
    layers = {layer.projection: layer for layer in report.memory.layers}
    fc1 = layers["fc1"]
    assert fc1.weights == 256 * 200
    assert (fc1.fp32_bits, fc1.fp16_bits, fc1.int8_bits, fc1.int4_bits, fc1.ternary_bits) == tuple(
        width * fc1.weights for width in (32, 16, 8, 4, 2)
    )
    p = there(fc1.zeros)
    bound = -p * log2(p) - (1 - p) * log2(1 - p) + (1 - p)
    assert fc1.entropy_bits / fc1.weights == pytest.approx(bound, abs=1e-3)
    assert 1 <= fc1.transport_bits / fc1.entropy_bits < 1.01
    assert fc1.over_entropy == pytest.approx(fc1.stored_bits / fc1.entropy_bits - 1)
    assert fc1.held_weights == fc1.weights
    assert fc1.ratio_fp32 == pytest.approx(fc1.fp32_bits / fc1.stored_bits)
    assert fc1.ratio_int4 == pytest.approx(fc1.int4_bits / fc1.stored_bits)
    assert (fc1.sharing, fc1.cores, fc1.synapses) == ("dense", 2, fc1.weights)
    conv = layers["conv"]
    assert conv.sharing == "kernel"
    assert conv.cores == 2
    # Two cores share the 256 neurons: by channels, each with its own kernels, or by space, each with all of them.
    assert conv.copies in (1.0, 2.0)
    assert conv.held_weights == 144 * conv.copies
    assert conv.ratio_int8 == pytest.approx(8 * 144 * conv.copies / conv.stored_bits)
    assert report.memory.total.ratio_int8 == pytest.approx(
        8 * sum(layer.held_weights for layer in layers.values()) / report.memory.total.stored_bits
    )
    assert fc1.copies == 1
    assert conv.weights == 144
    assert conv.synapses == 1936  # 16 channels, 4 x 4 positions, 9 taps each, less those outside
    assert entropy(np.array([1, 1, 1, 1])) == 0
    assert entropy(np.array([0, 1, -1])) == pytest.approx(log2(3))


@pytest.mark.parametrize(
    ("target", "sharing", "held"),
    [
        # A kernel of 3 x 3 for each of 16 channels.
        ("generic-ternary", "kernel", 16 * 9),
        # Stride 2 over 8 inputs, padded by 1: along an axis the first of 4 targets sees 2 of them, the others 3.
        ("loihi1", "none", 16 * 11 * 11),
        # Along an axis even inputs reach 1 target, odd ones 2, the last 1: three classes of lists.
        ("loihi1", "lists", 16 * 4 * 4),
    ],
)
def test_plain_weights_are_counted_as_often_as_they_are_stored(target: str, sharing: str, held: int) -> None:
    data = load_profile(target).model_dump()
    data["synapse"]["sharing"]["value"] = sharing
    report = make_report(build(network(), Profile.model_validate(data)), "0")
    (conv,) = [layer for layer in report.memory.layers if layer.sharing != "dense"]
    assert conv.cores == 1
    assert conv.held_weights == held
    assert conv.ratio_fp32 == pytest.approx(32 * held / conv.stored_bits)


@pytest.mark.parametrize("zeros", [0.0, 0.2, 0.33, 0.5, 0.7, 0.9])
def test_layers_of_ten_thousand_weights_take_a_sixteenth_of_fp32_on_the_ternary_core(zeros: float) -> None:
    for hidden in (40, 200, 1000):
        report = make_report(compiled(zeros=zeros, hidden=hidden, most=1024), "0")
        large = [layer for layer in report.memory.layers if layer.weights >= 10_000]
        assert large
        for layer in large:
            assert there(layer.ratio_fp32) >= 16


def test_parameters_that_differ_by_channel_are_stored_once_for_each() -> None:
    found = compiled(most=1024)
    image = decode_core(found.mapped.images[0])
    group = image.groups[0]
    assert group.local is not None
    assert group.box.extent == (16, 4, 4)
    program = found.lowered.program["a"]
    assert isinstance(program, Population)
    np.testing.assert_array_equal(group.local.threshold, np.broadcast_to(program.threshold, (16, 4, 4)).reshape(-1))
    only = encode_core(replace(image, groups=image.groups[:1], axons=(), routes=(), blocks=()))
    assert len(only) < 32 + 200


def test_twins_have_the_shapes_and_zeros_and_are_really_mapped() -> None:
    found = compiled("loihi1")
    program, profile = found.lowered.program, found.profile
    for dense in (False, True):
        twin = int8_twin(program, dense=dense)
        for layer, other in zip(program.of_kind(Projection), twin.of_kind(Projection), strict=True):
            assert layer.weight.shape == other.weight.shape
            assert other.bits == 8
            expected = np.ones(layer.weight.shape, bool) if dense else layer.weight != 0
            np.testing.assert_array_equal(other.weight != 0, expected)
            assert np.abs(other.weight).max() <= 127
    report = add_twins(make_report(found, "0"), map_twins(program, profile, found.mapped.options))
    own, same, dense_row = report.twins
    assert (own.cores, own.stored_bits) == (len(report.cores), report.memory.total.stored_bits)
    assert own.image_bits == report.memory.total.image_bits
    assert own.stored_bits is not None
    assert same.stored_bits is not None
    assert dense_row.stored_bits is not None
    assert 1.5 * own.stored_bits < same.stored_bits <= dense_row.stored_bits
    assert (own.weight_bits, same.weight_bits) == (2, 8)
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_a_twin_that_does_not_fit_says_why() -> None:
    found = compiled("tiny", hidden=40, most=1000)
    report = add_twins(make_report(found, "0"), map_twins(found.lowered.program, found.profile, found.mapped.options))
    assert report.twins[0].cores is not None
    wrong = [row for row in report.twins if row.cores is None]
    for row in wrong:
        assert row.reason
    text = render(twin_table(report))
    assert ("does not fit" in text) == bool(wrong)


def render(table: object) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(table)
    return console.export_text()


@pytest.mark.parametrize(
    ("target", "sharing", "words"),
    [
        ("generic-ternary", "kernel", "each core holds the kernels of its channels once"),
        ("loihi1", "lists", "a synapse list for every source channel"),
        ("loihi1", "none", "the target shares nothing"),
    ],
)
def test_the_terminal_says_how_convolutions_are_stored_and_what_it_costs(target: str, sharing: str, words: str) -> None:
    data = load_profile(target).model_dump()
    data["synapse"]["sharing"]["value"] = sharing
    report = make_report(build(network(), Profile.model_validate(data)), "0")
    (conv,) = [layer for layer in report.memory.layers if layer.sharing != "dense"]
    text = render(memory_table(report))
    assert words in text
    assert f"all cores take {conv.stored_bits / (2 * 144):.1f} times the kernels once at 2 bits" in text
    dense = report.model_copy(update={"memory": report.memory.model_copy(update={"layers": report.memory.layers[1:]})})
    assert "times the kernels" not in render(memory_table(dense))


def test_the_terminal_shows_baselines_stored_bits_and_everything_else() -> None:
    report = make_report(compiled(), "0")
    text = render(memory_table(report))
    words = (
        "fp32", "fp16", "int8", "int4", "2-bit", "Entropy", "rANS", "copies of the weights in plain formats", "kernel",
        "axon tables and routes", "neuron parameters", "neuron states", "The file that was compiled",
    )  # fmt: skip
    for word in words:
        assert word in text
    assert size_text(report.memory.total.stored_bits) in text
    assert [size_text(8 * n) for n in (0, 1023, 1024, 1 << 20, 5 << 40)] == [
        "0 B", "1023 B", "1.0 KiB", "1.0 MiB", "5120.0 GiB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "bits", "said"),
    [
        (
            "generic-ternary", 2 * 32 + 2 * 24 + 31 + 32,
            "states of 32 bits, decays of 24, thresholds of 31, biases of 32: 175 bits a neuron that shares none of "
            "them, 73 more than in Loihi's 24, 12, 17 and 13",
        ),
        (
            "loihi1", 2 * 24 + 2 * 12 + 17 + 13,
            "states of 24 bits, decays of 12, thresholds of 17, biases of 13: 102 bits a neuron that shares none of "
            "them, as many as in Loihi's 24, 12, 17 and 13",
        ),
    ],
)  # fmt: skip
def test_what_a_neurons_arithmetic_costs_is_said_beside_loihis(target: str, bits: int, said: str) -> None:
    report = make_report(compiled(target), "0")
    assert report.memory.arithmetic.neuron_bits == bits
    assert report.memory.arithmetic.loihi_bits == 102
    assert f"Neuron arithmetic: {said}" in " ".join(render(memory_table(report)).split())


def test_a_neuron_without_current_and_decay_is_compared_with_loihis_like_it() -> None:
    own = load_profile("paicore2").arithmetic
    found = neuron_arithmetic(load_profile("paicore2"))
    assert found.decay_bits == 0
    assert found.neuron_bits == own.state_bits.value + own.threshold_bits.value + own.bias_bits.value
    assert found.loihi_bits == 24 + 17 + 13


def test_loihis_widths_are_those_of_its_profile() -> None:
    assert Arithmetic(**load_profile("loihi1").arithmetic_values()) == Arithmetic()
