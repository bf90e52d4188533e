"""The report's block of energy, latency and throughput."""

from __future__ import annotations

from tern2lava.compiler.ir.graph import Input
from tern2lava.compiler.mapped import Mapped
from tern2lava.hw_profiles import Profile
from tern2lava.hw_profiles.profile import PriceTable
from tern2lava.report.energy.expected import expected_events
from tern2lava.report.energy.numbers import span
from tern2lava.report.energy.price import Latency, Span, Term, layer_terms, missing
from tern2lava.report.model import EnergyBlock, EnergyEstimate, EventRow, LayerEnergy, TermRow
from tern2lava.sim.events.counts import Events, LayerEvents

NOT_MODELLED = (
    "the host, embedded processors, inputs and outputs of the chip",
    "links between chips beyond hops",
    "messages that wait",
    "loading and resets",
    "other voltages than the source's",
)
NO_STATIC = "static power"


def expected_energy(mapped: Mapped) -> EnergyBlock:
    """The block of a mapping from rates alone."""
    events, work = expected_events(mapped)
    latency = Latency(mapped.profile, events.chips)
    latency.add(work, repeated=events.timesteps)
    return energy_block(events, mapped.profile, latency, {node.name for node in mapped.graph.of_kind(Input)})


def energy_block(events: Events, profile: Profile, latency: Latency, inputs: set[str]) -> EnergyBlock:
    """The block of counted events. inputs: the layers that are inputs of the network."""
    estimates = [_estimate(name, events, profile, latency, inputs) for name in profile.energy]
    static = any(estimate.static_least is not None for estimate in estimates)
    return EnergyBlock(
        measured=events.measured, samples=events.samples if events.measured else 0, steps=events.steps,
        timesteps=events.timesteps, events=[_row(layer, events, layer.name in inputs) for layer in events.layers],
        estimates=estimates,
        note="" if estimates else f"no energies per event are public for {profile.name}, and none is invented",
        not_modelled=[*NOT_MODELLED, *([] if static or not estimates else [NO_STATIC])],
    )  # fmt: skip


def _row(layer: LayerEvents, events: Events, source: bool) -> EventRow:
    share = 1 / events.samples
    return EventRow(
        name=layer.name, neurons=layer.neurons, spikes=share * layer.spikes, messages=share * layer.messages,
        link_hops=share * (layer.across + layer.along), synapses=share * layer.nonzero,
        synapses_stored=share * layer.stored, updates=0.0 if source else float(layer.neurons * events.steps),
    )  # fmt: skip


def _estimate(name: str, events: Events, profile: Profile, latency: Latency, inputs: set[str]) -> EnergyEstimate:
    table = profile.energy[name]
    by_layer = [(layer.name, layer_terms(layer, events, table, layer.name in inputs)) for layer in events.layers]
    terms = _merged([term for _, found in by_layer for term in found])
    low, high = _sum(terms)
    time = latency.total.get(name)
    spans = None if time is None else (time[0] / events.samples, time[1] / events.samples)
    rows = [_term(term, 1 / events.samples) for term in terms]
    static: Span | None = None
    if "chip_power" in table and spans is not None:
        power = Term("chip_power", (events.chips * spans[0], events.chips * spans[1]), table["chip_power"])
        static = power.total
        rows.append(_term(power, 1.0))
    return EnergyEstimate(
        table=name, energy_least=low / events.samples, energy_most=high / events.samples,
        static_least=None if static is None else static[0], static_most=None if static is None else static[1],
        latency_least=None if spans is None else spans[0], latency_most=None if spans is None else spans[1],
        throughput_least=None if spans is None or not spans[1] else 1 / spans[1],
        throughput_most=None if spans is None or not spans[0] else 1 / spans[0],
        terms=rows, layers=[_layer(layer, found, events.samples) for layer, found in by_layer],
        missing=missing(events, table), bounds=_bounds(table, profile.latency.get(name, {})),
    )  # fmt: skip


def _bounds(energy: PriceTable, latency: PriceTable) -> list[str]:
    """Prices with a bound, as text."""
    both = [(event, price) for table in (energy, latency) for event, price in table.items()]
    return [f"{event} at {price.bound} {span(*price.span, price.unit)}" for event, price in both if price.bound]


def _merged(terms: list[Term]) -> list[Term]:
    """One term for each event, in the order in which they came."""
    found: dict[str, Term] = {}
    for term in terms:
        before = found.get(term.event)
        times = term.times if before is None else (before.times[0] + term.times[0], before.times[1] + term.times[1])
        found[term.event] = Term(term.event, times, term.price)
    return list(found.values())


def _sum(terms: list[Term]) -> Span:
    """Least and most of all terms. What is inactive at least is active at most: both are counted by their own terms."""
    return sum(term.total[0] for term in terms), sum(term.total[1] for term in terms)


def _term(term: Term, share: float) -> TermRow:
    least, most = term.total
    return TermRow(
        event=term.event, least=share * term.times[0], most=share * term.times[1],
        price=f"{term.price.text} {term.price.unit}", energy_least=share * least, energy_most=share * most,
        kind=term.price.kind, source=term.price.source,
    )  # fmt: skip


def _layer(name: str, terms: list[Term], samples: int) -> LayerEnergy:
    low, high = _sum(terms)
    return LayerEnergy(name=name, energy_least=low / samples, energy_most=high / samples)
