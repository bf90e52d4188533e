"""Every table of every command as it is seen at 80, 120 and 200 columns.

    TERN2LAVA_GOLDEN=write uv run pytest tests/report/test_snapshots.py

writes what is seen now; read the difference before it is committed. Seconds, rates and paths, which differ from run to
run, are put in by hand.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from rich.console import Group, RenderableType

from shown import check_text, shown
from tern2lava import api
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.target.rules import support_table
from tern2lava.demo.run import DemoResult, NetResult
from tern2lava.frontends.inspect.read import inspect_file
from tern2lava.hw_profiles import load_profile, profile_names
from tern2lava.report.build import make_report
from tern2lava.report.compare import compare
from tern2lava.report.comparison import comparison_text
from tern2lava.report.inspection import render_inspection
from tern2lava.report.integers import integers_text
from tern2lava.report.model import (
    CalibrationBlock,
    IntegersRow,
    ProcessRow,
    ReadingBlock,
    ReadingRow,
    Report,
    Verification,
)
from tern2lava.report.tables import profile_table, profiles_table, rules_table
from tern2lava.report.terminal import render, render_short
from tern2lava.report.training import render_training
from tern2lava.report.verdict_tables import verification_table
from tern2lava.report.what_if import what_if_table
from tern2lava.zoo import ZOO
from tern2lava.zoo.samples import samples_of

SNAPSHOTS = Path(__file__).parent / "snapshots"
WIDTHS = (80, 120, 200)
DEMO = Path(str(resources.files("tern2lava.demo")))
TARGETS = ("tiny", "loihi1", "loihi2", "truenorth")
METRICS = {
    "accuracy": 0.9631, "nll": 0.3123, "brier": 0.1004, "ece": 0.0212, "entropy": 0.4119,
    "disagreement_over_time": 0.0102, "spikes_per_sample": 1234.0, "synops_per_sample": 1_898_765.0,
    "near_threshold": 0.0123, "samples": 10_000,
}  # fmt: skip


@cache
def compiled() -> Report:
    """The convolutional network of the demonstration, cut over the many cores of a tiny target."""
    found = api.compile(DEMO / "conv.pt", "tiny", net=DEMO / "conv.yaml", map_options=MapOptions(rate=0.1))
    return make_report(found, "0")


@cache
def verified() -> Report:
    """The same network for loihi2, verified without Lava on a few samples; what only Lava shows is written here."""
    data = samples_of(ZOO.get("conv")).arrays
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "conv"
        api.compile(DEMO / "conv.pt", "loihi2", net=DEMO / "conv.yaml", out=where, recorded=DEMO / "conv-run.npz")
        report = api.verify(where, {key: value[:3] for key, value in data.items()}, backend="reference")
        report = api.report(where, compare_bits=8)
    found = report.verification
    assert found is not None
    executions = [row.model_copy(update={"seconds": 1.25 + n}) for n, row in enumerate(found.executions)]
    processes = [
        ProcessRow(node="conv1", process="tern2lava SignedConv", reason="codes with a scale of each output channel"),
        ProcessRow(node="lif1", process="lava.proc.lif.LIF", reason=f"exact: {'du and dv of 12 bits, ' * 6}no bias"),
    ]
    return report.model_copy(
        update={
            "verification": found.model_copy(update={"executions": executions, "processes": processes}),
            "bundle": "fbca52dc583f" + "0" * 52,
            "version": "0",
        }
    )


def calibrated() -> Group:
    """What three populations would show, one of which needed no samples and one of which a large layer cut short."""
    plain: dict[str, Any] = {
        "decays": "truncate",
        "ranges": "steps",
        "thresholds": 1,
        "moved": 0,
        "furthest": 0.0,
        "finer_unit": None,
    }
    rows = [
        IntegersRow(
            **plain | {"decays": "nearest", "ranges": "observed", "thresholds": 512, "moved": 310, "furthest": 0.0123},
            population="hidden", unit=55_872, unit_exponent=None, samples=256, spikes=1_234_567, changed=12,
            changed_without=4_321, saved=4_309,
        ),
        IntegersRow(
            **plain | {"finer_unit": 131_072}, population="wide", unit=32_768, unit_exponent=15, samples=40,
            spikes=98_765, changed=3, changed_without=3, saved=0,
        ),
        IntegersRow(
            **plain | {"decays": "none", "ranges": "proven"}, population="out", unit=64, unit_exponent=6, samples=None,
            spikes=None, changed=None, changed_without=None, saved=None,
        ),
    ]  # fmt: skip
    block = CalibrationBlock(
        file="train.npz", sha256="3ea1f2454e2a" + "0" * 52, samples=1000, run=256, steps=100, u_margin=2, v_margin=1.25
    )
    return Group(*integers_text(compiled().model_copy(update={"integers": rows, "calibration": block})))


def verification() -> Verification:
    found = verified().verification
    assert found is not None
    reading = found.reading
    assert isinstance(reading, ReadingBlock)
    row = reading.populations[0]
    worse = row.model_copy(update={"missing": 12, "extra": 3, "ties": 14, "misread": 1, "left_out": 1_234_567})
    assert isinstance(row, ReadingRow)
    return found.model_copy(
        update={"reading": reading.model_copy(update={"populations": [worse, *reading.populations[1:]]})}
    )


def inspected() -> RenderableType:
    found = inspect_file(DEMO / "conv.pt")
    return render_inspection(type(found)(**{**vars(found), "path": Path("conv.pt")}))


def trained() -> RenderableType:
    storage = {"weights": 1_234_567, "zeros": 0.4, "fp32_bits": 32_000, "ternary_bits": 2000}
    return render_training(
        {
            "config": {"data": {"name": "fashion"}, "network": {"layers": "32c3-p2-64c3-p2-10"}},
            "seconds": 12.0,
            "storage": storage,
            "teacher": METRICS,
            "model": METRICS,
            "integer": METRICS,
            "compiled": {**METRICS, "target": "loihi2", "stored_bits": 4000, "coded_bits": 2000},
        }
    )


def demonstrated() -> RenderableType:
    report = verified()
    nets = tuple(
        NetResult(
            name=name, report=report, test_samples=539, whole=539, trained_accuracy=0.9667, compiled_accuracy=0.9685
        )
        for name in ("mlp", "conv")
    )
    return DemoResult(folder=Path("tern2lava-demo"), nets=nets).render()


def compared() -> RenderableType:
    return what_if_table("conv.pt", api.what_if(DEMO / "conv.pt", TARGETS, net=DEMO / "conv.yaml"))


def targets() -> list[Any]:
    return [load_profile(name) for name in profile_names()]


TABLES: dict[str, Callable[[], RenderableType]] = {
    "compile": lambda: render(compiled()),
    "calibrated": calibrated,
    "report": lambda: render(verified()),
    "short": lambda: render_short(verified()),
    "compared": lambda: comparison_text(compare(verified(), compiled())),
    "verify": lambda: verification_table(verification()),
    "demo": demonstrated,
    "rules": lambda: rules_table(support_table(targets()), [profile.name for profile in targets()]),
    "profiles": lambda: profiles_table(targets()),
    "profiles-loihi2": lambda: profile_table(load_profile("loihi2")),
    "inspect": inspected,
    "what-if": compared,
    "train": trained,
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_seen_as_it_was(name: str, width: int) -> None:
    text = shown(TABLES[name](), width).rstrip("\n") + "\n"
    check_text(text, width)
    path = SNAPSHOTS / f"{name}-{width}.txt"
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no {path.name}; write it with TERN2LAVA_GOLDEN=write"
    assert text == path.read_text(encoding="utf-8"), (
        f"{name} at {width} columns looks otherwise; if that is meant, write it with TERN2LAVA_GOLDEN=write"
    )


def test_no_snapshot_is_left_over() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == {f"{name}-{w}.txt" for name in TABLES for w in WIDTHS}
