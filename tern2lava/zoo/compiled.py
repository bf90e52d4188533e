"""What becomes of a network of the zoo on a target: the numbers of its NAME-compiled.json that a compile gives."""

from __future__ import annotations

from typing import Any

from tern2lava import api
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.report.model import Report
from tern2lava.zoo.nets import ZooNet

LIMITED = ("neurons", "synapse_bits", "in_axons", "out_axons")
"""What a core has only so much of: fields of a report's cores."""


def compiled_row(net: ZooNet, target: str) -> dict[str, Any]:
    """`target`, and the numbers of `mapped_row`; or `refused`, why the target does not take the network."""
    with net.files() as files:
        try:
            network = api.compile(files.weights, target, net=files.net)
        except (CapacityError, UnsupportedError) as error:
            return {"target": target, "refused": str(error)}
    return {"target": target, **mapped_row(network.report)}


def mapped_row(report: Report) -> dict[str, Any]:
    """Cores, chips, the least cores, bytes of synaptic memory and of whole images, and of each thing that a core has
    only so much of, the share that is used on all cores together."""
    used = {}
    for name in LIMITED:
        pairs = [getattr(core, name) for core in report.cores]
        used[name] = round(sum(pair[0] for pair in pairs) / max(1, sum(pair[1] for pair in pairs)), 4)
    return {
        "cores": len(report.cores),
        "chips": report.chips,
        "cores_lower_bound": report.cores_lower_bound,
        "used": used,
        "stored_bytes": report.memory.total.stored_bits / 8,
        "image_bytes": report.memory.total.image_bits / 8,
    }
