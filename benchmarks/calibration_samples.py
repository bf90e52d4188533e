"""How many calibration samples are enough: spikes that change on other samples, by how many integers were chosen on.

    python benchmarks/calibration_samples.py cuba-mlp lif-soft

Networks, reference and counts are those of the second table of fidelity.py. Integers are chosen on the first N samples
of one set (--range calibrated), spikes are counted on 200 samples of another. Cells: every population fed the
reference's spikes / running free; "none" is without samples.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import fidelity_data
import numpy as np
from fidelity_measure import measure
from fidelity_nets import CASES
from fidelity_own import run, write

NUMBERS, COUNTED = (1, 4, 16, 64, 256), 200
TARGETS = ("loihi2", "generic-ternary")


def lines(name: str) -> list[str]:
    """A row of the table for each target: spikes, then how many change without samples and with each number of them."""
    case = CASES[name]()
    calibration, counted = case.data(fidelity_data.CALIBRATE)[0], case.data(fidelity_data.COUNT)[0][:COUNTED]
    spikes = run(case.network, counted)
    total = sum(int(np.abs(value).sum(dtype=np.int64)) for value in spikes.values())
    found = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(case.network, folder)
        told = {"source": "net.npz", "net": "net.yaml", "options": {}, "load": {}, "decides": True}
        told |= {key: str(folder / str(told[key])) for key in ("source", "net")}
        told |= {"output": case.network.layers[-1].name}
        (folder / "case.json").write_text(json.dumps(told), encoding="utf-8")
        np.savez(folder / "counted.npz", input=counted, **spikes)
        for target in TARGETS:
            cells = [_cell(measure(folder, target, False, 1))]
            for number in NUMBERS:
                np.savez(folder / "calibration.npz", spikes=calibration[:number])
                cells.append(_cell(measure(folder, target, True, 1)))
            found.append(f"| {name} | {target} | {total:,} | {' | '.join(cells)} |")
    return found


def _cell(counts: dict[str, Any]) -> str:
    return "refused" if "refused" in counts else f"{counts['fed']:,} / {counts['free']:,}"


def main() -> None:
    fidelity_data.CALIBRATING = max(NUMBERS)
    print(f"| network | target | spikes | none | {' | '.join(map(str, NUMBERS))} |")
    print("|---|---|---|" + "---|" * (1 + len(NUMBERS)))
    for name in sys.argv[1:]:
        for line in lines(name):
            print(line, flush=True)


if __name__ == "__main__":
    main()
