"""Our counts for loihi2 beside the tables that Intel's Loihi 2 compiler printed into lava-dl's notebooks.

Rows of utilisation (netx/mnist/run.ipynb) are in percent of a core, with a Total that over all printed rows is
0.80 (AxonIn + Synapses + AxonMap + AxonMem) + 0.205 Neurons. Rows of distribution (netx/pilotnet_snn/benchmark.ipynb)
are counts. The unit of Synapses is not public, so that column is taken from the table; the others are ours. Both
notebooks read their last layer through another process, which takes an axon for each of its neurons.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Node, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.hw_profiles import load_profile

PROFILE = load_profile("loihi2")
# neurons of the layers; (layer, neurons on a core, AxonIn %, Neurons %, Synapses %, AxonMap %, Total %)
MNIST = (784, 128, 64, 10)
UTILISATION = [
    (3, 10, 0.40, 0.24, 1.60, 0.06, 1.71),
    (2, 64, 0.80, 1.56, 16.80, 0.40, 14.72),
    (1, 50, 4.90, 1.22, 78.40, 0.31, 67.14),
]
# Percentage points that our Total may part from the printed one.
TOTAL_BAR = 0.01
# (layer, neurons on a core, AxonIn, Neurons, AxonMap)
PILOTNET = (2560, 100, 50, 10, 1)
DISTRIBUTION = [(4, 1, 10, 1, 1), (3, 10, 50, 10, 10), (2, 50, 100, 50, 50), (1, 8, 2560, 8, 8)]


def stack(widths: tuple[int, ...]) -> Graph:
    """Dense layers; the last one is read by a population of as many neurons, as the notebooks' output processes do."""
    nodes: list[Node] = [Input(name="in", shape=(widths[0],))]
    wide = (*widths, widths[-1])
    for at in range(1, len(wide)):
        keys = ("decay_u", "decay_v", "bias", "bias_u", "v_init")
        zeros: dict[str, Any] = {name: frozen(0, np.int64) for name in keys}
        before = "in" if at == 1 else f"p{at - 1}"
        weight, gain = frozen(np.ones((wide[at], wide[at - 1])), np.int8), frozen(64, np.int64)
        nodes.append(Projection(name=f"w{at}", inputs=(before,), weight=weight, bits=2, gain=gain))
        nodes.append(
            Population(
                name=f"p{at}",
                inputs=(f"w{at}",),
                shape=(wide[at],),
                reset=Reset.ZERO,
                lsb=frozen(1.0),
                start=at,
                **zeros,
                threshold=frozen(64, np.int64),
                reset_amount=frozen(0, np.int64),
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


def utilisation(row: tuple[float, ...]) -> tuple[float, float, float, float]:
    """Our AxonIn, Neurons, AxonMap and Total in percent of a core, for a row of UTILISATION."""
    layer, neurons, _, _, synapses, _, _ = row
    core = PROFILE.core
    found = counts(MNIST, int(layer), int(neurons))
    most = (core.in_axons.value, core.neurons.value, core.out_axons.value)
    axon_in, share, axon_map = (100 * have / limit for have, limit in zip(found, most, strict=True))
    return axon_in, share, axon_map, 0.80 * (axon_in + synapses + axon_map) + 0.205 * share


def table(missed: list[str]) -> list[str]:
    """Rows of both notebooks, ours and printed. Missed: a Total more than 0.01 points away, or another count."""
    lines = [
        "| notebook | layer | neurons on a core | AxonIn: ours | printed | Neurons: ours | printed | AxonMap: ours "
        "| printed | Total: ours | printed |", "|---|" + "---:|" * 10,
    ]  # fmt: skip
    for row in UTILISATION:
        layer, neurons, axon_in, share, _, axon_map, total = row
        ours = utilisation(row)
        cells = [f"{a:.2f} % | {b:.2f} %" for a, b in zip(ours, (axon_in, share, axon_map, total), strict=True)]
        lines.append(f"| mnist | {layer:.0f} | {neurons:.0f} | {' | '.join(cells)} |")
        if abs(ours[-1] - total) > TOTAL_BAR:
            missed.append(f"intel: mnist layer {layer:.0f}: Total {ours[-1]:.3f} %, printed {total:.2f} %")
    for layer, neurons, *printed in DISTRIBUTION:
        found = counts(PILOTNET, layer, neurons)
        cells = [f"{a:,} | {b:,}" for a, b in zip(found, printed, strict=True)]
        lines.append(f"| pilotnet_snn | {layer} | {neurons} | {' | '.join(cells)} | | |")
        if list(found) != printed:
            missed.append(f"intel: pilotnet_snn layer {layer}: {found}, printed {tuple(printed)}")
    return lines
