"""NIR graphs: loops wait, delays are whole steps, nested graphs are flat ones, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nir_trees import DT, chain, lif, nir_tree, read, recurrent, sink, source
from tern2lava import api
from tern2lava.compiler.ir.graph import Compare, Delay, Neuron, Output, Readout, Reset
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.sim.reference.real import run_float


def test_a_recurrent_population_reads_its_spikes_of_the_step_before() -> None:
    rng = np.random.default_rng(11)
    tree, by_hand = recurrent(rng)
    graph = read(tree, dt=DT)
    x = rng.integers(0, 2, (1, 120, 3))
    trace = run_float(graph, {"input": x})
    np.testing.assert_array_equal(trace.spikes["lif"][0], by_hand(x[0]))
    assert 50 < int(trace.spikes["lif"].sum()) < 500
    assert [d.steps for d in graph.of_kind(Delay)] == [1]
    assert any("lif -> rec closes a loop" in note for note in graph.notes)


def test_an_explicit_delay_in_a_loop_is_all_it_waits() -> None:
    rng = np.random.default_rng(11)
    tree, by_hand = recurrent(rng)
    nodes, edges = tree["node"]["nodes"], tree["node"]["edges"]
    nodes["wait"] = {"type": "Delay", "delay": np.full(5, DT)}
    edges[0:1] = [["lif", "wait"], ["wait", "rec"]]
    graph = read(tree, dt=DT)
    x = rng.integers(0, 2, (1, 120, 3))
    np.testing.assert_array_equal(run_float(graph, {"input": x}).spikes["lif"][0], by_hand(x[0]))
    assert len(graph.of_kind(Delay)) == 1


def test_feedback_over_two_populations_waits_once() -> None:
    rng = np.random.default_rng(12)
    plain = {"v_leak": np.zeros(4), "v_reset": np.zeros(4)}
    a, b = lif(4, rng, **plain), lif(4, rng, **plain)
    w = {key: rng.normal(0.4, 0.5, (4, 4)) for key in ("in", "ab", "ba")}
    nodes = {"input": source(4)[1], "output": sink(4)[1], "a": a, "b": b}
    nodes |= {key: {"type": "Linear", "weight": value} for key, value in w.items()}
    edges = [("input", "in"), ("in", "a"), ("a", "ab"), ("ab", "b"), ("b", "ba"), ("ba", "a"), ("b", "output")]
    graph = read(nir_tree(nodes, edges), dt=DT)
    x = rng.integers(0, 2, (1, 100, 4))
    trace = run_float(graph, {"input": x})
    va, vb, sb = np.zeros(4), np.zeros(4), np.zeros(4)
    for t, now in enumerate(x[0]):
        va = va + DT / a["tau"] * (-va + a["r"] * (w["in"] @ now + w["ba"] @ sb))
        sa = va > a["v_threshold"]
        va = np.where(sa, 0.0, va)
        vb = vb + DT / b["tau"] * (-vb + b["r"] * (w["ab"] @ sa))
        sb = (vb > b["v_threshold"]).astype(float)
        vb = np.where(sb > 0, 0.0, vb)
        np.testing.assert_array_equal(trace.spikes["a"][0, t], sa)
        np.testing.assert_array_equal(trace.spikes["b"][0, t], sb)
    assert int(trace.spikes["b"].sum()) > 20


def test_a_loop_entered_at_two_nodes_is_refused() -> None:
    rng = np.random.default_rng(13)
    nodes = {"input": source(2)[1], "output": sink(2)[1], "a": lif(2, rng), "b": lif(2, rng)}
    edges = [("input", "a"), ("input", "b"), ("a", "b"), ("b", "a"), ("b", "output")]
    with pytest.raises(UnsupportedError, match="entered at two nodes"):
        read(nir_tree(nodes, edges), dt=DT)


@pytest.mark.parametrize("legacy", ["short name", "prefix", "none"])
def test_nested_graphs_and_names_of_old_files_mean_the_flat_graph(legacy: str) -> None:
    """The forms of NIR 0.2: edges to `lif` where the node is `lif1`; edges to `lif1` where it is `lif1.lif`."""
    rng = np.random.default_rng(11)
    flat, by_hand = recurrent(rng)
    own = flat["node"]["nodes"]
    if legacy == "prefix":
        nodes = {key: own[key] for key in ("input", "fc", "output")} | {"l.lif": own["lif"], "l.w": own["rec"]}
        edges = [("input", "fc"), ("fc", "l"), ("l.lif", "l.w"), ("l.w", "l.lif"), ("l", "output")]
    else:
        inner = "lif1" if legacy == "short name" else "lif"
        nested = {
            "type": "NIRGraph",
            "nodes": {"input": source(5)[1], inner: own["lif"], "w": own["rec"], "output": sink(5)[1]},
            "edges": [["input", "lif"], ["lif", "w"], ["w", "lif"], ["lif", "output"]],
        }
        nodes = {"input": own["input"], "fc": own["fc"], "l": nested, "output": own["output"]}
        edges = [("input", "fc"), ("fc", "l"), ("l", "output")]
    graph = read(nir_tree(nodes, edges), dt=DT)
    x = rng.integers(0, 2, (1, 80, 3))
    (population,) = graph.of_kind(Neuron)
    np.testing.assert_array_equal(run_float(graph, {"input": x}).spikes[population.name][0], by_hand(x[0]))
    assert any("does not exist" in note for note in graph.notes) == (legacy != "none")


def test_what_the_file_cannot_say_is_assumed_on_request_and_noted() -> None:
    rng = np.random.default_rng(16)
    plain = {"v_reset": np.zeros(2)}
    tree = chain(source(2), ("a", lif(2, rng, **plain)), ("b", lif(2, rng, **plain)), sink(2))
    text = "reset=subtract,reset_delay=true,b.fire=ge,b.refractory=2,levels=-1..2,output.readout=membrane_last"
    graph = read(tree, dt=DT, assume=text)
    a, b = graph["a"], graph["b"]
    assert isinstance(a, Neuron)
    assert isinstance(b, Neuron)
    assert (a.reset, a.reset_delay, a.compare, a.refractory) == (Reset.SUBTRACT, True, Compare.GT, 0)
    assert (b.reset, b.reset_delay, b.compare, b.refractory) == (Reset.SUBTRACT, True, Compare.GE, 2)
    np.testing.assert_array_equal(a.reset_amount, a.threshold)
    assert graph["input"].levels == (-1, 2)  # type: ignore[union-attr]
    assert [o.readout for o in graph.of_kind(Output)] == [Readout.MEMBRANE_LAST]
    assert any(all(part in note for part in text.split(",")) for note in graph.notes)


@pytest.mark.parametrize(
    ("assume", "error"),
    [
        ("reset=soft", "--assume: requires one of zero, subtract, none for reset; found reset=soft"),
        ("arithmetic=real", "--assume: requires a key that this kind of file has; found 'arithmetic'"),
        ("nowhere.fire=>=", r"--assume: requires a node and key.*; found nowhere\.fire, which applies"),
        ("fire", "--assume: requires KEY=VALUE; found 'fire'"),
        ("fire=gte", "--assume: requires one of gt, ge for fire; found fire=gte"),
        ("levels=3..1", r"--assume: requires LOW\.\.HIGH for levels; found levels=3\.\.1"),
        ("reset=subtract", "v_reset: requires 0 for the assumed reset=subtract; found another value"),
        ("rearm=true", "a: requires reset=subtract,reset_delay=false for.*; found another reset"),
        ("readout=spikes", "--assume: requires one of spike_count, membrane_sum,.*; found readout=spikes"),
    ],
)
def test_assumptions_that_mean_nothing_are_refused(assume: str, error: str) -> None:
    rng = np.random.default_rng(17)
    with pytest.raises(InputError, match=error):
        read(chain(source(2), ("a", lif(2, rng)), sink(2)), dt=DT, assume=assume)


def test_delays_are_whole_steps() -> None:
    rng = np.random.default_rng(18)
    x = rng.integers(0, 2, (1, 12, 2))
    z = ("z", {"type": "Threshold", "threshold": np.full(2, 0.5)})
    graph = read(chain(source(2), ("d", {"type": "Delay", "delay": np.full(2, 3e-4)}), z, sink(2)), dt=DT)
    spikes = run_float(graph, {"input": x}).spikes["z"][0]
    np.testing.assert_array_equal(spikes[3:], x[0, :-3])
    assert not spikes[:3].any()
    with pytest.raises(UnsupportedError, match="whole time steps; found 2.5 to 2.5 steps.*give the --dt"):
        read(chain(source(2), ("d", {"type": "Delay", "delay": np.full(2, 2.5e-4)}), z, sink(2)), dt=DT)


def test_every_value_waits_its_own_delay() -> None:
    rng = np.random.default_rng(18)
    x = rng.integers(0, 2, (1, 30, 4))
    steps, weight = np.array([0, 2, 5, 2]), rng.choice([-1.0, 1.0], (3, 4))
    z = ("z", {"type": "Threshold", "threshold": np.full(3, 0.5)})
    fc = ("fc", {"type": "Linear", "weight": weight})
    graph = read(chain(source(4), ("d", {"type": "Delay", "delay": steps * DT}), fc, z, sink(3)), dt=DT)
    late = np.zeros((30, 4))
    for i, wait in enumerate(steps):
        late[wait:, i] = x[0, : 30 - wait, i]
    expected = late @ weight.T > 0.5
    np.testing.assert_array_equal(run_float(graph, {"input": x}).spikes["z"][0], expected)
    assert 10 < expected.sum() < 80
    compiled = api.compile(graph, "loihi2")
    found = api.simulate(compiled, {"spikes": x}, any_steps=True).trace.spikes["z"][0]
    np.testing.assert_array_equal(found, expected)


def test_a_delay_that_is_none_for_some_values_of_a_loop_is_refused() -> None:
    rng = np.random.default_rng(11)
    tree, _ = recurrent(rng)
    nodes, edges = tree["node"]["nodes"], tree["node"]["edges"]
    nodes["wait"] = {"type": "Delay", "delay": np.array([0.0, DT, DT, DT, DT])}
    edges[0:1] = [["lif", "wait"], ["wait", "rec"]]
    with pytest.raises(UnsupportedError, match="wait: requires a Delay in a loop of no steps for all values"):
        read(tree, dt=DT)


@pytest.mark.parametrize("start", [0, 1])
def test_flatten_counts_dimensions_with_or_without_a_batch(start: int) -> None:
    flat = {"type": "Flatten", "start_dim": start, "end_dim": -1, "input_type": np.array([2, 3, 2])}
    fc = {"type": "Linear", "weight": np.ones((3, 12))}
    z = {"type": "Threshold", "threshold": np.full(3, 0.5)}
    tree = chain(source(2, 3, 2), ("flat", flat), ("fc", fc), ("z", z), sink(3))
    assert any("with a batch dimension" in note for note in read(tree).notes) == (start == 1)


def test_some_dimensions_are_flattened_and_values_scaled_and_delayed_by_position() -> None:
    rng = np.random.default_rng(4)
    scale, steps = rng.choice([0.5, 1.0, 2.0], (2, 3, 2)), rng.integers(0, 3, (2, 3, 2))
    threshold = rng.choice([0.25, 0.75, 1.5], (6, 2))
    tree = chain(
        source(2, 3, 2), ("d", {"type": "Delay", "delay": steps * DT}), ("s", {"type": "Scale", "scale": scale}),
        ("flat", {"type": "Flatten", "start_dim": 0, "end_dim": 1}),
        ("z", {"type": "Threshold", "threshold": threshold}), sink(6, 2),
    )  # fmt: skip
    graph = read(tree, dt=DT, steps=20)
    x = rng.integers(0, 2, (1, 20, 2, 3, 2))
    late = np.zeros((20, 2, 3, 2))
    for i, j, k in np.ndindex(2, 3, 2):
        wait = steps[i, j, k]
        late[wait:, i, j, k] = x[0, : 20 - wait, i, j, k]
    expected = ((late * scale).reshape(20, 6, 2) > threshold).reshape(20, 12)
    np.testing.assert_array_equal(run_float(graph, {"input": x}).spikes["z"][0], expected)
    assert 20 < expected.sum() < 200
    wrong = {"type": "Flatten", "start_dim": 0, "end_dim": 3}
    with pytest.raises(InputError, match=r"flat: requires start_dim and end_dim among the 3 dimensions.*found 0 and 3"):
        read(chain(source(2, 3, 2), ("flat", wrong), ("z", {"type": "Threshold", "threshold": threshold}), sink(6, 2)))


def test_missing_ends_are_added_and_noted() -> None:
    z = {"type": "Threshold", "threshold": np.full(3, 0.5)}
    graph = read(nir_tree({"fc": {"type": "Linear", "weight": np.ones((3, 2))}, "z": z}, [("fc", "z")]))
    assert [node.name for node in graph.nodes] == ["input_fc", "fc", "z", "output_z"]
    assert sum("added" in note for note in graph.notes) == 2


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "unknown kind": (lambda g: g["nodes"]["fc"].update(type="MaxPool2d"), "primitives of NIR 1.0; found MaxPool2d"),
    "missing field": (lambda g: g["nodes"]["n"].pop("tau"), "n: requires all fields of LIF; found no tau"),
    "dangling edge": (lambda g: g["edges"].append(["n", "nowhere"]), "test: requires edges between nodes"),
    "double edge": (lambda g: g["edges"].append(["fc", "n"]), "test: requires one edge between two nodes"),
    "nan": (lambda g: g["nodes"]["fc"]["weight"].__setitem__((0, 0), np.nan), r"fc\.weight: requires finite numbers"),
    "shape": (lambda g: g["nodes"]["fc"].update(weight=np.ones((3, 5))), r"fc: requires a weight for inputs"),
    "neuron shape": (lambda g: g["nodes"]["n"].update(tau=np.ones(4)), r"n: requires fields of one shape"),
    "no graph": (lambda g: g.update(type="LIF"), "test: requires NIRGraph as /node/type; found another"),
    "no nodes": (lambda g: g.update(nodes={}), "test: requires nodes in each graph; found none in the outermost"),
    "text for numbers": (lambda g: g["nodes"]["n"].update(r="one"), r"n\.r: requires numbers; found 'one'"),
    "negative threshold": (
        lambda g: g["nodes"]["n"].update(v_threshold=np.full(3, -50.0), v_reset=np.full(3, -65.0)),
        r"v_threshold: requires thresholds of 0 or more.*found -50; measure its potentials from v_reset.*15, v_reset 0",
    ),
    "below the reset": (
        lambda g: g["nodes"]["n"].update(v_threshold=np.ones(3), v_reset=np.array([0, 2e6, 0])),
        r"n\.v_threshold: requires thresholds of at least the reset value; found 1 with v_reset 2e\+06",
    ),
    "absurd shape": (lambda g: g["nodes"]["input"].update(shape=np.array([-2])), "requires positive sizes"),
    "unread": (lambda g: g["edges"].remove(["n", "output"]), r"test: requires an input for each node"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_graph_is_refused_by_name(name: str) -> None:
    rng = np.random.default_rng(19)
    tree = chain(source(2), ("fc", {"type": "Linear", "weight": np.ones((3, 2))}), ("n", lif(3, rng)), sink(3))
    read(tree, dt=DT)
    change, error = BROKEN[name]
    change(tree["node"])
    with pytest.raises((InputError, UnsupportedError), match=error):
        read(tree, dt=DT)


@pytest.mark.parametrize("word", ["fire=ge", "fire=>="])
def test_the_comparison_is_said_by_a_shell_safe_word_or_by_its_sign(word: str) -> None:
    rng = np.random.default_rng(16)
    graph = read(chain(source(2), ("a", lif(2, rng, v_reset=np.zeros(2))), sink(2)), dt=DT, assume=word)
    assert graph["a"].compare is Compare.GE  # type: ignore[union-attr]
    assert any("fire=ge" in note for note in graph.notes)
