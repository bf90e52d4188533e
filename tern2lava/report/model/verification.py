"""Keys of a verification: its verdicts, and what they rest on."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tern2lava.counts import count
from tern2lava.report.model.arithmetic import Arithmetic, BandRow
from tern2lava.report.model.block import Block
from tern2lava.report.model.coverage import CoverageBlock, CoverBlock
from tern2lava.report.model.executions import ExecutionRow, FallbackRow, MappedBlock, ProcessRow
from tern2lava.report.model.ranges import RangeRow
from tern2lava.report.model.reading import ReadingBlock


class VerdictRow(Block):
    """One of the five verdicts; none of them says anything of the others."""

    name: str = Field(
        description="execution: core images, Lava and the fast engine against the integers, bit for bit. arithmetic: "
        "the integers against the float model. reading: the float model against the framework's own run. ranges: "
        "accumulators against the ranges that certificates state. images: core images against the integers, for every "
        "input."
    )
    status: str = Field(
        description="execution: equal or differs. arithmetic: equal, within (no more differ than is allowed), "
        "differs, or not compared (without data). reading: equal, within (nothing but ties that the framework's "
        "rounding explains), differs or not compared. ranges: equal (every accumulator stayed within its range), "
        "differs or not compared. images: equal (proven), differs or not compared."
    )
    required: str | None = Field(description="What is required of it; null: nothing.")
    met: bool | None = Field(description="Whether that holds; null: nothing is required.")
    sentence: str = Field(description="The verdict in plain words, with its numbers.")


class Verification(Block):
    """The verification on data: five verdicts, and what they rest on."""

    verdicts: list[VerdictRow] = Field(
        description="The verdicts on execution, arithmetic, reading, ranges and images, in this order."
    )
    met: bool = Field(description="Whether every verdict that is required is met (exit code 0; 1 where not).")
    arithmetic: Arithmetic = Field(description="The integers against the float model, in numbers.")
    reading: ReadingBlock | None = Field(
        description="The float model against the framework's own run, in numbers; null: there was none."
    )
    effort: str = Field(
        description="The effort that was asked for (quick, normal, thorough, custom): how many samples LM, L3 and L1 "
        "run."
    )
    chain: list[str] = Field(
        description="Executions compared: I integer reference, E fast engine, M mapped reference (from the core "
        "images), LM Lava's runtime with a process for each core, L1 with one for each layer, L2 one Lava process that "
        "runs all core images, L3 the processes of L1 in sequence."
    )
    executions: list[ExecutionRow] = Field(description="The executions, with how many samples each ran.")
    equal: bool = Field(description="Whether all agree in every spike and state compared.")
    compared_values: int = Field(description="Number of spikes and states compared.")
    samples: int = Field(description="Samples on which executions were compared; Lava's may have run fewer.")
    engine_samples: int = Field(description="Samples run by the fast engine: these, and all others of the data.")
    engine_fallbacks: list[FallbackRow] = Field(description="What the engine left to the reference; empty: nothing.")
    accuracy_engine: float | None = Field(description="Accuracy on all samples of the engine; null without labels.")
    steps: int = Field(description="Time steps per sample.")
    first_difference: str | None = Field(description="The first difference; null: none.")
    processes: list[ProcessRow] = Field(description="What L1 was made of; empty where Lava was not run.")
    mapped: MappedBlock | None = Field(description="What LM was made of; null where it was not run.")
    accuracy_integer: float | None = Field(description="Accuracy of the integer program; null without labels.")
    accuracy_float: float | None = Field(description="Accuracy of the float model on the same samples; null without.")
    band: list[BandRow] = Field(description="Per population: distance of the potentials from the thresholds.")
    ranges: list[RangeRow] = Field(
        description="Per population: what its accumulators held, and how often they overflowed."
    )
    spike_exact: bool = Field(
        description="Whether integers provably spike as the real dynamics on this data: no accumulator "
        "overflowed, no potential came near its threshold, and no spike differs from the float model's."
    )
    coverage: CoverageBlock | None = Field(
        description="What the samples compared covered, in the integer reference; null: no data were given."
    )
    cover: CoverBlock | None = Field(
        description="The cover stimulus (verify --stimulus cover); null: it was not asked for, or executions differ on "
        "the data already."
    )

    def _shown(self) -> str:
        verdicts = ", ".join(f"{row.name} {row.status}" for row in self.verdicts)
        return f"{'met' if self.met else 'not met'}: {verdicts}; {count(self.samples, 'sample')}"

    def to_frame(self, table: str = "arithmetic") -> Any:
        """One of its tables as a pandas.DataFrame: "arithmetic" (spikes of each population in integers and in the float
        model), "verdicts", "executions", "band", "ranges", "reading", "coverage" and "core_coverage" (of the data,
        and of the cover stimulus, by the column stimulus). Raises InputError for another name or where there was no
        reading, MissingPackageError without pandas."""
        from tern2lava.report.frames import verification_frame

        return verification_frame(self, table)

    def _repr_html_(self) -> str:
        from tern2lava.report.html import document
        from tern2lava.report.verdict_tables import verification_table

        return document(f"Verification on {count(self.samples, 'sample')}", verification_table(self))

    def verdict(self, name: str) -> VerdictRow:
        """The verdict called `name`: execution, arithmetic, reading or ranges. Raises KeyError for another name."""
        return {row.name: row for row in self.verdicts}[name]
