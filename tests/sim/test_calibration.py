"""Layers on calibration samples: each is fed and reset by the reference's spikes, in real numbers and in integers.

What is expected is computed in tests/helpers/calibrated_nets.py, apart from the package.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibrated_nets import NETS, STEPS, Net, spikes_of
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Neuron, Population
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.sim.calibration import SampleRuns
from tern2lava.sim.data.spike_file import SpikeData, make_spikes

# So few bits that integers change spikes, which the reference's have to stand for.
COARSE = Arithmetic(decay_bits=6, state_bits=14, threshold_bits=12, threshold_shift=0, gain_shift=0, gain_max_shift=9)
SAMPLES = 5


def lowered(net: Net, folder: Path) -> Lowered:
    return lower(net.load(folder), COARSE, Options(allow_rounding=10.0))


def data(real: Graph, samples: int = SAMPLES) -> SpikeData:
    return make_spikes({"spikes": spikes_of(samples, 7)}, real, steps=STEPS, pad=False)


@pytest.mark.parametrize("name", NETS)
def test_a_layer_in_real_numbers_is_that_of_the_network(name: str, tmp_path: Path) -> None:
    net = NETS[name]
    real = lowered(net, tmp_path).real
    (neuron,) = real.of_kind(Neuron)
    spikes, met, *_ = net.real(spikes_of(SAMPLES, 7))
    assert 0.02 < np.abs(spikes).mean() < 0.5
    found = SampleRuns(real, data(real)).real(neuron)
    np.testing.assert_array_equal(found.spikes, spikes)
    rested = np.zeros(spikes.shape, bool)
    if name == "resting":
        for t in range(1, STEPS):
            rested[:, t] = spikes[:, max(0, t - 2) : t].any(axis=1)
        assert rested.any()
    np.testing.assert_array_equal(found.rested, rested)
    unit = np.broadcast_to(neuron.unit, neuron.shape)
    np.testing.assert_allclose(found.met * unit, met, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("decays", Decays)
@pytest.mark.parametrize("name", NETS)
def test_a_layer_in_integers_is_reset_by_the_spikes_of_the_network_and_not_by_its_own(
    name: str, decays: Decays, tmp_path: Path
) -> None:
    net = NETS[name]
    made = lowered(net, tmp_path)
    (population,) = made.program.of_kind(Population)
    population = replace(population, decays=decays)
    projections = made.program.projections(population.inputs)
    gains = {p.inputs[0] == population.name: np.broadcast_to(p.gain, population.shape) for p in projections}
    x = spikes_of(SAMPLES, 7)
    spikes = net.real(x)[0]
    expected = net.integers(x, spikes, population, {"w": gains[False], "r": gains[True]}, COARSE)
    own = (expected > population.threshold).astype(int)
    if population.threshold_low is not None:
        own -= expected < population.threshold_low
    assert (own != spikes).any(), "integers that change no spike do not tell whose spikes reset"
    runs = SampleRuns(made.real, data(made.real))
    np.testing.assert_array_equal(runs.integers(population, tuple(projections), COARSE).met, expected)


@pytest.mark.parametrize("name", NETS)
def test_ranges_are_the_largest_magnitudes_on_all_samples(name: str, tmp_path: Path) -> None:
    net = NETS[name]
    real = lowered(net, tmp_path).real
    (neuron,) = real.of_kind(Neuron)
    found = SampleRuns(real, data(real)).real(neuron).observed
    _, _, currents, reach = net.real(spikes_of(SAMPLES, 7))
    unit = np.broadcast_to(neuron.unit, neuron.shape)
    if name == "signed":
        currents = currents / 2.3  # what decay_input leaves of an input
    assert found.u == pytest.approx((currents / unit).max())
    assert found.v == pytest.approx((reach / unit).max())
    assert (found.u_limit, found.v_limit) == (2 * found.u, 1.25 * found.v)
    assert found.largest == max(found.u_limit, found.v_limit)


def test_as_many_samples_are_run_as_the_effort_says_and_these_are_the_first(tmp_path: Path) -> None:
    real = lowered(NETS["soft"], tmp_path).real
    (neuron,) = real.of_kind(Neuron)
    all_of_them = SampleRuns(real, data(real)).real(neuron)
    for effort in (
        replace(NORMAL, calibrated_samples=2),
        replace(NORMAL, calibrated_work=2 * STEPS * (16 * 24 + 16 * 16) + 1),
        replace(NORMAL, calibrated_values=2 * STEPS * 16 + 1),
    ):
        runs = SampleRuns(real, data(real), effort)
        np.testing.assert_array_equal(runs.real(neuron).met, all_of_them.met[:2])
        assert runs.told.samples == SAMPLES
        assert runs.told.run == (SAMPLES if effort.calibrated_values < 1000 else 2)
    pieces = SampleRuns(real, data(real), replace(NORMAL, shard_values=1)).real(neuron)
    np.testing.assert_array_equal(pieces.met, all_of_them.met)


def test_progress_counts_samples(tmp_path: Path) -> None:
    real = lowered(NETS["soft"], tmp_path).real
    told: list[tuple[str, int, int]] = []
    SampleRuns(real, data(real), replace(NORMAL, shard_values=1), progress=lambda *what: told.append(what))
    assert told == [("calibration", k, SAMPLES) for k in range(SAMPLES + 1)]


def test_no_samples_are_an_error_of_one_line(tmp_path: Path) -> None:
    real = lowered(NETS["soft"], tmp_path).real
    none = data(real).first(0)
    with pytest.raises(InputError, match="^calibration: requires samples; found none; give spikes of typical inputs$"):
        SampleRuns(real, none)
