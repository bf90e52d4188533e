"""The verdicts: each says its own numbers, and turns red when what it speaks of is broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lossy import HIDDEN, INPUTS, STEPS, network, samples, write_lossy
from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.compiler.ir.graph import Dense, Neuron
from tern2lava.compiler.options import Options
from tern2lava.report.model import Verification
from tern2lava.report.requirements import parse_requirements
from tern2lava.report.verdict_tables import verdict_lines, verification_table
from tern2lava.report.verdicts import percent
from tern2lava.report.verification import add_verification
from tern2lava.sim.data.spike_file import make_spikes
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float
from tern2lava.sim.verify.arithmetic import SpikeCounts
from tern2lava.sim.verify.shard import Execution
from tern2lava.sim.verify.verify import Proof, verify


def verified(folder: Path, data: dict[str, Any], **options: Any) -> Verification:
    found = api.verify(folder, data, backend="reference", **options).verification
    assert found is not None
    return found


def shown(table: Any, width: int) -> list[str]:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Proof]:
    """Report and proof of a bundle that spikes as its network."""
    opened = read_bundle(write_lossy(tmp_path_factory.mktemp("right") / "b", {}))
    data = make_spikes(samples(), opened.executable.program)
    return opened.report, verify(opened.executable, data, backend="reference", samples=4)


def judged(
    proof: tuple[Any, Proof], counts: dict[str, tuple[int, int, int]], require: str | None = None
) -> Verification:
    """The verification of `proof` with other counts: (float spikes, missing, extra) of each population."""
    rows = tuple(
        SpikeCounts(
            population=name, neuron_steps=10_000, float_spikes=spikes, integer_spikes=spikes - missing + extra,
            missing=missing, extra=extra,
        )
        for name, (spikes, missing, extra) in counts.items()
    )  # fmt: skip
    report = add_verification(proof[0], replace(proof[1], counts=rows), parse_requirements(require))
    assert report.verification is not None
    return report.verification


def test_a_network_that_spikes_as_it_should_says_five_things(tmp_path: Path) -> None:
    found = verified(write_lossy(tmp_path / "b", {}), samples(), samples=4)
    execution, arithmetic, reading, ranges, images = found.verdicts
    assert [row.name for row in found.verdicts] == ["execution", "arithmetic", "reading", "ranges", "images"]
    assert found.met
    spikes = sum(row.float_spikes for row in found.arithmetic.populations)
    values = found.compared_values
    assert execution.sentence == (
        f"VERIFIED I == E == M: {values:,} spikes and states equal, 4 samples x 10 steps; Lava was not run"
    )
    assert arithmetic.status == "equal"
    told = arithmetic.sentence
    assert told.startswith(f"EQUAL: all {spikes:,} spikes are those of the float model (as the graph describes it)")
    assert "measured on 4 of 6 samples" in arithmetic.sentence
    assert (reading.status, reading.required, reading.met) == ("not compared", None, None)
    assert "NOT COMPARED with your framework" in reading.sentence
    assert "tern2lava.record(module, data)" in reading.sentence
    assert (ranges.status, ranges.required, ranges.met) == ("equal", None, None)
    kept = "KEPT: every accumulator stayed within its range, 4 samples x 10 steps; watched on 4 of 6 samples"
    assert ranges.sentence == kept
    assert (images.status, images.met) == ("equal", True)
    assert images.sentence.startswith("PROVEN to be the program for every input: ")
    assert found.spike_exact


def test_an_execution_that_ran_fewer_samples_is_said_to_have_done_so(proof: tuple[Any, Proof]) -> None:
    runs = tuple(replace(run, samples=3) if run.name == "M" else run for run in proof[1].executions)
    comparison = replace(proof[1].comparison, chain=("I", "E", "M", "L1"))
    lava = Execution(name="L1", samples=1, values=80, seconds=1.0)
    report = add_verification(proof[0], replace(proof[1], executions=(*runs, lava), comparison=comparison))
    assert report.verification is not None
    sentence = report.verification.verdict("execution").sentence
    assert sentence.endswith(
        "spikes and states equal, 4 samples x 10 steps (M on 3, L1 on 1 of them); LM, L2 and L3 were not run"
    )


def test_spikes_that_are_lost_turn_arithmetic_red_and_leave_execution_verified(tmp_path: Path) -> None:
    folder = write_lossy(tmp_path / "b", {"h": 1})
    found = verified(folder, samples())
    assert found.equal
    assert found.verdict("execution").met is True
    assert found.verdict("arithmetic").met is False
    assert not found.met
    assert not found.spike_exact
    inputs = {"x": samples()["spikes"]}
    wanted = run_float(network(), inputs).spikes
    ours = integer.run(read_bundle(folder).executable.program, inputs).spikes
    missing = sum(int(((wanted[name] == 1) & (ours[name] == 0)).sum()) for name in wanted)
    extra = sum(int(((wanted[name] == 0) & (ours[name] == 1)).sum()) for name in wanted)
    total = sum(int(spikes.sum()) for spikes in wanted.values())
    assert missing > 10
    assert extra > 10
    assert (found.arithmetic.missing, found.arithmetic.extra, found.arithmetic.float_spikes) == (missing, extra, total)
    assert found.arithmetic.share == (missing + extra) / total
    sentence = found.verdict("arithmetic").sentence
    assert f"EXCEEDS 1 %: {missing:,} spikes missing and {extra:,} extra of {total:,} in the float model" in sentence
    row = found.arithmetic.populations[0]
    assert row.rate_float == wanted["h"].sum() / (6 * STEPS * HIDDEN)
    assert row.rate_integer == ours["h"].sum() / (6 * STEPS * HIDDEN)
    text = " ".join(" ".join(shown(verification_table(found), 200)).split())
    assert "Proven on this data" not in text
    assert "VERIFIED I == E == M" in text


def test_what_is_allowed_decides_and_nothing_else(proof: tuple[Any, Proof]) -> None:
    counts = {"h": (9_000, 50, 30), "y": (1_000, 10, 10)}
    for require, met, status in (
        (None, True, "within"),
        ("arithmetic=1%", True, "within"),
        ("arithmetic=0.99%", False, "differs"),
        ("arithmetic=0", False, "differs"),
        ("execution", True, "differs"),
    ):
        found = judged(proof, counts, require)
        assert (found.met, found.verdict("arithmetic").status) == (met, status), require
    sentence = judged(proof, counts).verdict("arithmetic").sentence
    assert sentence.startswith("WITHIN 1 %: 60 spikes missing and 40 extra of 10,000 in the float model")
    assert "worst y 2 %" in sentence


def test_a_population_that_dies_is_red_whatever_its_share(proof: tuple[Any, Proof]) -> None:
    found = judged(proof, {"h": (100_000, 0, 0), "y": (20, 20, 0)})
    row = found.verdict("arithmetic")
    assert found.arithmetic.share < 0.001
    assert (row.met, row.status) == (False, "differs")
    assert row.sentence.startswith("POPULATIONS DIED: ")
    assert found.arithmetic.died == ["y"]
    assert any("died" in line and "y" in line for line in shown(verdict_lines(found), 80))


def test_populations_that_never_spiked_are_named_right_under_the_verdict(proof: tuple[Any, Proof]) -> None:
    silent = {f"conv{k}": (0, 0, 0) for k in range(3, 10)}
    found = judged(proof, {"conv1": (500, 0, 0), **silent})
    assert "7 of 8 populations never spiked in either" in found.verdict("arithmetic").sentence
    lines = " ".join(" ".join(shown(verdict_lines(found), 80)).split())
    assert "never spiked in either, nothing is known of their spikes: conv3, conv4, conv5" in lines
    assert lines.index("conv9") < lines.index("Reading")


def test_no_spike_at_all_is_said(tmp_path: Path) -> None:
    nothing = {"spikes": np.zeros((2, STEPS, INPUTS), np.uint8)}
    found = verified(write_lossy(tmp_path / "b", {}), nothing)
    assert "no neuron spiked, neither in integers nor in the float model" in found.verdict("arithmetic").sentence
    assert found.arithmetic.silent == ["h", "y"]


def test_changed_decisions_are_red_however_few_spikes_differ(proof: tuple[Any, Proof]) -> None:
    for changed, met, status in ((0, True, "equal"), (1, True, "within"), (2, False, "differs")):
        changed_proof = replace(proof[1], changed_decisions=changed, samples=20)
        row = judged((proof[0], changed_proof), {"h": (1_000, 0, 0)}).verdict("arithmetic")
        assert (row.met, row.status) == (met, status), changed
    assert row.sentence.startswith("DECISIONS CHANGED: all 1,000 spikes are those of the float model")
    assert "predicted class changed in 2 of 20 samples" in row.sentence


def test_a_recorded_run_in_which_nothing_spikes_shows_nothing(tmp_path: Path) -> None:
    folder = write_lossy(tmp_path / "b", {})
    silent = np.zeros_like(samples()["spikes"])
    neurons = {node.name: node for node in read_bundle(folder).executable.imported.of_kind(Neuron)}
    recorded = {f"spikes.{name}": np.zeros((*silent.shape[:2], *node.shape), np.int8) for name, node in neurons.items()}
    row = verified(folder, {"spikes": silent, **recorded}, require="reading").verdict("reading")
    assert (row.status, row.met) == ("not compared", False)
    assert "no neuron spikes in the recorded run, which shows nothing" in row.sentence


def test_reading_that_is_required_and_was_not_compared_is_not_met(tmp_path: Path) -> None:
    found = verified(write_lossy(tmp_path / "b", {}), samples(), require="execution,reading")
    assert found.verdict("arithmetic").met is None
    assert found.verdict("reading").met is False
    assert not found.met


def test_weights_changed_on_the_way_are_counted_and_said(tmp_path: Path) -> None:
    graph = network()
    nodes = [
        replace(node, weight=node.weight + np.random.default_rng(3).normal(0, 0.4, node.weight.shape))
        if isinstance(node, Dense) and node.name == "w1" else node
        for node in graph.nodes
    ]  # fmt: skip
    api.compile(graph.with_nodes(nodes), "tiny", out=tmp_path / "b", options=Options(ternarize="twn"))
    found = verified(tmp_path / "b", samples())
    assert found.equal
    assert not found.met
    assert found.arithmetic.ternarize == "twn"
    sentence = found.verdict("arithmetic").sentence
    assert sentence.startswith("EXCEEDS 1 %")
    assert "the float model has the weights as they were before --ternarize twn" in sentence
    assert not found.spike_exact


def test_the_report_begins_with_the_verdicts_and_is_read_again(tmp_path: Path) -> None:
    folder = write_lossy(tmp_path / "b", {})
    found = verified(folder, samples())
    written = json.loads((folder / "report.json").read_text())["verification"]
    assert list(written)[:3] == ["verdicts", "met", "arithmetic"]
    assert [row["name"] for row in written["verdicts"]] == ["execution", "arithmetic", "reading", "ranges", "images"]
    assert api.report(folder).verification == found
    with pytest.raises(KeyError):
        found.verdict("everything")


def test_the_verdicts_come_first_and_are_read_in_eighty_columns(tmp_path: Path) -> None:
    found = verified(write_lossy(tmp_path / "b", {"h": 1}), samples())
    lines = shown(verification_table(found), 80)
    assert lines[0].startswith("Execution   VERIFIED I == E == M: ")
    starts = [line.split()[0] for line in lines if line and not line.startswith(" ")][:4]
    assert starts == ["Execution", "Arithmetic", "Reading", "Ranges"]
    assert max(map(len, lines)) <= 80
    # Every line of a sentence begins where the first one does, and no word is cut.
    table = shown(verdict_lines(found), 80)
    assert all(line.startswith(" " * 12) or line[:12].split() for line in table)
    words = " ".join(" ".join(line[12:] for line in table).split())
    for row in found.verdicts:
        assert row.sentence in words


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"), (0.01, "1 %"), (0.001, "0.1 %"), (0.2005, "20.1 %"), (0.00204, "0.204 %"), (50, "5,000 %"),
        (1, "100 %"), (1e-7, "0.00001 %"),
    ],
)  # fmt: skip
def test_a_share_is_a_percentage_of_three_digits(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("limit", "samples", "allowed"), [(0.01, 9, 0), (0.01, 10, 1), (0.01, 100, 2), (0.01, 1000, 11), (0.0, 1000, 0)]
)
def test_a_share_of_the_decisions_may_change_and_one_more_of_ten_samples(
    limit: float, samples: int, allowed: int
) -> None:
    from tern2lava.report.verdicts import allowed_decisions

    assert allowed_decisions(limit, samples) == allowed
