"""The report's page as text: whole in one file, every name escaped, every figure explained."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest

import tern2lava
from command_line import Run, in_process
from lossy import network, write_lossy
from pages import HOSTILE, hostile_network, written
from tern2lava.api import CompiledNetwork
from tern2lava.bundle import profile_of, read_bundle
from tern2lava.errors import InputError
from tern2lava.report.page import core_map
from tern2lava.report.page.core_map import find_wires, routes_block
from tern2lava.report.page.document import EXPLAINED
from tern2lava.report.page.explained import explanations
from tern2lava.report.page.page import SCRIPTS, json_in_script
from tern2lava.report.page.sentences import fit, right, saved, three_sentences

STATIC = resources.files("tern2lava.report.page") / "static"
KEY = re.compile(r'["`]((?:[a-z_]+(?:\[\])?\.)+[a-z_0-9]+)["`]')


@pytest.fixture(scope="module")
def held() -> CompiledNetwork:
    return hostile_network()


@pytest.fixture(scope="module")
def page(held: CompiledNetwork, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(held, tmp_path_factory.mktemp("page") / "page.html")


def data(page: str) -> dict[str, object]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    found: dict[str, object] = json.loads(text)
    return found


def test_a_page_names_no_address_and_its_policy_allows_none(page: str) -> None:
    shell = page.replace(re.findall(r'id="data">(.*?)</script>', page, re.S)[0], "")
    fetches = r"https?:|//[a-z]+\.|@import|url\((?!#)|\bfetch\(|XMLHttpRequest|WebSocket|<link(?! rel=\"icon\")"
    assert re.findall(fetches, shell) == []
    assert "default-src &#x27;none&#x27;" in page
    assert "unsafe" not in page


def test_a_name_that_would_end_the_script_is_text_everywhere(page: str) -> None:
    assert "<img" not in page
    assert page.count("</script>") == 2
    assert data(page)["network"] == HOSTILE
    assert json.loads(json_in_script({"a": HOSTILE + "\u2028&"})) == {"a": HOSTILE + "\u2028&"}
    assert not set("<>&\u2028") & set(json_in_script(HOSTILE + "\u2028&"))


def test_numbers_that_json_lacks_are_null() -> None:
    assert json_in_script([float("inf"), float("nan"), {"a": 0.5}]) == '[null,null,{"a":0.5}]'


def test_every_key_that_a_script_explains_is_one_of_the_report() -> None:
    explanations(EXPLAINED)
    used = {key for name in SCRIPTS for key in KEY.findall((STATIC / f"{name}.js").read_text(encoding="utf-8"))}
    keys = {key for key in used if key.split(".")[0].removesuffix("[]") in tern2lava_keys()}
    assert len(keys) > 20
    assert keys <= set(EXPLAINED)


def tern2lava_keys() -> set[str]:
    from tern2lava.report.model import Report

    return set(Report.model_fields)


def test_every_script_of_the_page_is_one_that_is_used() -> None:
    names = {path.name for path in STATIC.iterdir()}
    assert names == {"page.css", "page.html", *(f"{name}.js" for name in SCRIPTS)}


def test_the_three_sentences_have_the_numbers_of_the_report(held: CompiledNetwork) -> None:
    report = held.report
    found = three_sentences(report, 32)
    assert [sentence.mark for sentence in found] == ["yes", "yes", "yes"]
    assert f"takes {len(report.cores)} of the 32 cores of tiny, and no mapping can use fewer, with" in found[0].text
    assert "synapse memory and" in found[0].text
    assert "Lava was not run" in found[1].text
    assert f"agree in all {report.verification.compared_values:,} spikes" in found[1].text  # type: ignore[union-attr]
    assert "whether that is your framework's network was not compared" in found[1].text
    total = report.memory.total
    assert f"({total.ratio_int8:.1f} and {total.ratio_fp32:.1f} times that)" in found[2].text


def test_a_network_that_was_not_run_is_not_said_to_be_right() -> None:
    report = tern2lava.compile(network(), "tiny").report
    assert (right(report).mark, right(report).answer) == ("open", "Not checked yet")
    assert fit(report, 32).mark == "yes"


def test_a_verdict_that_is_not_met_is_said_in_plain_words_with_its_numbers(tmp_path: Path) -> None:
    from lossy import samples

    folder = write_lossy(tmp_path / "lossy", {"h": 64, "y": 64})
    report = tern2lava.verify(folder, samples(), backend="reference")
    found = right(report)
    assert found.mark == "no"
    assert report.verification is not None
    changed = report.verification.arithmetic
    said = f"{changed.missing + changed.extra:,} spikes differ from the float model's {changed.float_spikes:,} ("
    assert f"samples, the integers change more than is allowed: {said}" in found.text
    assert "EXCEEDS" not in found.text
    assert "reading" not in found.text
    required = tern2lava.verify(folder, samples(), backend="reference", require="execution,reading")
    assert "reading is required and was not compared" in right(required).text


def test_what_ternary_saved_is_held_against_the_twin_that_is_mapped_alike() -> None:
    report = tern2lava.report(tern2lava.compile(network(), "tiny"), compare_bits=8)
    own, twin = report.twins[0].stored_bits, report.twins[1].stored_bits
    assert own is not None
    assert twin is not None
    assert saved(report).answer == f"{twin / own:.1f}x less than 8 bits"


def test_the_most_loaded_link_and_router_are_those_of_the_report(held: CompiledNetwork) -> None:
    bundle, report = held.bundle, held.report
    wires = find_wires(report, profile_of(bundle), bundle.executable.images, bundle.executable.host_image)
    place, direction, load = routes_block(report, wires)["links"][0]
    assert report.mapping.link_at == f"router {place} {direction}"
    assert load == pytest.approx(report.mapping.link, rel=1e-3)
    assert wires.loads.most_loaded_router[0] == pytest.approx(report.mapping.router)


def test_of_too_many_routes_the_sums_are_told(held: CompiledNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = held.bundle
    wires = find_wires(held.report, profile_of(bundle), bundle.executable.images, bundle.executable.host_image)
    whole = routes_block(held.report, wires)
    assert sum(len(rows) for rows in whole["cores"]) >= 2
    monkeypatch.setattr(core_map, "MOST_ROUTES", 1)
    assert routes_block(held.report, wires) == whole | {"cores": None}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


def test_the_command_writes_the_page_beside_the_bundle_or_where_it_is_told(
    run: Run, held: CompiledNetwork, tmp_path: Path
) -> None:
    held.save(tmp_path / "build")
    for given, place in (((), tmp_path / "build.html"), ((tmp_path / "p.html",), tmp_path / "p.html")):
        code, out, _ = run("report", tmp_path / "build", "--html", *given)
        assert (code, out) == (0, f"written to {place}\n")
        assert place.read_text(encoding="utf-8").startswith("<!doctype html>")
    code, out, _ = run("report", "--html", "--json", tmp_path / "build")
    assert code == 0
    assert json.loads(out)["target"] == "tiny"
    assert read_bundle(tmp_path / "build").report.target == "tiny"


def test_a_page_is_not_written_into_a_bundle(held: CompiledNetwork, tmp_path: Path) -> None:
    held.save(tmp_path / "build")
    with pytest.raises(InputError, match="requires a place that is in no bundle"):
        tern2lava.report(held, html=tmp_path / "build" / "page.html")
