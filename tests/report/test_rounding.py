"""What was rounded is shown worst first, within 80 columns, and told once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rich.console import Console, RenderableType

from nodes import there
from tern2lava.bundle import tool_version
from tern2lava.compiler.build import build
from tern2lava.compiler.ir.graph import Dense, Graph, Input, Level, Neuron, Node, Output, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.hw_profiles import load_profile
from tern2lava.report.build import make_report
from tern2lava.report.model import Report
from tern2lava.report.rounding import SHOWN, rounding_table
from tern2lava.report.terminal import certificate_table, render


def text(shown: RenderableType, width: int = 80) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(shown)
    return console.export_text()


def chain(layers: int, **neuron: Any) -> Graph:
    """x -> (dense -> neurons) for each layer -> output, IMPORTED."""
    nodes: list[Node] = [Input(name="x", shape=(5,))]
    source = "x"
    for k in range(layers):
        nodes.append(Dense(name=f"layer{k}", inputs=(source,), weight=frozen(0.3 * np.eye(5))))
        nodes.append(Neuron(name=f"population{k}", inputs=(f"layer{k}",), shape=(5,), **neuron))
        source = nodes[-1].name
    return Graph(level=Level.IMPORTED, steps=8, nodes=(*nodes, Output(name="y", inputs=(source,))))


def report_of(graph: Graph, target: str = "loihi2") -> Report:
    return make_report(build(graph, load_profile(target), Options(allow_rounding=1.0)), tool_version())


LOSSY = {"alpha_v": frozen(0.9), "bias": frozen([0.1, 0.011, 0.0, -0.02, 0.003]), "threshold": frozen(1.0)}


def test_the_worst_come_first_with_their_values() -> None:
    report = report_of(chain(1, **LOSSY))
    assert report.roundings[0].worst == max(there(row.worst) for row in report.roundings)
    words = text(rounding_table(report))
    assert max(map(len, words.splitlines())) <= 80
    words = text(rounding_table(report), 110)
    places = [words.index(f"  {row.quantity}  ") for row in report.roundings]
    assert places == sorted(places)
    for row in report.roundings:
        if row.real is not None:
            assert f"{row.real:.6g}" in words
            assert f"{row.became:.6g}" in words
    assert f"{report.exact_quantities:,} quantities are exact" in words
    (bias,) = [row for row in report.roundings if row.quantity == "bias"]
    assert bias.inexact == 4
    assert "of its threshold within a" in words


def test_what_is_not_shown_is_counted_and_in_the_json() -> None:
    report = report_of(chain(6, **LOSSY))
    assert len(report.roundings) > SHOWN
    assert f"{len(report.roundings) - SHOWN:,} more, all smaller" in text(rounding_table(report))
    assert Report.model_validate_json(report.model_dump_json()).roundings == report.roundings


def test_every_rounding_is_a_note_that_the_terminal_does_not_repeat() -> None:
    report = report_of(chain(2, **LOSSY, v_init=frozen(0.01)))
    for row in report.roundings:
        assert sum(note.startswith(f"{row.population}: {row.quantity} rounded in") for note in report.notes) == 1
    words = text(render(report), 300)
    assert "rounded in" not in words
    told = [note for note in report.notes if " rounded in " not in note]
    assert all(note in words for note in told)


def test_that_nothing_is_rounded_is_said() -> None:
    report = report_of(chain(1, threshold=frozen(0.3)))
    assert report.roundings == []
    assert f"Nothing: all {report.exact_quantities} quantities are exact" in text(rounding_table(report))


@pytest.mark.parametrize("adapts", [False, True])
def test_the_bound_of_a_threshold_of_0_is_shown_in_weights(adapts: bool) -> None:
    adaptation = {"reset": Reset.SUBTRACT, "reset_delay": True, "gain_a": frozen(0.1), "alpha_a": frozen(0.9)}
    kind = adaptation if adapts else {}
    report = report_of(chain(1, threshold=frozen(0.0), alpha_v=frozen(0.9), **kind))
    (row,) = report.certificate
    assert row.eps_relative is None
    assert f"{row.eps:.1e} weights" in text(certificate_table(report), 200)
    assert "no bound" not in text(certificate_table(report), 200)
