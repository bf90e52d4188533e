"""Two reports side by side: what differs between them, in tables, Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import Run, in_process
from feature_nets import FEATURES
from nodes import there
from shown import check_shown, check_text
from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.report.compare import Comparison, Difference, compare
from tern2lava.report.comparison import SHOWN, comparison_text
from tern2lava.report.model import Report


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network on two targets, in folders named after them."""
    folder = tmp_path_factory.mktemp("compared")
    checkpoint, net = FEATURES["kernels"].write(folder)
    for target in ("loihi2", "tiny"):
        api.compile(checkpoint, target, net=net, out=folder / target)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


def of(bundles: Path, target: str) -> Report:
    return read_bundle(bundles / target).report


def test_a_report_and_itself_differ_in_nothing(bundles: Path) -> None:
    found = compare(of(bundles, "tiny"), of(bundles, "tiny"))
    assert (found.differences, found.same_source, found.same_target, found.same_network) == ([], True, True, True)
    assert found.equal > 40
    assert f"Nothing differs: {found.equal} values are equal." in check_shown(comparison_text(found))


def test_what_differs_between_targets_is_listed_with_both_values(bundles: Path) -> None:
    a, b = of(bundles, "loihi2"), of(bundles, "tiny")
    found = compare(a, b)
    values = {(row.about, row.what, row.key): (row.a, row.b) for row in found.differences}
    assert values["bundle", "the bundle", "target"] == ("loihi2", "tiny")
    assert values["memory", "all cores", "image_bits"] == (a.memory.total.image_bits, b.memory.total.image_bits)
    assert all(one != other for one, other in values.values())
    assert (found.same_source, found.same_target, found.same_network) == (True, False, True)
    text = check_shown(comparison_text(found, full=True))
    assert "of different targets." in text
    assert text.index("a: ") < text.index("b: ")


def test_a_change_is_the_share_of_the_first_and_none_of_nothing_or_words(bundles: Path) -> None:
    a = of(bundles, "tiny")
    total = a.memory.total
    more = a.memory.model_copy(update={"total": total.model_copy(update={"image_bits": total.image_bits * 5 // 4})})
    wider = [row.model_copy(update={"verdict": "MEASURED", "eps_relative": None}) for row in a.certificate[:1]]
    b = a.model_copy(update={"memory": more, "certificate": [*wider, *a.certificate[1:]]})
    changes = {row.key: row.change for row in compare(a, b).differences}
    assert changes["image_bits"] == pytest.approx(total.image_bits * 5 // 4 / total.image_bits - 1)
    assert changes["verdict"] is None
    assert f"{100 * there(changes['image_bits']):+.1f} %" in check_shown(comparison_text(compare(a, b)))


def test_networks_with_other_layers_are_compared_by_name(bundles: Path) -> None:
    a = of(bundles, "tiny")
    gone = a.populations[-1].name
    b = a.model_copy(
        update={
            "source": "other.pt",
            "populations": a.populations[:-1],
            "certificate": [row for row in a.certificate if row.population != gone],
        }
    )
    found = compare(a, b)
    assert (found.same_source, found.same_network) == (False, False)
    assert [(r.a, r.b) for r in found.differences if r.what == gone and not r.key] == [("there", None)]
    assert "of different sources and networks." in check_shown(comparison_text(found))


def test_of_many_rows_those_that_changed_most_are_shown() -> None:
    rows = [
        Difference(about="layer", what=f"p{n}", key="stored_bits", a=8000, b=8000 + 8 * n, change=n / 1000)
        for n in range(1, 31)
    ]
    found = Comparison(
        a="a", b="b", same_source=True, same_target=True, same_network=True, equal=0, differences=rows
    )  # fmt: skip
    text = check_shown(comparison_text(found))
    assert f"{30 - SHOWN + 1} more (--full)" in text
    assert "layer p29" in text
    assert "layer p3 " not in text
    assert "layer p3 " in check_shown(comparison_text(found, full=True))


def test_times_are_no_share_of_events(bundles: Path) -> None:
    a = of(bundles, "tiny")
    mapping = a.mapping.model_copy(update={"unit": "ns", "step": 2 * a.mapping.step})
    rows = {row.key: row for row in compare(a, a.model_copy(update={"mapping": mapping})).differences}
    assert (rows["unit"].a, rows["unit"].b) == (a.mapping.unit, "ns")
    assert rows["step"].change is None
    slower = mapping.model_copy(update={"unit": a.mapping.unit})
    [row] = compare(a, a.model_copy(update={"mapping": slower})).differences
    assert row.change == pytest.approx(1)


def test_accuracies_change_by_points() -> None:
    row = Difference(about="verification", what="the data", key="accuracy_integer", a=0.5, b=0.52, change=0.04)
    found = Comparison(a="a", b="b", same_source=True, same_target=True, same_network=True, equal=0, differences=[row])
    assert "+2 points" in check_shown(comparison_text(found))


def test_the_command_prints_tables_markdown_and_json(run: Run, bundles: Path) -> None:
    both = ("report", bundles / "loihi2", bundles / "tiny")
    done = run(*both)
    assert (done.returncode, done.stderr) == (0, "")
    check_text(done.stdout, 80)
    assert "values differ" in done.stdout
    assert "\x1b" not in done.stdout
    assert Comparison.model_validate(json.loads(run(*both, "--json").stdout)).same_target is False
    assert "| Of | Value | a | b | Change |" in run(*both, "--markdown").stdout
    assert "**Cores of tiny" in run("report", bundles / "tiny", "--markdown").stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "BUNDLE: requires the folder of a bundle; found none; give one, as build/ (or --schema)"),
        (("tiny", "--json", "--markdown"), "--markdown: requires to be the only form; found --json too; leave one out"),
        (("tiny", "loihi2", "--compare-bits", "8"), "--compare-bits: requires one bundle; found two; give it for each"),
        (("tiny", "--schema"), "--schema: requires no bundle, being that of all; found tiny; leave one out"),
        (("tiny", "nowhere"), "nowhere: requires the folder of a bundle; found no manifest.json"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(
    run: Run, bundles: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], line: str
) -> None:
    monkeypatch.chdir(bundles)
    done = run("report", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tern2lava: {line}")
    assert done.stderr.count("\n") == 1
