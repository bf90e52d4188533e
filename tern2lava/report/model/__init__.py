"""The one report model, a file for each group of keys. Terminal, JSON and every other form are renderings of it;
docs/report.md explains its keys."""

from __future__ import annotations

from tern2lava.report.model.arithmetic import Arithmetic, ArithmeticRow, BandRow
from tern2lava.report.model.block import Block, Pair
from tern2lava.report.model.certificate import CertificateRow, PopulationRow, TieRow
from tern2lava.report.model.cores import BoundRow, CoreRow
from tern2lava.report.model.coverage import CoverageBlock, CoverageRow, CoverBlock, ThresholdRow, UncoveredRow
from tern2lava.report.model.energy import EnergyBlock, EnergyEstimate, EventRow, LayerEnergy, TermRow
from tern2lava.report.model.executions import ExecutionRow, FallbackRow, MappedBlock, MappedPartRow, ProcessRow
from tern2lava.report.model.integers import CalibrationBlock, IntegersRow, RoundingRow
from tern2lava.report.model.mapping import MappingBlock, WhatIfRow
from tern2lava.report.model.memory import Baselines, LayerMemory, Memory, MemoryTotal, NeuronArithmetic, TwinRow
from tern2lava.report.model.ranges import RangeRow
from tern2lava.report.model.reading import ReadingBlock, ReadingRow
from tern2lava.report.model.report import SCHEMA, Report
from tern2lava.report.model.verification import VerdictRow, Verification

__all__ = [
    "SCHEMA",
    "Arithmetic",
    "ArithmeticRow",
    "BandRow",
    "Baselines",
    "Block",
    "BoundRow",
    "CalibrationBlock",
    "CertificateRow",
    "CoreRow",
    "CoverBlock",
    "CoverageBlock",
    "CoverageRow",
    "EnergyBlock",
    "EnergyEstimate",
    "EventRow",
    "ExecutionRow",
    "FallbackRow",
    "IntegersRow",
    "LayerEnergy",
    "LayerMemory",
    "MappedBlock",
    "MappedPartRow",
    "MappingBlock",
    "Memory",
    "MemoryTotal",
    "NeuronArithmetic",
    "Pair",
    "PopulationRow",
    "ProcessRow",
    "RangeRow",
    "ReadingBlock",
    "ReadingRow",
    "Report",
    "RoundingRow",
    "TermRow",
    "ThresholdRow",
    "TieRow",
    "TwinRow",
    "UncoveredRow",
    "VerdictRow",
    "Verification",
    "WhatIfRow",
]
