"""What the target needs for the same network with 8-bit weights, for the report."""

from __future__ import annotations

from collections.abc import Iterable

from tern2lava.compiler.twin import Twin
from tern2lava.report.model import Report, TwinRow


def add_twins(report: Report, twins: Iterable[Twin]) -> Report:
    """`report` with a row for each twin (compiler.twin.map_twins), the network itself first."""
    return report.model_copy(update={"twins": [_row(twin) for twin in twins]})


def _row(twin: Twin) -> TwinRow:
    if twin.mapped is None:
        return TwinRow(
            name=twin.name, weight_bits=twin.weight_bits, cores=None, chips=None, cores_lower_bound=None,
            stored_bits=None, image_bits=None, reason=twin.reason,
        )  # fmt: skip
    mapped, use = twin.mapped, twin.mapped.core_use()
    return TwinRow(
        name=twin.name,
        weight_bits=twin.weight_bits,
        cores=len(use),
        chips=len({core.chip for core in use}),
        cores_lower_bound=mapped.cores_lower_bound,
        stored_bits=sum(core.synapse_bits[0] for core in use),
        image_bits=8 * (sum(map(len, mapped.images)) + len(mapped.host_image)),
        reason=None,
    )
