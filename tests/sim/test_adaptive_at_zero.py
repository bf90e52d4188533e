"""Recurrent adaptive neurons whose thresholds are 0 at rest, the most fragile of all: a potential that decays towards 0
spikes by the sign of what is left of it. All numbers are dyadic with few bits, so that float64 stands for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tern2lava
from archive import save_npz
from tern2lava.compiler.options import Options
from tern2lava.report.model import Report

NEURONS, INPUTS, STEPS = 72, 300, 120
TEXT = f"""
input: {{shape: [{INPUTS}]}}
steps: {STEPS}
readout: spike_count
layers:
  - dense: {{weight: w, bias: b}}
  - neuron: {{kind: alif, alpha: alpha, rho: rho, jump: jump, decay_input: false, threshold: 0.0, fire: ">",
             recurrent: {{dense: {{weight: r}}}}}}
"""


def arrays() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(77)

    def codes(*shape: int, share: float) -> NDArray[np.float64]:
        return (rng.random(shape) < share) * np.where(rng.random(shape) < 0.5, -1.0, 1.0) / 16

    return {
        "w": codes(NEURONS, INPUTS, share=0.2), "r": codes(NEURONS, NEURONS, share=0.15),
        "b": codes(NEURONS, share=0.3), "jump": np.array([23 / 1024]),
        "alpha": rng.integers(200, 252, NEURONS) / 256, "rho": rng.integers(247, 255, NEURONS) / 256,
    }  # fmt: skip


def inputs(samples: int, seed: int) -> NDArray[np.uint8]:
    rate = 0.08 * np.sin(np.linspace(0, np.pi, STEPS))[:, None]
    return (np.random.default_rng(seed).random((samples, STEPS, INPUTS)) < rate).astype(np.uint8)


def own_spikes(a: dict[str, NDArray[np.float64]], x: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Spikes (samples, steps, neurons) in float64. Of potentials that are not exactly 0 none comes so near to it that
    float64 could take its sign for another."""
    v = raised = fired = np.zeros((len(x), NEURONS))
    spikes, nearest = [], np.inf
    for t in range(STEPS):
        raised = a["rho"] * raised + a["jump"] * fired
        v = a["alpha"] * v - raised * fired + x[:, t] @ a["w"].T + fired @ a["r"].T + a["b"]
        above = v - raised
        nearest = min(nearest, float(np.abs(above[above != 0]).min()))
        fired = (above > 0).astype(float)
        spikes.append(above > 0)
    assert nearest > 1e-9
    return np.stack(spikes, axis=1)


@pytest.mark.parametrize(("target", "most"), [("loihi2", 0.01), ("generic-ternary", 0.0)])
def test_calibrated_integers_change_no_more_spikes_than_the_target_has_to(
    target: str, most: float, tmp_path: Path
) -> None:
    a = arrays()
    save_npz(tmp_path / "net.npz", **a)
    (tmp_path / "net.yaml").write_text(TEXT, encoding="utf-8")
    counted = inputs(6, 2)
    own = own_spikes(a, counted)
    assert 0.02 < own.mean() < 0.3
    compiled: Any = tern2lava.compile(
        tmp_path / "net.npz", target, net=tmp_path / "net.yaml", options=Options(ranges="calibrated"),
        calibrate=inputs(16, 1),
    )  # fmt: skip
    (got,) = tern2lava.simulate(compiled, counted).trace.spikes.values()
    differ = np.count_nonzero(got.astype(bool) != own)
    assert differ <= most * np.count_nonzero(own), f"{differ:,} of {np.count_nonzero(own):,} differ"
    report: Report = compiled.report
    assert report.integers[0].changed is not None
