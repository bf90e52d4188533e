"""The report's page in a browser: what it shows at once, what a hover, a click and a key do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import tern2lava
from lossy import network, samples, write_lossy
from pages import HOSTILE, hostile_network, written
from tern2lava.api import CompiledNetwork
from tern2lava.bundle import profile_of
from tern2lava.report.page.document import Subject, page_document
from tern2lava.report.page.page import assemble

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FIRST = {"width": 1280, "height": 720}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system, without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        # Chromium runs as root only without its sandbox.
        alone = [] if not hasattr(os, "geteuid") or os.geteuid() else ["--no-sandbox"]
        started = playwright.chromium.launch(executable_path=found, args=alone)
        yield started
        started.close()


@pytest.fixture(scope="module")
def held() -> CompiledNetwork:
    return hostile_network()


Open = Callable[..., Any]


@pytest.fixture(scope="module")
def show(browser: Any) -> Iterator[Open]:
    """Opens a file; whatever it logs as an error or asks for besides itself ends the test of who asks for `faults`."""
    with ExitStack() as around:

        def show(path: Path, **more: Any) -> Any:
            page = browser.new_page(**{"viewport": FIRST, **more})
            around.callback(page.close)
            page.faults = []
            page.on("console", lambda m: page.faults.append(m.text) if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: page.faults.append(str(error)))
            page.on("request", lambda r: page.faults.append(r.url) if r.url != path.as_uri() else None)
            page.goto(path.as_uri())
            return page

        yield show


@pytest.fixture(scope="module")
def file(held: CompiledNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    written(held, path, sample=2)
    return path


@pytest.fixture(scope="module")
def parted(show: Open, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A page whose integers part from the float model, and whose verdict on arithmetic is not met."""
    folder = tmp_path_factory.mktemp("parted")
    write_lossy(folder / "lossy", {"h": 64})
    data = samples()
    tern2lava.verify(folder / "lossy", data, backend="reference")
    tern2lava.report(folder / "lossy", html=folder / "lossy.html", data=data)
    return show(folder / "lossy.html")


@pytest.fixture(scope="module")
def page(show: Open, file: Path) -> Any:
    return show(file)


def test_the_first_screen_says_in_three_sentences_whether_it_fits_is_right_and_what_ternary_saved(page: Any) -> None:
    said = page.locator(".sentence")
    assert said.count() == 3
    boxes = [said.nth(at).bounding_box() for at in range(3)]
    assert all(box["y"] >= 0 and box["y"] + box["height"] <= FIRST["height"] for box in boxes)
    fits, right, saved = said.all_inner_texts()
    assert "cores of tiny" in fits
    assert "agree in all" in right
    assert "The cores store" in saved
    assert all(text.endswith(".") for text in (fits, right, saved))


def test_hostile_names_are_text_and_run_nothing(page: Any) -> None:
    assert page.title() == f"{HOSTILE} on tiny"
    assert page.locator("img").count() == 0
    assert page.locator("h1").inner_text() == f"{HOSTILE} on tiny"


def test_a_core_shows_what_it_holds_under_the_pointer_by_a_click_and_by_keys(page: Any) -> None:
    canvas = page.locator("#map")
    canvas.focus()
    page.keyboard.press("Home")
    assert HOSTILE in page.locator("#core").inner_text() or "y" in page.locator("#core li").all_inner_texts()
    first = page.locator("#core h3").inner_text()
    assert first in page.locator("#core-said").inner_text()
    at = page.evaluate("document.getElementById('map').dataset.chosen.split(',').map(Number)")
    page.keyboard.press("Escape")
    canvas.click(position={"x": 2, "y": canvas.bounding_box()["height"] - 2})
    assert page.locator("#core h3").inner_text() == "No core chosen"
    canvas.hover(position={"x": at[0], "y": at[1]})
    assert page.locator("#tip").inner_text().startswith(first)
    canvas.click(position={"x": at[0], "y": at[1]})
    assert page.locator("#core h3").inner_text() == first
    assert "synapse memory" in page.locator("#core").inner_text().lower()


def test_cores_are_coloured_by_any_resource(page: Any) -> None:
    seen = set()
    for way in page.locator("#way option").evaluate_all("options => options.map(option => option.value)"):
        page.locator("#way").select_option(way)
        seen.add(page.evaluate("document.getElementById('map').toDataURL()"))
    assert len(seen) >= 4


def test_the_limiting_resource_is_marked(page: Any, held: CompiledNetwork) -> None:
    fullest = [(found := pairs(core)).index(max(found)) for core in held.report.cores]
    shares = [fullest.count(resource) for resource in range(4)]
    marked = page.locator("#use tr:has(.badge) th").inner_text()
    assert marked.startswith(("Neurons", "Synapse memory", "Input axons", "Output axons")[shares.index(max(shares))])


def pairs(core: Any) -> list[float]:
    return [
        getattr(core, key)[0] / getattr(core, key)[1] for key in ("neurons", "synapse_bits", "in_axons", "out_axons")
    ]


def test_the_memory_of_each_layer_is_drawn_in_both_units_and_told_in_a_table(page: Any, held: CompiledNetwork) -> None:
    layers = held.report.memory.layers
    dots = page.locator("#memory .chart svg :is(circle, rect) > title")
    assert dots.count() == 6 * len(layers)
    before = dots.first.evaluate("title => title.parentElement.getAttribute('x')")
    page.get_by_role("button", name="Size", exact=True).click()
    assert dots.first.evaluate("title => title.parentElement.getAttribute('x')") != before
    page.locator("#memory summary:has-text('as a table')").click()
    assert page.locator("#memory tbody th").all_inner_texts() == [*(layer.projection for layer in layers), "All"]


def test_a_node_of_the_network_shows_its_certificate(page: Any, held: CompiledNetwork) -> None:
    nodes = page.locator(".node")
    assert nodes.count() == 2 + len(held.report.populations)
    nodes.nth(1).click()
    side = page.locator("#node")
    assert side.locator("h3").inner_text() == HOSTILE
    assert "EXACT" in side.inner_text()
    nodes.nth(2).focus()
    page.keyboard.press("Enter")
    assert side.locator("h3").inner_text() == "y"
    assert page.locator(".node[aria-pressed=true]").count() == 1


def test_the_most_loaded_link_is_that_of_the_report_and_shown_on_the_map(page: Any, held: CompiledNetwork) -> None:
    assert held.report.mapping.link_at in page.locator("#traffic").inner_text()
    page.get_by_role("button", name="Show on the core map").click()
    assert page.locator("#way").input_value() == "router"
    assert "spikes a step" in page.locator("#map-legend").inner_text()


def test_a_sample_without_a_difference_says_so_and_shows_spikes_and_potentials(page: Any) -> None:
    assert page.locator("#first-difference").inner_text() == "Every spike of this sample is the same in both."
    assert "Sample 2, counted from 0, of 6 samples" in page.locator("#sample .lead").inner_text()
    raster = page.locator("#raster")
    raster.hover(position={"x": 30, "y": 5})
    assert "step 1: " in page.locator("#tip").inner_text()
    before = page.locator("#potentials polyline").first.get_attribute("points")
    page.locator("#raster-neuron").select_option("3")
    assert page.locator("#potentials polyline").first.get_attribute("points") != before
    raster.click(position={"x": 30, "y": 5})
    assert page.locator("#raster-neuron").input_value() == "0"
    page.locator("#raster-population").select_option("1")
    assert page.locator("#raster-neuron option").count() == 4


def test_the_first_difference_of_a_sample_is_named_and_marked(parted: Any) -> None:
    said = parted.locator("#first-difference").inner_text()
    assert said.startswith("First difference: step ")
    assert parted.locator("#potentials").get_by_text("first difference").is_visible()
    parted.locator("#raster-population").select_option("1")
    parted.get_by_role("button", name="Show it").click()
    assert parted.locator("#raster-population").input_value() == "0"
    assert parted.faults == []


def test_a_verdict_that_is_not_met_is_said_first(parted: Any) -> None:
    assert parted.locator(".answer.no .said").inner_text() == "\u2717 No: a check failed"
    assert "the integers change more than is allowed: " in parted.locator(".answer.no .sentence").inner_text()
    assert parted.locator("#verdicts tr.no th").all_inner_texts() == ["Arithmetic"]


def test_energy_is_told_by_publication_with_its_interval_or_why_it_is_not(
    show: Open, page: Any, held: CompiledNetwork, tmp_path: Path
) -> None:
    assert held.report.energy is not None
    assert held.report.energy.note.lower() in page.locator("#energy p").last.inner_text().lower()
    report = tern2lava.report(tern2lava.compile(network(), "loihi1"), html=tmp_path / "loihi1.html")
    assert report.energy is not None
    told = show(tmp_path / "loihi1.html")
    rows = told.locator("#energy > .scroll tbody tr")
    assert rows.locator("th").all_inner_texts() == [one.table for one in report.energy.estimates]
    first = report.energy.estimates[0]
    low, high = (1e9 * value for value in (first.energy_least, first.energy_most))
    assert rows.first.locator("td").first.inner_text() == f"{low:.3g}\u00a0nJ to {high:.3g}\u00a0nJ"
    assert told.faults == []


def test_rates_roundings_and_notes_have_a_row_each(page: Any, parted: Any, held: CompiledNetwork) -> None:
    assert page.locator("#rates tbody tr").count() == len(held.report.populations)
    assert page.locator("#rates svg[role=img]").count() == 2 * len(held.report.populations)
    assert "exact" in page.locator("#roundings").inner_text()
    assert "are assumed" in page.locator("#notes").inner_text()
    ids = page.locator("#parts > section").evaluate_all("found => found.map(section => section.id)")
    order = ["cores", "use", "memory", "network", "traffic", "energy", "sample", "rates", "roundings", "notes"]
    assert ids == order
    assert page.locator("#contents a").count() == len(order) + 1


def test_every_figure_is_explained_one_click_away(page: Any) -> None:
    helps = page.locator(".help > summary")
    terms = "found => found.map(s => [...s.parentElement.querySelectorAll('dt, dd')].map(e => e.textContent))"
    texts = helps.evaluate_all(terms)
    assert len(texts) > 40
    assert all(found and all(text and text != "undefined" for text in found) for found in texts)
    helps.first.click()
    assert page.locator(".help[open] .pop").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".help[open]").count() == 0


def test_light_and_dark_follow_the_system_and_the_switch(page: Any) -> None:
    shade = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(shade)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(shade)
    assert dark != light
    page.locator("#theme").click()
    assert page.evaluate(shade) == light
    page.locator("#theme").click()
    page.emulate_media(color_scheme="light")
    assert page.evaluate(shade) == dark
    page.locator("#theme").click()


def test_everything_has_its_landmark_heading_and_name(page: Any) -> None:
    assert page.locator("main, header, nav").count() == 3
    unnamed = page.locator("section:not([aria-label]):not([aria-labelledby]):not(:has(h2)), canvas:not([aria-label])")
    assert unnamed.count() == 0
    buttons = page.locator("button, summary, select").evaluate_all(
        "found => found.filter(e => !(e.ariaLabel || e.textContent.trim())).length"
    )
    assert buttons == 0


def test_a_phone_shows_it_without_scrolling_sideways(show: Open, file: Path) -> None:
    page = show(file, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.faults == []


def test_paper_has_light_colours_and_what_was_folded(page: Any) -> None:
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.more:not([open])").count() == 0
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.more:not([open])").count() > 0


def test_fifty_thousand_cores_are_pixels_and_not_elements(show: Open, held: CompiledNetwork, tmp_path: Path) -> None:
    bundle = held.bundle
    subject = Subject(report=held.report, executable=bundle.executable, profile=profile_of(bundle))
    document = page_document(subject)
    cores, count = document["cores"], 50_000
    cores["kinds"] = [[[at % 2], at % 64, at, at % 1000, at % 900, 0, 0, 0, at] for at in range(1000)]
    cores |= {"kind": [at % 1000 for at in range(count)], "id": [0, *[1] * (count - 1)], "router": [1.0] * count}
    cores["mesh"] = {"chips": 1152, "chip_cols": 48, "rows": 8, "cols": 16, "slots": 1, "per_chip": 122}
    document["routes"]["cores"] = None
    path = tmp_path / "large.html"
    path.write_text(assemble(held.report, count, document), encoding="utf-8")
    assert path.stat().st_size < 2_000_000
    page = show(path)
    assert page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") < 5_000
    assert page.locator("*").count() < 6_000
    page.locator("#map").focus()
    page.keyboard.press("End")
    assert page.locator("#core h3").inner_text().startswith("Core 49,999")
    page.keyboard.press("Enter")
    assert page.locator("#all-chips").is_visible()
    assert page.faults == []


def test_nothing_was_logged_or_asked_for_in_all_of_this(page: Any) -> None:
    assert page.faults == []
