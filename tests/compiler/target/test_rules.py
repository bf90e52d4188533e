"""Support rules refuse what a target lacks by name, and fill the table that explains them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes import node, there
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.target import rules
from tern2lava.compiler.target.rules import RULES, check_rules, support_table
from tern2lava.errors import UnsupportedError
from tern2lava.hw_profiles import Profile, load_profile, profile_names

WHOLE = frozen(0, np.int64)
PLAIN = Population(
    name="n", inputs=("w",), shape=(2,), start=1, decay_u=frozen(4096, np.int64), decay_v=WHOLE, bias=WHOLE,
    threshold=frozen(64, np.int64), reset=Reset.ZERO, reset_amount=WHOLE, v_init=WHOLE, lsb=frozen(1.0),
)  # fmt: skip
SYNAPSES = Projection(name="w", inputs=("x",), weight=frozen([[1], [-1]], np.int8), gain=frozen(64, np.int64))


def program(
    population: Population = PLAIN, projection: Projection = SYNAPSES, levels: tuple[int, int] = (0, 1)
) -> Graph:
    return Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(),
        nodes=(Input(name="x", shape=(1,), levels=levels), projection, population, Output(name="y", inputs=("n",))),
    )  # fmt: skip


def limited(**leaves: Any) -> Profile:
    """The tiny target with leaves such as neuron__resets changed."""
    document = load_profile("tiny").model_dump(mode="json")
    for path, value in leaves.items():
        section, leaf = path.split("__")
        document[section][leaf]["value"] = value
    return Profile.model_validate(document)


def in_a_circle() -> Graph:
    """Two populations in a loop with one step of delay, which takes two hardware timesteps."""
    square = replace(SYNAPSES, weight=frozen([[1, 0], [0, 1]], np.int8))
    return Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(), slowdown=2,
        nodes=(
            Input(name="x", shape=(1,)), SYNAPSES, replace(PLAIN, inputs=("w", "back")),
            replace(square, name="on", inputs=("n",)), replace(PLAIN, name="m", inputs=("on",), start=2),
            replace(square, name="back", inputs=("m",)), Output(name="y", inputs=("m",)),
        ),
    )  # fmt: skip


EVERY = tuple(each for _, of_kind in RULES for each in of_kind)
CASES = [
    ("reset_mode", limited(neuron__resets=["zero"]), program(replace(PLAIN, reset=Reset.SUBTRACT)), "reset subtract"),
    ("neuron_kind", limited(neuron__kinds=["signed"]), program(replace(PLAIN, refractory=2)), "refractory"),
    (
        "relay_payload", limited(routing__payload_bits=4),
        program(replace(PLAIN, levels=(-8, 3), reset=Reset.NONE, threshold=WHOLE)), "partial sums from -8 to 3",
    ),
    (
        "synaptic_current", limited(neuron__synaptic_current=False),
        program(replace(PLAIN, decay_u=frozen(100, np.int64))), "a synaptic current with memory",
    ),
    (
        "neuron_bias", limited(neuron__per_neuron_bias=False),
        program(replace(PLAIN, bias=frozen([1, 2], np.int64))), "biases that differ between neurons",
    ),
    (
        "neuron_bias", limited(neuron__per_neuron_bias=False),
        program(replace(PLAIN, bias_u=frozen([1, 2], np.int64))), "biases that differ between neurons",
    ),
    (
        "weight_bits", limited(synapse__weight_bits=[2]), program(projection=replace(SYNAPSES, bits=3)),
        "codes of 3 bits",
    ),
    (
        "synaptic_delay", limited(synapse__max_delay=1), program(projection=replace(SYNAPSES, delay=2)),
        "a delay of 2 steps",
    ),
    (
        "channel_gain", limited(synapse__channel_gain=False),
        program(projection=replace(SYNAPSES, gain=frozen([64, 128], np.int64))),
        "gains that are no common power of two",
    ),
    (
        "channel_gain", limited(synapse__channel_gain=False, synapse__weight_bits=[2]),
        program(projection=replace(SYNAPSES, gain=frozen(96, np.int64))), "gains that are no common power of two",
    ),
    (
        "membrane_decay", limited(neuron__decay=False), program(replace(PLAIN, decay_v=frozen([0, 9], np.int64))),
        "a potential that decays by a factor",
    ),
    (
        "reset_amount", limited(neuron__subtracts="threshold"),
        program(replace(PLAIN, reset=Reset.SUBTRACT, reset_amount=frozen([65, 64], np.int64))),
        "a reset by 64 where the lowest potential that spikes is 65",
    ),
    (
        "initial_potential", limited(neuron__initial_potential=False),
        program(replace(PLAIN, v_init=frozen(3, np.int64))), "potentials that do not begin at 0",
    ),
    (
        "late_start", limited(neuron__late_start="none"), program(replace(PLAIN, bias=frozen(1, np.int64))),
        "a bias from step 1 on",
    ),
    (
        "rounding", limited(neuron__rounding="truncate"),
        program(replace(PLAIN, decay_v=frozen(9, np.int64), decays=Decays.NEAREST)),
        "decays to the nearest whole number",
    ),
    (
        "rounding", limited(neuron__rounding="programs"),
        program(replace(PLAIN, decay_u=frozen(9, np.int64), decays=Decays.NEAREST)),
        "decays to the nearest whole number",
    ),
    ("input_payload", limited(routing__payload_bits=1), program(levels=(0, 2)), "input values 0 to 2"),
    ("input_payload", limited(routing__payload_bits=2), program(levels=(-2, 3)), "input values -2 to 3"),
    (
        "long_step", limited(neuron__holds=False), in_a_circle(),
        "1 step of delay over 2 synapses, a step of 2 hardware timesteps",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "profile", "graph", "found"), CASES)
def test_what_a_target_lacks_is_refused_by_its_rule(rule: str, profile: Profile, graph: Graph, found: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        check_rules(graph, profile)
    assert raised.value.found == found
    named = next(r for r, _ in EVERY if r.__name__ == rule)
    said = there(named.__doc__).rstrip(".")
    assert raised.value.rule.startswith(f"that {said[0].lower()}{said[1:]} (")
    assert f"tiny allows: {named(profile)[0]}" in raised.value.rule
    assert raised.value.hint


def passes(graph: Graph, profile: Profile) -> bool:
    try:
        check_rules(graph, profile)
    except UnsupportedError:
        return False
    return True


@pytest.mark.parametrize(("rule", "profile", "graph", "found"), CASES)
def test_the_targets_that_a_refusal_names_execute_the_network_and_no_other_does(
    rule: str, profile: Profile, graph: Graph, found: str
) -> None:
    with pytest.raises(UnsupportedError) as raised:
        check_rules(graph, profile)
    (names,) = re.findall(r"\(([\w -]+(?:, [\w -]+)*)\); ", raised.value.hint)
    chips = [load_profile(name) for name in profile_names() if name not in (profile.name, "tiny")]
    assert names.split(", ") == [chip.name for chip in chips if passes(graph, chip)]


@pytest.mark.parametrize("target", profile_names())
@pytest.mark.parametrize("rule", [rule.__name__ for rule, _ in EVERY])
def test_every_target_names_others_only_where_they_pass_the_rule(target: str, rule: str) -> None:
    """Each rule's cases on each shipped target: whatever it refuses, the names in the hint are true."""
    for case, _, graph, _ in CASES:
        if case != rule:
            continue
        try:
            check_rules(graph, load_profile(target))
        except UnsupportedError as error:
            for name in profile_names():
                if re.search(rf"[(, ]{name}[,)]", error.hint):
                    assert passes(graph, load_profile(name))


def test_what_no_shipped_target_has_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tern2lava.compiler.target.rules.known_profiles", lambda: [load_profile("tiny")])
    _, profile, graph, _ = CASES[0]
    with pytest.raises(UnsupportedError, match=r"choose a target that has it \(none that is shipped\); another"):
        check_rules(graph, profile)


def test_a_target_that_has_everything_takes_what_others_refuse() -> None:
    for rule, _, graph, _ in CASES:
        if rule != "input_payload" or node(graph, "x", Input).levels[1] < 2:
            check_rules(graph, limited(neuron__rounding="nearest"))
    check_rules(program(), limited(neuron__per_neuron_bias=False, synapse__channel_gain=False, routing__payload_bits=1))


def test_every_rule_is_a_row_of_the_table_with_what_each_target_allows() -> None:
    profiles = [load_profile(name) for name in profile_names()]
    rows = support_table(profiles)
    assert [row["rule"] for row in rows] == [rule.__name__ for rule, _ in EVERY]
    assert {case[0] for case in CASES} == {row["rule"] for row in rows}, "every rule has a case here"
    for row, (rule, hint) in zip(rows, EVERY, strict=True):
        assert row["meaning"] == rule.__doc__
        assert row["hint"] == hint.format(targets="")
        assert all(row[profile.name] for profile in profiles)


def test_a_refusal_reads_as_what_is_required_and_what_was_found() -> None:
    _, profile, graph, _ = CASES[0]
    with pytest.raises(UnsupportedError) as raised:
        check_rules(graph, profile)
    assert str(raised.value) == (
        "n: requires that a population's reset is one that the target's neurons have (tiny allows: zero); found reset "
        "subtract; choose a target that has it (generic-ternary, hala-point, kapoho-point, loihi2); another "
        "reset changes the network"
    )


def test_a_delay_that_is_too_long_is_refused_by_the_rule_alone_before_anything_is_mapped() -> None:
    profile = limited(synapse__max_delay=1)
    with pytest.raises(
        UnsupportedError, match=r"no longer than the target's delay lines.*a delay of 2 steps"
    ) as raised:
        map_program(program(projection=replace(SYNAPSES, delay=2)), profile)
    assert raised.value.exit_code == 3
    folder = Path(rules.__file__).parents[1]
    owners = [path.name for path in folder.rglob("*.py") if "max_delay" in path.read_text(encoding="utf-8")]
    assert owners == ["rules.py"]


def test_what_rounds_nothing_is_refused_by_no_target() -> None:
    """Decays that keep or forget everything make whole numbers of whole numbers, whatever the population says."""
    cut = limited(neuron__rounding="truncate")
    check_rules(program(replace(PLAIN, decays=Decays.NEAREST)), cut)
    partly = replace(PLAIN, decay_v=frozen(9, np.int64), decays=Decays.NEAREST)
    check_rules(program(partly), limited(neuron__rounding="nearest"))
    check_rules(program(replace(partly, reset=Reset.NONE)), limited(neuron__rounding="programs"))
