"""check and compile are of one mind on networks with random mistakes, from every kind of file."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from archive import save_npz
from nir_trees import chain, nir_tree, sink, source
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.options import Options
from tern2lava.effort import effort_of
from tern2lava.errors import Tern2LavaError
from tern2lava.findings import alone, collecting
from tern2lava.frontends.lavadl import read as lavadl
from tern2lava.frontends.netyaml.read import load_checkpoint
from tern2lava.frontends.nir import read as nir
from tern2lava.hw_profiles import load_profile

Array = NDArray[Any]
Tree = dict[str, Any]
MISTAKES = 12
TARGETS = ("loihi2", "loihi1", "tiny")
NET = """\
input: {shape: [1, 4, 4]}
steps: 6
readout: spike_count
layers:
  - conv2d: {tensors: conv, padding: 1}
  - name: first
    neuron: {kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}
  - maxpool: {kernel: 2}
  - dense: {tensors: fc}
  - name: second
    neuron: {kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ge}
ignore: [real, fc.weight]
"""
WORDS = (
    "threshold: 1.0", "threshold: -1.0", "threshold: conv.weight", "kernel: 2", "kernel: 9", "tensors: fc",
    "tensors: conv", "weight: real", "padding: 1", "reset: subtract", "reset: none", "kind: leaky", "kind: lif",
    "kind: if", "fire: ge", "beta: 0.5", "[1, 4, 4]", "[9]", "- dropout", "- delay: {steps: 70}", "from: first",
)  # fmt: skip


def codes(draw: random.Random, *shape: int) -> Array:
    return np.random.default_rng(draw.randrange(1 << 30)).integers(-1, 2, shape).astype(np.float64)


def of_nir(draw: random.Random) -> Tree:
    def lif(n: int) -> Tree:
        one = np.ones(n)
        return {"type": "LIF", "tau": one / 1e3, "r": 10 * one, "v_leak": 0 * one, "v_threshold": one}

    if draw.random() < 0.5:
        nodes = {
            "fc": {"type": "Linear", "weight": codes(draw, 5, 3)},
            "rec": {"type": "Linear", "weight": codes(draw, 5, 5)},
        }
        ends = {"input": source(3)[1], "output": sink(5)[1], "lif": lif(5), "lif2": lif(5)}
        edges = [("input", "fc"), ("fc", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "lif2"), ("lif2", "output")]
        return nir_tree(nodes | ends, edges)
    conv = {"type": "Conv2d", "weight": codes(draw, 3, 2, 3, 3), "stride": 1, "padding": 1, "dilation": 1, "groups": 1}
    pool = {
        "type": "AvgPool2d",
        "kernel_size": np.array([2, 2]),
        "stride": np.array([2, 2]),
        "padding": np.array([0, 0]),
    }
    return chain(
        source(2, 4, 4), ("conv", conv | {"bias": np.zeros(3)}), ("pool", pool),
        ("flat", {"type": "Flatten", "start_dim": 0, "end_dim": -1}), ("lif", lif(12)),
        ("fc", {"type": "Affine", "weight": codes(draw, 4, 12), "bias": np.zeros(4)}), ("lif2", lif(4)), sink(4),
    )  # fmt: skip


def of_lavadl(draw: random.Random) -> Tree:
    cuba = {
        key: np.array(value) for key, value in {"iDecay": 4096, "vDecay": 128, "vThMant": 10, "refDelay": 1}.items()
    }
    neuron = {"neuron": {"type": ["CUBA"], **cuba}}
    shape = {"shape": np.array([5])}
    layers = [
        {"type": ["dense"], "weight": codes(draw, 5, 6) * 2, **shape, **neuron},
        {"type": ["dense_rec"], "weight": codes(draw, 5, 5), "weight_rec": codes(draw, 5, 5), **shape, **neuron},
        {"type": ["add"], "layers": np.array([0]), **shape},
        {"type": ["dense"], "weight": codes(draw, 5, 5), **shape, **neuron},
    ]
    return {"layer": {str(at): copy.deepcopy(layer) for at, layer in enumerate(layers)}}


def places(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from places(value, (*path, key))


def mistaken(tree: Tree, draw: random.Random) -> Tree:
    """`tree` with one to three values left out, damaged or of another kind."""
    for _ in range(draw.randint(1, 3)):
        place = draw.choice([each for each in places(tree) if len(each) > 2])
        inside = tree
        for key in place[:-1]:
            inside = inside[key]
        value = inside[place[-1]]
        if draw.random() < 0.2:
            del inside[place[-1]]
        elif isinstance(value, np.ndarray):
            noise = np.random.default_rng(draw.randrange(1 << 30)).normal(size=value.shape)
            half = value.reshape(-1)[: max(1, value.size // 2)]
            inside[place[-1]] = draw.choice([-value, value * np.nan, value * 1e-9, noise, half])
        elif isinstance(value, str):
            inside[place[-1]] = draw.choice(["Odd", "LIF", "IF", "Flatten", "Linear", "Delay", "Threshold", "CubaLIF"])
        elif isinstance(value, list) and value and isinstance(value[0], str):
            inside[place[-1]] = [draw.choice(["odd", "SDNN", "LOIHI", "dense", "flatten", "add", "average", "pool"])]
    return tree


def net_yaml(draw: random.Random) -> str:
    lines = NET.splitlines()
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(lines))
        known = next((word for word in WORDS if word in lines[at]), None)
        if known is not None:
            lines[at] = lines[at].replace(known, draw.choice(WORDS))
        elif lines[at].startswith("  -"):
            lines[at] = f"  {draw.choice(WORDS)}"
        else:
            lines[at] = lines[at].replace("}", f", {draw.choice(WORDS)}}}")
    return "\n".join(lines)


def one_mind(read: Callable[[], Graph], seed: int) -> int:
    """Refusals that are found; fails where compiling ends otherwise than with the first of them."""
    profile, options = load_profile(TARGETS[seed % 3]), Options(effort=effort_of("quick"))
    error = ""
    try:
        build(read(), profile, options)
    except Tern2LavaError as raised:
        error = str(raised)
    with collecting() as found, alone():
        build(read(), profile, options)
    assert [str(refused) for refused in found.refused[:1]] == ([error] if error else [])
    return len(found.refused)


@pytest.mark.parametrize("kind", ["nir", "lava-dl", "net.yaml"])
def test_the_first_of_all_refusals_is_that_of_compile_and_none_is_none(kind: str, tmp_path: Path) -> None:
    draw = random.Random(kind)
    save_npz(tmp_path / "net.npz", **{"conv.weight": codes(draw, 2, 1, 3, 3), "fc.weight": codes(draw, 3, 8)},
             real=np.random.default_rng(0).normal(size=(3, 8)))  # fmt: skip
    counts = []
    for seed in range(MISTAKES):
        if kind == "net.yaml":
            (tmp_path / "net.yaml").write_text(net_yaml(draw))
            counts.append(one_mind(lambda: load_checkpoint(tmp_path / "net.npz", tmp_path / "net.yaml"), seed))
            continue
        tree = mistaken((of_nir if kind == "nir" else of_lavadl)(draw), draw)
        read = (lambda t=tree: nir.read_tree(t, "x", "x", dt=1e-4)) if kind == "nir" else (
            lambda t=tree: lavadl.read_tree(t, "x", "x"))  # fmt: skip
        counts.append(one_mind(read, seed))
    assert any(counts)
    assert not all(counts)
