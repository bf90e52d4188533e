"""The report of a compiled network."""

from __future__ import annotations

from tern2lava.api.opened import BundleLike, keep, opened
from tern2lava.arguments import public, refused
from tern2lava.bundle import map_options_of, measured_rates_of, profile_of
from tern2lava.report.model import Report


@public
def report(bundle: BundleLike, *, compare_bits: int | None = None) -> Report:
    """The report of a compiled network, with the last verification where there was one (docs/report.md).

    bundle: what `compile` returned, or the bundle's folder. compare_bits 8 maps the same network with 8-bit weights
    onto the same target and adds both beside each other (`twins`), also to the bundle's report.json. to_frame() gives
    its tables to pandas; a notebook shows it as tables. Raises InputError for other widths, and for no or a damaged
    bundle.
    """
    if compare_bits is not None and not (isinstance(compare_bits, int) and compare_bits == 8):
        raise refused("compare_bits", "8, the only width to compare with", compare_bits, "give 8, or None")
    found = opened(bundle)
    if compare_bits is None:
        return found.report
    from tern2lava.compiler.twin import map_twins
    from tern2lava.report.twin import add_twins

    program = found.executable.program
    twins = map_twins(program, profile_of(found), map_options_of(found), measured_rates_of(found))
    result = add_twins(found.report, twins)
    keep(bundle, found, result)
    return result
