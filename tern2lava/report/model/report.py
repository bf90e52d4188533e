"""Keys of the report itself."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tern2lava.compiler.shown import brief
from tern2lava.counts import count
from tern2lava.report.model.block import Block
from tern2lava.report.model.certificate import CertificateRow, PopulationRow
from tern2lava.report.model.cores import BoundRow, CoreRow
from tern2lava.report.model.energy import EnergyBlock
from tern2lava.report.model.integers import CalibrationBlock, IntegersRow, RoundingRow
from tern2lava.report.model.mapping import MappingBlock
from tern2lava.report.model.memory import Memory, TwinRow
from tern2lava.report.model.verification import Verification

SCHEMA = "1.2"
"""The version of the keys: the first number changes where a key goes, is renamed or means or holds something else, the
second where one is added. Words and order change neither."""


class Report(Block):
    """Everything that is known of a compiled network."""

    schema_version: str = Field(
        description="Version of these keys (docs/report.schema.json): the first number changes where a key goes or "
        "means something else, the second where one is added."
    )
    version: str = Field(description="Version of tern2lava that wrote the report.")
    source: str = Field(description="What was compiled.")
    described: str = Field(
        description="What the float model rests on: as FILE describes it (the net.yaml), as the module was read, as "
        "FILE was read, as the graph describes it."
    )
    target: str = Field(description="Name of the hardware profile.")
    steps: int = Field(description="Time steps per sample; 0: the network does not say.")
    slowdown: int = Field(
        default=1,
        description="Hardware timesteps of a step: 1, or more where a loop of several populations needs them. A sample "
        "takes 1 + (steps - 1) * slowdown + the largest `lag` of them.",
    )
    effort: str = Field(
        description="The effort of the compilation (quick, normal, thorough, custom): where no code of a threshold is "
        "proven to keep every spike (a note says so), code, bias and reset amount depend on it, as do the counts of "
        "ties in exact runs."
    )
    populations: list[PopulationRow] = Field(description="The populations, in network order.")
    cores: list[CoreRow] = Field(description="The cores used.")
    chips: int = Field(description="Chips that hold at least one of these cores.")
    cores_lower_bound: int = Field(description="No mapping can use fewer cores: the largest of `bounds`.")
    bounds: list[BoundRow] = Field(description="Where the lower bound comes from.")
    over_bound: float = Field(description="Cores above the lower bound, as a share of it; 0: no mapping is smaller.")
    mapping: MappingBlock = Field(description="How the network was mapped, its traffic and its work per step.")
    memory: Memory = Field(description="Synaptic memory.")
    energy: EnergyBlock | None = Field(
        default=None,
        description="Energy, latency and throughput, estimated from published numbers per event; null: a report of "
        "before schema 1.1.",
    )
    certificate: list[CertificateRow] = Field(description="Certificates, one per population.")
    ranges: str = Field(
        description="What was asked of accumulators (--range): proven, steps or calibrated; `integers` says what they "
        "hold."
    )
    integers: list[IntegersRow] = Field(description="Integers that were chosen, one entry per population.")
    calibration: CalibrationBlock | None = Field(
        description="The samples that they were chosen on; null: without samples."
    )
    roundings: list[RoundingRow] = Field(
        description="Every quantity that was rounded, worst first; empty: the integers are the trained numbers."
    )
    exact_quantities: int = Field(description="Quantities, counted by population, that were not rounded.")
    verification: Verification | None = Field(description="Result of the last verify; null: not verified yet.")
    twins: list[TwinRow] = Field(
        description="The network and its twins with 8-bit weights, each really mapped; empty: not compared."
    )
    notes: list[str] = Field(description="Every approximation and assumption made of the network, in the order made.")
    assumptions: list[str] = Field(
        description="Numbers of the profile that are assumed rather than published, simulated or derived, with reasons."
    )
    bundle: str | None = Field(
        default=None,
        description="Digest of the bundle that the report is of: the SHA-256 under `digest` in its manifest.json, over "
        "all its files (docs/bundle.md); null: it was not written.",
    )

    def _shown(self) -> str:
        verified = self.verification
        said = "not verified" if verified is None else verified._shown()
        neurons = sum(row.neurons for row in self.populations)
        return (
            f"{brief(self.source or 'graph')} on {self.target}: {count(neurons, 'neuron')}, "
            f"{count(len(self.cores), 'core')} on {count(self.chips, 'chip')}; {said}"
        )

    def to_frame(self, table: str = "populations") -> Any:
        """One of its tables as a pandas.DataFrame, the columns being the keys of docs/report.md.

        "populations": shape, cores, certificate, and spikes where it was verified; "cores": each core and what it holds
        (KEY and KEY_max); "memory": bits of each projection; "certificate", "integers", "roundings", "bounds", "twins";
        and those of Verification.to_frame. Raises InputError for another name, MissingPackageError without pandas.
        """
        from tern2lava.report.frames import report_frame

        return report_frame(self, table)

    def _repr_html_(self) -> str:
        from tern2lava.report.html import document
        from tern2lava.report.terminal import render

        return document(f"{self.source or 'graph'} on {self.target}", render(self))
