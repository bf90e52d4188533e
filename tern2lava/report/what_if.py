"""One network on several targets, compared in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType

from tern2lava.compiler.shown import shortened
from tern2lava.compiler.what_if import Tried
from tern2lava.counts import count
from tern2lava.report.frames import frame
from tern2lava.report.html import html
from tern2lava.report.model import WhatIfRow
from tern2lava.report.sheet import Paragraph, sheet


class Targets(list[WhatIfRow]):
    """The rows of a comparison, one for each target; `source` is what was mapped."""

    def __init__(self, rows: Iterable[WhatIfRow] = (), source: str = "graph") -> None:
        super().__init__(rows)
        self.source = source

    def __repr__(self) -> str:
        cores = ", ".join(f"{row.target} {row.cores:,}" if row.cores else f"{row.target} no" for row in self)
        return shortened(f"Targets({self.source}, cores: {cores})")

    def to_frame(self) -> Any:
        """The rows as a pandas.DataFrame. Raises MissingPackageError without pandas."""
        return frame(self)

    def _repr_html_(self) -> str:
        return html(what_if_table(self.source, self))


def what_if_row(tried: Tried) -> WhatIfRow:
    """The row of a network on a target."""
    if tried.mapped is None:
        return WhatIfRow(
            target=tried.target, cores=None, cores_lower_bound=None, chips=None, stored_bits=None, image_bits=None,
            spike_hops=None, link=None, step=None, fits=False, reason=tried.reason,
        )  # fmt: skip
    mapped, use = tried.mapped, tried.mapped.core_use()
    return WhatIfRow(
        target=tried.target,
        cores=len(use),
        cores_lower_bound=mapped.cores_lower_bound,
        chips=len({core.chip for core in use}),
        stored_bits=sum(core.synapse_bits[0] for core in use),
        image_bits=8 * (sum(map(len, mapped.images)) + len(mapped.host_image)),
        spike_hops=mapped.routing.spike_hops,
        link=mapped.quality.link,
        step=mapped.quality.step,
        fits=True,
        reason=None,
    )


def what_if_table(source: str, rows: Sequence[WhatIfRow]) -> RenderableType:
    """The comparison, and why a target is out."""
    table = sheet(
        f"{source} on {count(len(rows), 'target')}",
        (
            "Target", "Cores", "Lower bound", "Chips", "Synaptic memory, KiB", "Spike-hops per step",
            "Spikes per step on the busiest link", "Fits",
        ),
        left=("Fits",),
    )  # fmt: skip
    for row in rows:
        if row.cores is None or row.stored_bits is None or row.spike_hops is None or row.link is None:
            table.add_row(row.target, "-", "-", "-", "-", "-", "-", "no, see below")
            continue
        table.add_row(
            row.target, f"{row.cores:,}", f"{row.cores_lower_bound:,}", f"{row.chips:,}",
            f"{row.stored_bits / 8192:,.1f}", f"{row.spike_hops:,.1f}", f"{row.link:,.1f}", "yes",
        )  # fmt: skip
    return Group(table, *(Paragraph(f"{row.target}: {row.reason}") for row in rows if row.reason is not None))
