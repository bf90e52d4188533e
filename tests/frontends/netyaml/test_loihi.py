"""`arithmetic: loihi`: a net.yaml with the chip's integers is the network that a .net file with the same ones is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from archive import save_npz
from tern2lava import api
from tern2lava.compiler.ir.graph import Dense, Graph, Neuron, Population, Projection
from tern2lava.errors import InputError

STEPS = 40
NET = f"""
arithmetic: loihi
input: {{shape: [9]}}
steps: {STEPS}
readout: spike_count
layers:
  - dense: {{weight: w1}}
  - neuron: {{kind: loihi, decay_u: 700, decay_v: 300, threshold: 60, bias: b, refractory: 2}}
  - dense: {{weight: w2}}
  - neuron: {{kind: loihi, decay_u: 4096, decay_v: 0, threshold: 40}}
"""


def integers() -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng(8)
    return {
        "w1": 2 * rng.integers(-40, 41, (7, 9)),
        "b": rng.integers(-3, 6, 7),
        "w2": 2 * rng.integers(-9, 20, (4, 7)),
    }


def write(folder: Path, text: str = NET, **more: Any) -> tuple[Path, Path]:
    save_npz(folder / "net.npz", **{name: np.asarray(value) for name, value in (integers() | more).items()})
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    return folder / "net.npz", folder / "net.yaml"


def write_net(path: Path) -> Path:
    """The same network as lava-dl writes it."""
    a = integers()
    with h5py.File(path, "w") as file:
        for i, (weight, own) in enumerate(((a["w1"], (700, 300, 60, 3)), (a["w2"], (4096, 0, 40, 1)))):
            layer = file.create_group(f"layer/{i}")
            layer["type"], layer["shape"], layer["weight"] = "dense", [len(weight)], weight
            for key, value in zip(("iDecay", "vDecay", "vThMant", "refDelay"), own, strict=True):
                layer[f"neuron/{key}"] = value
            layer["neuron/type"] = "CUBA"
        file["layer/0/bias"] = a["b"]
    return path


def emulated(x: NDArray[np.uint8]) -> tuple[list[list[list[int]]], list[list[list[int]]]]:
    """Spikes of both layers by Python's integers alone."""
    a = {name: value.tolist() for name, value in integers().items()}

    def decayed(value: int, d: int) -> int:
        product = value * (4096 - d)
        return -(-product >> 12) if product < 0 else product >> 12

    def layer(
        weight: list[list[int]], bias: list[int], given: list[list[int]], own: tuple[int, ...]
    ) -> list[list[int]]:
        u, v, rest = ([0] * len(weight) for _ in range(3))
        spikes = []
        for now in given:
            for n, row in enumerate(weight):
                u[n] = decayed(u[n], own[0]) + 64 * sum(w * s for w, s in zip(row, now, strict=True))
                if not rest[n]:
                    v[n] = decayed(v[n], own[1]) + u[n] + 64 * bias[n]
            fired = [int(v[n] > 64 * own[2] and not rest[n]) for n in range(len(weight))]
            rest = [own[3] if fired[n] else max(rest[n] - 1, 0) for n in range(len(weight))]
            v = [0 if fired[n] else v[n] for n in range(len(weight))]
            spikes.append(fired)
        return spikes

    first = [layer(a["w1"], a["b"], sample, (700, 300, 60, 2)) for sample in x.tolist()]
    return first, [layer(a["w2"], [0] * 4, sample, (4096, 0, 40, 0)) for sample in first]


def test_it_is_the_net_file_and_both_spike_as_pythons_integers(tmp_path: Path) -> None:
    tensors, net = write(tmp_path)
    x = (np.random.default_rng(9).random((4, STEPS, 9)) < 0.4).astype(np.uint8)
    mine = api.compile(tensors, "loihi2", net=net)
    theirs = api.compile(write_net(tmp_path / "n.net"), "loihi2", steps=STEPS)
    for a, b in zip(numbers(mine.program), numbers(theirs.program), strict=True):
        np.testing.assert_equal(a, b)
    found = [[spikes.tolist() for spikes in api.simulate(each, x).trace.spikes.values()] for each in (mine, theirs)]
    assert found[0] == found[1] == list(emulated(x))
    assert all(0.05 < np.mean(spikes) < 0.9 for spikes in found[0])


def numbers(program: Graph) -> list[dict[str, Any]]:
    """The numbers of synapses and neurons, without names."""
    kept = ("weight", "gain", "delay", "decay_u", "decay_v", "bias", "bias_u", "threshold", "refractory", "start")
    return [
        {key: np.asarray(getattr(node, key)) for key in kept if hasattr(node, key)}
        for node in program.nodes
        if isinstance(node, Projection | Population)
    ]


def test_exponents_are_those_of_the_chip(tmp_path: Path) -> None:
    a = integers()
    halved = NET.replace("w1}", "w1, weight_exponent: 1}").replace("bias: b", "bias: b, bias_exponent: 4")
    tensors, net = write(tmp_path, halved, w1=a["w1"] // 2, b=a["b"] * 4)
    (tmp_path / "other").mkdir()
    plain = api.load(*write(tmp_path / "other"))
    assert [neuron.quantum is None for neuron in plain.of_kind(Neuron)] == [False, True]
    scaled = api.load(tensors, net)
    for mine, other in zip(scaled.of_kind(Neuron), plain.of_kind(Neuron), strict=True):
        np.testing.assert_array_equal(mine.bias, other.bias)
    np.testing.assert_array_equal(scaled.of_kind(Dense)[0].weight, plain.of_kind(Dense)[0].weight)


CONTRADICTIONS = {
    "no arithmetic": (("arithmetic: loihi\n", ""), {}, r"kind: requires arithmetic: loihi at the top .*; found none"),
    "a real decay": (("kind: loihi, decay_u: 4096, decay_v: 0", "kind: leaky, beta: 0.5"), {}, "found kind leaky"),
    "a scale": (
        ("weight: w1", "weight: t('w1') * 0.25"),
        {},
        r"weight: requires whole numbers of .*; found -?\d+\.\d+; ",
    ),
    "fractions": (("", ""), {"w2": integers()["w2"] / 3}, "layers.2..dense.weight: requires whole numbers"),
    "a decay": (("decay_u: 700", "decay_u: 5000"), {}, "decay_u: requires whole numbers of 0 to 4,096 .*; found 5000;"),
    "half a decay": (("decay_v: 300", "decay_v: 0.5"), {}, r"decay_v: requires whole numbers .*; found 0\.5;"),
    "a layer's bias": (("weight: w1", "weight: w1, bias: b"), {}, "requires biases at the neurons"),
    "a mean": (("  - dense: {weight: w2}", "  - avgpool: {kernel: 1}"), {}, "found avgpool, which divides"),
    "cut weights": (("weight: w1", "weight: w1, weight_exponent: -4"), {}, "requires weights that stay whole"),
    "an exponent": (("weight: w1", "weight: w1, weight_exponent: 99"), {}, "requires a whole number of -8 to 7"),
    "a loop's scale": (("refractory: 2", "recurrent: {scale: 0.5}"), {}, "requires recurrent weights as dense"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_what_contradicts_the_chips_numbers_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    change, tensors, message = CONTRADICTIONS[case]
    with pytest.raises(InputError, match=message) as error:
        api.load(*write(tmp_path, NET.replace(*change), **tensors))
    assert "\n" not in str(error.value)
