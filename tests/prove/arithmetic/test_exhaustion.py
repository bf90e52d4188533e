"""Trying all that can happen to a neuron proves its spikes, or finds sums after which they differ."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from command_line import in_process
from fraction_run import FractionRun
from network import network
from random_programs import numbers
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Conv2d,
    Delay,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Reset,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.prove.arithmetic.exhaustion import Tried, try_population
from tern2lava.prove.arithmetic.graphs import NotProvenError, network_of
from tern2lava.sim.reference import integer

# So few bits that integers and real numbers often spike otherwise.
ROUGH = Arithmetic(threshold_bits=23, threshold_shift=0, bias_bits=24, bias_max_exp=0, gain_shift=0, gain_max_shift=3)


def tried(lowered: Lowered, program: Graph | None = None, most: int = 1 << 20) -> Tried:
    real, coded = (network_of(*graph_document(graph)) for graph in (lowered.real, program or lowered.program))
    return try_population(real, coded, "n", lowered.certificates[0].steps, most)


def drawn(number: int) -> Lowered:
    """A neuron of two synapses and five steps, leaky, of any reset, signed or refractory now and then."""
    rng = np.random.default_rng([9, number])
    fields: dict[str, Any] = {
        "alpha_v": frozen(rng.uniform(0.3, 1.0)), "alpha_u": frozen(rng.choice([0.0, rng.uniform(0.1, 0.9)])),
        "threshold": frozen(rng.uniform(0.5, 2.5)), "reset": Reset(str(rng.choice([r.value for r in Reset]))),
        "reset_amount": frozen(rng.uniform(0.5, 2.0)), "compare": list(Compare)[int(rng.integers(2))],
        "bias": frozen(rng.choice([0.0, rng.uniform(-0.1, 0.2)])), "v_init": frozen(rng.choice([0.0, 0.3])),
        "refractory": int(rng.choice([0, 0, 1])),
    }  # fmt: skip
    if rng.random() < 0.3:
        fields["threshold_low"] = frozen(-rng.uniform(0.5, 2.0))
    return lower(network([rng.choice([-1.0, 1.0], 2)], steps=5, **fields), ROUGH, Options(allow_rounding=10.0))


def test_it_finds_a_difference_where_one_of_all_inputs_makes_one_and_proves_the_rest() -> None:
    every = np.array(list(product([0, 1], repeat=10)), np.uint8).reshape(-1, 5, 2)
    proven = differ = 0
    for number in numbers(14):
        lowered = drawn(number)
        found = tried(lowered)
        meant = FractionRun(lowered.real, {"x": every}).spikes("n")
        spikes = integer.run(lowered.program, {"x": every}, states=False).spikes["n"]
        apart = (meant != spikes).any(axis=2)
        assert found.proven != apart.any(), f"neuron {number}: {found}"
        if found.sums is None:
            proven += 1
            continue
        differ += 1
        assert found.certain
        # The sums told are those of an input on which spikes first differ in the step of the last.
        codes = np.asarray(lowered.real.projection("w").weight)
        sums = every @ codes[0].astype(int)
        first = np.where(apart.any(axis=1), apart.argmax(axis=1), -1)
        told = np.array([each[0] for each in found.sums])
        alike = (sums[:, : len(told)] == told).all(axis=1)
        assert alike.any()
        assert (first[alike] == len(told) - 1).all()
    assert proven >= 2
    assert differ >= 2


def test_what_is_too_much_is_not_tried() -> None:
    lowered = drawn(1)
    pairs = tried(lowered).pairs
    assert tried(lowered, most=pairs).pairs == pairs
    with pytest.raises(NotProvenError, match="more than 10 states and sums"):
        tried(lowered, most=10)


def test_mechanisms_that_are_not_followed_are_named() -> None:
    lowered = lower(network([[1.0]], steps=3, rearm=True, reset=Reset.SUBTRACT), ROUGH)
    with pytest.raises(NotProvenError, match="its mechanism is not followed here"):
        tried(lowered)


def test_prove_says_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    graph = network([[1.0, 1.0]], [[1.0]], steps=4, alpha_v=frozen(0.9), threshold=frozen(1.7))
    tern2lava.compile(graph, "loihi2", out=tmp_path / "build")
    run = in_process(monkeypatch, capsys)
    assert "trying" not in run("prove", tmp_path / "build").stdout
    shown = run("prove", tmp_path / "build", "--exhaustive")
    said = " ".join(shown.stdout.split())
    assert shown.returncode == 0
    assert "n1 PROVEN to spike as real numbers for every input, by trying: one kind of neurons, " in said
    proof = tern2lava.prove(tmp_path / "build", exhaustive=True)
    assert proof.arithmetic is not None
    assert [one.proven for one in proof.arithmetic.tried] == [True, True]


def test_sums_of_another_population_may_be_none_that_an_input_makes() -> None:
    graph = network([[1.0]], [[1.0]], names=("first", "n"), steps=3, alpha_v=frozen(0.9), threshold=frozen(0.5))
    lowered = lower(graph, ROUGH, Options(allow_rounding=10.0))
    raised = replace(lowered.program.population("n"), threshold=frozen(1 << 20, np.int64))
    program = lowered.program.with_nodes(raised if n.name == "n" else n for n in lowered.program.nodes)
    found = tried(lowered, program)
    assert not found.certain
    assert str(found) == ("DIFFERS in neuron (0,), step 0, after sums of 1; whether an input makes them is not known")


def never_spiking(*layers: Node, shape: tuple[int, ...], seen: tuple[int, ...], threshold: float) -> Tried:
    """What is told of neurons behind `layers` (the last named w) whose integers never spike."""
    neuron = Neuron(name="n", inputs=("w",), shape=seen, threshold=frozen(threshold), alpha_v=frozen(0.9))
    nodes = (Input(name="x", shape=shape), *layers, neuron, Output(name="y", inputs=("n",)))
    lowered = lower(Graph(level=Level.IMPORTED, nodes=nodes, steps=3), ROUGH, Options(allow_rounding=10.0))
    raised = replace(lowered.program.population("n"), threshold=frozen(1 << 20, np.int64))
    return tried(lowered, lowered.program.with_nodes(raised if n.name == "n" else n for n in lowered.program.nodes))


@pytest.mark.parametrize(("side", "told"), [(3, (0, 1, 1)), (2, None)])
def test_sums_of_a_whole_kernel_are_those_of_a_neuron_that_sees_all_of_it(
    side: int, told: tuple[int, ...] | None
) -> None:
    convolution = Conv2d(name="w", inputs=("x",), weight=frozen(np.ones((1, 1, 3, 3))), padding=(1, 1, 1, 1))
    found = never_spiking(convolution, shape=(1, side, side), seen=(1, side, side), threshold=8.5)
    assert found.sums == ((9,),)
    assert found.certain == (told is not None)
    assert told is None or found.neuron == told


def test_a_delay_lets_no_input_make_a_sum_before_it_has_passed() -> None:
    dense = Dense(name="w", inputs=("late",), weight=frozen([[1.0]]))
    found = never_spiking(Delay(name="late", inputs=("x",), steps=1), dense, shape=(1,), seen=(1,), threshold=0.5)
    assert found.sums == ((1,),)
    assert not found.certain
