"""Twelve small networks that between them use every feature, as files, for the fingerprints of what they compile to.

Every number is written here or drawn from SHAKE-256, which no version of a library changes: an edit of another helper,
of a generator of random numbers or of the graph moves none of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

import tern2lava
from archive import save_npz
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.hw_profiles import Profile

Arrays = dict[str, NDArray[Any]]


def drawn(seed: str, *shape: int) -> NDArray[np.float64]:
    """Multiples of 2^-32 in [0, 1)."""
    count = int(np.prod(shape))
    words = np.frombuffer(hashlib.shake_256(seed.encode()).digest(4 * count), "<u4")
    return words.reshape(shape) / 2.0**32


def codes(seed: str, *shape: int, zeros: float = 0.4) -> NDArray[np.float64]:
    """Ternary codes, about this share of them 0, the signs balanced."""
    found = drawn(seed, *shape)
    return np.where(found < zeros, 0.0, np.where(found < (1 + zeros) / 2, -1.0, 1.0))


def between(low: float, high: float, seed: str, *shape: int) -> NDArray[np.float64]:
    """Numbers from `low` to `high` with all bits of their fractions."""
    return low + (high - low) * drawn(seed, *shape)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A network: the text of its net.yaml and its arrays, or for `lavadl` the layers of a lava-dl file; how it is
    lowered, and how it is mapped onto a profile."""

    text: str = ""
    arrays: Callable[[], Arrays] = dict
    lavadl: Callable[[], list[dict[str, Any]]] | None = None
    options: Options = field(default_factory=Options)
    mapping: Callable[[Profile], MapOptions] = lambda profile: MapOptions()

    def load(self, folder: Path) -> Graph:
        """The network as it is read from files written to `folder`."""
        if self.lavadl is not None:
            _write_lavadl(folder / "sample.net", self.lavadl())
            return tern2lava.load(folder / "sample.net", steps=24)
        save_npz(folder / "sample.npz", **self.arrays())
        (folder / "sample.yaml").write_text(self.text, encoding="utf-8")
        return tern2lava.load(folder / "sample.npz", folder / "sample.yaml")


def _write_lavadl(path: Path, layers: list[dict[str, Any]]) -> None:
    """A file as lava-dl's export_hdf5 writes it."""
    with h5py.File(path, "w") as file:
        for number, layer in enumerate(layers):
            group = file.create_group(f"layer/{number}")
            for key, value in layer.items():
                if isinstance(value, dict):
                    for inner, number_or_text in value.items():
                        group.create_dataset(f"{key}/{inner}", data=number_or_text)
                else:
                    group.create_dataset(key, data=[value.encode()] if isinstance(value, str) else value)


MLP = """
input: {shape: [24]}
steps: 16
readout: spike_count
layers:
- dense: {weight: a, bias: p}
- batchnorm: {tensors: bn}
- neuron: {kind: leaky, beta: 0.9, threshold: 1.0, reset: subtract, reset_delay: true, fire: ">"}
- dense: {weight: b}
- neuron: {kind: leaky, beta: beta, threshold: threshold, reset: subtract, reset_delay: false, fire: ">", v_init: 0.125}
"""


def mlp() -> Arrays:
    return {
        "a": codes("mlp a", 20, 24) * between(0.2, 0.6, "mlp scale", 20, 1),
        "p": between(-0.1, 0.1, "mlp p", 20),
        "bn.weight": between(0.5, 1.5, "mlp bn", 20),
        "bn.bias": between(-0.2, 0.2, "mlp bias", 20),
        "bn.running_mean": between(-0.3, 0.3, "mlp mean", 20),
        "bn.running_var": between(0.5, 2.0, "mlp var", 20),
        "b": codes("mlp b", 7, 20) * 0.37,
        "beta": between(0.6, 0.95, "mlp beta", 7),
        "threshold": between(0.8, 1.4, "mlp threshold", 7),
    }


CONVOLUTION = """
input: {shape: [2, 6, 6]}
steps: 8
readout: spike_count
layers:
- conv2d: {weight: a, padding: 1}
- neuron: {kind: if, threshold: 0.7, reset: zero, reset_delay: false, fire: ">="}
- avgpool: {kernel: 2}
- conv2d: {weight: b, stride: 2, padding: [0, 1]}
- neuron: {kind: if, threshold: 0.3, reset: zero, reset_delay: false, fire: ">="}
- flatten
- dense: {weight: c}
- neuron: {kind: if, threshold: 0.5, reset: zero, reset_delay: false, fire: ">="}
"""


def convolution() -> Arrays:
    return {
        "a": 0.5 * codes("convolution a", 3, 2, 3, 3),
        "b": 0.25 * codes("convolution b", 6, 3, 3, 3),
        "c": 0.3 * codes("convolution c", 5, 12),
    }


GROUPED = """
input: {shape: [4, 7, 9]}
steps: 10
readout: spike_count
layers:
- conv2d: {weight: a, bias: p, groups: 2, dilation: [1, 2], padding: [1, 2]}
- neuron: {kind: if, threshold: 1.1, reset: value, reset_value: 0.25, v_init: 0.25, reset_delay: true, fire: ">"}
- maxpool: {kernel: 2}
- dropout
- conv2d: {weight: b, groups: 4, padding: same}
- sumpool: {kernel: [1, 3], stride: 1}
- neuron: {kind: if, threshold: channels, reset: subtract, reset_delay: false, fire: ">="}
- delay: {steps: 2}
- dense: {weight: c}
- neuron: {kind: lif, tau: 2.5, decay_input: true, threshold: 0.2, reset: zero, reset_delay: false, fire: ">"}
"""


def grouped() -> Arrays:
    return {
        "a": codes("grouped a", 4, 2, 3, 2) * between(0.3, 0.7, "grouped scale", 4, 1, 1, 1),
        "p": between(-0.2, 0.2, "grouped p", 4),
        "b": codes("grouped b", 4, 1, 3, 1, zeros=0.2),
        "channels": np.array([1.0, 2.0, 1.5, 0.75]).reshape(4, 1, 1),
        "c": 0.6 * codes("grouped c", 6, 36),
    }


RECURRENT = """
input: {shape: [16]}
steps: 20
readout: spike_count
layers:
- dense: {weight: a}
- neuron:
    {kind: cuba, alpha: 0.7, beta: 0.9, threshold: 1.0, reset: zero, reset_delay: false, fire: ">", refractory: 1,
     recurrent: {dense: {weight: r}, delay: 2}}
- delay: {steps: 3}
- dense: {weight: b}
- neuron:
    {kind: leaky, beta: 0.8, threshold: 0.6, reset: zero, reset_delay: false, fire: ">=", recurrent: {scale: s}}
"""


def recurrent() -> Arrays:
    return {
        "a": 0.4 * codes("recurrent a", 8, 16),
        "r": 0.4 * codes("recurrent r", 8, 8, zeros=0.7),
        "b": 0.35 * codes("recurrent b", 4, 8),
        "s": np.array(-0.35),
    }


RESIDUAL = """
input: {shape: [3, 4, 4]}
steps: 12
readout: spike_count
layers:
- conv2d: {weight: a, padding: 1}
- name: first
  neuron: {kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ">="}
- conv2d: {weight: b, padding: 1}
- name: second
  neuron: {kind: if, threshold: 0.6, reset: zero, reset_delay: false, fire: ">="}
- {name: through, conv2d: {weight: c, padding: 1}}
- {name: both, add: {}, from: [through, first]}
- neuron: {kind: if, threshold: 0.9, reset: zero, reset_delay: false, fire: ">="}
"""


def residual() -> Arrays:
    return {
        "a": 0.5 * codes("residual a", 4, 3, 3, 3),
        "b": 0.3 * codes("residual b", 4, 4, 3, 3),
        "c": 0.25 * codes("residual c", 4, 4, 3, 3),
    }


ADAPTIVE = """
input: {shape: [12]}
steps: 16
readout: spike_count
layers:
- dense: {weight: a}
- neuron: {kind: alif, alpha: 0.9, rho: rho, jump: 0.18, threshold: 0.1, decay_input: true, fire: ">"}
- dense: {weight: b}
- neuron: {kind: alif, alpha: 0.5, rho: 0.75, jump: 0.25, threshold: 0.5, decay_input: false, fire: ">="}
"""


def adaptive() -> Arrays:
    return {
        "a": 0.8 * codes("adaptive a", 10, 12),
        "rho": between(0.8, 0.98, "adaptive rho", 10),
        "b": 0.5 * codes("adaptive b", 6, 10),
    }


KINDS = """
input: {shape: [12], levels: [-2, 3]}
steps: 16
readout: spike_count
layers:
- dense: {weight: a}
- name: first
  neuron: {kind: if, threshold: 0.7, threshold_low: -0.9, reset: subtract, reset_delay: false, fire: ">="}
- dense: {weight: b}
- neuron:
    {kind: leaky, beta: 0.85, threshold: 1.0, threshold_low: -1.5, reset: zero, reset_delay: false, fire: ">",
     refractory: 2}
- {name: short, dense: {weight: c}}
- {name: long, from: first, dense: {weight: d}}
- neuron: {kind: leaky, beta: 0.9, threshold: 1.0, reset: subtract, reset_delay: false, fire: ">", rearm: true}
  from: [short, long]
"""


def kinds() -> Arrays:
    return {
        "a": 0.5 * codes("kinds a", 10, 12), "b": 0.6 * codes("kinds b", 9, 10),
        "c": 0.45 * codes("kinds c", 8, 9), "d": 0.31 * codes("kinds d", 8, 10),
    }  # fmt: skip


TIES = """
input: {shape: [20]}
steps: 40
readout: spike_count
layers:
- dense: {weight: a}
- neuron: {kind: leaky, beta: 0.5, threshold: 1.0, reset: zero, reset_delay: false, fire: ">="}
- dense: {weight: b}
- neuron: {kind: leaky, beta: 0.75, threshold: 1.0, reset: zero, reset_delay: false, fire: ">="}
"""


def ties() -> Arrays:
    return {"a": 0.25 * codes("ties a", 12, 20), "b": 0.5 * codes("ties b", 8, 12)}


WIDE_CODES = """
input: {shape: [3, 5, 5]}
steps: 8
readout: membrane_last
layers:
- conv2d: {weight: a, stride: 2}
- neuron: {kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ">"}
- dense: {weight: b, bias: p}
- neuron: {kind: if, threshold: 1.0, reset: none, reset_delay: false, fire: ">"}
"""


def wide_codes() -> Arrays:
    return {
        "a": between(-0.4, 0.4, "wide a", 6, 3, 3, 3), "b": between(-0.5, 0.5, "wide b", 5, 24),
        "p": between(-0.1, 0.1, "wide p", 5),
    }  # fmt: skip


RELAYS = """
input: {shape: [1200]}
steps: 4
readout: spike_count
layers:
- dense: {weight: a}
- neuron: {kind: if, threshold: 2.0, reset: zero, reset_delay: false, fire: ">="}
- dense: {weight: b}
- neuron: {kind: if, threshold: 0.5, reset: zero, reset_delay: false, fire: ">="}
"""


def relays() -> Arrays:
    return {"a": 0.5 * codes("relays a", 4, 1200, zeros=0.8), "b": 0.5 * codes("relays b", 3, 4)}


CHIPS = """
input: {shape: [18]}
steps: 10
readout: spike_count
layers:
- dense: {weight: a}
- neuron: {kind: if, threshold: 0.8, reset: zero, reset_delay: false, fire: ">="}
- dense: {weight: b}
- neuron: {kind: if, threshold: 0.9, reset: zero, reset_delay: false, fire: ">="}
"""


def chips() -> Arrays:
    return {"a": between(-0.5, 0.5, "chips a", 18, 18), "b": between(-0.5, 0.5, "chips b", 10, 18)}


def on_two_chips(profile: Profile) -> MapOptions:
    """Six neurons a core, and three cores a chip where the target has more than one chip."""
    spare = profile.system.cores_per_chip - 3 if profile.system.chips > 1 else 0
    return MapOptions(max_neurons_per_core=6, spare_cores=spare, objective="traffic", placement="search")


def lavadl() -> list[dict[str, Any]]:
    """Layers of a lava-dl file: CUBA neurons in integers, in which the network was trained."""

    def neurons(current: int, voltage: int, threshold: int) -> dict[str, Any]:
        return {"type": "CUBA", "iDecay": current, "vDecay": voltage, "vThMant": threshold, "refDelay": 1}

    first = 2 * np.rint(between(-30, 30, "quantum a", 9, 11))
    return [
        {"type": "input", "shape": [11]},
        {
            "type": "dense", "shape": [9], "weight": first, "bias": np.rint(between(-2, 2, "quantum p", 9)),
            "neuron": neurons(1024, 128, 40),
        },
        {"type": "dense", "shape": [5], "weight": 16 * codes("quantum b", 5, 9), "neuron": neurons(4096, 300, 30)},
    ]  # fmt: skip


def mapped(**options: Any) -> Callable[[Profile], MapOptions]:
    """The same options on every profile."""
    return lambda profile: MapOptions(**options)


# Several cores on several chips are placed by algorithms that call no LAPACK, whose eigenvectors depend on the machine
# where eigenvalues are equal ("spectral", and so "auto" where placements cost the same).
SAMPLES: dict[str, Sample] = {
    "mlp": Sample(text=MLP, arrays=mlp),
    "convolution": Sample(text=CONVOLUTION, arrays=convolution),
    "grouped": Sample(text=GROUPED, arrays=grouped, mapping=mapped(share_cores=False)),
    "recurrent": Sample(text=RECURRENT, arrays=recurrent, mapping=mapped(objective="latency", placement="hilbert")),
    "residual": Sample(text=RESIDUAL, arrays=residual, mapping=mapped(objective="balance", placement="search")),
    "adaptive": Sample(text=ADAPTIVE, arrays=adaptive),
    "kinds": Sample(text=KINDS, arrays=kinds, mapping=mapped(max_neurons_per_core=5, placement="linear", seed=1)),
    "ties": Sample(text=TIES, arrays=ties),
    "wide codes": Sample(text=WIDE_CODES, arrays=wide_codes, options=Options(ternarize="int8")),
    "relays": Sample(text=RELAYS, arrays=relays),
    "chips": Sample(text=CHIPS, arrays=chips, options=Options(ternarize="twn"), mapping=on_two_chips),
    "quantum": Sample(lavadl=lavadl, options=Options(ternarize="int8")),
}
