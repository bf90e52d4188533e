"""Our counts for loihi2 against the tables that Intel's Loihi 2 compiler printed into lava-dl's notebooks.

Rows of utilisation (netx/mnist/run.ipynb) are in percent of a core, with a Total that over all printed rows is
0.80 (AxonIn + Synapses + AxonMap + AxonMem) + 0.205 Neurons. Rows of distribution (netx/pilotnet_snn/benchmark.ipynb)
are counts. The unit of Synapses is not public, so that column is taken from the table; the others are ours. Both
notebooks read their last layer through another process, which takes an axon for each of its neurons.
"""

from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.box import Box
from tern2lava.compiler.cost import CostModel
from tern2lava.compiler.feeds import Feeds
from tern2lava.compiler.ir import Arithmetic, Graph, Input, Level, Node, Output, Population, Projection, Reset, frozen
from tern2lava.hw_profiles import load_profile

PROFILE = load_profile("loihi2")
# neurons of the layers; (layer, neurons on a core, AxonIn %, Neurons %, Synapses %, AxonMap %, Total %)
MNIST = (784, 128, 64, 10)
UTILISATION = [
    (3, 10, 0.40, 0.24, 1.60, 0.06, 1.71),
    (2, 64, 0.80, 1.56, 16.80, 0.40, 14.72),
    (1, 50, 4.90, 1.22, 78.40, 0.31, 67.14),
]
# (layer, neurons on a core, AxonIn, Neurons, AxonMap)
PILOTNET = (2560, 100, 50, 10, 1)
DISTRIBUTION = [(4, 1, 10, 1, 1), (3, 10, 50, 10, 10), (2, 50, 100, 50, 50), (1, 8, 2560, 8, 8)]


def stack(widths: tuple[int, ...]) -> Graph:
    """Dense layers; the last one is read by a population of as many neurons, as the notebooks' output processes do."""
    nodes: list[Node] = [Input(name="in", shape=(widths[0],))]
    wide = (*widths, widths[-1])
    for at in range(1, len(wide)):
        before = "in" if at == 1 else f"p{at - 1}"
        weight, gain = frozen(np.ones((wide[at], wide[at - 1])), np.int8), frozen(64, np.int64)
        nodes.append(Projection(name=f"w{at}", inputs=(before,), weight=weight, bits=2, gain=gain))
        nodes.append(
            Population(
                name=f"p{at}", inputs=(f"w{at}",), shape=(wide[at],), reset=Reset.ZERO, lsb=frozen(1.0), start=at,
                **{name: frozen(0, np.int64) for name in ("decay_u", "decay_v", "bias", "bias_u", "v_init")},
                threshold=frozen(64, np.int64), reset_amount=frozen(0, np.int64),
            )
        )
    nodes.append(Output(name="out", inputs=(f"p{len(wide) - 1}",)))
    return Graph(level=Level.INTEGER, nodes=tuple(nodes), arithmetic=Arithmetic(**PROFILE.arithmetic_values()))


def counts(widths: tuple[int, ...], layer: int, neurons: int) -> tuple[int, int, int]:
    """(AxonIn, Neurons, AxonMap) of a core that holds the first `neurons` of a layer, the next layer on one core."""
    graph = stack(widths)
    model, feeds = CostModel(graph, PROFILE), Feeds(graph, PROFILE, False)
    population, reader = graph[f"p{layer}"], graph[f"p{layer + 1}"]
    assert isinstance(population, Population)
    assert isinstance(reader, Population)
    feeds.set_targets(reader, [model.part(reader, Box.full(reader.shape)).blocks])
    box = Box(population.shape, (0,), (neurons,))
    used = model.part(population, box).used
    return used["in_axons"], used["neurons"], feeds.out_axons(population, box)


@pytest.mark.parametrize("row", UTILISATION)
def test_a_printed_row_of_utilisation_is_ours_and_its_total_follows(row: tuple[float, ...]) -> None:
    layer, neurons, axon_in, neuron_share, synapses, axon_map, total = row
    core = PROFILE.core
    found = counts(MNIST, int(layer), int(neurons))
    most = (core.in_axons.value, core.neurons.value, core.out_axons.value)
    share = [100 * have / limit for have, limit in zip(found, most, strict=True)]
    assert share == pytest.approx([axon_in, neuron_share, axon_map], abs=0.005)
    assert 0.80 * (share[0] + synapses + share[2]) + 0.205 * share[1] == pytest.approx(total, abs=0.01)


@pytest.mark.parametrize("row", DISTRIBUTION)
def test_a_printed_row_of_counts_is_ours(row: tuple[int, ...]) -> None:
    layer, neurons, *printed = row
    assert counts(PILOTNET, layer, neurons) == tuple(printed)
