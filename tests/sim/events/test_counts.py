"""Events counted by hand over two cores that were wired by hand."""

from __future__ import annotations

import numpy as np

from nets import neurons
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.sim.events.count import Counter
from tern2lava.sim.events.wiring import HOST, Route, Seat, Wiring


def test_a_spike_counts_for_its_core_its_links_and_the_synapses_that_it_meets() -> None:
    weight = frozen(np.array([[1, 0], [0, -1]]), np.int8)
    nodes = (
        Input(name="x", shape=(2,)),
        Projection(name="w", inputs=("x",), weight=weight), neurons("a", "w", (2,), start=1),
        Projection(name="u", inputs=("a",), weight=weight, delay=1), neurons("b", "u", (2,), start=3),
        Output(name="out", inputs=("b",)),
    )  # fmt: skip
    both, fan = np.arange(2), np.array([[1.0, 1.0, 2.0]] * 2)
    wiring = Wiring(
        cores=2, chips=1,
        seats=(Seat(population="a", core=0, neuron=both, start=1), Seat(population="b", core=1, neuron=both, start=3)),
        routes=(
            Route(source="x", target="a", core=HOST, to=0, neuron=both, fan=fan, across=0, along=0, delay=0),
            Route(source="a", target="b", core=0, to=1, neuron=both, fan=fan, across=3, along=2, delay=1),
        ),
    )  # fmt: skip
    counter = Counter(Graph(level=Level.INTEGER, nodes=nodes, arithmetic=Arithmetic()), wiring)
    x = np.array([[[1, 1], [0, 1]]])
    a, b = np.array([[[0, 1], [0, 0]]]), np.array([[[1, 0], [0, 0]]])
    (work,) = counter.add({"x": x}, {"a": a, "b": b})
    rows = {layer.name: layer for layer in counter.result().layers}
    assert (rows["x"].spikes, rows["x"].messages, rows["x"].local, rows["x"].across) == (3, 3, 3, 0)
    assert (rows["a"].spikes, rows["a"].local, rows["a"].across, rows["a"].along) == (1, 0, 3, 2)
    assert (rows["a"].nonzero, rows["a"].stored, rows["b"].nonzero, rows["b"].stored) == (3, 6, 1, 2)
    # Two steps; the second population runs three steps later.
    assert counter.timesteps == 5
    assert work.arriving.T.tolist() == [[0, 2, 1, 0, 0], [0, 0, 0, 1, 0]]
    assert work.leaving.T.tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert work.spikes.T.tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]
    assert (work.across.tolist(), work.along.tolist()) == ([0, 3, 0, 0, 0], [0, 2, 0, 0, 0])
