"""Certificates on observed ranges: their bound holds while accumulators keep to them, and leaving them is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibrated_nets import NETS, STEPS, spikes_of
from nodes import there
from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population
from tern2lava.compiler.options import Options, Ranges
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.calibration import SampleRuns
from tern2lava.sim.data.spike_file import make_spikes
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.watch import Limits, Watch

NARROW = Arithmetic(decay_bits=12, state_bits=17, threshold_bits=15, threshold_shift=0, gain_shift=0, gain_max_shift=14)


def lowered(name: str, folder: Path, ranges: Ranges = "calibrated", form: Arithmetic = NARROW) -> Lowered:
    graph = NETS[name].load(folder)
    data = make_spikes({"spikes": spikes_of(16, 21)}, graph, steps=STEPS, pad=False)
    return lower(
        graph, form, Options(ranges=ranges, allow_rounding=1.0), load_profile("loihi2"),
        calibrate=lambda real, progress: SampleRuns(real, data),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["soft", "resting"])
def test_a_certificate_is_conditional_where_ranges_were_observed_and_only_there(name: str, tmp_path: Path) -> None:
    found = lowered(name, tmp_path)
    (certificate,), (choice,) = found.certificates, found.choices
    assert certificate.verdict is Verdict.CONDITIONAL
    assert certificate.observed
    assert not certificate.no_overflow
    assert certificate.reason.startswith(
        "observed, conditional: while accumulators stay in the ranges that calibration"
    )
    observed = there(choice.observed)
    assert certificate.u_limit <= 2 * observed.u * choice.unit * (1 + 1e-12)
    assert certificate.v_limit <= 1.25 * observed.v * choice.unit * (1 + 1e-12)
    assert max(certificate.u_limit, certificate.v_limit) <= NARROW.state_max
    (plain,) = lowered(name, tmp_path, "steps").certificates
    assert (plain.observed, plain.no_overflow) == (False, True)
    assert plain.verdict is not Verdict.CONDITIONAL


def test_no_certificate_is_conditional_where_no_input_overflows(tmp_path: Path) -> None:
    wide = Arithmetic(**load_profile("generic-ternary").arithmetic_values())
    (certificate,) = lowered("soft", tmp_path, form=wide).certificates
    assert (certificate.observed, certificate.no_overflow) == (False, True)
    assert certificate.verdict is Verdict.BOUNDED


def test_a_bound_above_the_threshold_is_no_more_useful_for_being_conditional(tmp_path: Path) -> None:
    (certificate,) = lowered("adaptive", tmp_path).certificates
    assert certificate.observed
    assert (certificate.eps > NETS["adaptive"].arrays["jump"].min()).any()
    assert certificate.verdict is Verdict.MEASURED
    assert certificate.reason.startswith("the bound exceeds the threshold; rounded:")


@pytest.mark.parametrize("name", ["soft", "resting", "adaptive"])
def test_the_bound_holds_on_every_sample_that_keeps_to_the_ranges(name: str, tmp_path: Path) -> None:
    net, found = NETS[name], lowered(name, tmp_path)
    (certificate,) = found.certificates
    (population,) = found.program.of_kind(Population)
    (neuron,) = found.real.of_kind(Neuron)
    (entry,) = [node.name for node in found.program.nodes if node.name == "input"]
    gains = {}
    for projection in found.program.projections(population.inputs):
        key = "r" if projection.inputs[0] == population.name else "w"
        gains[key] = np.broadcast_to(projection.gain, population.shape)
    kept = left = 0
    nearest = 0.0
    for rate in (0.1, 0.2, 0.3, 0.5, 0.8):
        for seed in range(12):
            x = spikes_of(1, 100 + seed, rate)
            watch = Watch({population.name: Limits(u=certificate.u_limit, v=certificate.v_limit)})
            own = integer.run(found.program, {entry: x}, make=watch).spikes[population.name]
            (watched,) = watch.watched()
            if not watched.stayed:
                left += 1
                continue
            kept += 1
            spikes, met, *_ = net.real(x)
            apart = np.flatnonzero((own != spikes).any(axis=(0, 2)))
            alike = slice(None, int(apart[0]) + 1 if apart.size else None)
            whole = net.integers(x, spikes, population, gains, NARROW)
            unit = np.broadcast_to(neuron.unit, neuron.shape)
            off = np.abs((whole - population.threshold) * population.lsb / unit - (met / unit - neuron.threshold))
            assert (off[:, alike] <= certificate.eps * (1 + 1e-9)).all()
            nearest = max(nearest, float((off[:, alike] / certificate.eps).max()))
    assert kept > 5
    assert left > 5
    assert nearest > 0.05, "a bound that nothing comes near shows little"
