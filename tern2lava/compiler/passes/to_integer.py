"""Pass: real neuron parameters become the target's integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tern2lava.compiler.certify.calibration import Calibration
from tern2lava.compiler.ir.graph import Arithmetic, Compare, Graph, Level, Neuron, Node, Reset
from tern2lava.compiler.neurons.mechanism import kinds_of
from tern2lava.compiler.options import DEFAULT_STEPS, Options
from tern2lava.compiler.passes.choose_integers import choose
from tern2lava.compiler.passes.retime import pipeline_latencies
from tern2lava.compiler.passes.search import Choice, Search
from tern2lava.errors import UnsupportedError
from tern2lava.findings import alone, unseen
from tern2lava.hw_profiles import Profile


def to_integer(
    graph: Graph, arithmetic: Arithmetic, options: Options, profile: Profile | None = None,
    calibration: Calibration | None = None, told: Callable[[Choice], None] = lambda choice: None,
) -> Graph:  # fmt: skip
    """The INTEGER graph: chip time, integer decays, thresholds, biases and gains. Certified by certificate.certify.

    With S membrane units to one ternary unit and D decay bits:
        decay = round((1 - alpha) 2^D)      gain = round(scale S), a multiple of 2^gain_shift
        bias, bias_u, v_init, reset_amount = round(x S)
        threshold, a multiple of 2^threshold_shift: see ties.place, which may move bias and reset_amount by last bits
        where `profile` (None: any target) lets neurons have a bias of their own, and fit_thresholds, which moves it to
        pay for other roundings
    S, decays' rounding and thresholds are chosen for each population (choose_integers), on the samples of `calibration`
    where there is one; `told` hears of each choice. Latencies and slowdown are those of retime. Neurons that
    compute in integers already (quantum) keep theirs: their membrane unit is the quantum. Raises UnsupportedError for a
    decay outside [0, 1] and for thresholds that have no code.
    """
    steps = options.steps or graph.steps or DEFAULT_STEPS
    timing = pipeline_latencies(graph)
    notes: list[str] = [*timing.note()]
    nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
    whole = True
    for neuron in graph.of_kind(Neuron):
        with alone() as each:
            _check(neuron, arithmetic)
            search = Search(
                graph=graph, neuron=neuron, arithmetic=arithmetic, options=options, profile=profile, steps=steps,
                start=timing.latency[neuron.name],
            )  # fmt: skip
            chosen, choice = choose(search, calibration)
            told(choice)
            notes += chosen.notes
            nodes[neuron.name] = chosen.population
            for projection in chosen.projections:
                delay = timing.chip_delay(projection, neuron.name)
                nodes[projection.name] = replace(projection, delay=delay, scale=np.ones(()))
        whole = whole and not each.refused
    if not whole:
        raise unseen("what the integers of the other layers would be refused for")
    return replace(
        graph.with_nodes(nodes.values(), level=Level.INTEGER, notes=notes), arithmetic=arithmetic, steps=graph.steps,
        slowdown=timing.slowdown,
    )  # fmt: skip


def _check(neuron: Neuron, arithmetic: Arithmetic) -> None:
    factors = (("alpha_u", neuron.alpha_u), ("alpha_v", neuron.alpha_v), ("alpha_a", neuron.alpha_a))
    for name, value in factors:
        if np.any(value < 0) or np.any(value > 1):
            raise UnsupportedError(
                neuron.name,
                "decay factors in [0, 1]",
                f"{name} {float(np.max(np.abs(value))):g}",
                "a factor above 1 grows without bound; clipping it changes the network",
            )
    if np.any(neuron.threshold < 0) or (neuron.compare is Compare.GE and np.any(neuron.threshold <= 0)):
        raise UnsupportedError(
            neuron.name,
            "thresholds above the resting potential",
            f"{float(np.min(neuron.threshold)):g} above it, in units of the synapses' scale",
            "such a neuron fires without input; a higher threshold changes the network",
        )
    for mechanism in kinds_of(neuron):
        mechanism.refuse_values(neuron)
    if neuron.reset is Reset.SUBTRACT and np.any(neuron.reset_amount < 0):
        raise UnsupportedError(
            neuron.name,
            "a subtracting reset that lowers the potential",
            f"reset amount {float(np.min(neuron.reset_amount)):g} in units of the synapses' scale",
            "a spike would raise the potential; another amount changes the network",
        )
