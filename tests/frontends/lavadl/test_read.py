"""lava-dl networks: their integers are kept bit for bit, and every kind of layer means what lava-dl computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.ir.graph import Arithmetic, Compare, Graph, Input, Neuron, Population, Projection
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.files.hdf5 import read_hdf5
from tern2lava.frontends.lavadl.read import read_tree
from tern2lava.frontends.load import load
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.data.readout import scores
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

Array = NDArray[Any]


def cuba(i_decay: int = 300, v_decay: int = 150, threshold: int = 20, **more: Any) -> dict[str, Any]:
    return {"type": "CUBA", "iDecay": i_decay, "vDecay": v_decay, "vThMant": threshold, "refDelay": 1, **more}


def net(*layers: dict[str, Any], **root: Any) -> dict[str, Any]:
    """The tree of a .net file of `layers` (dicts with kind under `type`)."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return value if isinstance(value, str | list) else np.asarray(value)

    return {"layer": {str(i): plain({**layer, "type": [layer["type"]]}) for i, layer in enumerate(layers)}, **root}


def dense(weight: Array, neuron: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    layer = {"type": "dense", "shape": np.array([len(weight)]), "weight": weight, **more}
    return layer if neuron is None else {**layer, "neuron": neuron}


def read(*layers: dict[str, Any], **options: Any) -> Graph:
    return read_tree(net(*layers), "test", "test", **options)


def lava(neuron: dict[str, Any], a: Array, bias: Any = 0, *, ge: bool = False) -> tuple[Array, Array]:
    """(spikes, potentials) (steps, neurons) of Lava's fixed-point LIF fed `a`, in Python integers' arithmetic."""

    def dec(x: Array, d: int) -> Array:
        product = x * (4096 - d)
        result: Array = np.sign(product) * (np.abs(product) >> 12)
        return result

    u = v = np.zeros(a.shape[1], np.int64)
    spikes, potentials = [], []
    top = neuron["vThMant"] << 6
    for now in a.astype(np.int64):
        u = dec(u, neuron["iDecay"]) + (now << 6)
        v = dec(v, neuron["vDecay"]) + u + (np.asarray(bias, np.int64) << 6)
        s = v >= top if ge else v > top
        v = np.where(s, 0, v)
        spikes.append(s)
        potentials.append(v)
    return np.array(spikes), np.array(potentials)


def even(rng: np.random.Generator, *shape: int, top: int = 60) -> Array:
    return 2 * rng.integers(-top, top, shape)


def fine(graph: Graph, steps: int = 100) -> Lowered:
    """`graph` lowered for the target whose thresholds are any integer."""
    return lower(graph, Arithmetic(**load_profile("generic-ternary").arithmetic_values()), Options(steps=steps))


@pytest.mark.parametrize("fire", [">", ">="])
@pytest.mark.parametrize("seed", range(4))
def test_a_dense_chain_has_lavas_potentials_bit_for_bit(fire: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (i, v), (j, w) = rng.integers(1, 4096, 2).tolist(), rng.integers(0, 4097, 2).tolist()
    first = cuba(i, v, 25)
    second = cuba(j, w, 30)
    w1, w2, bias = even(rng, 12, 8), even(rng, 5, 12), rng.integers(-3, 4, 12)
    graph = read(dense(w1, first, bias=bias), dense(w2, second), assume={"fire": fire})
    x = (rng.random((1, 100, 8)) < 0.3).astype(np.int64)
    hidden, v1 = lava(first, x[0] @ w1.T, bias, ge=fire == ">=")
    spikes, v2 = lava(second, hidden @ w2.T, ge=fire == ">=")
    real = run_float(graph, {"input": x})
    lowered = fine(graph)
    program = integer.run(lowered.program, {"input": x})
    for name, s, v in (("dense0", hidden, v1), ("dense1", spikes, v2)):
        np.testing.assert_array_equal(real.spikes[name][0], s)
        np.testing.assert_array_equal(real.v[name][0] * 64, v)
        np.testing.assert_array_equal(program.spikes[name][0], s)
        np.testing.assert_array_equal(program.v[name][0], v)
    assert 30 < int(hidden.sum() + spikes.sum()) < 1600
    assert {c.verdict for c in lowered.certificates} <= {Verdict.EXACT, Verdict.MEASURED}
    assert all(c.verdict is Verdict.EXACT for c in lowered.certificates if c.no_overflow)
    assert all(float(np.max(c.eps)) == 0 for c in lowered.certificates)


def test_codes_are_the_weights_by_a_power_of_two_and_the_gain_restores_them() -> None:
    w = np.array([[6, -12, 18], [-254, 0, 30]])
    lowered = fine(read(dense(w, cuba())))
    (projection,) = lowered.program.of_kind(Projection)
    np.testing.assert_array_equal(projection.weight, w // 2)
    assert projection.gain == 128
    assert projection.bits == 8
    (population,) = lowered.program.of_kind(Population)
    assert (int(population.decay_u), int(population.decay_v), int(population.threshold)) == (
        300 << 12,
        150 << 12,
        20 * 64,
    )


def test_a_threshold_without_a_code_is_never_called_exact() -> None:
    """On the lattice of 64, a leaky neuron cannot tell >= from >; the certificate says by how much it is off."""
    graph = read(dense(np.array([[2, 4]]), cuba()), assume="fire=>=")
    (certificate,) = lower(graph, Arithmetic(), Options(steps=50)).certificates
    assert certificate.verdict is Verdict.BOUNDED
    assert certificate.reason == "rounded: threshold"
    assert float(np.max(certificate.eps)) == 1 / 128
    (exact,) = lower(read(dense(np.array([[2, 4]]), cuba())), Arithmetic(), Options(steps=50)).certificates
    assert exact.verdict is Verdict.EXACT


def test_weights_ternarised_afterwards_leave_the_integers_of_the_source() -> None:
    rng = np.random.default_rng(0)
    graph = read(dense(rng.integers(-90, 90, (6, 9)) * 2 + rng.integers(0, 2, (6, 9)), cuba()))
    with pytest.raises(UnsupportedError, match="found 1 times integers from -180 to 178"):
        lower(graph, Arithmetic(), Options())
    lowered = lower(graph, Arithmetic(), Options(ternarize="twn", steps=50))
    assert any("no whole numbers; read as real dynamics" in note for note in lowered.program.notes)
    assert lowered.real.of_kind(Neuron)[0].quantum is None


def test_integers_that_are_ternary_keep_two_bits_and_wider_ones_are_ternarised_on_request() -> None:
    """One magnitude, 6 here, is {-1, 0, 1} times it; other integers stay as they are unless asked for."""
    rng = np.random.default_rng(1)
    x = (rng.random((1, 200, 8)) < 0.4).astype(np.int64)
    for magnitude, threshold in ((6, 20), (10, 22), (14, 30), (3, 9)):
        w = magnitude * rng.integers(-1, 2, (5, 8))
        graph = read(dense(w, cuba(2607, 1106, threshold)))
        lowered = fine(graph)
        (projection,) = lowered.program.of_kind(Projection)
        assert (projection.bits, int(projection.gain)) == (2, magnitude * 64)
        assert {c.verdict for c in lowered.certificates} == {Verdict.EXACT}
        spikes, potentials = lava(cuba(2607, 1106, threshold), x[0] @ w.T)
        program, real = integer.run(lowered.program, {"input": x}), run_float(lowered.real, {"input": x})
        np.testing.assert_array_equal(program.v["dense0"][0], potentials)
        np.testing.assert_array_equal(program.spikes["dense0"][0], spikes)
        np.testing.assert_array_equal(real.spikes["dense0"][0], spikes)
        assert int(spikes.sum()) > 20
    wide = read(dense(2 * rng.integers(-60, 60, (5, 8)), cuba()))
    assert fine(wide).program.of_kind(Projection)[0].bits > 2
    lowered = lower(wide, Arithmetic(), Options(ternarize="twn", steps=50))
    assert lowered.program.of_kind(Projection)[0].bits == 2
    assert any("ternarised after training (TWN), relative error 0." in note for note in lowered.program.notes)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolutional_network_is_torchs_and_flattens_channels_first(groups: int) -> None:
    rng = np.random.default_rng(3)
    w1, w2, neuron = even(rng, 4, 2 // groups, 3, 2), even(rng, 3, 4 * 3 * 3, top=30), cuba(4096, 400, 40)
    bias = rng.integers(-5, 6, 4)
    geometry = {"stride": np.array([2, 1]), "padding": np.array([1, 0]), "dilation": np.array([1, 2]), "groups": groups}
    layers = (
        {"type": "input", "shape": np.array([2, 5, 5])},
        {
            "type": "conv", "shape": np.array([4, 3, 3]), "weight": w1[..., None], "bias": bias, "neuron": neuron,
            **geometry,
        },
        {"type": "flatten", "shape": np.array([36, 1, 1])},
        dense(w2, cuba(threshold=60)),
    )  # fmt: skip
    graph = read(*layers)
    x = rng.integers(0, 2, (1, 40, 2, 5, 5))
    currents = functional.conv2d(
        torch.from_numpy(x[0].astype(float)), torch.from_numpy(w1.astype(float)), stride=(2, 1), padding=(1, 0),
        dilation=(1, 2), groups=groups,
    ).numpy()  # fmt: skip
    hidden, _ = lava(neuron, currents.reshape(40, -1), np.repeat(bias, 9))
    spikes, _ = lava(cuba(threshold=60), hidden @ w2.T)
    program = integer.run(fine(graph).program, {"input": x})
    np.testing.assert_array_equal(program.spikes["conv1"][0], hidden)
    np.testing.assert_array_equal(program.spikes["dense3"][0], spikes)
    assert int(hidden.sum()) > 50
    assert int(spikes.sum()) > 10


def test_pooling_is_one_kernel_for_every_channel() -> None:
    rng = np.random.default_rng(4)
    kernel, neuron = np.full((1, 1, 2, 2), 18), cuba(4096, 1000, 25)
    pool = {
        "type": "pool", "shape": np.array([3, 2, 2]), "weight": kernel, "neuron": neuron, "stride": np.array([2, 2]),
        "padding": np.array([0, 0]), "dilation": np.array([1, 1]),
    }  # fmt: skip
    graph = read({"type": "input", "shape": np.array([3, 4, 4])}, pool)
    x = rng.integers(0, 2, (1, 30, 3, 4, 4))
    sums = x[0].reshape(30, 3, 2, 2, 2, 2).sum(axis=(3, 5)) * 18
    spikes, _ = lava(neuron, sums.reshape(30, -1))
    np.testing.assert_array_equal(integer.run(fine(graph).program, {"input": x}).spikes["pool1"][0], spikes)
    assert 50 < int(spikes.sum()) < 300


def test_recurrent_layers_read_their_spikes_of_the_step_before() -> None:
    rng = np.random.default_rng(5)
    w, back, neuron = even(rng, 6, 4), even(rng, 6, 6), cuba()
    graph = read({**dense(w, neuron), "type": "dense_rec", "weight_rec": back})
    x = rng.integers(0, 2, (1, 60, 4))
    spikes = integer.run(fine(graph).program, {"input": x}).spikes["dense_rec0"][0].astype(np.int64)
    before = np.concatenate([np.zeros((1, 6), np.int64), spikes[:-1]])
    expected, _ = lava(neuron, x[0] @ w.T + before @ back.T)
    np.testing.assert_array_equal(spikes, expected)
    assert 50 < int(spikes.sum()) < 300


@pytest.mark.parametrize("form", ["per neuron", "per input", "one", "per synapse", "per synapse, flat"])
def test_delays_are_those_of_every_synapse(form: str) -> None:
    rng = np.random.default_rng(6)
    w, neuron = even(rng, 5, 4), cuba()
    each = np.arange(20.0).reshape(5, 4) % 7
    delay = {
        "per neuron": np.array([0, 3, 1, 3, 0]), "per input": np.array([2.7, 0, 2, 5]), "one": np.array([2]),
        "per synapse": each, "per synapse, flat": each.reshape(-1),
    }[form]  # fmt: skip
    graph = read(dense(w, neuron, delay=delay))
    x = rng.integers(0, 2, (1, 50, 4))
    given = each if form.startswith("per synapse") else delay.reshape((-1, 1) if form == "per neuron" else -1)
    waits = np.broadcast_to(np.floor(given).astype(int), w.shape)
    currents = np.zeros((50, 5), np.int64)
    for (out, source), wait in np.ndenumerate(waits):
        currents[wait:, out] += w[out, source] * x[0, : 50 - wait, source]
    spikes, _ = lava(neuron, currents)
    np.testing.assert_array_equal(integer.run(fine(graph).program, {"input": x}).spikes["dense0"][0], spikes)
    assert int(spikes.sum()) > 30


@pytest.mark.parametrize("form", ["per channel", "per synapse"])
def test_kernels_wait_for_as_long_as_each_of_their_synapses_does(form: str) -> None:
    rng = np.random.default_rng(16)
    w, neuron = even(rng, 3, 2, 2, 3), cuba(threshold=40)
    delay = np.array([0, 4, 1]) if form == "per channel" else rng.integers(0, 5, w.shape)
    graph = read(
        {"type": "input", "shape": np.array([2, 4, 5])},
        {"type": "conv", "shape": np.array([3, 3, 3]), "weight": w, "delay": delay, "neuron": neuron},
    )  # fmt: skip
    x = rng.integers(0, 2, (1, 40, 2, 4, 5))
    waits = np.broadcast_to(delay.reshape(-1, 1, 1, 1) if form == "per channel" else delay, w.shape)
    currents = np.zeros((40, 27), np.int64)
    for wait in range(5):
        held = torch.from_numpy(np.where(waits == wait, w, 0)).double()
        seen = functional.conv2d(torch.from_numpy(x[0, : 40 - wait]).double(), held)
        currents[wait:] += seen.reshape(40 - wait, 27).numpy().astype(np.int64)
    spikes, _ = lava(neuron, currents)
    np.testing.assert_array_equal(
        integer.run(fine(graph).program, {"input": x}).spikes["conv1"][0].reshape(40, 27), spikes
    )
    assert int(spikes.sum()) > 30


def test_concat_and_add_read_earlier_layers() -> None:
    rng = np.random.default_rng(7)
    w = [even(rng, 6, 4), even(rng, 6, 6), even(rng, 3, 12), even(rng, 3, 3)]
    graph = read(
        dense(w[0], cuba()), dense(w[1], cuba(threshold=50)),
        {"type": "concat", "shape": np.array([12]), "layers": np.array([0])}, dense(w[2], cuba(threshold=70)),
        dense(w[3], cuba()), {"type": "add", "shape": np.array([3]), "layers": np.array([3])},
        dense(np.eye(3, dtype=int) * 40, cuba()),
    )  # fmt: skip
    x = rng.integers(0, 2, (1, 60, 4))
    s0, _ = lava(cuba(), x[0] @ w[0].T)
    s1, _ = lava(cuba(threshold=50), s0 @ w[1].T)
    s3, _ = lava(cuba(threshold=70), np.concatenate([s1, s0], axis=1) @ w[2].T)
    s4, _ = lava(cuba(), s3 @ w[3].T)
    s6, _ = lava(cuba(), 40 * (s4.astype(int) + s3))
    found = integer.run(fine(graph).program, {"input": x}).spikes
    for name, expected in (("dense0", s0), ("dense1", s1), ("dense3", s3), ("dense4", s4), ("dense6", s6)):
        np.testing.assert_array_equal(found[name][0], expected)
    assert int(s6.sum()) > 20


def test_averages_and_layers_without_neurons_are_summed_over_the_steps() -> None:
    rng = np.random.default_rng(8)
    w, last = even(rng, 6, 4), even(rng, 3, 6)
    x = rng.integers(0, 2, (2, 30, 4))
    spikes = np.stack([lava(cuba(), sample @ w.T)[0] for sample in x])
    for layer, expected in (
        ({"type": "average", "shape": np.array([2, 1, 1])}, spikes.reshape(2, 30, 2, 3).mean(axis=3).sum(axis=1)),
        (dense(last, None), (spikes @ last.T).sum(axis=1)),
    ):
        graph = read(dense(w, cuba()), layer)
        np.testing.assert_allclose(scores(graph, run_float(graph, {"input": x})), expected, atol=1e-9)
        lowered = fine(graph, steps=30)
        program = integer.run(lowered.program, {"input": x})
        np.testing.assert_allclose(scores(lowered.program, program), expected, atol=1e-6)


def test_a_convolution_without_neurons_is_summed_over_the_steps_too() -> None:
    rng = np.random.default_rng(17)
    w = even(rng, 2, 1, 2, 2)
    graph = read(
        {"type": "input", "shape": np.array([1, 3, 3])}, {"type": "conv", "shape": np.array([2, 2, 2]), "weight": w}
    )
    x = rng.integers(0, 2, (1, 9, 1, 3, 3))
    summed = functional.conv2d(torch.from_numpy(x[0].sum(axis=0)).double()[None], torch.from_numpy(w).double())
    np.testing.assert_array_equal(run_float(graph, {"input": x}).v["conv1"][0, -1].reshape(2, 2, 2), summed[0].numpy())


def test_an_input_layer_with_neurons_feeds_them_weight_and_bias() -> None:
    x = np.random.default_rng(9).integers(0, 2, (1, 40, 4))
    neuron = cuba(4096, 1024, 25)
    graph = read(
        {"type": "input", "shape": np.array([4]), "weight": np.array([36]), "bias": np.array([4]), "neuron": neuron},
        dense(np.eye(4, dtype=int) * 2, cuba()),
    )
    spikes, _ = lava(neuron, 36 * x[0], 4)
    np.testing.assert_array_equal(integer.run(fine(graph).program, {"input": x}).spikes["input0"][0], spikes)
    assert 20 < int(spikes.sum()) < 150


def test_rest_after_a_spike_and_real_arithmetic() -> None:
    graph = read(dense(np.array([[50]]), cuba(4096, 0, 20, refDelay=3)))
    spikes = run_float(graph, {"input": np.ones((1, 9, 1))}).spikes["dense0"][0, :, 0]
    assert spikes.tolist() == [1, 0, 0] * 3
    assert any("refDelay 3 is read as 2 steps of rest" in note for note in graph.notes)
    real = read(dense(np.array([[0.5]]), cuba()), assume="arithmetic=real,fire=>=")
    (neuron,) = real.of_kind(Neuron)
    assert neuron.quantum is None
    assert neuron.compare is Compare.GE


REFUSED: dict[str, tuple[Callable[[], tuple[dict[str, Any], ...]], str]] = {
    "sigma-delta": (lambda: (dense(np.eye(2), {"type": "SDNN", "vThMant": 1}),), "CUBA or LOIHI neurons; found SDNN"),
    "graded": (lambda: (dense(np.eye(2), cuba(gradedSpike=True)),), "binary spikes"),
    "exponent": (lambda: (dense(np.eye(2), cuba(wgtExp=2)),), "weights without a further exponent; found wgtExp 2"),
    "fractions": (lambda: (dense(np.eye(2) / 3, cuba()),), "dense0.weight: requires whole numbers, since netx"),
    "decay": (lambda: (dense(np.eye(2), cuba(5000)),), r"iDecay: requires one number of 0 to 4096, .*; found \[5000\]"),
    "missing": (lambda: (dense(np.eye(2), {"type": "CUBA", "iDecay": 1}),), "vDecay: requires this field; found none"),
    "unpool": (lambda: (dense(np.eye(2), cuba()), {"type": "unpool", "shape": np.array([2])}), "found unpool"),
    "recurrent": (
        lambda: (dense(np.eye(2), cuba()) | {"type": "recurrent"},), "found recurrent; lava-dl defines no such layer"
    ),
    "no shape": (lambda: ({"type": "conv", "weight": np.ones((1, 1, 1, 1)), "neuron": cuba()},), "an input shape"),
    "sizes": (lambda: (dense(np.eye(2), cuba()), dense(np.ones((2, 3)), cuba())), "dense1: requires 3 values, as its"),
    "inside": (lambda: (dense(np.eye(2), None), dense(np.eye(2), cuba())), "neurons in layers inside a network"),
    "shape": (lambda: (dense(np.eye(2), cuba()) | {"shape": np.array([7])},), "requires the shape of its"),
    "ahead": (
        lambda: (dense(np.eye(2), cuba()), {"type": "concat", "layers": np.array([4])}), "layers that name earlier ones"
    ),
    "late delay": (lambda: (dense(np.eye(2), cuba(), delay=np.array([63])),), "requires delays of 0 to 62"),
    "odd delays": (lambda: (dense(np.eye(2), cuba(), delay=np.ones(3)),), "each of 2 neurons or of 2 x 2 synapses"),
    "bias": (lambda: (dense(np.eye(2), cuba(), bias=np.ones(3)),), r"dense0\.bias: requires one bias for each"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_has_no_exact_form_is_refused_by_name(name: str) -> None:
    make, error = REFUSED[name]
    with pytest.raises((InputError, UnsupportedError), match=error):
        read(*make())


def events(path: Path, steps: int, neurons: int) -> Array:
    """(steps, neurons) of 0 and 1 from rows of neuron, 0, time."""
    table = np.load(path)
    result = np.zeros((steps, neurons), np.uint8)
    result[np.rint(table[:, 2]).astype(int), table[:, 0].astype(int)] = 1
    return result


def test_the_oxford_network_reproduces_its_ground_truth(nets: Path) -> None:
    """With >= all 400,000 places, with > (Lava's own neuron) all but the 3,014 that Lava's differ in."""
    truth = events(nets / "oxford_ground_truth.npy", 2000, 200)
    x = events(nets / "oxford_input.npy", 2000, 200)[None]
    for fire, differing in ((">=", 0), (">", 3014)):
        lowered = fine(load(nets / "oxford.net", assume={"fire": fire}), steps=2000)
        found = integer.run(lowered.program, {"input": x}, states=False).spikes["dense1"][0]
        assert int((found[:-2] != truth[2:]).sum()) + int(truth[:2].sum()) == differing
    assert int(truth.sum()) == 10178


def test_the_tiny_network_reproduces_its_layer(nets: Path) -> None:
    """The published input is that of the convolution, whose neurons rest in the first step and fire at > then."""
    tree: Any = read_hdf5(nets / "tiny.net")
    first = {"type": ["input"], "shape": tree["layer"]["0"]["shape"]}
    x, current, spikes = (
        np.moveaxis(np.load(nets / f"tinynet_{name}.npy")[0], -1, 0)[1:] for name in ("input", "current", "layer1")
    )
    for fire, differing in ((">", 0), (">=", 42)):
        graph = read_tree({"layer": {"0": first, "1": tree["layer"]["1"]}}, "tiny", "tiny", assume={"fire": fire})
        program = fine(graph).program
        (projection,) = program.of_kind(Projection)
        np.testing.assert_array_equal(
            accumulate(projection, x.reshape(15, -1)) * int(projection.gain), 64 * current.reshape(15, -1)
        )
        found = integer.run(program, {"input": x[None].astype(np.int64)}).spikes["conv1"][0]
        assert int((found != spikes.reshape(15, -1)).sum()) == differing
    assert int(spikes.sum()) == 1633


@pytest.mark.parametrize("name", ["oxford.net", "tiny.net", "netx_trained_mnist_network.net"])
def test_published_networks_keep_their_integers(nets: Path, name: str) -> None:
    graph = load(nets / name)
    rng = np.random.default_rng(0)
    (source,) = graph.of_kind(Input)
    x = (rng.random((1, 40, *source.shape)) < 0.1).astype(np.int64)
    lowered = fine(graph, steps=40)
    real, program = run_float(graph, {source.name: x}), integer.run(lowered.program, {source.name: x})
    for population in graph.of_kind(Neuron):
        np.testing.assert_array_equal(real.spikes[population.name], program.spikes[population.name])
        np.testing.assert_array_equal(real.v[population.name] * 64, program.v[population.name])
    assert sum(int(value.sum()) for value in program.spikes.values()) > 20
