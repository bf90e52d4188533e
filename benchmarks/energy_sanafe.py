"""SANA-FE's energy and time of one of our mappings, at its own numbers for Loihi.

others_oracle.py writes the mapping and the spikes as SANA-FE's files; here its architecture gets the prices of the
table sanafe_nahuku. Neurons that play the spikes pay for them, silent ones beside them for access and update; inputs,
which come from outside, stand on a core of their own that costs nothing.

    DIR/bin/python benchmarks/energy_sanafe.py FOLDER STEPS   # in an environment that holds sanafe 2.2.9: prints JSON
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

NOTHING = dict.fromkeys(
    (f"{a}_{b}" for a in ("energy", "latency") for b in ("access_neuron", "update_neuron", "spike_out")), 0.0
)
# sanafe 2.2.9, sanafe/examples/loihi.yaml, a synapse of the dense kind.
ACCESS = {"energy_access_neuron": 51.2e-12, "latency_access_neuron": 6.0e-9}
UPDATE = {"energy_update_neuron": 21.6e-12, "latency_update_neuron": 3.7e-9}
SPIKE = {"energy_spike_out": 69.3e-12, "latency_spike_out": 30.0e-9}
SYNAPSE = {"energy_process_spike": 35.5e-12, "latency_process_spike": 3.8e-9}
AXON_OUT = {"energy_message_out": 111.0e-12, "latency_message_out": 5.1e-9}
AXON_IN = {"energy_message_in": 0.0, "latency_message_in": 16.0e-9}
HOPS = {"north": (4.2e-12, 6.5e-9), "south": (4.2e-12, 6.5e-9), "east": (3.0e-12, 4.1e-9), "west": (3.0e-12, 4.1e-9)}
SYNC = {"sync_model": "table", "latency_sync": {1: 0.6e-6, 2: 1.0e-6, 4: 1.4e-6, 29: 1.8e-6}}


def priced(arch: dict[str, Any]) -> dict[str, Any]:
    """The architecture of others_oracle.files with these prices, the last core of each tile being the inputs'."""
    arch = copy.deepcopy(arch)
    whole = arch["architecture"]
    whole["attributes"] = {key: value for key, value in whole["attributes"].items() if "sync" not in key} | SYNC
    tile = whole["tile"][0]
    for side, (energy, latency) in HOPS.items():
        tile["attributes"] |= {f"energy_{side}_hop": energy, f"latency_{side}_hop": latency}
    (core,) = tile["core"]
    outside = copy.deepcopy(core)
    last = int(core["name"].split("..")[1].rstrip("]"))
    core["name"], outside["name"] = f"core[0..{last - 1}]", "outside"
    core["axon_in"][0]["attributes"] = AXON_IN
    core["axon_out"][0]["attributes"] = AXON_OUT
    core["synapse"][0]["attributes"] |= SYNAPSE
    silent, player = core["soma"]
    silent["attributes"] |= NOTHING | ACCESS | UPDATE
    player["attributes"] |= NOTHING | SPIKE
    for part, names in (("axon_in", "message_in"), ("axon_out", "message_out")):
        outside[part][0]["attributes"] = {f"energy_{names}": 0.0, f"latency_{names}": 0.0}
    tile["core"] = [core, outside]
    return arch


def sanafe_says(python: Path, folder: Path, steps: int) -> dict[str, Any]:
    """What SANA-FE says of the files in `folder`, priced as above."""
    file = folder / "arch.yaml"
    # JSON is YAML, but for keys that are whole numbers.
    text = json.dumps(priced(json.loads(file.read_text(encoding="utf-8"))), indent=1)
    for tiles in SYNC["latency_sync"]:
        text = text.replace(f'"{tiles}": ', f"{tiles}: ")
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [str(python), __file__, str(folder), str(steps)], capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return found


def main() -> int:
    import sanafe  # type: ignore[import-not-found]

    folder = sys.argv[1]
    arch = sanafe.load_arch(f"{folder}/arch.yaml")
    net = sanafe.load_net(f"{folder}/net.yaml", arch)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    found = chip.sim(int(sys.argv[2]))
    energy = {key: float(value) for key, value in found["energy"].items()}
    said = {"sanafe": "2.2.9", "energy": energy, "seconds": float(found["sim_time"]), "steps": int(sys.argv[2])}
    json.dump(said, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
