"""What a search for the worst inputs found, and how far potentials part on given ones, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from tern2lava.counts import count
from tern2lava.report.sheet import NOTHING, Sheet, sheet, text_column
from tern2lava.sim.verify.deviation import Deviation
from tern2lava.sim.verify.worst import Found, Worst


def worst_table(worst: Worst) -> Sheet:
    """One row for each population: the worst input found, the best random one, the bound."""
    tried = f"all {worst.tried:,}" if worst.every else f"{worst.tried:,}"
    table = sheet(
        f"How far integers part from real numbers, in synapses, on {tried} inputs of {count(worst.steps, 'step')}",
        (
            "Population", text_column("Verdict"), "Worst found", "Random", "Bound", "Of the bound", "Step", "Neuron",
            "Sample", text_column("Spikes", 2),
        ),
    )  # fmt: skip
    for one in worst.found:
        table.add_row(
            one.population, one.verdict, _number(one.deviation), NOTHING if worst.every else _number(one.random),
            NOTHING if one.bound is None else _number(one.bound), _share(one), str(one.step), str(one.neuron),
            str(one.sample), _spikes(one),
        )  # fmt: skip
    wrong = next((one for one in worst.found if one.excess), None)
    if wrong is not None:
        table.caption = f"{wrong.population} parts by more than its certificate states: an error of tern2lava"
    return table


def deviation_table(found: Sequence[Deviation]) -> Sheet:
    """One row for each population: how far its potentials part, and where."""
    table = sheet(
        "How far integers part from real numbers on these data, in synapses, while spikes are alike",
        ("Population", "Deviation", "Bound", "Sample", "Step", "Neuron", "Samples whose spikes differ"),
    )  # fmt: skip
    for one in found:
        table.add_row(
            one.population, _number(one.deviation), NOTHING if one.bound is None else _number(one.bound),
            str(one.sample), str(one.step), str(one.neuron), f"{one.differing:,} of {one.samples:,}",
        )  # fmt: skip
    return table


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.3g}"


def _share(one: Found) -> str:
    if not one.bound:
        return NOTHING
    return f"{100 * one.deviation / one.bound:.1f} %"


def _spikes(one: Found) -> str:
    if one.first is None:
        return "alike"
    return f"differ on {one.differing:,} inputs (sample {one.differing_sample}, step {one.first})"
