"""Runs SANA-FE on an architecture and a net that others.py wrote from one of our mappings, prints its counts as JSON.

Run by others.py in an environment that holds sanafe 2.2.9 (GPL-3; nothing of ours imports it):

    DIR/bin/python benchmarks/others_sanafe.py arch.yaml net.yaml STEPS SYNAPSE_JOULES
"""

from __future__ import annotations

import json
import sys

import sanafe  # type: ignore[import-not-found]


def main() -> int:
    arch = sanafe.load_arch(sys.argv[1])
    net = sanafe.load_net(sys.argv[2], arch)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    found = chip.sim(int(sys.argv[3]), perf_trace=True, spike_trace=True)
    fired: dict[str, int] = {}
    for step in found["spike_trace"]:
        for neuron in step:
            fired[neuron.group_name] = fired.get(neuron.group_name, 0) + 1
    hops = int(sum(found["perf_trace"]["hops"]))
    # It counts no synapses, only their energy.
    synapses = round(found["energy"]["synapse"] / float(sys.argv[4]))
    result = {"hops": hops, "packets": found["packets_sent"], "fired": fired, "synapses": synapses}
    result |= {"hop_energy": found["energy"]["network"] * 1e12, "synapse_energy": found["energy"]["synapse"] * 1e12}
    json.dump({"sanafe": "2.2.9", **result}, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
