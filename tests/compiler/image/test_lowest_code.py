"""Codes of -128, the lowest that 8 bits in two's complement hold, in every codec's images and in their proof."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archive import save_npz
from tern2lava import api
from tern2lava.compiler.ir.graph import Projection
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.engine.run import run as run_engine
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

NET = """
input: {shape: [9]}
steps: 12
readout: spike_count
layers:
  - dense: {weight: w}
  - neuron: {kind: if, threshold: 150.0, reset: zero, reset_delay: false, fire: ">"}
"""


@pytest.mark.parametrize(
    ("target", "only"),
    [("generic-ternary", False), ("generic-ternary", True), ("loihi1", False), ("paicore2", False)],
)
def test_images_hold_them_and_every_execution_adds_them_up(target: str, only: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    codes = rng.choice([-128, 0, 2, 1] if only else [-128, 0, 127, 3], (7, 9))
    save_npz(tmp_path / "net.npz", w=codes.astype(np.float64))
    (tmp_path / "net.yaml").write_text(NET.replace("150.0", "0.5") if only else NET, encoding="utf-8")
    found = api.compile(tmp_path / "net.npz", target, net=tmp_path / "net.yaml")
    (projection,) = found.program.of_kind(Projection)
    assert (projection.weight.min(), projection.bits) == (-128, 8)
    x = rng.integers(0, 2, (20, 12, 9)).astype(np.uint8)
    v, own = np.zeros((20, 7)), []
    for t in range(12):
        v = v + x[:, t] @ codes.T
        own.append(v > (0.5 if only else 150))
        v = np.where(own[-1], 0, v)
    given = {"input": x}
    ran = integer.run(found.program, given)
    assert np.array_equal(ran.spikes["neuron1"].astype(bool), np.stack(own, axis=1))
    assert 0.02 < np.mean(own) < 0.9
    images, host = found.mapped.images, found.mapped.host_image
    executions = {"I": ran, "M": mapped.run(images, host, given)}
    if only:
        executions["E"] = run_engine(found.program, given).trace
    assert compare(executions, found.program).equal
    assert api.prove(found).proven
