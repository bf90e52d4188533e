"""A report's tables as pandas frames, and one line where pandas is not installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest

import tern2lava
from lossy import network, samples
from tern2lava.api import CompiledNetwork
from tern2lava.errors import MissingPackageError
from tern2lava.report.frames import TABLES, VERIFIED


@pytest.fixture(scope="module")
def held() -> CompiledNetwork:
    held = tern2lava.compile(network(), "tiny")
    tern2lava.verify(held, samples(), backend="reference")
    tern2lava.report(held, compare_bits=8)
    return held


def test_populations_have_their_certificate_and_their_counted_spikes(held: CompiledNetwork) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = held.to_frame()
    assert list(frame["name"]) == ["h", "y"]
    assert list(frame["neurons"]) == [20, 4]
    assert list(frame["verdict"]) == ["EXACT", "EXACT"]
    trace = tern2lava.simulate(held, samples(), engine="reference").trace
    assert list(frame["integer_spikes"]) == [int(np.count_nonzero(trace.spikes[name])) for name in ("h", "y")]
    fresh = tern2lava.compile(network(), "tiny").to_frame()
    assert "integer_spikes" not in fresh
    assert list(fresh["verdict"]) == ["EXACT", "EXACT"]


def test_cores_have_what_is_used_beside_what_there_is(held: CompiledNetwork) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    report = tern2lava.report(held)
    frame = report.to_frame("cores")
    assert len(frame) == len(report.cores)
    assert int(frame["neurons"].sum()) == 24
    assert [(row.synapse_bits, row.synapse_bits_max) for row in frame.itertuples()] == [
        core.synapse_bits for core in report.cores
    ]
    assert list(frame["populations"]) == ["h + y"]


@pytest.mark.parametrize("table", sorted({*TABLES} - {"reading"}))
def test_every_table_has_a_row_for_each_row_of_the_report(held: CompiledNetwork, table: str) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    report = tern2lava.report(held)
    assert report.verification is not None
    block = report.verification if table in VERIFIED else report
    coverage = report.verification.coverage
    assert coverage is not None
    rows: dict[str, Sequence[object]] = {
        "memory": report.memory.layers,
        "arithmetic": report.verification.arithmetic.populations,
        "coverage": coverage.populations,
        "core_coverage": coverage.cores,
    }
    assert len(report.to_frame(table)) == len(rows[table] if table in rows else getattr(block, table))
    if table in VERIFIED:
        assert report.verification.to_frame(table).equals(report.to_frame(table))


def test_a_comparison_of_targets_is_a_frame_too() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    rows = tern2lava.what_if(network(), ["tiny", "loihi2"])
    frame = rows.to_frame()
    assert list(frame["target"]) == ["tiny", "loihi2"]
    assert list(frame["cores"]) == [row.cores for row in rows]


def test_without_pandas_it_is_one_line_that_says_how(held: CompiledNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        MissingPackageError, match="pandas is not installed; .*add it with: uv .*--extra pandas"
    ) as raised:
        held.to_frame("cores")
    assert "\n" not in str(raised.value)
