"""The Lava network of a verification with a process for each core: a block of the report, and its tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from tern2lava.counts import count
from tern2lava.report.model import MappedBlock, MappedPartRow
from tern2lava.report.sheet import Paragraph, sheet, text_column
from tern2lava.sim.lava.run import MappedUse


def mapped_block(found: MappedUse) -> MappedBlock:
    """What LM was made of, as a block of the report."""
    return MappedBlock(
        cores=len({core for part in found.parts for core in part.cores}), processes=found.processes,
        ports=found.ports, connections=found.connections, shared=[list(cores) for cores in found.shared],
        parts=[
            MappedPartRow(part=part.part, cores=list(part.cores), process=part.process, reason=part.reason)
            for part in found.parts
        ],
    )  # fmt: skip


def mapped_tables(block: MappedBlock) -> list[RenderableType]:
    """How cores and routes became Lava processes and connections, and which process executes what."""
    words = (
        f"LM: {count(block.cores, 'core')} as Lava processes with {count(block.ports, 'port')} and "
        f"{count(block.connections, 'connection')}, in {count(block.processes, 'process')} of the operating system"
    )
    together = [cores for cores in block.shared if len(cores) > 1]
    if together:
        shown = "; ".join(f"cores {core_numbers(cores)}" for cores in together[:6])
        words += f"; of the cores share one: {shown}{'; ...' if len(together) > 6 else ''}"
    table = sheet("Lava processes of LM", ("Part", "Cores", text_column("Process"), text_column("Why", 1)))
    for row in block.parts:
        table.add_row(row.part, core_numbers(row.cores), row.process, row.reason)
    return [Paragraph(words), table]


def core_numbers(cores: Sequence[int]) -> str:
    """Numbers of cores, runs of them as first-last."""
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and core == runs[-1][1] + 1:
            runs[-1][1] = core
        else:
            runs.append([core, core])
    shown = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs]
    return ", ".join(shown[:4]) + (f", ... ({count(len(cores), 'core')})" if len(shown) > 4 else "")
