"""The functions of tern2lava in Python: load, check, compile, what_if, record, simulate, prove, verify, conformance,
worst, bench, report, export.

The command line is a rendering of them. docs/python.md shows them together. A bundle is a folder that `compile` wrote,
or what `compile` returned. Every error is a Tern2LavaError of one line: where, what is required, what was found, what
to do.
"""

from __future__ import annotations

from tern2lava.api.benching import Bench, bench
from tern2lava.api.checking import Check, Finding, check
from tern2lava.api.compiled import CompiledNetwork
from tern2lava.api.compiling import compile, what_if
from tern2lava.api.conforming import conformance
from tern2lava.api.exporting import Export, export
from tern2lava.api.loading import load
from tern2lava.api.proving import prove
from tern2lava.api.recording import record
from tern2lava.api.reporting import report
from tern2lava.api.searching import worst
from tern2lava.api.simulating import Simulation, simulate
from tern2lava.api.verifying import verify

__all__ = [
    "Bench",
    "Check",
    "CompiledNetwork",
    "Export",
    "Finding",
    "Simulation",
    "bench",
    "check",
    "compile",
    "conformance",
    "export",
    "load",
    "prove",
    "record",
    "report",
    "simulate",
    "verify",
    "what_if",
    "worst",
]
