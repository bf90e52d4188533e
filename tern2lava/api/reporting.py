"""The report of a compiled network."""

from __future__ import annotations

from pathlib import Path

from tern2lava import arguments
from tern2lava.api.data import SpikesLike, given_spikes
from tern2lava.api.opened import BundleLike, keep, opened, steps_of
from tern2lava.arguments import public, refused
from tern2lava.bundle import Bundle, check_outside, map_options_of, measured_rates_of, profile_of, recorded_run
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.memory_need import require_memory, verifying
from tern2lava.report.model import Report
from tern2lava.report.page.sample import Sample
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.writing import write_file

LOOKED_AT = 8
"""Samples that are run at most to find one in which a spike differs."""
QUICK = 1 << 20
"""Neuron-timesteps, inputs counted, that they may take in all: about two seconds."""


@public
def report(
    bundle: BundleLike,
    *,
    compare_bits: int | None = None,
    html: str | Path | None = None,
    data: SpikesLike | None = None,
    sample: int | None = None,
    any_steps: bool = False,
    pad: bool = False,
) -> Report:
    """The report of a compiled network, with the last verification where there was one (docs/report.md).

    bundle: what `compile` returned, or the bundle's folder. compare_bits 8 maps the same network with 8-bit weights
    onto the same target and adds both beside each other (`twins`), also to the bundle's report.json. html: a file that
    is written, the report as one page that opens offline. data: spikes as for `verify`, of which the page shows
    `sample`, counted from 0, in the float model and in integers side by side; without data it shows one of the recorded
    samples that the bundle keeps, if it does. sample None: of the first few the first in which a spike differs, else
    the first. any_steps, pad: see `verify`. to_frame() gives the tables to pandas; a notebook shows the report as
    tables. Raises InputError for other widths, for no or a damaged bundle, for a sample
    that is not there, and for a file that cannot be written.
    """
    if compare_bits is not None and not (isinstance(compare_bits, int) and compare_bits == 8):
        raise refused("compare_bits", "8, the only width to compare with", compare_bits, "give 8, or None")
    page = None if html is None else arguments.path(html, "html", "name the file, as report.html")
    if sample is not None:
        sample = arguments.whole(sample, "sample", 0, "count samples from 0")
    any_steps, pad = arguments.flag(any_steps, "any_steps"), arguments.flag(pad, "pad")
    if page is None and (data is not None or sample is not None):
        what = "data" if data is not None else "sample"
        raise InputError(what, "requires html, the page that shows it; found none; name the file, as report.html")
    if page is not None:
        check_outside(page)
    found = opened(bundle)
    shown = None if page is None else _sample(found, data, sample, any_steps=any_steps, pad=pad)
    result = found.report if compare_bits is None else _with_twins(bundle, found)
    if page is not None:
        _write_page(found, result, shown, page)
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


def _sample(
    found: Bundle, data: SpikesLike | None, sample: int | None, *, any_steps: bool, pad: bool
) -> Sample | None:  # fmt: skip
    """The run of one sample of the data, or of what the bundle keeps; None where there is neither."""
    program, where = found.executable.program, "sample"
    if data is not None:
        given = given_spikes(data, program)
        spikes = given.spike_data(program, steps_of(found), any_steps=any_steps, pad=pad, effort=NORMAL)
        source = "of the data" if given.file is None else f"in {given.file.name}"
    else:
        kept = recorded_run(found)
        if kept is None:
            if sample is not None:
                raise InputError(where, "requires data; found neither data nor recorded samples; give data")
            return None
        spikes, source = kept[0], "recorded with the network"
    if sample is not None and sample >= spikes.samples:
        raise InputError(
            where, f"requires a sample from 0 to {spikes.samples - 1:,}; found {sample:,}; choose one of these"
        )
    return _run(found, spikes, source, sample)


def _run(found: Bundle, spikes: SpikeData, source: str, sample: int | None) -> Sample:
    """The run of a sample; of none the first of a few in which a spike differs, where they are quickly run."""
    from tern2lava.sim.verify.shard import places, run_of
    from tern2lava.sim.verify.side_by_side import side_by_side

    values = spikes.steps * places(found.executable.program)
    hint = "leave the data out, or use a machine with more memory"
    require_memory("report", run_of(1, spikes.steps, places(found.executable.program)), verifying(values), hint)
    few = min(spikes.samples, LOOKED_AT, max(1, QUICK // values))
    tried: list[Sample] = []
    for number in range(few) if sample is None else (sample,):
        run = side_by_side(found.executable, spikes.values(number, number + 1))
        label = None if spikes.labels is None else int(spikes.labels[number])
        tried.append(Sample(run=run, source=source, number=number, samples=spikes.samples, label=label))
        if run.first is not None:
            return tried[-1]
    return tried[0]


def _write_page(found: Bundle, result: Report, sample: Sample | None, page: Path) -> None:
    """Write the page of `result`, the report of `found`."""
    from tern2lava.report.page.document import Subject
    from tern2lava.report.page.page import page_html

    measured = measured_rates_of(found)
    rates = None if measured is None else {name: float(rate.mean()) for name, rate in measured.items()}
    subject = Subject(report=result, executable=found.executable, profile=profile_of(found), rates=rates, sample=sample)
    text = page_html(subject)
    write_file(page, lambda path: path.write_text(text, encoding="utf-8"))
