"""Small networks, each with one documented feature, as files for the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archive import save_npz

Arrays = dict[str, NDArray[np.float64]]
IF = 'kind: if, threshold: {}, reset: zero, reset_delay: false, fire: ">"'
LEAKY = 'kind: leaky, beta: 0.5, threshold: 1.0, reset: {}, reset_delay: false, fire: ">"'


def ternary(*shape: int, scale: float = 0.5) -> NDArray[np.float64]:
    """Weights of {-1, 0, 1} times a scale."""
    return np.asarray(np.random.default_rng(len(shape)).integers(-1, 2, shape) * scale, np.float64)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A network that uses a feature. says: texts that its report shows; options: words for `compile`; shape: of the
    input; silent: no neuron of the last layer spikes."""

    layers: str
    arrays: Callable[[], Arrays] = lambda: {"w": ternary(6, 8)}
    shape: tuple[int, ...] = (8,)
    target: str = "loihi2"
    options: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    readout: str = "spike_count"
    head: str = ""
    levels: tuple[int, int] = (0, 1)
    steps: int = 4
    silent: bool = False

    def write(self, folder: Path) -> tuple[Path, Path]:
        """(checkpoint, net.yaml) in `folder`."""
        save_npz(folder / "net.npz", **self.arrays())
        layers = [layer for layer in self.layers.splitlines() if layer]
        lines = "".join(f"  - {{{layer}}}\n" if ": " in layer else f"  - {layer}\n" for layer in layers)
        (folder / "net.yaml").write_text(
            f"input: {{shape: {list(self.shape)}, levels: {list(self.levels)}}}\nsteps: {self.steps}\n"
            f"readout: {self.readout}\n{self.head}layers:\n{lines}",
            encoding="utf-8",
        )
        return folder / "net.npz", folder / "net.yaml"

    def spikes(self) -> NDArray[np.int8]:
        """Three samples for the network."""
        rng = np.random.default_rng(1)
        low, high = self.levels
        return rng.integers(low, high + 1, (3, self.steps, *self.shape)).astype(np.int8)


def one(neuron: str, **more: object) -> Feature:
    """A dense layer before neurons of this kind."""
    return Feature(layers=f"dense: {{weight: w}}\nneuron: {{{neuron}}}", **more)  # type: ignore[arg-type]


def two_dense() -> Arrays:
    return {"w": ternary(6, 8), "r": ternary(6, 6)}


def image() -> Arrays:
    return {"k": ternary(3, 2, 3, 3), "w": ternary(5, 27)}


CONV = f"""
conv2d: {{weight: k, padding: 1}}
neuron: {{{IF.format(0.7)}}}
avgpool: {{kernel: 2}}
flatten
dense: {{weight: w}}
neuron: {{{IF.format(0.7)}}}
"""

FEATURES: dict[str, Feature] = {
    "relays": one(
        IF.format(1.5), arrays=lambda: {"w": ternary(4, 1200)}, shape=(1200,), target="tiny",
        says=("16 relay neurons", "4 relays a neuron"), steps=3,
    ),
    "refractory": one(IF.format(0.7) + ", refractory: 2", target="loihi1"),
    "signed": one(IF.format(0.7) + ", threshold_low: -0.7"),
    "adaptive": one('kind: alif, alpha: 0.5, rho: 0.75, jump: 0.25, threshold: 0.5, decay_input: true, fire: ">"'),
    "rearm": one(LEAKY.format("subtract") + ", rearm: true"),
    "soft reset": one(LEAKY.format("subtract")),
    "reset delay": one(LEAKY.format("zero").replace("reset_delay: false", "reset_delay: true")),
    "current": one('kind: cuba, alpha: 0.5, beta: 0.75, threshold: 1.0, reset: zero, reset_delay: false, fire: ">="'),
    "biases": Feature(
        layers=f"dense: {{weight: w, bias: b}}\nneuron: {{{LEAKY.format('zero')}}}",
        arrays=lambda: {"w": ternary(6, 8), "b": np.linspace(-0.25, 0.25, 6)},
    ),
    "membrane": one(LEAKY.format("none"), readout="membrane_last"),
    "graded input": one(IF.format(3.7), levels=(-2, 3)),
    "delays": Feature(
        layers=f"dense: {{weight: w}}\ndelay: {{steps: 3}}\nneuron: {{{IF.format(0.7)}}}",
    ),
    "recurrent": one(
        IF.format(0.7) + ", recurrent: {dense: {weight: r}, delay: 1}", arrays=two_dense
    ),
    "residual": Feature(
        layers=f"dense: {{weight: w}}\nname: first, neuron: {{{IF.format(0.7)}}}\nname: more, dense: "
        f"{{weight: r}}\nadd: {{}}, from: [more, first]\nneuron: {{{IF.format(0.7)}}}",
        arrays=two_dense,
    ),
    "kernels": Feature(layers=CONV, arrays=image, shape=(2, 6, 6), says=("kernel: each core holds",)),
    "lists": Feature(layers=CONV, arrays=image, shape=(2, 6, 6), target="loihi1", says=("lists: each core holds",)),
    "paicore2": Feature(layers=CONV, arrays=image, shape=(2, 6, 6), target="paicore2", says=("unrolled: ",)),
    "truenorth": Feature(layers=CONV, arrays=image, shape=(2, 6, 6), target="truenorth", says=("unrolled: ",)),
    "max pooling": Feature(
        layers=CONV.replace("avgpool", "maxpool"), arrays=image, shape=(2, 6, 6), target="generic-ternary"
    ),
    "many chips": one(
        IF.format(0.7), arrays=lambda: {"w": ternary(1400, 8)}, target="tiny", says=("used on 2 chips",), steps=2
    ),
    "pins and spare cores": one(
        IF.format(0.7), target="tiny", options=("--pin", "neuron1=1", "--spare-cores", "3", "--max-neurons", "4"),
        says=("pinned neuron1=1", "3 cores a chip spared", "at most 4 neurons a core"),
    ),
    "latency": one(IF.format(0.7), options=("--objective", "latency", "--seed", "3"), says=("objective latency",)),
    "never met": one(IF.format(1.0e9), says=("neuron1",), silent=True),
    "no weights but zeros": one(
        IF.format(0.5), arrays=lambda: {"w": np.zeros((6, 8))}, says=("100.0%",), silent=True
    ),
    "8 bit": one(
        IF.format(0.7), arrays=lambda: {"w": np.sin(np.arange(48.0)).reshape(6, 8)}, options=("--ternarize", "int8"),
        says=("Codes",),
    ),
    "ternarised": one(
        IF.format(0.7), arrays=lambda: {"w": np.sin(np.arange(48.0)).reshape(6, 8)}, options=("--ternarize", "twn"),
        says=("2-bit",),
    ),
}  # fmt: skip
