"""Support rules: what a target can execute. Each rejects, explains, and fills its row of the support table.

A rule is a function of a profile whose docstring is the rule in one sentence; it returns what the target allows, as
text, and a test that returns what a node has that the target lacks (None where it is supported).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tern2lava.compiler.certify.ranges import payload_width
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, NodeBase, Population, Projection, Reset
from tern2lava.compiler.ir.linear import stored_weights
from tern2lava.compiler.ir.timing import slowest_loop
from tern2lava.compiler.neurons.mechanism import MECHANISMS, kind_names
from tern2lava.compiler.target.stock_neuron import decays_allowed, decays_partly
from tern2lava.counts import count
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.findings import alone, stopping
from tern2lava.hw_profiles import NO_CHIP, known_profiles
from tern2lava.hw_profiles.profile import Profile

PLAIN = "plain"
"""The word of profiles for neurons without a mechanism."""

_WAITS = "a delayed subtraction with a decay of 0, which takes adaptive ones"

Test = Callable[[Any], str | None]
Rule = Callable[[Profile], tuple[str, Test]]


def reset_mode(profile: Profile) -> tuple[str, Test]:
    """A population's reset is one that the target's neurons have."""
    allowed = profile.neuron.resets.value

    def test(population: Population) -> str | None:
        return None if population.reset.value in allowed else f"reset {population.reset.value}"

    return ", ".join(allowed), test


def neuron_kind(profile: Profile) -> tuple[str, Test]:
    """Refractory, signed, rearming, adaptive and relaying neurons are ones that the target has."""
    allowed = profile.neuron.kinds.value
    known = (PLAIN, *MECHANISMS.names())
    unknown = [kind for kind in allowed if kind not in known]
    if unknown:
        raise InputError(
            f"{profile.name}: neuron.kinds", f"requires some of {', '.join(known)}; found {', '.join(unknown)}; mend it"
        )

    def test(population: Population) -> str | None:
        lacking = [kind for kind in kind_names(population) if kind not in allowed]
        waits = population.gain_a is not None and not np.any(population.gain_a)
        return ", ".join(_WAITS if kind == "adaptive" and waits else kind for kind in lacking) or None

    return ", ".join(allowed) or "none", test


def input_payload(profile: Profile) -> tuple[str, Test]:
    """Input values other than 0 and 1 fit the payload of a spike."""
    allowed = profile.routing.payload_bits.value

    def test(node: Input) -> str | None:
        low, high = node.levels
        return None if payload_width(low, high) <= allowed else f"input values {low} to {high}"

    return f"{allowed} bit{'s' if allowed != 1 else ''}", test


def relay_payload(profile: Profile) -> tuple[str, Test]:
    """Inputs of a neuron beyond a core's are split over relay neurons whose partial sums fit the payload of a spike."""
    relays = "relay" in profile.neuron.kinds.value
    allowed = profile.routing.payload_bits.value

    def test(population: Population) -> str | None:
        if population.levels is None or payload_width(*population.levels) <= allowed:
            return None
        return f"partial sums from {population.levels[0]:,} to {population.levels[1]:,}"

    return f"sums of {count(allowed, 'bit')}" if relays else "no relays", test


def synaptic_current(profile: Profile) -> tuple[str, Test]:
    """Neurons with a decaying synaptic current are ones that the target has."""
    allowed = profile.neuron.synaptic_current.value
    whole = 1 << profile.arithmetic.decay_bits.value

    def test(population: Population) -> str | None:
        return None if allowed or np.all(population.decay_u == whole) else "a synaptic current with memory"

    return "yes" if allowed else "no", test


def neuron_bias(profile: Profile) -> tuple[str, Test]:
    """Biases that differ between neurons go to neurons with a bias of their own."""
    allowed = profile.neuron.per_neuron_bias.value

    def test(population: Population) -> str | None:
        differing = any(np.any(bias != bias.reshape(-1)[0]) for bias in (population.bias, population.bias_u))
        return "biases that differ between neurons" if differing and not allowed else None

    return "per neuron" if allowed else "one per population", test


def membrane_decay(profile: Profile) -> tuple[str, Test]:
    """A potential that shrinks by a factor in each step is one of neurons that multiply."""
    allowed = profile.neuron.decay.value

    def test(population: Population) -> str | None:
        return None if allowed or np.all(population.decay_v == 0) else "a potential that decays by a factor"

    return "yes" if allowed else "no", test


def reset_amount(profile: Profile) -> tuple[str, Test]:
    """A reset by subtraction takes off an amount that the target's neurons can subtract."""
    allowed = profile.neuron.subtracts.value

    def test(population: Population) -> str | None:
        if allowed == "any" or population.reset is not Reset.SUBTRACT:
            return None
        lowest = population.threshold + 1
        differs = np.flatnonzero(np.broadcast_to(population.reset_amount != lowest, population.shape))
        if not differs.size:
            return None
        amount, least = (
            np.broadcast_to(x, population.shape).reshape(-1)[differs[0]] for x in (population.reset_amount, lowest)
        )
        return f"a reset by {amount} where the lowest potential that spikes is {least}"

    return "any" if allowed == "any" else "the lowest potential that spikes", test


def initial_potential(profile: Profile) -> tuple[str, Test]:
    """Potentials that do not begin at 0 can be loaded into the target's neurons."""
    allowed = profile.neuron.initial_potential.value

    def test(population: Population) -> str | None:
        return None if allowed or not np.any(population.v_init) else "potentials that do not begin at 0"

    return "any" if allowed else "0", test


def rounding(profile: Profile) -> tuple[str, Test]:
    """What decays becomes a whole number in a way that the target's neurons have."""
    values = Arithmetic(**profile.arithmetic_values())

    def test(population: Population) -> str | None:
        decays = [population.decay_u, population.decay_v, population.decay_a]
        rounds = any(np.any(decays_partly(decay, values)) for decay in decays)
        if not rounds or population.decays in decays_allowed(profile, population):
            return None
        return "decays to the nearest whole number"

    allowed = profile.neuron.rounding.value
    programs = "towards zero; to the nearest where Lava's LIF executes none"
    return {"truncate": "towards zero", "programs": programs, "nearest": "towards zero or to the nearest"}[
        allowed
    ], test


def late_start(profile: Profile) -> tuple[str, Test]:
    """Neurons with a bias behind other layers can rest until their input arrives."""
    allowed = profile.neuron.late_start.value

    def test(population: Population) -> str | None:
        moves = any(np.any(value) for value in (population.bias, population.bias_u, population.v_init))
        return f"a bias from step {population.start} on" if moves and population.start and allowed == "none" else None

    return {"population": "yes", "core": "core by core", "none": "no"}[allowed], test


def long_step(profile: Profile) -> tuple[str, Test]:
    """Loops with fewer steps of delay than synapses run on neurons that keep their state between two steps."""
    allowed = profile.neuron.holds.value

    def test(program: Graph) -> str | None:
        loop = slowest_loop(program)
        if allowed or loop is None:
            return None
        delay, synapses = count(loop.waits, "step"), count(len(loop.names), "synapse")
        return f"{delay} of delay over {synapses}, a step of {program.slowdown} hardware timesteps"

    return "yes" if allowed else "no", test


def weight_bits(profile: Profile) -> tuple[str, Test]:
    """A projection's codes fit a weight width that the target stores."""
    allowed = profile.synapse.weight_bits.value

    def test(projection: Projection) -> str | None:
        return None if projection.bits <= max(allowed) else f"codes of {count(projection.bits, 'bit')}"

    return "up to " + str(max(allowed)) + " (" + ", ".join(map(str, sorted(allowed))) + ")", test


def synaptic_delay(profile: Profile) -> tuple[str, Test]:
    """A synapse waits no longer than the target's delay lines."""
    allowed = profile.synapse.max_delay.value

    def test(projection: Projection) -> str | None:
        return None if projection.delay <= allowed else f"a delay of {count(projection.delay, 'step')}"

    return f"up to {count(allowed, 'step')}", test


def channel_gain(profile: Profile) -> tuple[str, Test]:
    """Gains that are no common power of two are held per projection, or in synapses as code times gain."""
    allowed, widest = profile.synapse.channel_gain.value, max(profile.synapse.weight_bits.value)

    def test(projection: Projection) -> str | None:
        common = np.all(projection.gain == projection.gain.reshape(-1)[0]) and stored_weights(projection)[1] <= widest
        return None if allowed or common else "gains that are no common power of two"

    return "any" if allowed else f"a power of two, or code times gain in {count(widest, 'bit')}", test


POPULATION_RULES: tuple[tuple[Rule, str], ...] = (
    (neuron_kind, "choose a target that has it{targets}; other neurons change the network"),
    (relay_payload, "choose a target that relays wider sums{targets}; fewer inputs change the network"),
    (reset_mode, "choose a target that has it{targets}; another reset changes the network"),
    (synaptic_current, "choose a target that has it{targets}; neurons without a synaptic current change the network"),
    (neuron_bias, "choose a target that has it{targets}; leaving biases out changes the network"),
    (
        membrane_decay,
        "choose a target that has it{targets}; neurons that do not leak, or lose a constant, change the network",
    ),
    (reset_amount, "choose a target that has it{targets}; another comparison or reset changes the network"),
    (initial_potential, "choose a target that has it{targets}; beginning at 0 changes the network"),
    (rounding, "choose a target that has it{targets}; a network compiled for this one cuts its decays"),
    (late_start, "choose a target that has it{targets}; leaving biases out changes the network"),
)
NETWORK_RULES: tuple[tuple[Rule, str], ...] = (
    (
        long_step,
        "choose a target that has them{targets}; a longer delay in the loop fits, but is another network, to be "
        "trained again",
    ),
)
INPUT_RULES: tuple[tuple[Rule, str], ...] = (
    (input_payload, "choose a target with graded spikes{targets}; an input of spikes (0 or 1) changes the network"),
)
PROJECTION_RULES: tuple[tuple[Rule, str], ...] = (
    (
        weight_bits,
        "choose a target with wider weights{targets}; ternarising the layer (--ternarize twn) changes the network",
    ),
    (synaptic_delay, "choose a target with longer delays{targets}; paths that are equally deep change the network"),
    (channel_gain, "choose a target that has them{targets}; one scale for the summed layers changes the network"),
)


RULES: tuple[tuple[type[Graph] | type[NodeBase], tuple[tuple[Rule, str], ...]], ...] = (
    (Input, INPUT_RULES),
    (Population, POPULATION_RULES),
    (Projection, PROJECTION_RULES),
    (Graph, NETWORK_RULES),
)
"""By what they look at: nodes of a kind, or the whole program."""


def check_rules(program: Graph, profile: Profile) -> None:
    """Raise UnsupportedError for the first node of an INTEGER graph, or loop, that the target cannot execute."""
    for kind, rules in RULES:
        for rule, hint in rules:
            allowed, test = rule(profile)
            for node in _judged(program, kind):
                found = test(node)
                if found is not None:
                    sentence = (rule.__doc__ or rule.__name__).rstrip(".")
                    sentence = f"that {sentence[0].lower()}{sentence[1:]}"
                    with stopping():
                        names = executing(program, rule, node, profile) or ["none that is shipped"]
                    with alone():
                        raise UnsupportedError(
                            _called(node), f"{sentence} ({profile.name} allows: {allowed})", found,
                            hint.format(targets=f" ({', '.join(names)})"),
                        )  # fmt: skip


def _judged(program: Graph, kind: type[Graph] | type[NodeBase]) -> tuple[Graph | NodeBase, ...]:
    """What rules of a kind look at: the whole program, or its nodes of that kind."""
    return (program,) if kind is Graph else program.of_kind(kind)


def _called(judged: Graph | NodeBase) -> str:
    """What an error calls it: a node by its name, a program by the loop that makes its steps long."""
    return str(slowest_loop(judged)) if isinstance(judged, Graph) else judged.name


def executing(program: Graph, rule: Rule, node: Graph | NodeBase, profile: Profile) -> list[str]:
    """The shipped targets that execute the whole INTEGER graph; where there are none, those that pass `rule` on `node`.
    Targets that no chip has, and `profile` itself, are left out."""
    others = [each for each in known_profiles() if each.name not in (profile.name, *NO_CHIP)]
    whole = [other.name for other in others if _passes(program, other)]
    return whole or [other.name for other in others if rule(other)[1](node) is None]


def _passes(program: Graph, profile: Profile) -> bool:
    return all(
        rule(profile)[1](node) is None for kind, rules in RULES for rule, _ in rules for node in _judged(program, kind)
    )


def support_table(profiles: list[Profile]) -> list[dict[str, str]]:
    """One row per rule: its name, its sentence, what each profile allows, and what to do about a refusal."""
    return [
        {
            "rule": rule.__name__,
            "meaning": rule.__doc__ or "",
            **{profile.name: rule(profile)[0] for profile in profiles},
            "hint": hint.format(targets=""),
        }
        for _, rules in RULES
        for rule, hint in rules
    ]
