"""Seconds of a step of Lava's Dense and Sparse on the same codes, for the choice between the two.

    uv run python benchmarks/lava_sparse.py    # under a minute; writes results/lava_sparse.md

The models of lava-nc (`fixed_pt`) add up what 10 % of their inputs send, in this process, by CPU time; the fastest of
five rounds counts. Sums are compared.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from tern2lava.sim.lava.compat import mend_lava
from tern2lava.sim.lava.process_choice import LEAST_SPARSE_SIZE, SPARSE_SHARE

RESULT = Path(__file__).resolve().parent / "results" / "lava_sparse.md"
SIDES, SHARES = (256, 512, 1024, 2048), (8, 32, 64, 128)


class Port:
    """Stands for a port of a process model."""

    def __init__(self, spikes: Any = None) -> None:
        self.spikes = spikes
        self.sent: Any = None

    def recv(self) -> Any:
        return self.spikes

    def send(self, data: Any) -> None:
        self.sent = data


def step_of(kind: Any, weights: Any, spikes: Any) -> tuple[float, Any]:
    """Microseconds of a step, and its sums."""
    from lava.utils.weightutils import SignMode

    model = kind({"weight_exp": -7, "num_weight_bits": 2, "sign_mode": SignMode.MIXED})
    model.weights, model.num_message_bits = weights, np.zeros(1, int)
    model.a_buff, model.s_in, model.a_out = np.zeros(weights.shape[0], int), Port(spikes), Port()
    for _ in range(2):
        model.run_spk()
    best = np.inf
    for _ in range(5):
        begun, count = time.process_time(), 0
        while time.process_time() - begun < 0.05:
            model.run_spk()
            count += 1
        best = min(best, (time.process_time() - begun) / count)
    return 1e6 * best, model.a_out.sent


def main() -> None:
    mend_lava()
    from lava.proc.dense.models import PyDenseModelBitAcc
    from lava.proc.sparse.models import PySparseModelBitAcc

    rng, rows = np.random.default_rng(1), []
    for side in SIDES:
        for share in SHARES:
            codes = (rng.random((side, side)) < 1 / share) * rng.choice([-128, 128], (side, side)).astype(np.int32)
            spikes = rng.random(side) < 0.1
            dense, sums = step_of(PyDenseModelBitAcc, codes, spikes)
            sparse, others = step_of(PySparseModelBitAcc, csr_matrix(codes), spikes)
            np.testing.assert_array_equal(sums, others)
            chosen = "Sparse" if codes.size >= LEAST_SPARSE_SIZE and share >= SPARSE_SHARE else "Dense"
            rows.append(f"| {side:,} x {side:,} | one in {share} | {dense:,.0f} | {sparse:,.0f} | {chosen} |\n")
            print(rows[-1], end="", flush=True)
    RESULT.write_text(
        "# Lava's Dense and Sparse\n\nWritten by `benchmarks/lava_sparse.py`: microseconds of CPU time for a step in "
        "which 10 % of the inputs spike.\n\n"
        "| weights | other than 0 | Dense | Sparse | chosen |\n|---|---|---|---|---|\n" + "".join(rows),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
