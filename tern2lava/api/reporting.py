"""The report of a compiled network."""

from __future__ import annotations

from pathlib import Path

from tern2lava import arguments
from tern2lava.api.opened import BundleLike, keep, opened
from tern2lava.arguments import public, refused
from tern2lava.bundle import Bundle, check_outside, map_options_of, measured_rates_of, profile_of
from tern2lava.report.model import Report
from tern2lava.writing import write_file


@public
def report(bundle: BundleLike, *, compare_bits: int | None = None, html: str | Path | None = None) -> Report:
    """The report of a compiled network, with the last verification where there was one (docs/report.md).

    bundle: what `compile` returned, or the bundle's folder. compare_bits 8 maps the same network with 8-bit weights
    onto the same target and adds both beside each other (`twins`), also to the bundle's report.json. html: a file that
    is written, the report as one page that opens offline (docs/report.md). to_frame() gives its tables to pandas; a
    notebook shows it as tables. Raises InputError for other widths, for no or a damaged bundle, and for a file that
    cannot be written.
    """
    if compare_bits is not None and not (isinstance(compare_bits, int) and compare_bits == 8):
        raise refused("compare_bits", "8, the only width to compare with", compare_bits, "give 8, or None")
    page = None if html is None else arguments.path(html, "html", "name the file, as report.html")
    if page is not None:
        check_outside(page)
    found = opened(bundle)
    result = found.report if compare_bits is None else _with_twins(bundle, found)
    if page is not None:
        _write_page(found, result, page)
    return result


def _with_twins(bundle: BundleLike, found: Bundle) -> Report:
    """The report with the network's 8-bit twins, kept in the bundle."""
    from tern2lava.compiler.twin import map_twins
    from tern2lava.report.twin import add_twins

    program = found.executable.program
    twins = map_twins(program, profile_of(found), map_options_of(found), measured_rates_of(found))
    result = add_twins(found.report, twins)
    keep(bundle, found, result)
    return result


def _write_page(found: Bundle, result: Report, page: Path) -> None:
    """Write the page of `result`, the report of `found`."""
    from tern2lava.report.page.document import Subject
    from tern2lava.report.page.page import page_html

    measured = measured_rates_of(found)
    rates = None if measured is None else {name: float(rate.mean()) for name, rate in measured.items()}
    text = page_html(Subject(report=result, executable=found.executable, profile=profile_of(found), rates=rates))
    write_file(page, lambda path: path.write_text(text, encoding="utf-8"))
