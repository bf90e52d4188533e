"""Does the third verdict find a network that is misread, and none in one that is read as it is? For fidelity.py.

Twelve net.yaml files each misread one network of snnTorch and SpikingJelly neurons in one word; verify holds each
against the network's own run in float32. And the conformance networks (conformance.py) are held against theirs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tern2lava import api

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "helpers"))


def twelve() -> dict[str, str]:
    """The reading verdict's status by what is misread; "nothing" is the network read as it is."""
    import oracle_net

    arrays = api.record(
        oracle_net.module(), oracle_net.spikes(), names=oracle_net.NAMES, scores=oracle_net.count_spikes
    )
    found = {}
    for misread, words in {"nothing": ("", ""), **oracle_net.MISREADINGS}.items():
        with tempfile.TemporaryDirectory() as folder:
            checkpoint, net = oracle_net.write(Path(folder), oracle_net.module(), oracle_net.NET.replace(*words))
            api.compile(checkpoint, "generic-ternary", net=net, out=Path(folder) / "build")
            proof = api.verify(Path(folder) / "build", arrays, backend="reference", any_steps=misread == "steps")
            assert proof.verification is not None
            found[misread] = proof.verification.verdict("reading").status
    return found


def float32(every: int) -> tuple[int, int, int, int]:
    """(networks, spikes, ties, misreadings) of one network of every `every`-th conformance cell that has a run in
    float32."""
    import conformance

    readings: list[Any] = []
    for cell in conformance.cells()[::every]:
        readings += conformance.in_float32(cell, 1)
    return (
        len(readings), sum(r.spikes for r in readings), sum(r.ties for r in readings),
        sum(r.misreadings for r in readings),
    )  # fmt: skip
