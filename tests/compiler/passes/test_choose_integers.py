"""The search for integers: what samples buy, what ranges allow, and that rounding follows the target.

Spikes that change are counted with the integer runs of tests/helpers/calibrated_nets.py, which are apart from the
package.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from archive import save_npz
from calibrated_nets import NETS, STEPS, Net, spikes_of
from nodes import there
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Population
from tern2lava.compiler.options import Options, Ranges
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.errors import UnsupportedError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.calibration import SampleRuns
from tern2lava.sim.data.spike_file import make_spikes
from tern2lava.sim.reference import integer

TARGETS = ("loihi2", "generic-ternary")
SAMPLES = 24
# So narrow that integers change spikes.
NARROW = Arithmetic(decay_bits=12, state_bits=15, threshold_bits=13, threshold_shift=0, gain_shift=0, gain_max_shift=12)


def lowered(
    net: Net, folder: Path, target: str, ranges: Ranges = "steps", x: Any = None, samples: bool = True,
    form: Arithmetic | None = None,
) -> Lowered:  # fmt: skip
    """`net` lowered for `target` with these calibration samples (None: SAMPLES of them), or without any.
    form: in the place of the target's."""
    profile = load_profile(target)
    x = spikes_of(SAMPLES, 11) if x is None else x
    data = make_spikes({"spikes": x}, net.load(folder), steps=STEPS, pad=False)
    return lower(
        net.load(folder), form or Arithmetic(**profile.arithmetic_values()), Options(ranges=ranges, allow_rounding=0.5),
        profile, calibrate=(lambda real, progress: SampleRuns(real, data)) if samples else None,
    )  # fmt: skip


def changed(net: Net, program: Graph, x: Any) -> int:
    """Spikes that differ from the network's, which feed and reset the layer, by the run apart from the package."""
    (population,) = program.of_kind(Population)
    gains = {}
    for projection in program.projections(population.inputs):
        key = "r" if projection.inputs[0] == population.name else "w"
        gains[key] = np.broadcast_to(projection.gain, population.shape)
    spikes = net.real(x)[0]
    assert program.arithmetic is not None
    met = net.integers(x, spikes, population, gains, program.arithmetic)
    fires = (met > population.threshold).astype(int)
    if population.threshold_low is not None:
        fires -= met < population.threshold_low
    rested = np.zeros(spikes.shape, bool)
    if net.kind == "resting":
        for t in range(1, STEPS):
            rested[:, t] = spikes[:, max(0, t - 2) : t].any(axis=1)
    return int(np.count_nonzero((fires != spikes) & ~rested))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", NETS)
def test_the_choice_counts_what_changes_on_the_samples_and_what_did_without_them(
    name: str, target: str, tmp_path: Path
) -> None:
    net, x = NETS[name], spikes_of(SAMPLES, 11)
    plain = lowered(net, tmp_path, target, samples=False)
    assert [(c.samples, c.spikes, c.changed, c.changed_before, c.moved) for c in plain.choices] == [(None,) * 4 + (0,)]
    ways: tuple[Ranges, ...] = ("steps", "calibrated")
    for ranges in ways:
        found = lowered(net, tmp_path, target, ranges)
        (choice,) = found.choices
        assert choice.samples == SAMPLES
        assert choice.spikes == np.count_nonzero(net.real(x)[0])
        assert choice.changed == changed(net, found.program, x)
        assert choice.changed_before == changed(net, plain.program, x)
        assert there(choice.changed) <= there(choice.changed_before)


# Of "signed" four spikes change in all.
@pytest.mark.parametrize("name", ["soft", "resting", "adaptive"])
def test_samples_save_spikes_on_others(name: str, tmp_path: Path) -> None:
    net, others = NETS[name], spikes_of(200, 12)
    plain = changed(net, lowered(net, tmp_path, "loihi2", samples=False, form=NARROW).program, others)
    steps = changed(net, lowered(net, tmp_path, "loihi2", form=NARROW).program, others)
    observed = changed(net, lowered(net, tmp_path, "loihi2", "calibrated", form=NARROW).program, others)
    assert plain > 100
    # Where every input has to fit, little is to be gained, and what is fitted to some samples may cost others a few.
    assert steps <= 1.02 * plain
    assert observed < plain / 5


@pytest.mark.parametrize("name", NETS)
def test_the_same_samples_choose_the_same_integers(name: str, tmp_path: Path) -> None:
    first, second = (lowered(NETS[name], tmp_path, "loihi2", "calibrated").program for _ in range(2))
    for one, other in zip(first.nodes, second.nodes, strict=True):
        for key, value in vars(one).items():
            np.testing.assert_array_equal(value, vars(other)[key])


@pytest.mark.parametrize("name", NETS)
def test_observed_ranges_fit_the_state_with_their_margins_and_allow_units_at_least_as_fine(
    name: str, tmp_path: Path
) -> None:
    plain = lowered(NETS[name], tmp_path, "loihi2").choices[0]
    found = lowered(NETS[name], tmp_path, "loihi2", "calibrated").choices[0]
    _, _, currents, reach = NETS[name].real(spikes_of(SAMPLES, 11))
    observed = there(found.observed)
    assert plain.observed is None
    assert found.unit >= plain.unit
    assert found.unit * max(2 * observed.u, 1.25 * observed.v) <= (1 << 23) - 1
    assert plain.finer is None or plain.finer > plain.unit
    assert found.finer is None
    assert (currents.max() > 0, reach.max() > 0) == (observed.u > 0, observed.v > 0)


def test_units_that_are_no_power_of_two_are_taken_where_they_change_fewer_spikes(tmp_path: Path) -> None:
    units = {name: lowered(NETS[name], tmp_path, "loihi2", "calibrated").choices[0].unit for name in NETS}
    assert any(not math.log2(unit).is_integer() for unit in units.values()), units


@pytest.mark.parametrize("ranges", ["steps", "calibrated"])
@pytest.mark.parametrize("name", NETS)
def test_silent_samples_change_nothing(name: str, ranges: Ranges, tmp_path: Path) -> None:
    silent_input = np.zeros((3, STEPS, 24), np.uint8)
    plain = lowered(NETS[name], tmp_path, "loihi2", samples=False, form=NARROW)
    silent = lowered(NETS[name], tmp_path, "loihi2", ranges, x=silent_input, form=NARROW)
    assert (silent.choices[0].unit, silent.choices[0].spikes) == (plain.choices[0].unit, 0)
    assert silent.choices[0].finer is None
    (before,), (after,) = plain.program.of_kind(Population), silent.program.of_kind(Population)
    np.testing.assert_array_equal(after.threshold, before.threshold)
    assert after.decays is before.decays
    assert [c.observed for c in silent.certificates] == [False]


def test_a_target_that_truncates_gets_no_other_rounding(tmp_path: Path) -> None:
    # Loihi 1 has no reset but to zero, as `resting` has it; in states so narrow that rounding to the nearest is better.
    for samples in (False, True):
        ranges: Ranges = "calibrated" if samples else "steps"
        for target, decays in (("loihi1", Decays.TRUNCATE), ("generic-ternary", Decays.NEAREST)):
            found = lowered(NETS["resting"], tmp_path, target, ranges, samples=samples, form=NARROW)
            assert [p.decays for p in found.program.of_kind(Population)] == [decays], target


def test_lower_thresholds_count_too(tmp_path: Path) -> None:
    (choice,) = lowered(NETS["signed"], tmp_path, "loihi2").choices
    assert choice.thresholds in (2, 2 * 16)
    assert choice.moved <= choice.thresholds


HALF = """
input: {shape: [1]}
steps: 60
readout: spike_count
layers:
  - dense: {weight: w}
  - neuron: {kind: leaky, beta: 0.5, threshold: 1.0, reset: subtract, reset_delay: false, fire: ">="}
"""


def half(folder: Path, target: str, calibrate: Any = None) -> Compiled:
    """A neuron that a drive of half its threshold brings ever nearer to it, and never to it."""
    save_npz(folder / "half.npz", w=np.full((1, 1), 0.5, np.float32))
    (folder / "half.yaml").write_text(HALF, encoding="utf-8")
    return tern2lava.compile(folder / "half.npz", target, net=folder / "half.yaml", calibrate=calibrate)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_drive_of_half_the_threshold_never_fires(calibrated: bool, target: str, tmp_path: Path) -> None:
    x = np.ones((2, 60, 1), np.uint8)
    compiled = half(tmp_path, target, x if calibrated else None)
    trace = integer.run(compiled.lowered.program, {"input": x})
    assert not next(iter(trace.spikes.values())).any()


def test_no_integers_hold_every_input_for_ever_where_nothing_leaks(tmp_path: Path) -> None:
    save_npz(tmp_path / "net.npz", w=np.array([[1.0, -1.0]], np.float32))
    text = HALF.replace("[1]", "[2]").replace("kind: leaky, beta: 0.5", "kind: if")
    (tmp_path / "net.yaml").write_text(text, encoding="utf-8")
    found = f"{tmp_path}/net.npz", f"{tmp_path}/net.yaml"
    tern2lava.compile(found[0], "loihi2", net=found[1])
    with pytest.raises(UnsupportedError, match=r"^neuron1: requires integers that no input can make overflow, in any"):
        tern2lava.compile(found[0], "loihi2", net=found[1], options=Options(ranges="proven"))


def test_proven_ranges_hold_for_any_number_of_steps(tmp_path: Path) -> None:
    found = lowered(NETS["soft"], tmp_path, "loihi2", "proven", samples=False)
    assert [c.to_dict()["safe_steps"] for c in found.certificates] == [None]
    steps = lowered(NETS["soft"], tmp_path, "loihi2", samples=False)
    assert found.choices[0].unit <= steps.choices[0].unit
