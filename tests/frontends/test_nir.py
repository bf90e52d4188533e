"""NIR graphs: neurons step as their equations say, shapes are torch's, loops wait, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tern2lava.compiler.ir import Compare, Delay, Graph, Neuron, Output, Readout, Reset
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.nir import read_tree
from tern2lava.sim.float import run_float
from tern2lava.sim.readout import scores

Array = NDArray[Any]
DT = 1e-4


def nir_tree(nodes: dict[str, dict[str, Any]], edges: list[tuple[str, str]], **root: Any) -> dict[str, Any]:
    """The tree of a NIR file."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return value if isinstance(value, str | list) else np.asarray(value)

    graph = {"type": "NIRGraph", "nodes": plain(nodes), "edges": [list(edge) for edge in edges], **root}
    return {"version": "1.0.8", "node": graph}


def chain(*nodes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The tree of nodes that follow each other, from `input` to `output`."""
    names = [name for name, _ in nodes]
    return nir_tree(dict(nodes), list(pairwise(names)))


def read(tree: dict[str, Any], **options: Any) -> Graph:
    return read_tree(tree, "test", "test", **options)


def source(*shape: int) -> tuple[str, dict[str, Any]]:
    return ("input", {"type": "Input", "shape": np.array(shape)})


def sink(*shape: int) -> tuple[str, dict[str, Any]]:
    return ("output", {"type": "Output", "shape": np.array(shape)})


def lif(n: int, rng: np.random.Generator, **fields: Any) -> dict[str, Any]:
    """A LIF of n neurons with all its fields different."""
    return {
        "type": "LIF", "tau": rng.uniform(5, 40, n) * DT, "r": rng.uniform(5, 20, n), "v_leak": rng.normal(0, 0.05, n),
        "v_threshold": rng.uniform(0.4, 0.8, n), "v_reset": rng.normal(-0.05, 0.05, n), **fields,
    }  # fmt: skip


def cuba(n: int, rng: np.random.Generator) -> dict[str, Any]:
    own = lif(n, rng)
    return {
        **{key: own[key] for key in ("r", "v_leak", "v_threshold", "v_reset")}, "type": "CubaLIF",
        "tau_mem": own["tau"], "tau_syn": rng.uniform(3, 20, n) * DT, "w_in": rng.uniform(2, 9, n),
    }  # fmt: skip


def euler(node: dict[str, Any], x: Array) -> tuple[Array, Array]:
    """(spikes, potentials) (steps, neurons) of a NIR neuron, written down from nir's docstrings."""
    i: Array = np.zeros(x.shape[1])
    v: Array = np.zeros(x.shape[1])
    spikes, potentials = [], []
    for now in x:
        i = i + DT / node["tau_syn"] * (-i + node["w_in"] * now) if "tau_syn" in node else now
        if node["type"] in ("IF", "I"):
            v = v + DT * node["r"] * i
        else:
            tau = node["tau_mem"] if "tau_mem" in node else node["tau"]
            v = v + DT / tau * ((node["v_leak"] - v) + node["r"] * i)
        z = v > node["v_threshold"] if "v_threshold" in node else np.zeros(v.shape, bool)
        v = np.where(z, node.get("v_reset", 0.0), v)
        spikes.append(z)
        potentials.append(v)
    return np.array(spikes), np.array(potentials)


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF", "IF"])
def test_neurons_step_as_their_equations_by_forward_euler(kind: str) -> None:
    rng = np.random.default_rng(5)
    node = {
        "LIF": lif(6, rng),
        "CubaLIF": cuba(6, rng),
        "IF": {"type": "IF", "r": rng.uniform(500, 3000, 6), "v_threshold": rng.uniform(0.5, 2, 6)},
    }[kind]
    weight = rng.normal(0.2, 0.5, (6, 4))
    tree = chain(source(4), ("fc", {"type": "Linear", "weight": weight}), ("n", node), sink(6))
    x = rng.integers(0, 2, (2, 200, 4))
    trace = run_float(read(tree, dt=DT), {"input": x})
    for sample in range(2):
        spikes, potentials = euler(node, x[sample] @ weight.T)
        np.testing.assert_array_equal(trace.spikes["n"][sample], spikes)
        np.testing.assert_allclose(trace.v["n"][sample], potentials, atol=1e-12)
    assert 100 < int(trace.spikes["n"].sum()) < 2000


@pytest.mark.parametrize("kind", ["LI", "CubaLI", "I"])
def test_neurons_without_threshold_are_read_by_their_potential(kind: str) -> None:
    rng = np.random.default_rng(6)
    own = cuba(3, rng) if kind == "CubaLI" else lif(3, rng)
    node = {key: value for key, value in own.items() if key not in ("v_threshold", "v_reset")} | {"type": kind}
    if kind == "I":
        node = {"type": "I", "r": np.full(3, 700.0)}
    weight = rng.normal(0, 1, (3, 4))
    tree = chain(source(4), ("fc", {"type": "Linear", "weight": weight}), ("n", node), sink(3))
    x = rng.integers(0, 2, (1, 30, 4))
    graph = read(tree, dt=DT)
    _, potentials = euler(node, x[0] @ weight.T)
    trace = run_float(graph, {"input": x})
    np.testing.assert_allclose(scores(graph, trace)[0], potentials[-1], atol=1e-12)
    assert any("last step" in note for note in graph.notes)
    summed = read(tree, dt=DT, assume="readout=membrane_sum")
    np.testing.assert_allclose(scores(summed, trace)[0], potentials.sum(axis=0), atol=1e-12)


def test_a_potential_that_feeds_synapses_is_refused_but_one_that_meets_a_threshold_is_a_neuron() -> None:
    rng = np.random.default_rng(7)
    li = {key: value for key, value in lif(3, rng).items() if key not in ("v_threshold", "v_reset")} | {"type": "LI"}
    fc = {"type": "Linear", "weight": np.eye(3)}
    tree = chain(source(3), ("li", li), ("fc", fc), ("lif", lif(3, rng)), sink(3))
    with pytest.raises(UnsupportedError, match=r"li: potentials are read at outputs only.*LI feeding fc"):
        read(tree, dt=DT)
    threshold = {"type": "Threshold", "threshold": np.array([0.1, 0.2, 0.3])}
    graph = read(chain(source(3), ("li", li), ("z", threshold), ("fc", fc), ("lif", lif(3, rng)), sink(3)), dt=DT)
    x = rng.integers(0, 2, (1, 50, 3))
    _, potentials = euler(li, x[0])
    trace = run_float(graph, {"input": x})
    np.testing.assert_array_equal(trace.spikes["z"][0], potentials > [0.1, 0.2, 0.3])
    assert 0 < int(trace.spikes["z"].sum()) < 150


def test_a_threshold_alone_has_no_memory() -> None:
    weight = np.array([[1.0, -1.0], [0.5, 0.5]])
    tree = chain(
        source(2), ("fc", {"type": "Affine", "weight": weight, "bias": np.array([0.0, 0.25])}),
        ("z", {"type": "Threshold", "threshold": np.array([0.5, 0.75])}), sink(2),
    )  # fmt: skip
    x = np.array([[[0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]])
    trace = run_float(read(tree), {"input": x})
    np.testing.assert_array_equal(trace.spikes["z"][0], [[0, 0], [1, 0], [0, 0], [0, 1], [0, 0]])
    ge = run_float(read(tree, assume="fire=>="), {"input": x})
    np.testing.assert_array_equal(ge.spikes["z"][0], [[0, 0], [1, 1], [0, 1], [0, 1], [0, 0]])


def test_a_linear_output_is_its_sum_over_the_steps() -> None:
    rng = np.random.default_rng(8)
    weight, bias = rng.normal(0, 1, (2, 3)), rng.normal(0, 1, 2)
    tree = chain(
        source(3), ("z", {"type": "IF", "r": np.ones(3), "v_threshold": np.full(3, 1.5)}),
        ("fc", {"type": "Affine", "weight": weight, "bias": bias}), sink(2),
    )  # fmt: skip
    graph = read(tree)
    x = rng.integers(0, 2, (2, 20, 3))
    trace = run_float(graph, {"input": x})
    expected = (trace.spikes["z"].astype(float) @ weight.T + bias).sum(axis=1)
    np.testing.assert_allclose(scores(graph, trace), expected, atol=1e-9)
    assert any("fc is linear and has no neurons" in note for note in graph.notes)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [(1, 0, 1, 1), ((2, 1), (1, 2), 1, 2), (1, "same", (1, 2), 1), ((1, 3), "valid", (2, 1), 2)],
)
def test_convolutions_have_torchs_shapes_for_any_kernel(stride: Any, padding: Any, dilation: Any, groups: int) -> None:
    rng = np.random.default_rng(9)
    weight, bias = rng.normal(0, 1, (4, 2 // groups, 3, 5)), rng.normal(0, 1, 4)
    x = rng.integers(0, 2, (1, 1, 2, 10, 12))
    expected = functional.conv2d(
        torch.from_numpy(x[0].astype(float)), torch.from_numpy(weight), torch.from_numpy(bias), stride=stride,
        padding=padding, dilation=dilation, groups=groups,
    ).numpy()  # fmt: skip
    conv = {
        "type": "Conv2d", "input_shape": np.array([10, 12]), "weight": weight, "bias": bias, "stride": stride,
        "padding": padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip
    threshold = {"type": "Threshold", "threshold": np.full(expected.shape[1:], 0.5)}
    tree = chain(source(2, 10, 12), ("conv", conv), ("z", threshold), sink(*expected.shape[1:]))
    trace = run_float(read(tree), {"input": x})
    np.testing.assert_array_equal(trace.spikes["z"][0, 0], (expected[0] > 0.5).reshape(-1))


def test_one_dimensional_convolutions_scale_and_pooling() -> None:
    rng = np.random.default_rng(10)
    weight = rng.normal(0, 1, (3, 1, 4))
    x = rng.integers(0, 2, (1, 1, 3, 9))
    expected = functional.conv1d(
        torch.from_numpy(x[0].astype(float)), torch.from_numpy(weight), stride=2, padding=1, groups=3
    ).numpy()
    geometry = {"stride": 2, "padding": 1, "dilation": 1, "groups": 3}
    conv = {"type": "Conv1d", "weight": weight, "bias": np.zeros(3), **geometry}
    threshold = {"type": "Threshold", "threshold": np.full(expected.shape[1:], 0.2)}
    tree = chain(source(3, 9), ("conv", conv), ("z", threshold), sink(*expected.shape[1:]))
    trace = run_float(read(tree), {"input": x})
    np.testing.assert_array_equal(trace.spikes["z"][0, 0], (expected[0] > 0.2).reshape(-1))
    for kind, factor in (("SumPool2d", 1.0), ("AvgPool2d", 1 / 6)):
        pool = {"type": kind, "kernel_size": np.array([2, 3]), "stride": np.array([2, 1]), "padding": np.array([0, 1])}
        y = rng.integers(0, 2, (1, 1, 2, 5, 6))
        torch_sum = 6 * functional.avg_pool2d(torch.from_numpy(y[0].astype(float)), (2, 3), (2, 1), (0, 1)).numpy()
        scale = {"type": "Scale", "scale": np.stack([np.full(torch_sum.shape[2:], s) for s in (1.0, -2.0)])}
        z = {"type": "Threshold", "threshold": np.full(torch_sum.shape[1:], 0.4)}
        tree = chain(source(2, 5, 6), ("pool", pool), ("s", scale), ("z", z), sink(*torch_sum.shape[1:]))
        trace = run_float(read(tree), {"input": y})
        expected = torch_sum[0] * factor * np.array([1.0, -2.0])[:, None, None]
        np.testing.assert_array_equal(trace.spikes["z"][0, 0], (expected > 0.4).reshape(-1))


def recurrent(rng: np.random.Generator) -> tuple[dict[str, Any], Callable[[Array], Array]]:
    """(tree of a population that reads itself through an Affine, its spikes on x (steps, 3) by hand)."""
    node, weight = lif(5, rng, v_leak=np.zeros(5), v_reset=np.zeros(5)), rng.normal(0.5, 0.6, (5, 3))
    back, bias = rng.normal(0, 0.5, (5, 5)), rng.normal(0, 0.05, 5)
    tree = nir_tree(
        {
            "input": source(3)[1], "fc": {"type": "Linear", "weight": weight}, "lif": node,
            "rec": {"type": "Affine", "weight": back, "bias": bias}, "output": sink(5)[1],
        },
        [("lif", "rec"), ("rec", "lif"), ("input", "fc"), ("fc", "lif"), ("lif", "output")],
    )  # fmt: skip

    def by_hand(x: Array) -> Array:
        v, s = np.zeros(5), np.zeros(5)
        result = []
        for now in x:
            current = weight @ now + back @ s + bias
            v = v + DT / node["tau"] * (-v + node["r"] * current)
            s = (v > node["v_threshold"]).astype(float)
            v = np.where(s > 0, 0.0, v)
            result.append(s)
        return np.array(result)

    return tree, by_hand


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


def test_the_time_step_is_recovered_where_all_neurons_agree() -> None:
    rng = np.random.default_rng(14)
    alpha, beta = np.float32(rng.uniform(0.3, 0.9, 4)), np.float32(rng.uniform(0.5, 0.99, 4))
    tau_syn, tau_mem = 1e-3 / (1 - alpha.astype(float)), 1e-3 / (1 - beta.astype(float))
    node = {
        "type": "CubaLIF", "tau_mem": tau_mem, "tau_syn": tau_syn, "r": tau_mem / 1e-3, "w_in": tau_syn / 1e-3,
        "v_leak": np.zeros(4), "v_threshold": np.ones(4),
    }  # fmt: skip
    tree = chain(source(4), ("n", node), sink(4))
    graph = read(tree)
    neuron = graph["n"]
    assert isinstance(neuron, Neuron)
    np.testing.assert_array_equal(neuron.alpha_u, alpha)
    np.testing.assert_array_equal(neuron.alpha_v, beta)
    assert neuron.gain_u == neuron.gain_v == 1.0
    assert any("dt 0.001 s recovered from r / tau of n" in note for note in graph.notes)
    other = read(tree, dt=5e-4)
    assert any("dt 0.0005 s as given, although" in note for note in other.notes)
    assert np.all(other["n"].gain_v == 0.5)  # type: ignore[union-attr]


@pytest.mark.parametrize("r", [1.0, "uneven"])
def test_a_time_step_that_nothing_tells_is_asked_for(r: Any) -> None:
    rng = np.random.default_rng(15)
    node = lif(3, rng, r=np.ones(3)) if r == 1.0 else lif(3, rng)
    tree = chain(source(3), ("n", node), sink(3))
    with pytest.raises(InputError, match=r"stores no time step, which n \(LIF\) needs.*--dt SECONDS"):
        read(tree)
    with pytest.raises(InputError, match="shorter than the time step"):
        read(tree, dt=1.0)
    with pytest.raises(InputError, match="found nan"):
        read(tree, dt=float("nan"))
    assert read(tree, dt=DT).of_kind(Neuron)


@pytest.mark.parametrize(("r", "dt", "gain"), [(1.0, None, 1.0), (1e4, None, 1.0), (1.0, DT, 1.0), (5e3, DT, 0.5)])
def test_a_resistance_of_one_is_a_step_of_one(r: float, dt: float | None, gain: float) -> None:
    node = {"type": "IF", "r": np.full(2, r), "v_threshold": np.ones(2)}
    neuron = read(chain(source(2), ("n", node), sink(2)), dt=dt)["n"]
    assert isinstance(neuron, Neuron)
    assert np.all(neuron.gain_v == gain)
    assert np.all(neuron.alpha_v == 1)


def test_an_infinite_time_constant_is_a_factor_of_one() -> None:
    """snnTorch's export of beta = 1."""
    node = {
        "type": "LIF", "tau": np.array([np.inf, 1e-3]), "r": np.array([np.inf, 10.0]), "v_leak": np.zeros(2),
        "v_threshold": np.ones(2),
    }  # fmt: skip
    neuron = read(chain(source(2), ("n", node), sink(2)))["n"]
    assert isinstance(neuron, Neuron)
    assert neuron.alpha_v.tolist() == [1.0, 0.9]
    assert np.all(neuron.gain_v == 1)


def test_what_the_file_cannot_say_is_assumed_on_request_and_noted() -> None:
    rng = np.random.default_rng(16)
    plain = {"v_reset": np.zeros(2)}
    tree = chain(source(2), ("a", lif(2, rng, **plain)), ("b", lif(2, rng, **plain)), sink(2))
    text = "reset=subtract,reset_delay=true,b.fire=>=,b.refractory=2,levels=-1..2,output.readout=membrane_last"
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
        ("reset=soft", "reset=soft; expected one of zero, subtract, none"),
        ("arithmetic=real", "unknown key 'arithmetic'"),
        ("nowhere.fire=>=", "nowhere.fire applies to nothing"),
        ("fire", "'fire' is no key=value"),
        ("levels=3..1", "expected LOW..HIGH"),
        ("reset=subtract", "v_reset: is not 0, which contradicts"),
        ("rearm=true", "rearm=true goes with reset=subtract"),
        ("readout=spikes", "expected one of spike_count"),
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
    for delay in (np.full(2, 2.5e-4), np.array([1e-4, 2e-4])):
        with pytest.raises(UnsupportedError, match="one whole number of time steps"):
            read(chain(source(2), ("d", {"type": "Delay", "delay": delay}), z, sink(2)), dt=DT)


@pytest.mark.parametrize(
    ("start", "error"), [(0, None), (1, None), (2, "all dimensions are flattened: found start_dim 2")]
)
def test_flatten_counts_dimensions_with_or_without_a_batch(start: int, error: str | None) -> None:
    flat = {"type": "Flatten", "start_dim": start, "end_dim": -1, "input_type": np.array([2, 3, 2])}
    fc = {"type": "Linear", "weight": np.ones((3, 12))}
    z = {"type": "Threshold", "threshold": np.full(3, 0.5)}
    tree = chain(source(2, 3, 2), ("flat", flat), ("fc", fc), ("z", z), sink(3))
    if error:
        with pytest.raises(UnsupportedError, match=error):
            read(tree)
    else:
        assert any("with a batch dimension" in note for note in read(tree).notes) == (start == 1)


def test_missing_ends_are_added_and_noted() -> None:
    z = {"type": "Threshold", "threshold": np.full(3, 0.5)}
    graph = read(nir_tree({"fc": {"type": "Linear", "weight": np.ones((3, 2))}, "z": z}, [("fc", "z")]))
    assert [node.name for node in graph.nodes] == ["input_fc", "fc", "z", "output_z"]
    assert sum("added" in note for note in graph.notes) == 2


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "unknown kind": (lambda g: g["nodes"]["fc"].update(type="MaxPool2d"), "primitives of NIR 1.0: found MaxPool2d"),
    "missing field": (lambda g: g["nodes"]["n"].pop("tau"), "n: LIF lacks tau"),
    "dangling edge": (lambda g: g["edges"].append(["n", "nowhere"]), "an edge to 'nowhere', which does not exist"),
    "double edge": (lambda g: g["edges"].append(["fc", "n"]), "the edge fc -> n twice"),
    "nan": (lambda g: g["nodes"]["fc"]["weight"].__setitem__((0, 0), np.nan), "1 of 6 numbers are NaN"),
    "shape": (lambda g: g["nodes"]["fc"].update(weight=np.ones((3, 5))), r"weight of shape \(3, 5\) reads shape"),
    "neuron shape": (lambda g: g["nodes"]["n"].update(tau=np.ones(4)), r"n: its fields have different shapes"),
    "no graph": (lambda g: g.update(type="LIF"), "is no NIR graph"),
    "no nodes": (lambda g: g.update(nodes={}), "holds no nodes"),
    "text for numbers": (lambda g: g["nodes"]["n"].update(r="one"), "n.r: is 'one'; expected numbers"),
    "negative threshold": (lambda g: g["nodes"]["n"].update(v_threshold=-np.ones(3)), "thresholds are not negative"),
    "absurd shape": (lambda g: g["nodes"]["input"].update(shape=np.array([-2])), "expected positive sizes"),
    "unread": (lambda g: g["edges"].remove(["n", "output"]), r"output \(Output\) is fed by nothing"),
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
