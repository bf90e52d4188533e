"""No input that the search finds parts integers from real numbers by more than certificates state."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from command_line import in_process
from drawn import Draw
from fraction_run import FractionRun
from network import network
from random_programs import numbers
from reseal import reseal
from rounded import decaying
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.errors import InputError
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.deviation import part
from tern2lava.sim.verify.worst import Certified, Worst, all_inputs, inputs_in_all, search


def searched(lowered: Lowered, tries: int = 48, seed: int = 0) -> Worst:
    certified = {
        c.population: Certified(
            verdict=c.verdict.value, bound=float(np.max(c.eps)) if c.verdict.value in ("EXACT", "BOUNDED") else None
        )
        for c in lowered.certificates
    }
    return search(lowered.real, lowered.program, certified, lowered.certificates[0].steps, tries, seed, few=1 << 10)


@pytest.mark.parametrize("decays", list(Decays))
def test_no_input_found_exceeds_the_bound_of_its_certificate(
    make_leaky: Draw, make_adaptive: Draw, make_network: Draw, arithmetic: Arithmetic, decays: Decays
) -> None:
    shares, bounded = [], 0
    for number in numbers(6):
        draws = {"leaky": make_leaky(number), "adaptive": make_adaptive(number), "any": make_network(number, leak=True)}
        for kind, (graph, _) in draws.items():
            try:
                lowered = lower(graph, arithmetic, Options(allow_rounding=1.0))
            except tern2lava.Tern2LavaError:
                continue
            lowered = decaying(lowered, decays)
            for one in searched(lowered, 24).found:
                assert not one.excess, f"{kind} {number}: {one}"
                if one.bound:
                    bounded += 1
                    shares.append(one.deviation / one.bound)
    assert bounded > 2
    # Bounds of twice the size would hold as well: of some, more than half is reached.
    assert max(shares) > 0.5


def test_a_bound_that_is_too_small_is_exceeded_by_what_is_found(make_leaky: Draw, fine: Arithmetic) -> None:
    refuted = 0
    for number in numbers(4):
        lowered = lower(make_leaky(number)[0], fine, Options(allow_rounding=1.0))
        halved = tuple(replace(c, eps=c.eps / 8) for c in lowered.certificates)
        refuted += searched(replace(lowered, certificates=halved)).excess
    assert refuted >= 2


def leaky(steps: int = 4, **fields: Any) -> Graph:
    return network([[1.0, 1.0]], steps=steps, **{"alpha_v": frozen(0.9), "threshold": frozen(1.7), **fields})


def test_all_inputs_are_tried_where_they_are_few_and_the_worst_of_them_is_told(fine: Arithmetic) -> None:
    lowered = lower(leaky(), replace(fine, gain_max_shift=5))
    worst = searched(lowered)
    assert worst.every
    assert worst.tried == inputs_in_all(lowered.program, 4) == 2**8
    nodes = lowered.program.of_kind(Input)
    every = np.concatenate([batch["x"] for batch in all_inputs(nodes, 4, 7)])
    assert len(np.unique(every.reshape(len(every), -1), axis=0)) == len(every) == 2**8
    # What parts, computed again in fractions: v' = 0.9 v + x until it spikes and is 0.
    population = lowered.program.population("n")
    unit, most = 1 / float(population.lsb), Fraction(0)
    trace = integer.run(lowered.program, {"x": every})
    exact = FractionRun(lowered.real, {"x": every})
    for x, v_int, fired in zip(every, trace.v["n"][:, :, 0], trace.spikes["n"][:, :, 0], strict=True):
        v = Fraction(0)
        for t in range(4):
            v = Fraction(0.9) * v + int(x[t].sum())
            if fired[t]:
                v = Fraction(0)
            else:
                most = max(most, abs(Fraction(int(v_int[t])) / Fraction(unit) - v))
    assert worst.found[0].deviation >= float(most) - 1e-12
    differs = (exact.spikes("n") != trace.spikes["n"]).any(axis=(1, 2))
    assert worst.found[0].differing == differs.sum()


def test_spikes_that_differ_are_found_among_all_inputs(fine: Arithmetic) -> None:
    lowered = lower(leaky(), replace(fine, gain_max_shift=5))
    raised = replace(lowered.program.population("n"), threshold=frozen(31, np.int64))
    wrong = lowered.with_program(
        lowered.program.with_nodes(raised if n.name == "n" else n for n in lowered.program.nodes)
    )
    (found,) = searched(wrong).found
    assert found.differing > 0
    assert found.differing_sample == 1
    parted = part(wrong.real, wrong.program, searched(wrong).inputs)["n"]
    assert parted.differs[1] == found.first


def test_the_same_seed_finds_the_same_and_what_is_found_is_no_better_than_random(
    make_leaky: Draw, fine: Arithmetic
) -> None:
    better = 0
    for number in numbers(3):
        lowered = lower(make_leaky(number)[0], fine, Options(allow_rounding=1.0))
        first, again = searched(lowered), searched(lowered)
        assert first.found == again.found
        assert all(np.array_equal(first.inputs[name], again.inputs[name]) for name in first.inputs)
        assert all(one.deviation >= one.random for one in first.found)
        better += any(one.deviation > one.random for one in first.found)
    assert better >= 2


def test_the_file_is_replayed_to_the_same_deviation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    graph = network(0.3 * np.sign(np.sin(np.arange(60.0)).reshape(6, 10)), steps=9, alpha_v=frozen(0.87))
    tern2lava.compile(graph, "loihi2", out=tmp_path / "build")
    run = in_process(monkeypatch, capsys)
    shown = run("worst", tmp_path / "build", "-o", tmp_path / "worst.npz", "--effort", "quick")
    assert shown.returncode == 0
    assert f"written to {tmp_path / 'worst.npz'}" in shown.stdout
    found = tern2lava.worst(tmp_path / "build", effort="quick").found[0]
    assert 0 < found.deviation <= (found.bound or 0)
    replayed = tern2lava.simulate(tmp_path / "build", tmp_path / "worst.npz", deviation=True)
    (apart,) = replayed.deviations
    assert apart.deviation == found.deviation
    assert (apart.sample, apart.step, apart.neuron) == (found.sample, found.step, found.neuron)
    assert apart.bound == found.bound
    text = run("simulate", tmp_path / "build", "--data", tmp_path / "worst.npz", "--deviation").stdout
    assert f"{found.deviation:.3g}" in text
    verified = tern2lava.verify(tmp_path / "build", tmp_path / "worst.npz", backend="reference")
    assert verified.verification is not None


def test_a_deviation_beyond_the_bound_ends_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tern2lava.compile(leaky(), "loihi2", out=tmp_path / "build")
    reseal(tmp_path / "build", report=lambda said: said["certificate"][0].update(eps=1e-12))
    shown = in_process(monkeypatch, capsys)("worst", tmp_path / "build")
    assert shown.returncode == 1
    assert "n parts by more than its certificate states" in " ".join(shown.stdout.split())


@pytest.mark.parametrize("seed", [-1, "a", 1.5])
def test_a_seed_that_is_no_whole_number_is_refused(seed: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed"):
        tern2lava.worst(tmp_path, seed=seed)


def test_the_potential_of_a_rearming_neuron_is_meant_without_what_rearming_takes_off(fine: Arithmetic) -> None:
    """Whether it rearms may differ while spikes are alike: v > 1 after the reset, in one of the two alone."""
    graph = network(
        [[1.0, 1.0, 1.0, 1.0]], steps=6, alpha_v=frozen(0.9), threshold=frozen(1.0), reset=Reset.SUBTRACT,
        reset_amount=frozen(1.0), rearm=True,
    )  # fmt: skip
    lowered = lower(graph, replace(fine, gain_max_shift=6), Options(allow_rounding=1.0))
    certificate = lowered.certificates[0]
    assert certificate.verdict.value == "BOUNDED"
    x = np.random.default_rng(1).integers(0, 2, (400, 6, 4))
    parted = part(lowered.real, lowered.program, {"x": x})["n"]
    assert 0 < parted.furthest.max() <= float(np.max(certificate.eps)) * (1 + 1e-9)
    trace = integer.run(lowered.program, {"x": x})
    unit = float(lowered.program.population("n").lsb)
    # In the first step nothing has rearmed: v is 0.9 v_init + x in both.
    assert parted.furthest[(x[:, 1:] == 0).all(axis=(1, 2))].max(initial=0.0) <= float(np.max(certificate.eps))
    assert trace.v["n"].max() * unit > 1.0
