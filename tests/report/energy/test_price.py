"""Estimates are events times prices, least and most, by one table at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nets import variant
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.report.energy.build import energy_block
from tern2lava.report.energy.price import Latency, step_times
from tern2lava.report.energy.text import energy_line, energy_text
from tern2lava.report.sheet import Paragraph
from tern2lava.sim.events.counts import CoreSteps, Events, LayerEvents

EVENTS = Events(
    samples=2, steps=10, timesteps=12, cores=2, chips=1, measured=True,
    layers=(
        LayerEvents(name="x", neurons=4, spikes=10, messages=20, local=20, across=0, along=0),
        LayerEvents(
            name="h", neurons=100, spikes=50, messages=60, local=10, across=80, along=30, nonzero=700, stored=900
        ),
    ),
)  # fmt: skip


def priced(energy: dict[str, dict[str, Any]], latency: dict[str, dict[str, Any]]) -> Profile:
    """loihi1 with tables of {event: (value, high)}."""
    units = {"energy": "J", "latency": "s"}
    data = load_profile("loihi1").model_dump()
    for section, tables in (("energy", energy), ("latency", latency)):
        data[section] = {
            name: {
                event: {"value": low, "high": high, "unit": "W" if event == "chip_power" else units[section],
                        "kind": "published", "source": f"the paper of {name}"}
                for event, (low, high) in table.items()
            }
            for name, table in tables.items()
        }  # fmt: skip
    return Profile.model_validate(data)


def test_an_estimate_by_hand() -> None:
    table = {
        "synapse_op": (2.0, 3.0), "neuron_update_active": (5.0, None), "neuron_update_inactive": (1.0, None),
        "spike_out": (7.0, None), "axon_out": (11.0, None), "spike_within_tile": (0.5, None),
        "hop_east_west": (100.0, None), "hop_north_south": (200.0, None), "chip_power": (6.0, None),
    }  # fmt: skip
    profile = priced({"one": table}, {"one": {"step": (0.5, None)}})
    latency = Latency(profile, chips=1)
    latency.add(CoreSteps.nothing(np.array([60.0, 40.0]), 2 * 12))
    found = energy_block(EVENTS, profile, latency, {"x"}).estimates[0]
    # Of a sample, that is of half of all: h has 1,000 steps of neurons, 1,200 in its timesteps.
    neurons = (25 * 5 + (1000 - 25) * 1, 1200 * 5)
    messages = 25 * 7 + 30 * 11 + 40 * 100 + 15 * 200
    least = 350 * 2 + neurons[0] + messages + 0.5 * (10 + 5)
    most = 450 * 3 + neurons[1] + messages + 0.5 * (10 + 30)
    assert [found.energy_least, found.energy_most] == pytest.approx([least, most])
    assert [found.latency_least, found.throughput_least] == pytest.approx([6.0, 1 / 6])
    assert [found.static_least, found.static_most] == pytest.approx([36.0, 36.0])
    assert sum(row.energy_most for row in found.layers) == pytest.approx(found.energy_most)
    assert sum(row.energy_least for row in found.terms if row.event != "chip_power") == pytest.approx(least)
    assert found.missing == []


def test_the_input_is_none_of_the_targets_neurons() -> None:
    profile = priced({"one": {"spike_out": (1.0, None), "neuron_update_active": (1.0, None)}}, {})
    rows = energy_block(EVENTS, profile, Latency(profile, 1), {"x"}).estimates[0].layers
    assert [row.energy_most for row in rows] == [0.0, pytest.approx(25 + 1200)]


def test_tables_are_never_mixed() -> None:
    block = energy_block(EVENTS, load_profile("loihi1"), Latency(load_profile("loihi1"), 1), {"x"})
    assert [estimate.table for estimate in block.estimates] == ["davies2018_table2", "sanafe_nahuku"]
    for estimate, word in zip(block.estimates, ("Davies 2018", "SANA-FE"), strict=True):
        assert estimate.terms
        assert all(term.source.startswith(word) for term in estimate.terms)
    davies, sanafe = block.estimates
    assert {term.event for term in sanafe.terms} - {term.event for term in davies.terms} == {
        "spike_out", "axon_out", "axon_in"
    }  # fmt: skip
    assert davies.bounds == ["synapse_op at least 23.6 pJ", "synapse_op at most 3.5 ns"]


def test_a_target_without_published_energies_says_so_in_one_line() -> None:
    for name in ("loihi2", "kapoho-point", "hala-point", "generic-ternary", "tiny"):
        profile = load_profile(name)
        block = energy_block(EVENTS, profile, Latency(profile, 1), {"x"})
        assert block.estimates == []
        assert block.note == f"no energies per event are public for {name}, and none is invented"
        assert isinstance(energy_text(block), Paragraph)


def test_a_step_lasts_as_long_as_its_longest_core() -> None:
    table = priced(
        {},
        {"one": {
            "synapse_op": (1.0, 2.0), "neuron_update_active": (10.0, None), "neuron_update_inactive": (4.0, None),
            "spike_out": (3.0, None), "axon_out": (5.0, None), "axon_in": (7.0, None), "hop_east_west": (50.0, None),
            "hop_north_south": (60.0, None), "barrier_one_chip": (1000.0, 2000.0),
        }},
    ).latency["one"]  # fmt: skip
    one = np.array([[1.0, 0.0], [0.0, 2.0]])
    work = CoreSteps(
        neurons=np.array([6.0, 3.0]), spikes=one, leaving=2 * one, arriving=3 * one, nonzero=40 * one, stored=41 * one,
        across=np.array([2.0, 0.0]), along=np.array([1.0, 0.0]),
    )  # fmt: skip
    found = step_times(table, work, chips=1)
    assert found is not None
    least, most = found
    assert least.tolist() == [1000 + max(40, 10 + 5 * 4), 1000 + max(80, 6 * 4)]
    assert most.tolist() == [
        2000 + 6 * 10 + 3 + 2 * 5 + 3 * 7 + 41 * 2 + 2 * 50 + 60, 2000 + 3 * 10 + 6 + 4 * 5 + 6 * 7 + 82 * 2,
    ]  # fmt: skip
    assert step_times(table, work, chips=2) is None


def test_static_power_needs_times_and_what_has_no_price_is_named() -> None:
    profile = priced({"one": {"chip_power": (1.0, None), "spike_out": (1.0, None)}}, {})
    block = energy_block(EVENTS, profile, Latency(profile, 1), {"x"})
    assert block.estimates[0].static_least is None
    assert "static power" in block.not_modelled
    assert block.estimates[0].missing == ["synaptic events", "neuron updates", "messages between routers"]


def test_the_reports_step_is_by_the_published_times_still() -> None:
    assert variant("loihi1").latency["davies2018_table2"]["synapse_op"].span == (3.5e-9, 3.5e-9)


@pytest.mark.parametrize(
    ("measured", "rate", "words"),
    [
        (True, 0.1, "(events counted on 2 samples)"),
        (False, 0.1, "(assumed 0.1 spikes per neuron and step)"),
        (False, None, "(measured rates)"),
    ],
)
def test_the_line_says_what_its_events_rest_on(measured: bool, rate: float | None, words: str) -> None:
    profile = priced({"one": {"synapse_op": (2.0, None)}}, {})
    block = energy_block(replace(EVENTS, measured=measured), profile, Latency(profile, chips=1), {"x"})
    line = energy_line(block, rate)
    assert isinstance(line, Paragraph)
    assert f"A sample, estimated {words}: one " in line.text
