"""The tables of a report as pandas frames, for who has pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from tern2lava import arguments
from tern2lava.errors import InputError
from tern2lava.extras import require
from tern2lava.report.model import Report, Verification

VERIFIED = ("verdicts", "arithmetic", "executions", "band", "ranges", "reading", "coverage", "core_coverage")
TABLES = ("populations", "cores", "memory", "certificate", "integers", "roundings", "bounds", "twins", *VERIFIED)


def report_frame(report: Report, table: object) -> Any:
    """The rows of one of TABLES as a pandas.DataFrame; see Report.to_frame."""
    name = arguments.choice(table, "table", TABLES)
    if name in VERIFIED:
        if report.verification is None:
            raise InputError("table", f"requires a verification for '{name}'; found none; call tern2lava.verify first")
        return verification_frame(report.verification, name)
    if name == "populations":
        return _frame(_populations(report))
    if name == "memory":
        return frame(report.memory.layers)
    return frame(getattr(report, name))


def verification_frame(verification: Verification, table: object) -> Any:
    """The rows of one of VERIFIED as a pandas.DataFrame; see Verification.to_frame."""
    name = arguments.choice(table, "table", VERIFIED)
    if name == "reading":
        if verification.reading is None:
            raise InputError("table", "requires the framework's own run for 'reading'; found none; see docs/oracle.md")
        return frame(verification.reading.populations)
    if name in ("coverage", "core_coverage"):
        return _frame(_coverage(verification, cores=name == "core_coverage"))
    if name == "arithmetic":
        return frame(verification.arithmetic.populations)
    return frame(getattr(verification, name))


def frame(rows: Sequence[BaseModel]) -> Any:
    """A frame with a row for each of `rows` and a column for each of their keys; see `_cells`."""
    return _frame([_cells(row) for row in rows])


def _populations(report: Report) -> Iterable[dict[str, Any]]:
    """What is known of each population: its size, its certificate, and its spikes where it was verified."""
    proven = {row.population: _cells(row) for row in report.certificate}
    counted = report.verification.arithmetic.populations if report.verification is not None else []
    spikes = {row.population: _cells(row) for row in counted}
    for row in report.populations:
        yield _cells(row) | {
            key: value
            for found in (proven.get(row.name, {}), spikes.get(row.name, {}))
            for key, value in found.items()
            if key != "population"
        }


def _coverage(verification: Verification, *, cores: bool) -> Iterable[dict[str, Any]]:
    """The rows of coverage of the data, then of the cover stimulus."""
    cover = verification.cover
    for stimulus, block in (("data", verification.coverage), ("cover", None if cover is None else cover.coverage)):
        for row in [] if block is None else block.cores if cores else block.populations:
            yield {"stimulus": stimulus, **_cells(row)}


def _cells(row: BaseModel) -> dict[str, Any]:
    """The values of a row: of a pair used and maximum two columns, KEY and KEY_max, of a block its keys as KEY.INNER,
    of a list of texts one text."""
    cells: dict[str, Any] = {}
    for key in type(row).model_fields:
        value = getattr(row, key)
        if isinstance(value, BaseModel):
            cells |= {f"{key}.{inner}": item for inner, item in _cells(value).items()}
        elif isinstance(value, tuple):
            cells[key], cells[f"{key}_max"] = value
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            cells[key] = " + ".join(value)
        elif isinstance(value, list):
            cells[key] = tuple(value)
        else:
            cells[key] = value
    return cells


def _frame(rows: Iterable[dict[str, Any]]) -> Any:
    require("pandas", why="tables are frames of it (report.model_dump() needs nothing)")
    pandas = import_module("pandas")
    return pandas.DataFrame(list(rows))
