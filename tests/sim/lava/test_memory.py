"""A child's memory does not grow with the runs it makes (Lava itself keeps every process that it ever built)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from places import HELPERS
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.lava.shared_arrays import SharedArrays

SIDE, WARM, RUNS = 500, 10, 20


def memory(child: LavaChild) -> int:
    shared = SharedArrays({"values": ((1,), "int64")})
    child.run("lava_faults:report_memory", None, shared, steps=1, timeout=60)
    return int(shared["values"][0])


def wide() -> Graph:
    """One layer of SIDE x SIDE synapses: each run makes several copies of a megabyte."""
    zero = frozen(0, np.int64)
    codes = frozen(np.random.default_rng(0).integers(-1, 2, (SIDE, SIDE)).astype(np.int8))
    neurons: dict[str, Any] = dict.fromkeys(("decay_v", "bias", "reset_amount", "v_init"), zero)
    return Graph(
        level=Level.INTEGER,
        arithmetic=Arithmetic(),
        nodes=(
            Input(name="x", shape=(SIDE,)),
            Projection(name="w", inputs=("x",), weight=codes, gain=frozen(64, np.int64)),
            Population(
                name="y", inputs=("w",), shape=(SIDE,), start=1, decay_u=frozen(4096, np.int64),
                threshold=frozen(640, np.int64), reset=Reset.ZERO, lsb=frozen(1.0), **neurons,
            ),
            Output(name="output", inputs=("y",)),
        ),
    )  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this system")
def test_memory_does_not_grow_with_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HELPERS))
    network, inputs = wide(), {"x": np.ones((1, 2, SIDE), np.uint8)}
    with LavaChild() as child:

        def runs(count: int, sequential: bool) -> int:
            for _ in range(count):
                run_stock(network, inputs, sequential=sequential, timeout=60, child=child)
            return memory(child)

        for sequential in (False, True):
            # The first runs fill caches and the allocator's arenas (some 3 MiB), and then what is held goes up and down
            # by less than 2 MiB. One kept copy of the weights in each run would be 5 MB at a byte a weight.
            before = runs(WARM, sequential)
            assert runs(RUNS, sequential) - before < RUNS * SIDE * SIDE, f"sequential: {sequential}"
