"""Energy, latency and throughput as terminal tables."""

from __future__ import annotations

from rich.console import Group, RenderableType

from tern2lava.counts import count
from tern2lava.report.energy.numbers import plain_span, span
from tern2lava.report.model import EnergyBlock, EnergyEstimate
from tern2lava.report.sheet import NOTHING, Paragraph, Sheet, sheet

# Layers named below the estimates.
_LAYERS = 3


def energy_text(block: EnergyBlock) -> RenderableType:
    """The estimates, a row for each table of the profile, or why there is none."""
    if not block.estimates:
        return Paragraph(f"Energy: {block.note}")
    return Group(energy_table(block), *(Paragraph(line) for line in _largest(block)))


def energy_line(block: EnergyBlock, rate: float | None) -> RenderableType:
    """The same in a line or two, with what the events rest on. rate: spikes per neuron and step that the mapping
    assumes of its traffic; None: it was measured."""
    if not block.estimates:
        return Paragraph(f"Energy: {block.note}")
    events = "measured rates" if rate is None else f"assumed {rate:g} spikes per neuron and step"
    if block.measured:
        events = f"events counted on {count(block.samples, 'sample')}"
    said = []
    for row in block.estimates:
        numbers = [f"{span(row.energy_least, row.energy_most, 'J')} dynamic"]
        numbers += [] if row.static_least is None else [f"{span(row.static_least, row.static_most, 'J')} static"]
        numbers += [] if row.latency_least is None else [span(row.latency_least, row.latency_most, "s")]
        said.append(f"{row.table} {', '.join(numbers)}")
    return Paragraph(f"A sample, estimated ({events}): {'; '.join(said)}")


def energy_table(block: EnergyBlock) -> Sheet:
    """One row for each table of the profile: they are never mixed."""
    counted = f"counted on {count(block.samples, 'sample')}" if block.measured else "expected of the traffic"
    table = sheet(
        f"Energy and time of a sample of {count(block.steps, 'step')}, estimated; events {counted}",
        ("Numbers of", "Dynamic", "Static", "Time", "Samples a second"),
    )
    for row in block.estimates:
        table.add_row(
            row.table, span(row.energy_least, row.energy_most, "J"), span(row.static_least, row.static_most, "J"),
            span(row.latency_least, row.latency_most, "s"), _rate(row),
        )  # fmt: skip
    said = [f"{row.table} says {', '.join(row.bounds)}" for row in block.estimates if row.bounds]
    said += [
        f"{row.table} has no number of its own for {', '.join(row.missing)}" for row in block.estimates if row.missing
    ]
    table.caption = "; ".join([*said, f"not modelled: {', '.join(block.not_modelled)} (docs/energy.md)"])
    return table


def layers_table(block: EnergyBlock, estimate: EnergyEstimate) -> Sheet:
    """Events and dynamic energy of each layer by one table."""
    table = sheet(
        f"Layers, by {estimate.table}, a sample",
        ("Layer", "Spikes", "Messages", "Links passed", "Synapses met", "Energy"),
    )
    for row, layer in zip(block.events, estimate.layers, strict=True):
        met = (row.synapses, row.synapses_stored)
        table.add_row(
            row.name, f"{row.spikes:,.1f}", f"{row.messages:,.1f}", f"{row.link_hops:,.1f}",
            " to ".join(dict.fromkeys(f"{number:,.1f}" for number in met)),
            span(layer.energy_least, layer.energy_most, "J"),
        )  # fmt: skip
    return table


def _rate(row: EnergyEstimate) -> str:
    least, most = row.throughput_least, row.throughput_most
    return NOTHING if least is None or most is None else plain_span(least, most)


def _largest(block: EnergyBlock) -> list[str]:
    """Where most of the energy goes, by the first table."""
    first = block.estimates[0]
    total = first.energy_most
    rows = sorted(first.layers, key=lambda row: -row.energy_most)[:_LAYERS]
    if not total or len(first.layers) < 2:
        return []
    shares = ", ".join(f"{row.name} {100 * row.energy_most / total:.0f} %" for row in rows)
    return [f"Most of it by {first.table}: {shares}"]
