"""Small networks to calibrate, each with its own run in float64 and in integers, written apart from the package.

Every network is one recurrent layer behind a dense one, its weights two scales that no unit holds both; decays are
float32 numbers as training leaves them. Source time: x and the spikes of `late` steps ago drive a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tern2lava
from archive import save_npz
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Population

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
INPUTS, NEURONS, STEPS = 24, 16, 25
REST = 2


@dataclass(frozen=True, kw_only=True)
class Net:
    """A network of one kind. late: steps until a spike comes back."""

    kind: str
    arrays: dict[str, NDArray[Any]]
    neuron: str
    late: int

    def load(self, folder: Path) -> Graph:
        """The network, read from the files that are written to `folder`."""
        save_npz(folder / "net.npz", **self.arrays)
        (folder / "net.yaml").write_text(
            f"input: {{shape: [{INPUTS}]}}\nsteps: {STEPS}\nreadout: spike_count\nlayers:\n  - dense: {{weight: w}}\n"
            f"  - neuron: {{{self.neuron}, recurrent: {{dense: {{weight: r}}, delay: {self.late}}}}}\n",
            encoding="utf-8",
        )
        return tern2lava.load(folder / "net.npz", folder / "net.yaml")

    def back(self, spikes: NDArray[Any], t: int) -> NDArray[Any]:
        """The spikes (samples, steps, neurons) that come back in step t."""
        return spikes[:, t - self.late] if t >= self.late else np.zeros_like(spikes[:, 0])

    def real(self, x: NDArray[Any]) -> tuple[NDArray[np.int8], Floats, Floats, Floats]:
        """Spikes, potentials that met the threshold less what adaptation added to it, how far currents went (of kinds
        that have none, inputs) and how far potentials and adaptations did, after the reset too (at once, of 1 / beta,
        where the source subtracts 1 after the decay), (samples, steps, neurons), in units of the source."""
        a = {name: value.astype(np.float64) for name, value in self.arrays.items()}
        shape = (*x.shape[:2], NEURONS)
        spikes, met, currents, reach = np.zeros(shape, np.int8), np.zeros(shape), np.zeros(shape), np.zeros(shape)
        u, v, raised, rest = (np.zeros((len(x), NEURONS)) for _ in range(4))
        for t in range(x.shape[1]):
            drive = x[:, t] @ a["w"].T + self.back(spikes, t) @ a["r"].T
            last = spikes[:, t - 1] if t else np.zeros((len(x), NEURONS))
            currents[:, t] = drive
            if self.kind == "soft":
                v = a["beta"] * v + drive - last
                fired = v > 1
            elif self.kind == "resting":
                u = a["alpha"] * u + drive
                v = np.where(rest > 0, v, a["beta"] * v + u)
                fired = (v > 1) & (rest == 0)
                currents[:, t] = u
            elif self.kind == "adaptive":
                raised = a["rho"] * raised + a["jump"] * last
                v = a["alpha"] * v + drive - (0.01 + raised) * last
                fired = v - raised > 0.01
            else:
                v = v + (drive - v) / 2.3
                fired = np.where(v >= 1, 1, np.where(v <= -1, -1, 0))
            met[:, t], spikes[:, t] = v - raised, fired
            owed = {"soft": fired / a.get("beta", 1.0), "signed": fired}.get(self.kind, 0.0)
            reach[:, t] = np.maximum(np.maximum(np.abs(v), np.abs(v - owed)), raised)
            if self.kind == "resting":
                v = np.where(spikes[:, t], 0, v)
                rest = np.where(spikes[:, t], REST, np.maximum(rest - 1, 0))
            elif self.kind == "signed":
                v = v - spikes[:, t]
        return spikes, met, np.abs(currents), reach

    def integers(
        self, x: NDArray[Any], spikes: NDArray[Any], population: Population, gains: dict[str, Whole], form: Arithmetic
    ) -> Whole:
        """Potentials that met the threshold less what adaptation added to it, in last bits, with the integers of
        `population`; `spikes` come back and reset it, whatever its own would be. gains: of w and r, (neurons,)."""
        top = (1 << (form.state_bits - 1)) - 1
        codes = {name: np.sign(self.arrays[name]).astype(np.int64) for name in ("w", "r")}
        forced = spikes.astype(np.int64)
        met = np.zeros(spikes.shape, np.int64)
        u, v, raised, rest = (np.zeros((len(x), NEURONS), np.int64) for _ in range(4))

        def kept(value: Whole, decay: Whole) -> Whole:
            """What is left of `value`, digit by digit of the definition: |value| (1 - decay / 2^D), cut or rounded."""
            product = np.abs(value) * ((1 << form.decay_bits) - decay)
            if population.decays is Decays.NEAREST:
                product = product + (1 << form.decay_bits) // 2
            return np.where(value < 0, -1, 1) * (product // (1 << form.decay_bits))

        for t in range(x.shape[1]):
            drive = gains["w"] * (x[:, t].astype(np.int64) @ codes["w"].T)
            drive = drive + gains["r"] * (self.back(forced, t) @ codes["r"].T)
            last = forced[:, t - 1] if t else np.zeros_like(v)
            u = kept(u, population.decay_u) + drive + population.bias_u
            u = np.where(u > top + 1, u - 2 * (top + 1), np.where(u <= -top - 1, u + 2 * (top + 1), u))
            new = kept(v, population.decay_v) + u + population.bias
            if self.kind == "adaptive":
                assert population.gain_a is not None
                raised = np.clip(kept(raised, population.decay_a) + population.gain_a * last, -top, top)
                new = new - (population.reset_amount + raised) * last
            v = np.where(rest > 0, v, np.clip(new, -top, top))
            met[:, t] = v - raised
            if self.kind == "resting":
                v = np.where(forced[:, t], 0, v)
                rest = np.where(forced[:, t], REST, np.maximum(rest - 1, 0))
            elif self.kind != "adaptive":
                v = np.clip(v - population.reset_amount * forced[:, t], -top, top)
        return met


def _net(kind: str, neuron: str, late: int, seed: int, scale: float, back: float) -> Net:
    rng = np.random.default_rng(seed)

    def codes(*shape: int, share: float = 0.4) -> NDArray[Any]:
        return (rng.random(shape) < share) * np.where(rng.random(shape) < 0.5, -1, 1)

    def decays(low: float, high: float) -> NDArray[np.float32]:
        return np.exp(-1 / rng.uniform(low, high, NEURONS)).astype(np.float32)

    # A scale for each row of w and one for r: no gain of r is that of another neuron.
    rows = scale * rng.uniform(0.8, 1.2, (NEURONS, 1)) if kind == "soft" else scale
    arrays = {
        "w": (rows * codes(NEURONS, INPUTS)).astype(np.float32),
        "r": (back * codes(NEURONS, NEURONS, share=0.3)).astype(np.float32),
        "beta": decays(3, 30), "alpha": decays(2, 8), "rho": decays(20, 60), "jump": np.full(1, 0.02, np.float32),
    }  # fmt: skip
    if kind == "adaptive":
        arrays["alpha"] = decays(4, 30)
    named = {name: value for name, value in arrays.items() if name in ("w", "r") or f": {name}" in neuron}
    return Net(kind=kind, arrays=named, neuron=neuron, late=late)


NETS = {
    "soft": _net(
        "soft", 'kind: leaky, beta: beta, threshold: 1.0, reset: subtract, reset_delay: true, fire: ">"', 3, 1, 0.37,
        0.29,
    ),
    "resting": _net(
        "resting", f'kind: cuba, alpha: alpha, beta: beta, refractory: {REST}, threshold: 1.0, reset: zero, '
        'reset_delay: false, fire: ">"', 1, 2, 0.17, 0.11,
    ),
    "adaptive": _net(
        "adaptive", 'kind: alif, alpha: alpha, rho: rho, jump: jump, decay_input: false, threshold: 0.01, fire: ">"', 2,
        3, 0.061, 0.047,
    ),
    "signed": _net(
        "signed", 'kind: lif, tau: 2.3, decay_input: true, threshold: 1.0, threshold_low: -1.0, reset: subtract, '
        'reset_delay: false, fire: ">="', 1, 4, 1.13, 0.71,
    ),
}  # fmt: skip


def spikes_of(samples: int, seed: int, rate: float = 0.2) -> NDArray[np.uint8]:
    """Input spikes (samples, steps, inputs)."""
    return (np.random.default_rng(seed).random((samples, STEPS, INPUTS)) < rate).astype(np.uint8)
