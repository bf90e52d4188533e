"""One network on several targets: mapped onto each, compared in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType

from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.compiler.progress import Progress, silent
from tern2lava.compiler.shown import shortened
from tern2lava.counts import count
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import Profile
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


def what_if(
    graph: Graph,
    profiles: Sequence[Profile],
    options: Options | None = None,
    map_options: MapOptions | None = None,
    measure: Callable[[Graph], dict[str, Array]] | None = None,
    progress: Progress = silent,
) -> Targets:
    """A row for each target: `graph` (IMPORTED) compiled and mapped as it would be for that target alone. A target that
    it does not fit on, or that lacks something, has the reason."""
    rows = Targets(source=graph.source or "graph")
    for profile in profiles:

        def tell(stage: str, done: int, total: int, target: str = profile.name) -> None:
            progress(f"{target}: {stage}", done, total)

        try:
            mapped = build(graph, profile, options, map_options, measure, tell).mapped
        except (CapacityError, UnsupportedError) as error:
            rows.append(
                WhatIfRow(
                    target=profile.name, cores=None, cores_lower_bound=None, chips=None, stored_bits=None,
                    image_bits=None, spike_hops=None, link=None, step=None, fits=False, reason=str(error),
                )
            )  # fmt: skip
            continue
        use = mapped.core_use()
        rows.append(
            WhatIfRow(
                target=profile.name,
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
        )
    return rows


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
