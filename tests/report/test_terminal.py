"""The tables show what the report holds."""

from __future__ import annotations

import pytest
from rich.console import Console, RenderableType

from drawn import Draw
from tern2lava.bundle import tool_version
from tern2lava.compiler.build import Compiled, build
from tern2lava.hw_profiles import load_profile
from tern2lava.report.account import memory_table
from tern2lava.report.build import make_report
from tern2lava.report.model import Report
from tern2lava.report.terminal import certificate_table, core_table, render
from tern2lava.report.verification import add_verification
from tern2lava.sim.data.spike_file import make_spikes
from tern2lava.sim.executable import Executable
from tern2lava.sim.verify.verify import verify


def text(table: RenderableType) -> str:
    console = Console(width=220, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table)
    return console.export_text()


@pytest.fixture(scope="module")
def compiled(make_network: Draw) -> Compiled:
    return build(make_network(11, image=True)[0], load_profile("tiny"))


@pytest.fixture(scope="module")
def report(compiled: Compiled) -> Report:
    return make_report(compiled, tool_version())


def test_cores_are_grouped_and_counted_and_their_sums_are_right(report: Report) -> None:
    table = text(core_table(report))
    assert f"{len(report.cores)} used on {report.chips} chip" in table
    assert f"lower bound {report.cores_lower_bound}" in table
    for key in ("neurons", "synapse_bits", "in_axons", "out_axons"):
        used, most = (sum(getattr(core, key)[k] for core in report.cores) for k in (0, 1))
        assert f"{used:,}/{most:,} {100 * used / most:6.2f}%" in table
    assert sum(core.neurons[0] for core in report.cores) == sum(row.neurons for row in report.populations)
    assert len(report.cores) >= report.cores_lower_bound >= 1
    assert report.cores_lower_bound == max(bound.cores for bound in report.bounds)
    assert {bound.name for bound in report.bounds} >= {"neurons", "synapse_bits", "in_axons", "fan_in_axons"}
    assert report.over_bound == len(report.cores) / report.cores_lower_bound - 1
    words = " ".join(table.split())
    assert f"Cores at least, by neurons {report.bounds[0].cores}, synapse bits" in words
    assert f"{100 * report.over_bound:.1f} % more are used" in words


def test_memory_names_every_layer(report: Report) -> None:
    table = text(memory_table(report))
    for layer in report.memory.layers:
        assert layer.projection in table
        assert f"{layer.ratio_fp32:.1f}x" in table


def test_no_number_is_cut_in_eighty_columns(report: Report) -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(memory_table(report))
    shown = console.export_text()
    assert "…" not in shown
    for layer in report.memory.layers:
        assert f"{layer.ratio_fp32:.1f}x" in shown
    assert f"{report.memory.total.stored_bits / report.memory.total.weights:.2f}" in shown


def test_certificates_show_their_verdict_and_bound(report: Report) -> None:
    table = text(certificate_table(report))
    for row in report.certificate:
        assert row.population in table
        assert row.verdict in table


def test_a_missing_bound_is_said_and_not_printed_as_a_number(report: Report) -> None:
    row = report.certificate[0].model_copy(update={"verdict": "MEASURED", "eps": None, "eps_relative": None})
    assert "no bound" in text(certificate_table(report.model_copy(update={"certificate": [row]})))
    assert "no bound" not in text(certificate_table(report))


def test_everything_is_rendered_with_and_without_a_proof(
    report: Report, compiled: Compiled, make_network: Draw
) -> None:
    before = text(render(report))
    lowered, mapped = compiled.lowered, compiled.mapped
    executable = Executable(
        imported=lowered.imported, real=lowered.real, program=lowered.program, images=mapped.images,
        host_image=mapped.host_image,
    )  # fmt: skip
    data = make_spikes({"spikes": make_network(11, image=True)[1]["x"]}, lowered.program)
    after = text(render(add_verification(report, verify(executable, data, backend="reference"))))
    assert "VERIFIED" not in before
    assert "VERIFIED I == " in after
    for row in report.populations:
        assert row.name in after
