"""What is said of coverage: shares that are cut off, names that are bounded, and what carried no spike."""

from __future__ import annotations

from typing import Any

import pytest

import tern2lava
from lossy import network, samples
from nodes import there
from shown import check_text, shown
from tern2lava.report.coverage import coverage_lines, coverage_table, named, share
from tern2lava.report.model import CoverageRow, UncoveredRow, Verification
from tern2lava.report.verdict_tables import verification_table


@pytest.fixture(scope="module")
def verification() -> Verification:
    """Of a small network on data and on the cover stimulus."""
    report = tern2lava.verify(tern2lava.compile(network(), "tiny"), samples(), stimulus="cover", backend="reference")
    return there(report.verification)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "-"), (0, 7, "0 %"), (7, 7, "100 %"), (7, 8, "87.5 %"), (1, 2, "50 %"),
        (9_999_999, 10_000_000, "99.9 %"),
        (999, 1000, "99.9 %"), (1, 10_000_000, "0 %"), (999_499, 1_000_000, "99.9 %"),
    ],
)  # fmt: skip
def test_a_share_is_100_percent_of_all_alone(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


def test_lines_name_eight_at_most() -> None:
    assert named(["a", "b"]) == "a, b"
    assert named([f"n{k}" for k in range(8)]).endswith("n7")
    assert named([f"n{k}" for k in range(1_010)]).endswith(", n7 and 1,002 more")


def test_the_lines_hold_the_numbers_of_the_data_and_of_the_stimulus(verification: Verification) -> None:
    data, cover = there(verification.coverage), there(verification.cover)
    (first, _), (second, _) = coverage_lines(verification)
    assert first == (
        f"the data covered: {data.carried} of {data.synapses} synapses ({share(data.carried, data.synapses)}) carried "
        f"a spike, {data.spiked} of {data.neurons} neurons ({share(data.spiked, data.neurons)}) spiked"
    )
    block = cover.coverage
    assert second == (
        f"the cover stimulus covered: {block.synapses} of {block.synapses} synapses (100 %) carried a spike, "
        f"{block.spiked} of 24 neurons ({share(block.spiked, 24)}) spiked; 24 of 24 thresholds (100 %) met from both "
        "sides"
    )


def test_what_never_spiked_and_is_in_no_other_verdict_is_one_yellow_line(verification: Verification) -> None:
    data = there(verification.coverage)
    silent = [
        CoverageRow(name=f"relay{k}", kind="relay", neurons=1, spiked=0, synapses=1, carried=0, late=0)
        for k in range(20)
    ]  # fmt: skip
    quiet = [row.model_copy(update={"spiked": 0}) for row in data.populations]
    changed = data.model_copy(update={"populations": [*quiet, *silent]})
    lines = coverage_lines(verification.model_copy(update={"coverage": changed}))
    # h and y are named below the verdict on arithmetic.
    names = f"{data.populations[0].name}, " + ", ".join(f"relay{k}" for k in range(7))
    assert (f"never spiked, nothing is known of what they send: {names} and 13 more", "yellow") in lines


def test_synapses_that_nothing_has_carry_a_spike_are_named_with_the_reason(verification: Verification) -> None:
    cover = there(verification.cover)
    rows = [UncoveredRow(projection="w", synapses=3, reason="x sends nothing but 0")]
    changed = verification.model_copy(update={"cover": cover.model_copy(update={"uncovered": rows})})
    said = "no stimulus has these carry a spike: 3 synapses of w (x sends nothing but 0)"
    assert (said, "yellow") in coverage_lines(changed)


def test_with_several_cores_the_least_covered_ones_are_said(verification: Verification) -> None:
    data = there(verification.coverage)
    rows = [
        CoverageRow(name="3", kind="core", neurons=4, spiked=4, synapses=8, carried=2, late=0),
        CoverageRow(name="7", kind="core", neurons=4, spiked=1, synapses=8, carried=8, late=0),
    ]
    table = coverage_table(data.model_copy(update={"cores": rows}), "Coverage")
    assert table.caption == (
        "Of 2 cores, core 3 carried the smallest share (25 % of 8 synapses), core 7 spiked the least (25 % of 4 "
        "neurons)."
    )


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_fit(verification: Verification, width: int) -> None:
    text: Any = shown(verification_table(verification), width)
    check_text(text, width)
    assert "Thresholds that the cover stimulus met" in "".join(text)
