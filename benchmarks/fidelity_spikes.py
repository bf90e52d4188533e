"""The second table: spikes that change between a network's real dynamics and its integers (fidelity.py says more)."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fidelity_data import CALIBRATE, COUNT
from fidelity_files import FILES, file_case
from fidelity_measure import measure
from fidelity_nets import CASES
from fidelity_own import run, write

TARGETS = ("generic-ternary", "loihi2", "loihi1")
RESULTS = Path(__file__).parent / "results"
BEFORE = RESULTS / "fidelity_before.json"
QUICK = ("alif-float", "lif-hard", "residual")
Counts = dict[str, Any]


@dataclass
class Row:
    """One network on one target: the reference's spikes, populations' shares of neuron-timesteps that spike, decisions,
    and the counts (fidelity_measure.measure) of 3f246db and of this checkout, not calibrated and calibrated."""

    network: str
    target: str
    spikes: int
    activity: tuple[float, float]
    decisions: int
    stock_loop: bool
    before: Counts | None = None
    plain: Counts = field(default_factory=dict)
    calibrated: Counts = field(default_factory=dict)


def prepare(name: str, folder: Path) -> Row | str:
    """The folder of a network for fidelity_measure, and its row without counts; why it is left out, if it is."""
    folder.mkdir()
    if name in FILES:
        found = file_case(name)
        if isinstance(found, str):
            return found
        case, inputs, spikes, calibration = found
        stock_loop = False
    else:
        made = CASES[name]()
        write(made.network, folder)
        inputs, calibration = made.data(COUNT)[0], made.data(CALIBRATE)[0]
        spikes, stock_loop = run(made.network, inputs), made.stock_loop
        output = made.network.layers[-1].name
        case = {"source": "net.npz", "net": "net.yaml", "options": {}, "load": {}, "output": output, "decides": True}
        case |= {key: str(folder / case[key]) for key in ("source", "net")}
    (folder / "case.json").write_text(json.dumps(case | {"targets": TARGETS}), encoding="utf-8")
    np.savez(folder / "counted.npz", input=inputs, **spikes)
    np.savez(folder / "calibration.npz", spikes=calibration)
    shares = [float(np.abs(value).mean()) for value in spikes.values()]
    return Row(
        network=name, target="", spikes=sum(int(np.abs(value).sum(dtype=np.int64)) for value in spikes.values()),
        activity=(min(shares), max(shares)), decisions=len(inputs) if case["decides"] else 0, stock_loop=stock_loop,
    )  # fmt: skip


def before(folders: list[Path], checkout: Path) -> dict[str, Counts]:
    """The counts of another checkout by "network on target", in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("fidelity_measure.py")), *map(str, folders)]
    done = subprocess.run(
        command, check=True, text=True, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(checkout)}
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {f"{row.pop('network')} on {row.pop('target')}": row for row in rows}
