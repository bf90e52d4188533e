"""Missing and extra spikes, counted by hand on tiny traces and by numpy on networks that lose spikes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lossy import CLASSES, HIDDEN, STEPS, network, samples, write_lossy
from tern2lava.bundle import read_bundle
from tern2lava.compiler.ir.graph import Readout
from tern2lava.effort import NORMAL
from tern2lava.sim.data.spike_file import SpikeData, make_spikes
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float
from tern2lava.sim.verify.arithmetic import SpikeCounts, added, changed_decisions, count_spikes
from tern2lava.sim.verify.verify import verify


def trace(h: list[int], y: list[int], kind: type = np.uint8) -> Trace:
    """One sample, its steps, one neuron in each of two populations."""
    return Trace(spikes={"h": np.array(h, kind).reshape(1, -1, 1), "y": np.array(y, kind).reshape(1, -1, 1)})


def test_missing_and_extra_spikes_of_a_trace_counted_by_hand() -> None:
    wanted, found = trace([1, 1, 0, 0, 1], [0, 0, 0, 0, 0]), trace([1, 0, 1, 1, 0], [0, 1, 0, 0, 0])
    h, y = count_spikes(network(), wanted, found)
    assert (h.population, h.neuron_steps, h.float_spikes, h.integer_spikes) == ("h", 5, 3, 3)
    assert (h.missing, h.extra, h.differing, h.share) == (2, 2, 4, 4 / 3)
    assert (y.float_spikes, y.integer_spikes, y.missing, y.extra, y.share) == (0, 1, 0, 1, 1.0)
    assert not any(row.died or row.silent for row in (h, y))


def test_a_spike_of_the_other_sign_is_one_missing_and_one_extra() -> None:
    wanted, found = trace([1, -1, 0, -1], [0] * 4, np.int8), trace([-1, -1, -1, 0], [0] * 4, np.int8)
    h, y = count_spikes(network(), wanted, found)
    assert (h.float_spikes, h.integer_spikes, h.missing, h.extra) == (3, 3, 2, 2)
    assert y.silent


def test_a_population_that_died_and_one_that_never_spiked_are_told_apart() -> None:
    h, y = count_spikes(network(), trace([0, 1], [0, 0]), trace([0, 0], [0, 0]))
    assert (h.died, h.silent) == (True, False)
    assert (y.died, y.silent) == (False, True)


def test_a_population_whose_potential_alone_is_read_is_not_called_silent() -> None:
    graph = network(Readout.MEMBRANE_LAST)
    h, y = count_spikes(graph, trace([0], [0]), trace([0], [0]))
    assert (h.silent, y.silent) == (True, False)


def test_counts_of_parts_add_up() -> None:
    one = SpikeCounts(population="h", neuron_steps=5, float_spikes=3, integer_spikes=2, missing=2, extra=1)
    two = SpikeCounts(population="h", neuron_steps=7, float_spikes=0, integer_spikes=4, missing=0, extra=4)
    total = added([one, two])
    assert (total.neuron_steps, total.float_spikes, total.integer_spikes) == (12, 3, 6)
    assert (total.missing, total.extra, total.share) == (2, 5, 7 / 3)


def test_one_output_decides_nothing() -> None:
    graph = network()
    wanted = Trace(spikes={"y": np.zeros((3, 2, CLASSES), np.uint8)})
    found = Trace(spikes={"y": np.zeros((3, 2, CLASSES), np.uint8)})
    found.spikes["y"][1, 0, 2] = 1
    assert changed_decisions(graph, wanted, graph, found) == 1
    single = Trace(spikes={"y": np.zeros((3, 2, 1), np.uint8)})
    assert changed_decisions(graph, single, graph, single) is None


@pytest.mark.parametrize("whole", [True, False])
def test_a_proof_counts_what_float_model_and_integers_do_on_the_samples_compared(tmp_path: Path, whole: bool) -> None:
    opened = read_bundle(write_lossy(tmp_path / "b", {"h": 1})).executable
    data = make_spikes(samples(9), opened.program)
    effort = NORMAL if whole else replace(NORMAL, shard_values=1)
    proof = verify(opened, data, backend="reference", samples=7, effort=effort)
    assert proof.comparison.equal
    assert (proof.samples, proof.data_samples) == (7, 9)
    inputs = data.first(7).values()
    wanted, found = run_float(network(), inputs), integer.run(opened.program, inputs)
    classes = [run.spikes["y"].sum(axis=1).argmax(axis=1) for run in (wanted, found)]
    assert proof.changed_decisions == int((classes[0] != classes[1]).sum()) > 0
    for counts, neurons in zip(proof.counts, (HIDDEN, CLASSES), strict=True):
        f = wanted.spikes[counts.population].astype(bool)
        i = found.spikes[counts.population].astype(bool)
        assert counts.neuron_steps == 7 * STEPS * neurons
        assert (counts.float_spikes, counts.integer_spikes) == (f.sum(), i.sum())
        assert (counts.missing, counts.extra) == ((f & ~i).sum(), (i & ~f).sum())
        assert counts.missing > 0
    assert sum(counts.extra for counts in proof.counts) > 0


def test_a_program_that_is_right_misses_nothing(tmp_path: Path) -> None:
    opened = read_bundle(write_lossy(tmp_path / "b", {})).executable
    proof = verify(opened, SpikeData(inputs={"x": samples()["spikes"]}), backend="reference")
    assert sum(counts.float_spikes for counts in proof.counts) > 100
    assert all(counts.differing == 0 for counts in proof.counts)
