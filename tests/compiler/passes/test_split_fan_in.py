"""Neurons with too many inputs: their sums are split over relays, and nothing else changes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nodes import there
from tern2lava import api
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.build import build as compile_network
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.files import load_graph, save_graph
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Conv2d,
    Decays,
    Delay,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Pool2d,
    PoolKind,
    Population,
    Projection,
)
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, conv_out, frozen, size
from tern2lava.compiler.ir.slices import incoming, taps
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.divide_fan_in import divide, width
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.compiler.passes.split_fan_in import make_relay, split_fan_in
from tern2lava.compiler.target.rules import check_rules
from tern2lava.compiler.twin import int8_twin
from tern2lava.errors import CapacityError, InputError, UnsupportedError
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.report.build import make_report
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare
from tern2lava.sim.verify.threshold_margin import measure_band


def target(name: str = "tiny", **leaves: Any) -> Profile:
    data = load_profile(name).model_dump()
    for key, value in leaves.items():
        section, leaf = key.split("__")
        data[section][leaf]["value"] = value
    return Profile.model_validate(data)


def narrow(inputs: int, axons: int | None = None, **leaves: Any) -> Profile:
    wide: dict[str, Any] = {"system__mesh_rows": 32, "system__mesh_cols": 32}
    return target(core__fan_in=inputs, core__in_axons=axons or inputs, **wide, **leaves)


def codes(*shape: int, seed: int = 0) -> Any:
    return frozen(np.random.default_rng(seed).integers(-1, 2, shape), np.float64)


def dense_net(inputs: int = 40, hidden: int = 6, delay: int | None = None) -> Graph:
    """inputs -> hidden -> 3, the hidden neurons reading themselves after `delay` steps where it is given."""
    feeds: tuple[str, ...] = ("w1",)
    loop: list[Node] = []
    if delay is not None:
        feeds = ("w1", "back")
        loop = [
            Delay(name="wait", inputs=("h",), steps=delay),
            Dense(name="back", inputs=("wait",), weight=codes(hidden, hidden)),
        ]
    nodes: tuple[Node, ...] = (
        Input(name="x", shape=(inputs,)), Dense(name="w1", inputs=("x",), weight=codes(hidden, inputs)), *loop,
        Neuron(name="h", inputs=feeds, shape=(hidden,), alpha_v=frozen(0.5), threshold=frozen(1.5)),
        Dense(name="w2", inputs=("h",), weight=codes(3, hidden)), Neuron(name="y", inputs=("w2",), shape=(3,)),
        Output(name="out", inputs=("y",)),
    )  # fmt: skip
    return Graph(level=Level.IMPORTED, nodes=nodes, steps=8)


def build(graph: Graph, profile: Profile) -> Compiled:
    """Compiled without the search for parts that share cores, which takes most of the time."""
    return compile_network(graph, profile, map_options=MapOptions(share_cores=False))


def relays_of(graph: Graph) -> list[Population]:
    return [p for p in graph.of_kind(Population) if p.levels is not None]


def spikes_for(graph: Graph, steps: int = 8, batch: int = 4) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {n.name: rng.integers(0, 2, (batch, steps, *n.shape)).astype(np.uint8) for n in graph.of_kind(Input)}


def arithmetic_of(profile: Profile) -> Arithmetic:
    return Arithmetic(**profile.arithmetic_values())


@settings(max_examples=16, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_random_networks_on_narrow_targets_spike_as_the_whole_ones_do(make_network: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph, inputs = make_network(seed, leak=bool(seed % 2))
    most = int(rng.integers(2, 9))
    profile = narrow(
        most, int(rng.integers(most, 2 * most + 1)), routing__payload_bits=int(rng.choice([5, 8, 12])),
        synapse__max_delay=30,
    )  # fmt: skip
    try:
        whole = lower(graph, arithmetic_of(profile)).program
        compiled = build(graph, profile)
    except (CapacityError, UnsupportedError):
        return
    program = compiled.lowered.program
    expected, found = integer.run(whole, inputs), integer.run(program, inputs)
    for name in expected.spikes:
        assert np.array_equal(expected.spikes[name], found.spikes[name])
        assert np.array_equal(expected.v[name], found.v[name])
        assert np.array_equal(expected.u[name], found.u[name])
    for population in program.of_kind(Population):
        widths = [width(p) for p in incoming(program, population)]
        assert sum(w[0] for w in widths) <= profile.core.fan_in.value
        assert sum(w[1] for w in widths) <= profile.core.in_axons.value
    for relay in relays_of(program):
        assert relay.levels is not None
        low, high = relay.levels
        assert low <= found.spikes[relay.name].min()
        assert found.spikes[relay.name].max() <= high
    executions = {
        "I": found,
        "E": run_engine(program, inputs).trace,
        "M": mapped.run(compiled.mapped.images, compiled.mapped.host_image, inputs),
    }
    result = compare(executions, program)
    assert result.equal, str(result)


def test_the_random_networks_are_split_often_enough_to_tell(make_network: Any) -> None:
    split, arithmetic = 0, arithmetic_of(narrow(5))
    for seed in range(30):
        graph, _ = make_network(seed)
        try:
            split += bool(relays_of(lower(graph, arithmetic, profile=narrow(5, 8)).program))
        except (CapacityError, UnsupportedError):
            continue
    assert split >= 10


def test_a_wide_dense_layer_gets_even_parts_one_step_and_a_note() -> None:
    profile = narrow(16)
    lowered = lower(dense_net(), arithmetic_of(profile), profile=profile)
    program = lowered.program
    parts = [p for p in program.of_kind(Projection) if p.part_of == "w1" and p.reads is not None]
    assert [(there(p.reads).lo, there(p.reads).hi) for p in parts] == [((0,), (13,)), ((13,), (26,)), ((26,), (40,))]
    weight = lowered.stages["to_integer"]["w1"].weight  # type: ignore[union-attr]
    assert np.array_equal(np.concatenate([p.weight for p in parts], axis=1), weight)
    assert [p.start for p in relays_of(program)] == [1, 1, 1]
    before = lowered.stages["to_integer"]
    for name, later in (("h", 1), ("y", 1)):
        assert program[name].start == before[name].start + later  # type: ignore[union-attr]
    assert program.notes[-1] == (
        "h: 40 fan_in of a neuron exceed 16; split over 3 relays a neuron (18 in all; no split has fewer than 2 a "
        "neuron), +1 step of latency"
    )
    plain = lower(dense_net(), arithmetic_of(profile))
    assert [c.to_dict() for c in lowered.certificates] == [c.to_dict() for c in plain.certificates]
    spikes = {"x": spikes_for(program)["x"].astype(float)}
    near = [band.near for band in measure_band(lowered.real, program, spikes)]
    assert near == [band.near for band in measure_band(plain.real, plain.program, spikes)]


def test_nothing_changes_where_nothing_is_too_wide_or_no_target_is_named() -> None:
    profile = narrow(40)
    for chosen in (profile, None, target(core__fan_in=8, neuron__kinds=("plain",))):
        lowered = lower(dense_net(), arithmetic_of(profile), profile=chosen)
        assert lowered.program is lowered.stages["to_integer"]


def test_relays_of_relays_follow_where_partial_sums_are_too_many() -> None:
    profile = narrow(4)
    graph = dense_net(inputs=40, hidden=3)
    compiled = build(graph, profile)
    program = compiled.lowered.program
    # 40 inputs: 10 sums, of those 3, which fit.
    assert len(relays_of(program)) == 13
    assert program["h"].start == 3  # type: ignore[union-attr]
    assert "+2 steps of latency" in program.notes[-1]
    inputs = spikes_for(program)
    whole = integer.run(lower(graph, arithmetic_of(profile)).program, inputs)
    found = mapped.run(compiled.mapped.images, compiled.mapped.host_image, inputs)
    assert all(np.array_equal(whole.v[name], found.v[name]) for name in whole.v)


def test_sums_that_no_spike_carries_are_made_narrower_or_refused() -> None:
    profile = narrow(30, routing__payload_bits=4)
    program = lower(dense_net(), arithmetic_of(profile), profile=profile).program
    # Four signed bits hold -7 to 7.
    assert all(relay.levels[0] >= -7 and relay.levels[1] <= 7 for relay in relays_of(program) if relay.levels)
    assert len(relays_of(program)) > 2
    with pytest.raises(UnsupportedError, match="h: requires partial sums within a spike's payload of 3 bits; found"):
        lower(dense_net(), arithmetic_of(profile), profile=narrow(4, routing__payload_bits=3))
    wider = lower(dense_net(), arithmetic_of(profile), profile=narrow(30)).program
    with pytest.raises(UnsupportedError, match="whose partial sums fit the payload of a spike"):
        check_rules(wider, profile)


@pytest.mark.parametrize(("delay", "slowdown"), [(1, 2), (2, 1)])
def test_a_wide_loop_is_split_and_has_longer_steps_where_none_is_to_spare(delay: int, slowdown: int) -> None:
    # The narrow recurrent layer stays as it is: only what comes from outside goes through relays.
    profile = narrow(20)
    program = lower(dense_net(delay=1), arithmetic_of(profile), profile=profile).program
    assert "back" in program["h"].inputs
    assert program.slowdown == 1
    graph = dense_net(inputs=4, hidden=24, delay=delay)
    compiled = build(graph, profile)
    assert relays_of(compiled.lowered.program)
    assert compiled.lowered.program.slowdown == slowdown
    told = [note for note in compiled.lowered.program.notes if "a step takes 2 hardware timesteps" in note]
    assert len(told) == slowdown - 1
    assert all(note.startswith("h -> h.relay") or ".relay" in note for note in told)
    inputs = spikes_for(compiled.lowered.program)
    whole = integer.run(lower(graph, arithmetic_of(profile)).program, inputs)
    found = mapped.run(compiled.mapped.images, compiled.mapped.host_image, inputs)
    assert whole.spikes["h"].any()
    assert all(np.array_equal(whole.v[name], found.v[name]) for name in whole.v)
    with (
        pytest.raises(UnsupportedError, match=r"\.relay\d -> .*1 step of delay over 2 synapses")
        if delay == 1
        else (nullcontext())
    ):
        build(graph, narrow(20, neuron__holds=False))


def test_without_relays_the_numbers_and_targets_that_hold_the_network_are_named() -> None:
    profile = narrow(16, neuron__kinds=("plain",))
    with pytest.raises(CapacityError, match=r"h: needs 31 in_axons, the target has 16; prune its neurons to 51 %"):
        build(dense_net(), profile)
    with pytest.raises(CapacityError, match=r"the target has 16; use loihi2 \(\d+ cores?\) or kapoho-point.*prune"):
        api.compile(dense_net(), profile)


def convolution(channels: int, out: int, kernel: tuple[int, int], groups: int, dilation: int, pool: int) -> Graph:
    shape = (channels, 4 * pool, 5 * pool)
    image = (channels, 4, 5)
    weight = codes(out, channels // groups, *kernel)
    outer = tuple(
        conv_out(image[1 + a], kernel[a], 1, 2, dilation) for a in (0, 1)
    )  # fmt: skip
    nodes: list[Any] = [Input(name="x", shape=shape)]
    if pool > 1:
        nodes.append(Pool2d(name="pool", inputs=("x",), kind=PoolKind.SUM, kernel=(pool, pool), stride=(pool, pool)))
    nodes += [
        Conv2d(
            name="conv", inputs=(nodes[-1].name,), weight=weight, padding=(1, 1, 1, 1), dilation=(dilation, dilation),
            groups=groups,
        ),
        Neuron(name="h", inputs=("conv",), shape=(out, *outer), threshold=frozen(2.0)),
        Output(name="y", inputs=("h",)),
    ]  # fmt: skip
    return Graph(level=Level.IMPORTED, nodes=tuple(nodes), steps=5)


@pytest.mark.parametrize(
    ("channels", "out", "kernel", "groups", "dilation", "pool", "limit", "relays"),
    [
        (6, 4, (3, 3), 1, 1, 1, (18, 18), 3),  # by channels, whole kernels
        (2, 4, (3, 3), 1, 1, 1, (6, 6), 3),  # a row of taps of both channels
        (1, 2, (4, 3), 1, 1, 1, (5, 5), 3),
        (4, 4, (3, 3), 4, 1, 1, (3, 3), 3),  # channels apart: by taps alone
        (2, 2, (3, 2), 1, 2, 1, (9, 12), 2),  # dilated windows take more axons than synapses
        (4, 3, (2, 2), 1, 1, 2, (8, 8), 2),  # behind a pooling
    ],
)
def test_convolutions_are_divided_by_channels_and_taps(
    channels: int, out: int, kernel: tuple[int, int], groups: int, dilation: int, pool: int, limit: tuple[int, int],
    relays: int,
) -> None:  # fmt: skip
    graph = convolution(channels, out, kernel, groups, dilation, pool)
    profile = narrow(*limit)
    compiled = build(graph, profile)
    program = compiled.lowered.program
    assert len(relays_of(program)) == relays
    inputs = spikes_for(program, steps=5)
    whole = integer.run(lower(graph, arithmetic_of(profile)).program, inputs)
    assert 0 < whole.spikes["h"].mean() < 1
    found = mapped.run(compiled.mapped.images, compiled.mapped.host_image, inputs)
    assert all(np.array_equal(whole.v[name], found.v[name]) for name in whole.v)
    if pool == 1:
        return
    # Where spikes do not add up in an axon, the pooling is written out first.
    apart = narrow(*limit, routing__axon_sums=False)
    again = build(graph, apart)
    assert len(relays_of(again.lowered.program)) >= relays
    found = mapped.run(again.mapped.images, again.mapped.host_image, inputs)
    assert all(np.array_equal(whole.v[name], found.v[name]) for name in whole.v)


def test_groups_of_channels_that_no_tap_divides_are_refused() -> None:
    with pytest.raises(CapacityError, match="h: needs 3 inputs of one kernel tap in a group of channels.* has 2"):
        lower(convolution(6, 4, (3, 3), 2, 1, 1), Arithmetic(), profile=narrow(2))


def random_projection(rng: np.random.Generator) -> tuple[Projection, int]:
    """A projection of any kind, and the neurons of its source."""
    kind = int(rng.integers(4))
    window = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    pooled = (int(rng.integers(1, 5)), int(rng.integers(2, 6)), int(rng.integers(2, 6)))
    seen = (pooled[0], pooled[1] * window[0] + window[0] - 1, pooled[2] * window[1])
    pooling = Pooling(in_shape=seen, window=window) if kind in (1, 3) else None
    if kind < 2:
        count = size(pooled) if pooling else int(rng.integers(2, 40))
        weight = frozen(rng.integers(-1, 2, (3, count)), np.int8)
        return Projection(name="p", inputs=("x",), weight=weight, pooling=pooling), size(seen) if pooling else count
    shape = pooled
    groups = int(rng.choice([g for g in range(1, shape[0] + 1) if shape[0] % g == 0]))
    out = groups * int(rng.integers(1, 3))
    kernel = (int(rng.integers(1, shape[1] + 1)), int(rng.integers(1, shape[2] + 1)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    padding = (1, int(rng.integers(2)), int(rng.integers(3)), 0)
    padded = [shape[1 + a] + padding[2 * a] + padding[2 * a + 1] for a in (0, 1)]
    dilation = tuple(int(rng.integers(1, 1 + max(1, (padded[a] - 1) // max(1, kernel[a] - 1)))) for a in (0, 1))
    ends = [conv_out(shape[1 + a], kernel[a], stride[a], padded[a] - shape[1 + a], dilation[a]) for a in (0, 1)]
    geometry = ConvGeometry(
        in_shape=shape, out_shape=(out, ends[0], ends[1]), stride=stride, padding=padding,
        dilation=(dilation[0], dilation[1]), groups=groups,
    )  # fmt: skip
    weight = frozen(rng.integers(-1, 2, (out, shape[0] // groups, *kernel)), np.int8)
    projection = Projection(name="p", inputs=("x",), weight=weight, geometry=geometry, pooling=pooling)
    return projection, size(seen) if pooling else size(shape)


@settings(max_examples=150)
@example(seed=133)  # taps on both sides of an image that dilation steps over
@given(seed=st.integers(0, 100_000))
def test_the_parts_of_a_projection_add_up_to_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    projection, count = random_projection(rng)
    g = projection.geometry
    if g is not None and not all((taps(g, projection.weight.shape[2:], axis) >= 0).any() for axis in (0, 1)):
        assert divide(projection, 4, 4) is None, "no tap sees more than padding"
        return
    most, axons = int(rng.integers(1, 12)), int(rng.integers(1, 12))
    parts = divide(projection, most, axons)
    if parts is None:
        assert projection.geometry is not None
        assert projection.geometry.in_shape[0] // projection.geometry.groups > min(most, axons)
        return
    x = rng.integers(-3, 4, (2, count))
    assert np.array_equal(sum(accumulate(part, x) for part in parts), accumulate(projection, x))
    for part in parts:
        synapses, reached = width(part)
        assert synapses <= most
        assert reached <= axons


def test_a_split_program_comes_back_from_disk_and_a_wrong_box_is_refused(tmp_path: Any) -> None:
    profile = narrow(16)
    program = lower(dense_net(), arithmetic_of(profile), profile=profile).program
    save_graph(program, tmp_path / "program")
    again = load_graph(tmp_path / "program", Level.INTEGER)
    inputs = spikes_for(program)
    assert compare({"I": integer.run(program, inputs), "again": integer.run(again, inputs)}, program).equal
    part = next(p for p in program.of_kind(Projection) if p.reads is not None)
    wrong = replace(part, reads=replace(there(part.reads), hi=(41,)))
    with pytest.raises(InputError, match=r"requires a box of its weights' 13 values; found \[0:41\] of \(40,\)"):
        check(program.with_nodes(wrong if node is part else node for node in program.nodes))
    relay = relays_of(program)[0]
    for more in (replace(relay, bias=frozen(1, np.int64)), replace(relay, decays=Decays.NEAREST)):
        with pytest.raises(InputError, match="requires no reset, bias, lower threshold, rounding or memory of a relay"):
            check(program.with_nodes(more if node is relay else node for node in program.nodes))


def test_images_keep_what_relays_send_and_refuse_relays_that_do_more() -> None:
    images = build(dense_net(), narrow(16)).mapped.images
    decoded = [decode_core(data) for data in images]
    found = [group.local.levels for image in decoded for group in image.groups if group.local is not None]
    assert sum(levels is not None for levels in found) == 3
    image = next(image for image in decoded if any(g.local is not None and g.local.levels for g in image.groups))
    assert encode_core(decode_core(encode_core(image))) == encode_core(image)
    groups = tuple(
        replace(g, local=replace(g.local, v_init=frozen(1, np.int64))) if g.local is not None and g.local.levels else g
        for g in image.groups
    )
    with pytest.raises(InputError, match="more than a relay"):
        decode_core(encode_core(replace(image, groups=groups)))


def test_reports_count_relays_and_no_weight_of_theirs() -> None:
    compiled = build(dense_net(), narrow(16))
    report = make_report(compiled, "0")
    assert [row.name for row in report.populations if row.relay] == ["h.relay0", "h.relay1", "h.relay2"]
    assert sum(row.neurons for row in report.populations if row.relay) == 18
    assert report.memory.total.weights == 40 * 6 + 6 * 3
    assert any("split over 3 relays a neuron" in note for note in report.notes)
    twin = int8_twin(compiled.lowered.program, dense=True)
    check(twin)
    for relay in relays_of(twin):
        assert relay.levels is not None
        assert relay.levels[1] > 127
    sums = [p for p in twin.of_kind(Projection) if p.name.endswith(".sum")]
    assert sums
    assert all((p.weight == 1).all() for p in sums)


def test_a_relay_sends_the_sum_of_each_step_and_rests_before_its_start() -> None:
    relay = replace(make_relay("r", ("w",), (2,), (-3, 3), Arithmetic()), start=2)
    wire = Projection(name="w", inputs=("x",), weight=frozen([[1, 1, 1], [-1, 0, -1]], np.int8), delay=1)
    graph = Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(),
        nodes=(Input(name="x", shape=(3,)), wire, relay, Output(name="y", inputs=("r",))),
    )  # fmt: skip
    x = np.array([[[1, 1, 1], [0, 0, 1], [0, 0, 0]]], np.uint8)
    trace = integer.run(graph, {"x": x})
    assert trace.spikes["r"].dtype == np.int32
    assert trace.spikes["r"].tolist() == [[[3, -2], [1, -1], [0, 0]]]
    assert split_fan_in(graph, load_profile("tiny")) is graph
