"""The second table's networks that lie in files: the package's two demo nets, and other people's.

Other people's lie in the folder that $TERN2LAVA_NETS names (docs/published-nets.md says where to find them); those that
are no small integers are rounded to 8 bits by the product, and the reference is the float64 run of what was stored. A
network that is absent is left out, and the results say so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from fidelity_data import CALIBRATE, COUNT, Array, Samples, events

from tern2lava.compiler.ir.graph import Arithmetic, Output, Readout
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.frontends.load import load
from tern2lava.sim.reference.real import run_float
from tern2lava.train.data import digits
from tern2lava.train.encode import encode
from tern2lava.zoo import ZOO

PUBLISHED = Path(__file__).parents[1] / "examples" / "published"
DEMO = Path(str(resources.files("tern2lava.demo")))
CALIBRATING = 32


def _demo(name: str) -> Samples:
    """Digits as the demo encodes them: its test set is counted, the first of its training set calibrate."""
    config = ZOO.get(name).metrics()["config"]
    keys, seed = config["training"], config["seed"]

    def part(wanted: str) -> tuple[Array, Array]:
        data = digits()
        x, y = (
            (data.test_x, data.test_y) if wanted == COUNT else (data.train_x[:CALIBRATING], data.train_y[:CALIBRATING])
        )
        return encode(x, keys["steps"], method=keys["encoding"], top=data.top, seed=seed), y

    return part


def _pictures(steps: int) -> Samples:
    """Digits of 8 x 8, trebled into the middle of 28 x 28, as random spikes, flat."""

    def part(wanted: str) -> tuple[Array, Array]:
        data = digits()
        x, y = (data.test_x[:100], data.test_y[:100]) if wanted == COUNT else (data.train_x[:32], data.train_y[:32])
        rng = np.random.default_rng([steps, wanted == COUNT])
        values = np.pad(np.kron(x[:, 0].astype(np.int64), np.ones((1, 3, 3), np.int64)), ((0, 0), (2, 2), (2, 2)))
        spikes = rng.random((len(x), steps, 784)) * 16 < values.reshape(len(x), 1, 784)
        return spikes.astype(np.uint8), y

    return part


def _oxford(folder: Path) -> Samples:
    """The published input; calibration by Poisson spikes at the rate of each of its channels."""

    def part(wanted: str) -> tuple[Array, Array]:
        events = np.load(folder / "oxford_input.npy")
        x = np.zeros((1, 2000, 200), np.uint8)
        x[0, np.clip(np.rint(events[:, 2]).astype(int), 0, 1999), events[:, 0].astype(int)] = 1
        if wanted != COUNT:
            rng = np.random.default_rng(17)
            x = (rng.random((4, 2000, 200)) < x.mean(axis=1, keepdims=True)).astype(np.uint8)
        return x, np.zeros(len(x), np.int64)

    return part


def _tiny(folder: Path) -> Samples:
    """Random spikes at the rates of the published input's pixels."""

    def part(wanted: str) -> tuple[Array, Array]:
        rate = np.load(folder / "tinynet_input.npy").mean(axis=-1)[:, None]
        rng = np.random.default_rng([18, wanted == COUNT])
        x = rng.random((40 if wanted == COUNT else 16, 64, *rate.shape[2:])) < rate
        return x.astype(np.uint8), np.zeros(len(x), np.int64)

    return part


@dataclass(frozen=True, kw_only=True)
class File:
    """A network in a file: its net.yaml, how it is read, whether its counts decide a class, whether it
    is a recurrent one of stock LIF neurons (fidelity_nets.Case), its samples."""

    path: str
    samples: Callable[[Path], Samples]
    net: Path | None = None
    load: dict[str, Any] = field(default_factory=dict)
    ternarize: str = "refuse"
    classes: bool = True
    stock_loop: bool = False


FILES: dict[str, File] = {
    "demo-mlp": File(path=str(DEMO / "mlp.pt"), net=DEMO / "mlp.yaml", samples=lambda folder: _demo("mlp")),
    "demo-conv": File(path=str(DEMO / "conv.pt"), net=DEMO / "conv.yaml", samples=lambda folder: _demo("conv")),
    "oxford.net": File(path="oxford.net", load={"assume": "fire=>="}, samples=_oxford, classes=False),
    "tiny.net": File(path="tiny.net", samples=_tiny, classes=False),
    "netx_trained_mnist_network.net": File(
        path="netx_trained_mnist_network.net", samples=lambda folder: _pictures(32)
    ),
    "braille_noDelay_bias_zero.nir": File(
        path="braille_noDelay_bias_zero.nir", ternarize="int8", stock_loop=True,
        samples=lambda folder: events((12,), 256, 60)
    ),
    "retrained_noDelay_ref_zero.pt": File(
        path="retrained_noDelay_ref_zero.pt", net=PUBLISHED / "braille.yaml", ternarize="int8", stock_loop=True,
        samples=lambda folder: events((12,), 256, 60),
    ),
    "s2s_gsc_snntorch.pt": File(
        path="s2s_gsc_snntorch.pt", net=PUBLISHED / "speech_commands.yaml", ternarize="int8",
        samples=lambda folder: events((20,), 50, 100),
    ),
    "SNN2_indy_20160622_01.pt": File(
        path="SNN2_indy_20160622_01.pt", net=PUBLISHED / "primate_reaching.yaml", ternarize="int8",
        samples=lambda folder: events((96,), 64, 60),
    ),
}  # fmt: skip


def _words(net: Path | None, folder: Path) -> str | None:
    """A copy of a net.yaml in `folder`, with signs for gt and ge, the words that every checkout reads."""
    if net is None:
        return None
    text = net.read_text(encoding="utf-8").replace("fire: gt", 'fire: ">"').replace("fire: ge", 'fire: ">="')
    (folder / "net.yaml").write_text(text, encoding="utf-8")
    return str(folder / "net.yaml")


def file_case(name: str, place: Path) -> tuple[dict[str, Any], Array, dict[str, Array], Array] | str:
    """(case, counted inputs, the reference's spikes by population, calibration samples); why it is left out, if it
    is. `place`: the folder of the case."""
    entry = FILES[name]
    folder = Path(os.environ.get("TERN2LAVA_NETS", ""))
    path = folder / entry.path
    if not path.is_file():
        return f"{name} is not in $TERN2LAVA_NETS"
    samples = entry.samples(folder)
    inputs = samples(COUNT)[0]
    options = {"ternarize": entry.ternarize, "steps": inputs.shape[1]}
    graph = load(path, entry.net, **entry.load)
    real = lower(graph, Arithmetic(), Options(**options)).real
    (source,) = (node.name for node in real.nodes if type(node).__name__ == "Input")
    trace = run_float(real, {source: inputs}, states=False)
    spikes = {key: value.reshape(*value.shape[:2], -1) for key, value in trace.spikes.items()}
    output = real.of_kind(Output)[0]
    case = {
        "source": str(path), "net": _words(entry.net, place), "options": options,
        "load": entry.load, "output": output.inputs[0],
        "decides": entry.classes and output.readout is Readout.SPIKE_COUNT,
    }  # fmt: skip
    return case, inputs, spikes, samples(CALIBRATE)[0]
