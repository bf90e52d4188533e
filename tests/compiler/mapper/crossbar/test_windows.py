"""Crossbar cores: what neurons take, how often they are copied, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nets import codes, convolution, integer_graph, neurons, variant
from random_crossbars import Sketch, matrix
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Node, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.mapper.crossbar.windows import boxes_of, stored, unrolled
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import Profile, load_profile

# Where cores lie is not what these tests are about.
LINEAR = MapOptions(placement="linear")


def dense(profile: Profile, widths: tuple[int, ...], low: int = -1, **changed: Any) -> Graph:
    """A chain of dense layers with codes from `low` to 1."""
    rng = np.random.default_rng(1)
    nodes: list[Node] = [Input(name="in", shape=(widths[0],))]
    for at in range(1, len(widths)):
        weight = frozen(rng.integers(low, 2, (widths[at], widths[at - 1])), np.int8)
        nodes.append(Projection(name=f"w{at}", inputs=("in" if at == 1 else f"p{at - 1}",), weight=weight))
        values = {"threshold": frozen(6), "start": at - 1} | changed
        nodes.append(neurons(f"p{at}", f"w{at}", (widths[at],), **values))
    return replace(integer_graph(*nodes), arithmetic=Arithmetic(**profile.arithmetic_values()))


def test_weights_of_more_bits_and_wider_fan_in_take_more_dendrites() -> None:
    profile = load_profile("paicore2")
    # By the published rule 512 / (bits x LCN) neurons a core: 2 bits, 1 bit, and 2 bits at LCN 2.
    for widths, low, cores in (((784, 512, 10), -1, 3), ((784, 512, 10), 0, 2), ((1153, 256), -1, 2)):
        program = map_program(dense(profile, widths, low), profile, LINEAR)
        assert program.partition.cores == cores == program.cores_lower_bound
    folded = map_program(dense(profile, (1153, 128), -1), profile, LINEAR).core_use()[0]
    assert (folded.neurons[0], folded.in_axons[0], folded.synapse_bits) == (128, 1153, (512 * 1152, 512 * 1152))


def test_a_ternary_input_takes_two_axons_of_truenorth_and_a_neuron_a_copy_for_each() -> None:
    profile = load_profile("truenorth")
    apart = MapOptions(share_cores=False, placement="linear")
    program = map_program(dense(profile, (128, 128, 10), -1), profile, apart)
    hidden, last = program.core_use()
    assert (hidden.neurons[0], hidden.in_axons[0], hidden.synapse_bits[0]) == (256, 256, 65536)
    assert (last.neurons[0], last.in_axons[0]) == (10, 256)
    with pytest.raises(CapacityError, match=r"p1: needs 258 in_axons, the target has 256"):
        map_program(dense(profile, (129, 10), -1), profile)


def test_a_neuron_is_copied_for_every_core_on_truenorth_and_for_none_under_multicast() -> None:
    # 600 neurons take three cores, so each of the 100 before them needs six axons on TrueNorth.
    profile, apart = load_profile("truenorth"), MapOptions(share_cores=False, placement="linear")
    single = map_program(dense(profile, (20, 100, 600)), profile, apart)
    readers = {use.id for use in single.core_use() if "p2" in use.populations}
    copies = sum(use.neurons[0] for use in single.core_use() if "p1" in use.populations)
    assert len(readers) == 3
    assert copies == 100 * 2 * 3
    multicast = map_program(dense(load_profile("paicore2"), (20, 100, 600)), load_profile("paicore2"), LINEAR)
    assert sum(use.neurons[0] for use in multicast.core_use()) == 700


@pytest.mark.parametrize("name", ["paicore2", "truenorth"])
def test_populations_pinned_to_different_chips_share_no_core(name: str) -> None:
    profile = variant(name, system__chip_rows=2)
    pinned = replace(LINEAR, pins=(("p1", 0), ("p2", 1)))
    together, apart = (map_program(dense(profile, (20, 30, 10)), profile, o).core_use() for o in (LINEAR, pinned))
    assert [(core.chip, core.populations) for core in together] == [(0, ("p1", "p2"))]
    assert sorted((core.chip, core.populations) for core in apart) == [(0, ("p1",)), (1, ("p2",))]


@pytest.mark.parametrize("name", ["paicore2", "truenorth"])
def test_latency_fills_more_cores_with_fewer_neurons_each(name: str) -> None:
    profile = load_profile(name)
    graph = dense(profile, (20, 60, 90))
    few, fast = (map_program(graph, profile, replace(LINEAR, objective=o)) for o in ("cores", "latency"))
    assert fast.partition.cores > few.partition.cores
    assert fast.quality.step < few.quality.step


def test_encodings_that_no_crossbar_has_are_refused() -> None:
    profile = load_profile("paicore2")
    with pytest.raises(CapacityError, match="of the encodings golomb, rans"):
        map_program(dense(profile, (20, 10)), profile, MapOptions(encodings=("golomb", "rans")))


@pytest.mark.parametrize("name", ["paicore2", "truenorth"])
def test_what_the_neurons_lack_is_refused_by_name(name: str) -> None:
    profile = load_profile(name)
    five = frozen(5, np.int64)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"decay_v": five}, "a potential that decays by a factor"),
        ({"decay_u": five}, "a synaptic current with memory"),
        ({"reset": Reset.SUBTRACT, "reset_amount": five}, "a reset by 5 where the lowest potential that spikes is 7"),
        ({"refractory": 2}, "refractory"),
    ]
    if name == "paicore2":
        cases.append(({"v_init": five}, "potentials that do not begin at 0"))
    else:
        cases.append(({"bias": five}, "p2: .* a bias from step 1 on"))
    for values, words in cases:
        with pytest.raises(UnsupportedError, match=words) as caught:
            map_program(dense(profile, (20, 30, 10), -1, **values), profile)
        assert f"{name} allows" in str(caught.value)
    exact = dense(profile, (20, 30, 10), -1, reset=Reset.SUBTRACT, reset_amount=frozen(7, np.int64))
    assert map_program(exact, profile, LINEAR).partition.cores >= 1


def test_windows_whose_fold_leaves_no_room_for_a_neurons_copies_are_not_chosen() -> None:
    # The middle of a VGG: neurons of p1 stand nine times on their cores; windows of its whole image fold them 32 times.
    profile = load_profile("paicore2")
    nodes: list[Node] = [Input(name="in", shape=(128, 16, 16))]
    shape = (128, 16, 16)
    layers = ((128, (3, 3), (1, 1), 1), (256, (6, 6), (2, 2), 2), (256, (3, 3), (1, 1), 1))
    for at, (out, kernel, stride, pad) in enumerate(layers, 1):
        weight = codes(np.random.default_rng(at), out, shape[0], *kernel)
        wire = convolution(f"w{at}", nodes[-1].name, shape, weight, stride=stride, padding=(pad,) * 4)
        shape = (out, shape[1] // stride[0], shape[2] // stride[1])
        nodes += [wire, neurons(f"p{at}", f"w{at}", shape, start=at - 1)]
    nodes.append(Projection(name="w4", inputs=("p3",), weight=codes(np.random.default_rng(4), 512, 256 * 64)))
    nodes.append(neurons("p4", "w4", (512,), start=3))
    graph = replace(integer_graph(*nodes), arithmetic=Arithmetic(**profile.arithmetic_values()))
    found = partition(graph, profile, LINEAR)
    assert sum(part.box.volume for part in found.parts if part.population == "p1") == 128 * 16 * 16
    assert found.used["neurons"].max() <= 512


def test_neurons_with_biases_that_start_at_different_steps_share_no_core_of_paicore() -> None:
    profile = load_profile("paicore2")
    plain = map_program(dense(profile, (20, 30, 10)), profile, LINEAR)
    biased = map_program(dense(profile, (20, 30, 10), -1, bias=frozen(1, np.int64)), profile, LINEAR)
    assert (plain.partition.cores, biased.partition.cores) == (1, 2)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_range_of_a_window_is_covered_once_by_few_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unit = int(rng.integers(1, 4))
    shape = (unit * int(rng.integers(1, 5)), *(int(n) for n in rng.integers(1, 6, 2)))
    first = unit * int(rng.integers(0, shape[0] // unit))
    lo = (first, *(int(rng.integers(0, n)) for n in shape[1:]))
    hi = (shape[0], *(int(rng.integers(a + 1, n + 1)) for a, n in zip(lo[1:], shape[1:], strict=True)))
    window = Box(shape, lo, hi)
    low, high = sorted(int(n) for n in rng.integers(0, window.volume + 1, 2))
    boxes = boxes_of(window, low, high, (unit,))
    found = np.concatenate([box.flat() for box in boxes]) if boxes else np.zeros(0, np.int64)
    assert np.sort(found).tolist() == window.flat()[low:high].tolist()
    for box in boxes:
        a, b = box.lo[0], box.hi[0]
        assert a // unit == (b - 1) // unit or (a % unit == 0 and b % unit == 0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_an_unrolled_convolution_is_the_same_linear_map(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wire = None
    while wire is None or wire.geometry is None or wire.pooling is not None:
        shape = tuple(int(n) for n in (rng.integers(1, 5), *rng.integers(3, 9, 2)))
        wire = Sketch(rng, load_profile("paicore2")).wire("w", "in", shape, None)
    np.testing.assert_array_equal(matrix(unrolled(wire)), matrix(wire))
    np.testing.assert_array_equal(matrix(unrolled(stored(wire, load_profile("paicore2")))), matrix(wire))
