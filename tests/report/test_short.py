"""The short report: what fits a screen, and what it says is left out."""

from __future__ import annotations

import pytest

from drawn import Draw
from shown import check_shown, shown
from tern2lava.compiler.build import build
from tern2lava.hw_profiles import load_profile
from tern2lava.report.build import make_report
from tern2lava.report.headline import assumed_keys, headline, modelled
from tern2lava.report.model import Report, RoundingRow, TwinRow
from tern2lava.report.short import ROWS, WORST
from tern2lava.report.terminal import render, render_short


@pytest.fixture(scope="module")
def report(make_network: Draw) -> Report:
    return make_report(build(make_network(11, image=True)[0], load_profile("tiny")), "0")


@pytest.fixture(scope="module")
def loihi2(make_network: Draw) -> Report:
    return make_report(build(make_network(11, image=True)[0], load_profile("loihi2")), "0")


def test_it_fits_a_screen_of_eighty_columns_and_loses_no_word(report: Report) -> None:
    check_shown(render_short(report))
    assert len(shown(render_short(report), 80).splitlines()) < 50
    assert len(shown(render(report), 80).splitlines()) > 60


def test_the_headline_says_which_numbers_that_a_core_is_held_against_are_assumed(
    report: Report, loihi2: Report
) -> None:
    assert modelled(loihi2) == "as modelled for loihi2 (synapse memory assumed)"
    assert modelled(report) == "as modelled for tiny (all that a core holds assumed)"
    lesser = loihi2.model_copy(update={"assumptions": ["loihi2: routing.order = xy name is assumed: x"]})
    assert modelled(lesser) == "as modelled for loihi2 (1 number assumed)"
    assert modelled(loihi2.model_copy(update={"assumptions": []})) == "for loihi2"
    for text in (shown(render_short(loihi2), 200), shown(render(loihi2), 200)):
        assert text.startswith(headline(loihi2))


def test_assumed_numbers_are_one_line_with_their_count_and_listed_in_full(loihi2: Report) -> None:
    kinds = {key: kind for key, _, _, kind, _ in load_profile("loihi2").leaves()}
    assert assumed_keys(loihi2) == [key for key, kind in kinds.items() if kind == "assumed"]
    short, full = shown(render_short(loihi2), 80), shown(render(loihi2), 80)
    line = f"{len(loihi2.assumptions)} numbers of loihi2 are assumed, not published: tern2lava profiles loihi2"
    assert line in short
    assert "synapse.max_delay" not in short
    assert all(key in full for key in assumed_keys(loihi2))


def test_a_row_stands_for_all_cores_of_the_same_populations_and_marks_what_is_nearest_to_its_limit(
    report: Report,
) -> None:
    text = shown(render_short(report), 200)
    cores = [core for core in report.cores if core.populations == report.cores[0].populations]
    row = next(line for line in text.splitlines() if line.startswith(" + ".join(cores[0].populations[:3])))
    pairs = [[getattr(core, key) for core in cores] for key in ("neurons", "synapse_bits", "in_axons", "out_axons")]
    shares = [max(100 * used / most for used, most in each) for each in pairs]
    words = [f"{'*' if share == max(shares) else ''}{share:.1f}" for share in shares]
    assert row.split()[-4:] == words


def test_one_empty_line_stands_between_its_parts(report: Report) -> None:
    row = TwinRow(
        name="as compiled", weight_bits=2, cores=1, chips=1, cores_lower_bound=1, stored_bits=8, image_bits=8,
        reason=None,
    )  # fmt: skip
    text = shown(render_short(report.model_copy(update={"twins": [row]})), 80)
    assert "\n\n\n" not in text
    assert report.energy is not None
    assert f"{report.energy.note}\n\nRounded " in text


def test_rows_beyond_a_screen_are_counted(report: Report) -> None:
    layer = report.memory.layers[0]
    rows = [layer.model_copy(update={"projection": f"p{n}", "stored_bits": n}) for n in range(40)]
    many = report.model_copy(update={"memory": report.memory.model_copy(update={"layers": rows})})
    text = shown(render_short(many), 80)
    assert f"{40 - ROWS + 1} more rows" in text
    assert "p39 " in text
    assert "p5 " not in text


def test_the_three_worst_roundings_are_shown_of_how_many(report: Report) -> None:
    row = RoundingRow(
        population="p", quantity="bias", neurons=4, inexact=4, worst=0.5, median=0.1, absolute=1, neuron=[0], real=1,
        became=1.5, shift=None,
    )  # fmt: skip
    rows = [row.model_copy(update={"population": f"pop{n}"}) for n in range(7)]
    text = shown(render_short(report.model_copy(update={"roundings": rows})), 80)
    assert "3 worst of 7" in text
    assert [f"pop{n}" in text for n in range(7)] == [n < WORST for n in range(7)]
    two = shown(render_short(report.model_copy(update={"roundings": rows[:2]})), 80)
    assert "Rounded most, 2 worst of 2" in two
    assert "Rounded to integers: nothing" in shown(render_short(report.model_copy(update={"roundings": []})), 80)


def test_the_first_notes_are_shown_and_the_others_counted(report: Report) -> None:
    text = shown(render_short(report.model_copy(update={"notes": [f"note {n} of lif1" for n in range(5)]})), 80)
    assert [f"- note {n} of lif1" in text for n in range(5)] == [True, True, True, False, False]
    assert "Not shown: 2 notes, " in text


def test_it_says_what_is_left_out_and_that_nothing_was_verified(report: Report) -> None:
    text = " ".join(shown(render_short(report), 80).split())
    assert "Not verified on data yet" in text
    for words in ("certificate and integers", "mapping and traffic", "weights in other formats"):
        assert words in text.partition("Not shown: ")[2]
